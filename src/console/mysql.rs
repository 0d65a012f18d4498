//! The editor as a client of MySQL and MariaDB: COM_QUERY, whose values come as text.
//!
//! Source: MySQL source documentation, "Text Protocol".

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    error::EditorError,
    line::{Column, Line, Report, Row, Transaction},
    sink::Sink,
    types,
};
use crate::{
    model::secret::Secret,
    wire::{
        WireError,
        mysql::{
            capability::Capabilities,
            command::write,
            error::ServerError,
            execute::Attributes,
            fields::Fields,
            packet::{Packet, take_packet},
            response::Completion,
            status::Status,
            upstream::{Login, LoginError, LoginRequest, LoginStep},
        },
    },
};

/// One session at the gate.
pub(super) struct Session {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    shape: Capabilities,
    /// The number that KILL takes.
    pub(super) id: u32,
    transaction: Transaction,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// `Refused`, `Lost`, `Protocol`.
    pub(super) async fn log_in(
        stream: TcpStream,
        user: &str,
        database: &str,
        secret: Secret<String>,
    ) -> Result<Self, EditorError> {
        let request = LoginRequest {
            user,
            database,
            shape: Capabilities::NONE,
            tls: false,
            charset: UTF8MB4_GENERAL_CI,
            attributes: &[("program_name", "tidegate console")],
        };
        let mut login = Login::new(&request, secret).map_err(refused)?;
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let (shape, transaction) = (Capabilities::NONE, Transaction::Idle);
        let mut session = Self { stream, input, output, shape, id: 0, transaction };
        loop {
            let packet = session.packet().await?;
            let step = login.receive(&packet, &mut session.output).map_err(refused)?;
            session.send().await?;
            match step {
                LoginStep::Done(logged_in) => {
                    session.shape = logged_in.capabilities;
                    session.id = logged_in.greeting.connection_id;
                    return Ok(session);
                }
                LoginStep::Next => {}
                LoginStep::StartTls => {
                    return Err(EditorError::refused(Report::of("08S01", "the gate wants TLS of itself")));
                }
            }
        }
    }

    pub(super) const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Runs `sql` and tells everything of it to `sink`.
    ///
    /// # Errors
    /// `Lost` and `Protocol`: the session is over.
    pub(super) async fn run(&mut self, sql: &str, sink: &mut Sink) -> Result<(), EditorError> {
        write::query(&mut self.output, sql.as_bytes(), Attributes::default(), self.shape);
        self.send().await?;
        loop {
            let packet = self.packet().await?;
            let payload = packet.payload();
            let more = match payload.first() {
                Some(0xff) => return self.failed(payload, sink).await,
                Some(0xfb) => return Err(WireError::Unexpected { tag: 0xfb }.into()),
                Some(0) => {
                    let done = Completion::read(payload, self.shape)?;
                    let is_change = done.affected_rows > 0;
                    sink.complete("OK".to_owned(), is_change.then_some(done.affected_rows)).await;
                    done.status
                }
                _ => match self.result(payload, sink).await? {
                    Some(status) => status,
                    None => return Ok(()),
                },
            };
            self.note(more);
            if !more.has(Status::MORE_RESULTS) {
                return Ok(());
            }
        }
    }

    /// One result; `None` where it failed in its midst.
    async fn result(&mut self, head: &[u8], sink: &mut Sink) -> Result<Option<Status>, EditorError> {
        let count = usize::try_from(Fields::new(head, "result").number()?).unwrap_or(usize::MAX);
        let mut columns = Vec::new();
        while columns.len() < count {
            columns.push(column(self.packet().await?.payload())?);
        }
        sink.columns(columns).await;
        self.packet().await?;
        loop {
            let packet = self.packet().await?;
            let payload = packet.payload();
            match payload.first() {
                Some(0xff) => {
                    self.failed(payload, sink).await?;
                    return Ok(None);
                }
                Some(0xfe) if payload.len() < EOF_BYTES => {
                    let done = Completion::read_eof(payload)?;
                    sink.complete("SELECT".to_owned(), Some(sink.counted())).await;
                    return Ok(Some(done.status));
                }
                _ => sink.row(row(payload, count)?).await,
            }
        }
    }

    async fn failed(&mut self, payload: &[u8], sink: &mut Sink) -> Result<(), EditorError> {
        // An error fails no transaction here, and its packet does not say whether one is open: as it was.
        sink.say(&Line::Error(report(ServerError::read(payload)?))).await;
        Ok(())
    }

    fn note(&mut self, status: Status) {
        let is_open = status.has(Status::IN_TRANSACTION);
        self.transaction = if is_open { Transaction::Open } else { Transaction::Idle };
    }

    async fn send(&mut self) -> Result<(), EditorError> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    async fn packet(&mut self) -> Result<Packet, EditorError> {
        loop {
            if let Some(packet) = take_packet(&mut self.input, MOST_PACKET_BYTES)? {
                return Ok(packet);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// Has the gate cancel what runs in another session of the same person, and ends.
///
/// # Errors
/// `Lost` and `Protocol`.
pub(super) async fn kill(mut by: Session, session: u32) -> Result<(), EditorError> {
    let (lines, _told) = tokio::sync::mpsc::channel(1);
    by.run(&format!("KILL QUERY {session}"), &mut Sink::new(lines, 0)).await
}

fn refused(error: LoginError) -> EditorError {
    match error {
        LoginError::Server { source } => EditorError::refused(report(source)),
        LoginError::Wire { source } => source.into(),
        error => EditorError::refused(Report::of("28000", error.to_string())),
    }
}

/// MySQL has one message where PostgreSQL has several: the gate's hint is at its end.
fn report(error: ServerError) -> Report {
    let ServerError { errno, sqlstate, message } = error;
    let report = Report::of(&sqlstate, "").with_denial_of(&message);
    Report { number: Some(errno), message, ..report }
}

fn column(payload: &[u8]) -> Result<Column, WireError> {
    let mut fields = Fields::new(payload, "ColumnDefinition");
    // Catalog, schema, table, and the table's own name.
    for _ in 0..4 {
        fields.string()?;
    }
    let name = String::from_utf8_lossy(fields.string()?).into_owned();
    // The column's own name, and the length of what follows.
    fields.string()?;
    fields.number()?;
    let charset = fields.int16()?;
    fields.int32()?;
    let kind = fields.byte()?;
    Ok(Column { name, kind: types::of_mysql(kind, charset == BINARY) })
}

fn row(payload: &[u8], count: usize) -> Result<Row, WireError> {
    let mut fields = Fields::new(payload, "row");
    let mut row = Vec::new();
    while row.len() < count {
        let is_null = fields.rest().first() == Some(&0xfb);
        row.push(if is_null {
            fields.byte()?;
            None
        } else {
            Some(String::from_utf8_lossy(fields.string()?).into_owned())
        });
    }
    Ok(row)
}

/// Every server has it, from 5.5 on.
const UTF8MB4_GENERAL_CI: u8 = 45;
/// The character set of what is no text.
const BINARY: u16 = 63;
/// An EOF is shorter; a row that begins with the same byte is longer.
const EOF_BYTES: usize = 9;
/// A row over this ends the session.
const MOST_PACKET_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_values_and_its_nulls() {
        assert_eq!(row(b"\x02ab\xfb\0", 3).unwrap(), [Some("ab".to_owned()), None, Some(String::new())]);
        assert!(row(b"\x02ab", 2).is_err());
    }

    #[test]
    fn a_refusal_says_how_to_ask() {
        let message =
            "permission denied: select on hr.salary. Ask for it: tidegate request create --denial 0a1b2c3d";
        let error = ServerError { errno: 1142, sqlstate: "42000".to_owned(), message: message.to_owned() };
        let report = report(error);
        assert_eq!((report.number, report.denial.as_deref()), (Some(1142), Some("0a1b2c3d")));
        assert_eq!(report.message, message);
    }
}
