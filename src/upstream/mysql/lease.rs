//! What passes a lease of MySQL.

use std::time::Duration;

use bytes::BufMut;
use tokio::time::timeout;

use super::{
    ServerFacts, State,
    answers::last_words,
    message::{self, Kind, MysqlMessage},
    protocol::Mysql,
    reset::use_database,
    setup::{Order, Setup},
};
use crate::{
    audit::Receipt,
    model::ids::DatabaseName,
    policy::{Leave, Permit},
    upstream::{connection::Connection, error::UpstreamError, lease::Lease},
    wire::mysql::{capability::Capabilities, command::write, error::ServerError},
};

/// What is sent gives the number that its reply begins with.
impl Lease<Mysql> {
    /// Appends COM_QUERY, COM_FIELD_LIST, COM_STMT_EXECUTE or COM_STMT_BULK_EXECUTE: it runs.
    ///
    /// # Errors
    /// `WrongLane` if the permit is for a higher lane, `Misuse` if `command` is not exactly one such command, in as
    /// many packets as it takes; nothing is appended then.
    pub fn send_statement(
        &mut self,
        command: &[u8],
        permit: &Permit,
        _stored: &Receipt,
    ) -> Result<u8, UpstreamError> {
        self.check_lane(permit)?;
        let next = self.append(command, Kind::Statement)?;
        self.note_running();
        Ok(next)
    }

    /// Appends COM_STMT_PREPARE: its text is parsed, and does not run yet.
    ///
    /// # Errors
    /// As [`Lease::send_statement`].
    pub fn send_prepare(&mut self, command: &[u8], leave: &impl Leave) -> Result<u8, UpstreamError> {
        self.check_lane(leave)?;
        self.append(command, Kind::Prepare)
    }

    /// Appends COM_STMT_FETCH: more rows of what runs already.
    ///
    /// # Errors
    /// As [`Lease::send_statement`].
    pub fn send_fetch(&mut self, command: &[u8], permit: &Permit) -> Result<u8, UpstreamError> {
        self.check_lane(permit)?;
        let next = self.append(command, Kind::Fetch)?;
        self.note_running();
        Ok(next)
    }

    /// Appends COM_INIT_DB: another current database.
    ///
    /// # Errors
    /// `WrongLane`; nothing is appended then.
    pub fn send_use(&mut self, database: &DatabaseName, permit: &Permit) -> Result<u8, UpstreamError> {
        self.check_lane(permit)?;
        Ok(write::init_db(&mut self.connection.output, database.as_bytes()))
    }

    /// Appends what carries no SQL and starts nothing.
    ///
    /// # Errors
    /// `Misuse` if what claims to be a LongData is anything else; nothing is appended then.
    pub fn send_protocol(&mut self, message: MysqlMessage<'_>) -> Result<u8, UpstreamError> {
        let out = &mut self.connection.output;
        Ok(match message {
            MysqlMessage::LongData(command) => self.append(command, Kind::LongData)?,
            MysqlMessage::NoFile { answer } => {
                out.put_slice(&[0, 0, 0, answer]);
                answer.wrapping_add(1)
            }
            MysqlMessage::Ping => write::ping(out),
            MysqlMessage::SetMultiStatements(on) => {
                self.connection.session.option_set = true;
                write::set_multi_statements(out, on)
            }
            MysqlMessage::Statistics => write::statistics(out),
            MysqlMessage::StmtClose(statement) => write::close(out, statement),
            MysqlMessage::StmtReset(statement) => write::reset_statement(out, statement),
        })
    }

    /// Runs statements of the gateway's own, one after the other, and waits for their answers. Only while nothing
    /// else is under way. What goes out as text takes one round trip, where the client's shape has several statements in
    /// one command, and one each otherwise.
    ///
    /// # Errors
    /// `Misuse`, `Refused`, `Timeout`, `Lost`, `Protocol`, `Unexpected`; the lease is of no further use then.
    pub async fn run_setup(&mut self, setups: &[Setup<'_>], limit: Duration) -> Result<(), UpstreamError> {
        let lane = self.slot.lane();
        let orders: Result<Vec<_>, _> =
            setups.iter().map(|setup| setup.on_lane(lane).and_then(Setup::order)).collect();
        let orders = orders?;
        let work = run_orders(&mut self.connection, &orders);
        timeout(limit, work).await.unwrap_or_else(|_| Err(self.late()))
    }

    /// Asks the server what the session is set to, and keeps it. Only while nothing else is under way.
    ///
    /// # Errors
    /// As [`Lease::run_setup`].
    pub async fn read_state(&mut self, limit: Duration) -> Result<&State, UpstreamError> {
        let text = State::text(&self.connection.session.facts);
        let rows = match timeout(limit, self.connection.run(&[&text])).await {
            Ok(rows) => rows?,
            Err(_) => return Err(self.late()),
        };
        let state =
            State::read(&rows).ok_or_else(|| self.connection.unexpected("nothing about its settings"))?;
        // What it began with is what the reset compares with.
        let role = self.connection.session.state.role.clone();
        self.connection.session.state = State { role, ..state };
        Ok(&self.connection.session.state)
    }

    /// What the session was set to after the login or the last reset, or when it was last read.
    pub const fn state(&self) -> &State {
        &self.connection.session.state
    }

    /// What the server said of itself when this connection was opened.
    pub fn facts(&self) -> &ServerFacts {
        &self.connection.session.facts
    }

    /// What is negotiated; commands and replies have this shape.
    pub const fn capabilities(&self) -> Capabilities {
        self.connection.session.capabilities
    }

    /// The current database after the login, the last reset, or the last of our own switches; `None` is none.
    pub fn database(&self) -> Option<&DatabaseName> {
        self.connection.session.state.database.as_ref()
    }

    /// The number of the upstream's session, which KILL takes.
    pub const fn thread_id(&self) -> u64 {
        self.connection.session.thread_id
    }

    /// What the upstream said before it closed: the error at the front of the buffer, whatever its number.
    ///
    /// A server that goes away, or ends a session, says so without being asked (1053, 1927, 4031), which reads as a
    /// packet out of order.
    pub fn last_words(&self) -> Option<ServerError> {
        last_words(&self.connection.input)
    }

    fn append(&mut self, command: &[u8], held: Kind) -> Result<u8, UpstreamError> {
        let next = message::check(command, held)?;
        self.connection.output.extend_from_slice(command);
        Ok(next)
    }
}

async fn run_orders(connection: &mut Connection<Mysql>, orders: &[Order<'_>]) -> Result<(), UpstreamError> {
    let mut texts = Vec::new();
    for order in orders {
        match order {
            Order::Text(text) => texts.push(text.as_str()),
            Order::Use(database) => {
                connection.run(&std::mem::take(&mut texts)).await?;
                use_database(connection, database).await?;
            }
        }
    }
    connection.run(&texts).await.map(|_| ())
}
