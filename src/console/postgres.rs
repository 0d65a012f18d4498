//! The editor as a client of PostgreSQL: simple queries, whose values come as text.
//!
//! Source: PostgreSQL manual, "Frontend/Backend Protocol".

use bytes::{Bytes, BytesMut};
use postgres_protocol::message::frontend;
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
        postgres::{
            backend::{TransactionStatus, command_rows, error_field},
            frame::{Fields, Frame, take_frame},
            upstream::{BackendKey, Login, LoginError, LoginRequest, Transport},
        },
    },
};

/// One session at the gate.
pub(super) struct Session {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    key: Option<BackendKey>,
    transaction: Transaction,
}

/// What COPY gives.
pub(super) enum Copied {
    Data(Bytes),
    Failed(Report),
    Over,
}

impl Session {
    /// Logs in.
    ///
    /// # Errors
    /// `Refused`, `Lost`, `Protocol`.
    pub(super) async fn log_in(
        mut stream: TcpStream,
        user: &str,
        database: &str,
        secret: Secret<String>,
    ) -> Result<Self, EditorError> {
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        let request = LoginRequest { user, database, application: "tidegate console", options: "" };
        let mut login = Login::new(request, secret, Transport::Plain, &mut output).map_err(refused)?;
        loop {
            stream.write_all(&output).await?;
            output.clear();
            let logged_in = login.receive(&mut input, &mut output).map_err(refused)?;
            if let Some(logged_in) = logged_in {
                let transaction = Transaction::Idle;
                return Ok(Self { stream, input, output, key: logged_in.key, transaction });
            }
            if output.is_empty() && stream.read_buf(&mut input).await? == 0 {
                return Err(gone());
            }
        }
    }

    /// What cancels its statements.
    pub(super) fn key(&self) -> Option<BackendKey> {
        self.key.clone()
    }

    pub(super) const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// Runs `sql` and tells everything of it to `sink`.
    ///
    /// # Errors
    /// `Lost` and `Protocol`: the session is over.
    pub(super) async fn run(&mut self, sql: &str, sink: &mut Sink) -> Result<(), EditorError> {
        self.query(sql).await?;
        loop {
            let frame = self.frame().await?;
            let body = frame.body();
            match frame.tag() {
                b'T' => sink.columns(columns(body)?).await,
                b'D' => sink.row(row(body)?).await,
                b'C' => {
                    let command = Fields::new(body, "CommandComplete").text()?.to_owned();
                    sink.complete(command, command_rows(body)).await;
                }
                b'E' => sink.say(&Line::Error(report(body)?)).await,
                b'N' => sink.say(&Line::Notice(report(body)?)).await,
                b'H' => sink.columns(vec![Column { name: "COPY".to_owned(), kind: "text" }]).await,
                b'd' => sink.row(vec![Some(String::from_utf8_lossy(body).trim_end().to_owned())]).await,
                b'G' | b'W' => self.send_no_data().await?,
                b'Z' => {
                    self.ready(body)?;
                    return Ok(());
                }
                // Parameters, notifications, the end of COPY, an empty query: nothing that a page shows.
                _ => {}
            }
        }
    }

    /// Begins to send the rows of `sql` as CSV, as a statement that is judged as export.
    ///
    /// # Errors
    /// In the result, why it is refused; `Lost` and `Protocol`: the session is over.
    pub(super) async fn begin_export(&mut self, sql: &str) -> Result<Result<(), Report>, EditorError> {
        let sql = sql.trim_end_matches(|letter: char| letter.is_whitespace() || letter == ';');
        // On lines of its own: a comment at its end must not swallow what follows.
        self.query(&format!("COPY (\n{sql}\n) TO STDOUT WITH (FORMAT csv, HEADER true)")).await?;
        let mut refused = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag() {
                b'H' => return Ok(Ok(())),
                b'E' => refused = Some(report(frame.body())?),
                b'Z' => {
                    self.ready(frame.body())?;
                    return Ok(Err(refused.unwrap_or_else(|| Report::of("XX000", "it gives no rows"))));
                }
                _ => {}
            }
        }
    }

    /// More of what was begun; after `Failed` and `Over` the session is ready again.
    ///
    /// # Errors
    /// `Lost` and `Protocol`: the session is over.
    pub(super) async fn export(&mut self) -> Result<Copied, EditorError> {
        let mut failed = None;
        loop {
            let frame = self.frame().await?;
            match frame.tag() {
                b'd' => return Ok(Copied::Data(Bytes::copy_from_slice(frame.body()))),
                b'E' => failed = Some(report(frame.body())?),
                b'Z' => {
                    self.ready(frame.body())?;
                    return Ok(failed.map_or(Copied::Over, Copied::Failed));
                }
                _ => {}
            }
        }
    }

    fn ready(&mut self, body: &[u8]) -> Result<(), EditorError> {
        self.transaction = match TransactionStatus::read(body)? {
            TransactionStatus::Failed => Transaction::Failed,
            TransactionStatus::Idle => Transaction::Idle,
            TransactionStatus::Open => Transaction::Open,
        };
        Ok(())
    }

    async fn query(&mut self, sql: &str) -> Result<(), EditorError> {
        let zero = |_| EditorError::refused(Report::of("22021", "a statement holds no zero byte"));
        frontend::query(sql, &mut self.output).map_err(zero)?;
        self.send().await
    }

    /// The console has no data for COPY FROM STDIN.
    async fn send_no_data(&mut self) -> Result<(), EditorError> {
        frontend::copy_fail("the console sends no data: use psql", &mut self.output)?;
        self.send().await
    }

    async fn send(&mut self) -> Result<(), EditorError> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        Ok(())
    }

    async fn frame(&mut self) -> Result<Frame, EditorError> {
        loop {
            if let Some(frame) = take_frame(&mut self.input, MOST_MESSAGE_BYTES)? {
                return Ok(frame);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(gone());
            }
        }
    }
}

/// Asks the gate on a connection of its own to cancel what runs in the session of `key`.
///
/// # Errors
/// `Lost`.
pub(super) async fn cancel(mut stream: TcpStream, key: &BackendKey) -> Result<(), EditorError> {
    let mut output = BytesMut::new();
    let secret = key.secret.expose();
    let Ok(secret) = secret.as_slice().try_into().map(i32::from_be_bytes) else { return Ok(()) };
    frontend::cancel_request(key.process_id, secret, &mut output);
    stream.write_all(&output).await?;
    // The gate closes when it has heard it.
    let _end = stream.read_u8().await;
    Ok(())
}

fn gone() -> EditorError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}

fn refused(error: LoginError) -> EditorError {
    match error {
        LoginError::Server { source } => EditorError::refused(Report::of(&source.sqlstate, source.message)),
        LoginError::Wire { source } => source.into(),
        error => EditorError::refused(Report::of("28000", error.to_string())),
    }
}

fn columns(body: &[u8]) -> Result<Vec<Column>, WireError> {
    let mut fields = Fields::new(body, "RowDescription");
    let count = fields.count()?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let name = fields.text()?.to_owned();
        // The table and the column in it.
        fields.bytes(6)?;
        let oid = fields.int32()?;
        // Size, modifier, format.
        fields.bytes(8)?;
        columns.push(Column { name, kind: types::of_postgres(oid) });
    }
    Ok(columns)
}

fn row(body: &[u8]) -> Result<Row, WireError> {
    let mut fields = Fields::new(body, "DataRow");
    let count = fields.count()?;
    let mut row = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        // NULL has the length -1.
        row.push(match usize::try_from(fields.int32()?) {
            Ok(length) => Some(String::from_utf8_lossy(fields.bytes(length)?).into_owned()),
            Err(_) => None,
        });
    }
    Ok(row)
}

fn report(body: &[u8]) -> Result<Report, WireError> {
    let field = |code| Ok::<_, WireError>(error_field(body, code)?.map(str::to_owned));
    let hint = field(b'H')?;
    let report = Report {
        severity: field(b'V')?.unwrap_or_default(),
        code: field(b'C')?.unwrap_or_default(),
        number: None,
        message: field(b'M')?.unwrap_or_default(),
        detail: field(b'D')?,
        position: field(b'P')?.and_then(|position| position.parse().ok()),
        hint: None,
        denial: None,
    };
    let report = report.with_denial_of(hint.as_deref().unwrap_or_default());
    Ok(Report { hint, ..report })
}

/// A row over this ends the session.
const MOST_MESSAGE_BYTES: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::refusal::{Refusal, RefusalCode},
        wire::postgres::backend::{Severity, error_response},
    };

    #[test]
    fn a_row_has_its_values_and_its_nulls() {
        let body = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(row(body).unwrap(), [Some("ab".to_owned()), None, Some(String::new())]);
        assert!(row(&body[..body.len() - 1]).is_err());
    }

    #[test]
    fn columns_have_names_and_types() {
        let body = b"\0\x01no\0\0\0\0\x01\0\x02\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
        assert_eq!(columns(body).unwrap(), [Column { name: "no".to_owned(), kind: "int4" }]);
    }

    #[test]
    fn a_refusal_says_how_to_ask() {
        let mut out = BytesMut::new();
        let refusal = Refusal::new(RefusalCode::InsufficientPrivilege, "permission denied: select on a.b")
            .with_hint("Ask for it: tidegate request create --denial 0a1b2c3d");
        error_response(&mut out, Severity::Error, &refusal);
        let report = report(&out[5..]).unwrap();
        assert_eq!((report.code.as_str(), report.denial.as_deref()), ("42501", Some("0a1b2c3d")));
        assert_eq!(report.hint, refusal.hint);
    }
}
