//! The answers to statements of the gateway's own.

use super::protocol::Postgres;
use crate::{
    upstream::{
        connection::{Connection, INPUT_LIMIT_BYTES},
        error::UpstreamError,
    },
    wire::{
        WireError,
        postgres::{
            backend::{TransactionStatus, read_parameter_status},
            frame::{Fields, take_frame},
            upstream::{ServerError, set_parameter},
        },
    },
};

impl Connection<Postgres> {
    /// Sends what is outbound and reads the answers to `queries` simple queries of our own; the caller bounds the time.
    ///
    /// # Errors
    /// `Refused` on the first ErrorResponse (the connection is then out of step), `Lost`, `Protocol`, `Unexpected`.
    pub(crate) async fn collect(&mut self, queries: usize) -> Result<Answers, UpstreamError> {
        let mut answers = Answers::default();
        let mut bytes = 0;
        loop {
            while answers.statuses.len() < queries {
                let before = self.input.len();
                if !self.answer(&mut answers)? {
                    break;
                }
                bytes += before - self.input.len();
                if bytes > ANSWER_LIMIT_BYTES {
                    return Err(self.unexpected("an answer over 256 MiB"));
                }
            }
            if answers.statuses.len() >= queries {
                return Ok(answers);
            }
            self.drive().await?;
        }
    }

    /// Takes one message into `answers`; false asks for more bytes.
    fn answer(&mut self, answers: &mut Answers) -> Result<bool, UpstreamError> {
        let frame = take_frame(&mut self.input, INPUT_LIMIT_BYTES).map_err(|source| self.broken(source))?;
        let Some(frame) = frame else { return Ok(false) };
        let body = frame.body();
        match frame.tag() {
            b'C' => answers.tags.push(command_tag(body)),
            b'D' => answers.rows.push(data_row(body).map_err(|source| self.broken(source))?),
            b'E' => {
                let source = ServerError::read(body).into();
                return Err(UpstreamError::Refused { target: self.target.clone(), source });
            }
            b'S' => {
                let (name, value) = read_parameter_status(body).map_err(|source| self.broken(source))?;
                set_parameter(&mut self.session.logged_in.parameters, name, value);
            }
            b'A' => self.session.notifications.extend_from_slice(frame.bytes()),
            // Descriptions, notices and empty queries: nothing to keep.
            b'T' | b'N' | b'I' => {}
            b'Z' => {
                answers.statuses.push(TransactionStatus::read(body).map_err(|source| self.broken(source))?)
            }
            tag => return Err(self.broken(WireError::Unexpected { tag })),
        }
        Ok(true)
    }
}

/// What the upstream said to statements of our own.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// All rows of all statements, in order.
    pub(crate) rows: Vec<Row>,
    /// The tag of each CommandComplete.
    pub(crate) tags: Vec<String>,
    /// The status of each ReadyForQuery.
    pub(crate) statuses: Vec<TransactionStatus>,
}

/// One row in text format.
#[derive(Debug)]
pub(crate) struct Row(Vec<Option<Box<str>>>);

impl Row {
    /// The text of a column; NULL and absent are both `None`.
    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }
}

fn data_row(body: &[u8]) -> Result<Row, WireError> {
    let mut fields = Fields::new(body, "DataRow");
    let count = fields.count()?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        columns.push(match usize::try_from(fields.int32()?) {
            Ok(length) => Some(
                std::str::from_utf8(fields.bytes(length)?)
                    .map_err(|_| WireError::NotUtf8 { message: "DataRow" })?
                    .into(),
            ),
            Err(_) => None,
        });
    }
    Ok(Row(columns))
}

fn command_tag(body: &[u8]) -> String {
    String::from_utf8_lossy(body.strip_suffix(&[0]).unwrap_or(body)).into_owned()
}

/// What one batch of our own may answer.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024 * 1024;
