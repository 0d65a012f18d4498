//! MySQL as a protocol of connections.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    LastFacts, ServerFacts, State, account,
    cancel::cancel,
    introduce::introduce,
    login::log_in,
    reset::{reset, use_database},
};
use crate::{
    model::{ids::DatabaseName, name_context::MysqlFlavor, secret::Secret, target::Lane},
    upstream::{
        connection::Connection, error::UpstreamError, login_problem::ServerWords, protocol::Protocol,
        settings::TargetSettings, survey::Told,
    },
    wire::mysql::{capability::Capabilities, command::write, upstream::LoginError},
};

/// MySQL, MariaDB and Aurora MySQL.
#[derive(Clone, Copy, Debug)]
pub enum Mysql {}

/// What a connection is lent by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// What replies have to look like: [`Capabilities::upstream_shape`] of the client's.
    pub shape: Capabilities,
    /// The current database; `None` is none.
    pub database: Option<DatabaseName>,
}

/// What is known of a MySQL session.
#[derive(Debug)]
pub struct Session {
    /// What both sides speak.
    pub(crate) capabilities: Capabilities,
    /// What KILL takes.
    pub(crate) thread_id: u64,
    /// What it told of the server.
    pub(crate) facts: Arc<ServerFacts>,
    /// Its settings after the login or the last reset, or when they were last read.
    pub(crate) state: State,
    /// COM_SET_OPTION was sent since the login or the last reset.
    pub(crate) option_set: bool,
}

impl Protocol for Mysql {
    type Home = Home;
    type Session = Session;
    type Key = u64;
    type Known = LastFacts;

    fn probe_home(listed: Option<&DatabaseName>) -> Home {
        Home { shape: Capabilities::NONE, database: listed.cloned() }
    }

    fn database(home: &Home) -> Option<&DatabaseName> {
        home.database.as_ref()
    }

    /// A database is left for another one, but never for none.
    fn can_move(idle: &Home, wanted: &Home) -> bool {
        idle.shape == wanted.shape && wanted.database.is_some()
    }

    async fn move_to(
        connection: &mut Connection<Self>,
        wanted: &Home,
        lane: Lane,
    ) -> Result<(), UpstreamError> {
        let Some(database) = &wanted.database else {
            return Err(UpstreamError::Misuse { what: "a database is never left for none" });
        };
        use_database(connection, database).await.map_err(|error| match error {
            UpstreamError::Refused { target, source: ServerWords::Mysql(source) } => {
                UpstreamError::Login { target, lane, source: LoginError::Server { source }.into() }
            }
            error => error,
        })
    }

    async fn open(
        target: &TargetSettings,
        home: &Home,
        lane: Lane,
        secret: Secret<String>,
    ) -> Result<Connection<Self>, UpstreamError> {
        let mut connection = log_in(target, home, lane, secret).await?;
        introduce(&mut connection, lane).await?;
        Ok(connection)
    }

    async fn reset(
        connection: &mut Connection<Self>,
        lane: Lane,
        _in_transaction: bool,
    ) -> Result<(), UpstreamError> {
        reset(connection, lane).await
    }

    async fn cancel(target: &TargetSettings, lane: Lane, key: &u64) -> Result<(), UpstreamError> {
        cancel(target, lane, *key).await
    }

    fn key(session: &Session) -> Option<u64> {
        Some(session.thread_id)
    }

    async fn excess(connection: &mut Connection<Self>, only_reads: bool) -> Result<String, UpstreamError> {
        let grants = connection.run(&["SHOW GRANTS"]).await?;
        Ok(account::excess(grants.iter().filter_map(|row| row.text(0)), only_reads))
    }

    async fn tell(connection: &mut Connection<Self>) -> Result<Told, UpstreamError> {
        let rows = connection.run(&[ABOUT]).await?;
        let told = rows.first().and_then(|row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
        let (version, clock) = told.ok_or_else(|| connection.unexpected("nothing about itself"))?;
        let product = match connection.session.facts.flavor {
            MysqlFlavor::Mariadb => "MariaDB",
            MysqlFlavor::Mysql => "MySQL",
        };
        Ok(Told { server: format!("{product} {version}"), clock })
    }

    async fn refuses_writes(connection: &mut Connection<Self>) -> Result<bool, UpstreamError> {
        match connection.run(&[WRITE_OF_NOTHING]).await {
            Ok(_) => Ok(false),
            Err(UpstreamError::Refused { source: ServerWords::Mysql(words), .. }) => {
                Ok(READ_ONLY.contains(&words.errno))
            }
            Err(error) => Err(error),
        }
    }

    fn takes_writes(session: &Session) -> bool {
        session.state.takes_writes
    }

    /// Commands go out whole.
    fn is_whole(_: &Session) -> bool {
        true
    }

    fn farewell(output: &mut BytesMut) {
        write::quit(output);
    }

    fn opened(known: &LastFacts, session: &Session) {
        known.learn(&session.facts);
    }

    /// What is known of a server takes no room that could be given up.
    fn tick(_: &LastFacts) {}
}

const ABOUT: &str = "SELECT VERSION(), DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ') LIMIT 1";
/// There is no such table, and its name is none that a table could have come by.
const WRITE_OF_NOTHING: &str =
    "RENAME TABLE `mysql`.`no table of tidegate` TO `mysql`.`no table of tidegate either`";
/// Read-only are the transaction, the server (`read_only`), and all of its storage (`innodb_read_only`).
const READ_ONLY: [u16; 3] = [1792, 1290, 1836];
