//! Statements of the gateway's own, one after the other, and their answers.
//!
//! Several commands are never sent ahead of their answers: not every server takes that (Aurora does not). Where
//! several statements in one command are negotiated, they go as one.

use bytes::{Buf, BytesMut};

use super::protocol::Mysql;
use crate::{
    upstream::{
        connection::{Connection, INPUT_LIMIT_BYTES},
        error::UpstreamError,
    },
    wire::{
        WireError,
        mysql::{
            capability::Capabilities,
            command::write,
            error::ServerError,
            execute::Attributes,
            fields::Fields,
            packet::{HEADER_BYTES, header, take_packet},
            response::{Completion, Event, Expect, Response, Step},
        },
    },
};

/// One row in text format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row(Vec<Option<Box<str>>>);

impl Row {
    /// The text of a column; NULL and absent are both `None`.
    pub(super) fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }
}

impl Connection<Mysql> {
    /// Runs statements of our own and gives the rows of the last; the caller bounds the time.
    ///
    /// # Errors
    /// `Refused` on the first error (the connection is then of no further use), `Lost`, `Protocol`, `Unexpected`.
    pub(super) async fn run(&mut self, texts: &[&str]) -> Result<Vec<Row>, UpstreamError> {
        let several =
            self.session.capabilities.has(Capabilities::MULTI_STATEMENTS) && !self.session.option_set;
        let mut rows = Vec::new();
        for texts in texts.chunks(if several { texts.len().max(1) } else { 1 }) {
            let text = texts.join("; ");
            let shape = self.session.capabilities;
            let next = write::query(&mut self.output, text.as_bytes(), Attributes::default(), shape);
            let (reply, results) = self.reply(Expect::Query, next).await?;
            if results != texts.len() {
                return Err(self.unexpected("another number of results"));
            }
            rows = last_rows(reply, shape).map_err(|source| self.broken(source))?;
        }
        Ok(rows)
    }

    /// Waits for the answer to one statement, which is outbound, and gives its rows.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn rows(&mut self, next: u8) -> Result<Vec<Row>, UpstreamError> {
        let shape = self.session.capabilities;
        let (reply, _) = self.reply(Expect::Query, next).await?;
        last_rows(reply, shape).map_err(|source| self.broken(source))
    }

    /// Waits for the answer to a command without rows, which is outbound.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(super) async fn done(&mut self, next: u8) -> Result<(), UpstreamError> {
        self.reply(Expect::Simple, next).await.map(|_| ())
    }

    /// One whole reply, as it came, and how many results it has.
    async fn reply(&mut self, expect: Expect, next: u8) -> Result<(BytesMut, usize), UpstreamError> {
        let mut response = Response::new(expect, self.session.capabilities, next, next, INPUT_LIMIT_BYTES);
        let (mut reply, mut results) = (BytesMut::new(), 0);
        loop {
            let step = match response.step(&mut self.input) {
                Ok(step) => step,
                // A server that goes away says why, and not as an answer to anything.
                Err(source) => {
                    return Err(match last_words(&self.input) {
                        Some(words) => self.refused(words),
                        None => self.broken(source),
                    });
                }
            };
            let bytes = match step {
                Step::Over => return Ok((reply, results)),
                Step::Wait => {
                    self.drive().await?;
                    continue;
                }
                Step::Pass(bytes) => bytes,
                Step::Packet { bytes, event } => {
                    match event {
                        Event::Complete(Completion { .. }) => results += 1,
                        Event::Failed(error) => {
                            self.input.advance(bytes);
                            return Err(self.refused(error));
                        }
                        Event::LocalInfile { .. } => return Err(self.unexpected("it asks for a file")),
                        Event::Prepared(_) | Event::ResultSet { .. } | Event::Statistics => {}
                    }
                    bytes
                }
            };
            if reply.len() + bytes > ANSWER_LIMIT_BYTES {
                return Err(self.unexpected("an answer over 16 MiB"));
            }
            reply.unsplit(self.input.split_to(bytes));
        }
    }

    fn refused(&self, source: ServerError) -> UpstreamError {
        UpstreamError::Refused { target: self.target.clone(), source: source.into() }
    }
}

/// The error at the front of `input`, whatever its number; `None` if there is none, or not the whole of it.
pub(super) fn last_words(input: &[u8]) -> Option<ServerError> {
    let head = header(input)?;
    ServerError::read(input.get(HEADER_BYTES..HEADER_BYTES + head.length_bytes)?).ok()
}

/// The rows of the last result in a whole reply that was found to be well-formed and without an error.
fn last_rows(mut reply: BytesMut, shape: Capabilities) -> Result<Vec<Row>, WireError> {
    let mut rows = Vec::new();
    while let Some(first) = take_packet(&mut reply, ANSWER_LIMIT_BYTES)? {
        rows.clear();
        if first.payload().first() == Some(&0) {
            continue;
        }
        let mut fields = Fields::new(first.payload(), "column count");
        let follow = !shape.has(Capabilities::OPTIONAL_RESULTSET_METADATA) || fields.byte()? == 1;
        let columns = fields.number()?;
        let ends = u64::from(!shape.has(Capabilities::DEPRECATE_EOF));
        for _ in 0..ends + if follow { columns } else { 0 } {
            take_packet(&mut reply, ANSWER_LIMIT_BYTES)?;
        }
        while let Some(packet) = take_packet(&mut reply, ANSWER_LIMIT_BYTES)? {
            if packet.payload().first() == Some(&0xfe) {
                break;
            }
            rows.push(row(packet.payload(), columns)?);
        }
    }
    Ok(rows)
}

fn row(payload: &[u8], columns: u64) -> Result<Row, WireError> {
    let mut fields = Fields::new(payload, "row");
    let mut row = Vec::new();
    for _ in 0..columns {
        row.push(if fields.rest().first() == Some(&NULL) {
            fields.byte()?;
            None
        } else {
            let text = fields.string()?;
            Some(fields.utf8(text)?.into())
        });
    }
    Ok(Row(row))
}

const NULL: u8 = 0xfb;
/// The longest are the grants of an account.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_a_whole_error_of_any_number() {
        let words = b"\x18\0\0\x07\xff\x87\x07#70100Connection was k";
        assert_eq!(last_words(words).unwrap().errno, 1927);
        assert_eq!(last_words(&words[..20]), None);
        assert_eq!(last_words(b"\x07\0\0\x01\0\0\0\x02\0\0\0"), None);
        assert_eq!(last_words(b""), None);
    }
}
