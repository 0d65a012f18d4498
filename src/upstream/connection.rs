//! One connection to an upstream: its stream, its buffers, what it said at login.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::Instant,
};

use super::error::UpstreamError;
use crate::{
    model::ids::TargetName,
    net::Stream,
    wire::{
        WireError,
        postgres::{
            backend::{TransactionStatus, read_parameter_status},
            frame::{Fields, take_frame},
            upstream::{LoggedIn, ServerError, set_parameter},
        },
    },
};

/// What one step of `Connection::poll_drive` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes arrived; 0 means that the upstream closed.
    Received(usize),
    /// Everything that was outbound is sent; nothing arrived.
    Sent,
}

/// One connection to an upstream, logged in.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// Written to the stream, and perhaps not on to the socket.
    unflushed: bool,
    /// The last read took all the room there was: more is waiting.
    filled: bool,
    pub(crate) target: TargetName,
    pub(crate) session: LoggedIn,
    /// `search_path` as it is after login.
    pub(crate) search_path: String,
    /// What the account holds beyond its needs, in words; empty for nothing.
    pub(crate) excess: String,
    pub(crate) opened_at: Instant,
}

impl Connection {
    pub(crate) fn new(stream: Stream, target: TargetName) -> Self {
        Self {
            stream,
            input: BytesMut::with_capacity(CHUNK_BYTES),
            output: BytesMut::with_capacity(CHUNK_BYTES),
            unflushed: false,
            filled: false,
            target,
            session: LoggedIn::default(),
            search_path: String::new(),
            excess: String::new(),
            opened_at: Instant::now(),
        }
    }

    /// Reads once; 0 means that the upstream closed. Nothing is lost if the caller stops waiting.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.len() >= INPUT_LIMIT_BYTES {
            return Poll::Ready(Err(io::Error::other("the read buffer is full")));
        }
        if self.input.capacity() - self.input.len() < MIN_READ_BYTES {
            self.input.reserve(if self.filled { LARGE_CHUNK_BYTES } else { CHUNK_BYTES });
        }
        let room = self.input.capacity() - self.input.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        self.filled = count == room;
        Poll::Ready(Ok(count))
    }

    /// Writes until nothing is outbound. Nothing is sent twice or lost if the caller stops waiting.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Channel-binding data of the upstream.
    pub(crate) fn upstream_end_point(&self) -> Option<Vec<u8>> {
        self.stream.upstream_end_point()
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_outbound(&self) -> bool {
        self.unflushed || !self.output.is_empty()
    }

    /// Sends and receives as far as either goes, so that two full directions never wait for one another.
    pub(crate) fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Progress>> {
        let mut sent = false;
        let mut broken = None;
        if self.is_outbound() {
            match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => sent = true,
                Poll::Ready(Err(error)) => broken = Some(error),
                Poll::Pending => {}
            }
        }
        // A server that goes away says why before it closes: read that, even if writing no longer works.
        match self.poll_read(cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(broken.map_or(Ok(Progress::Received(0)), Err)),
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(Progress::Received(count))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken.unwrap_or(error))),
            Poll::Pending => match broken {
                Some(error) => Poll::Ready(Err(error)),
                None if sent => Poll::Ready(Ok(Progress::Sent)),
                None => Poll::Pending,
            },
        }
    }

    /// Whether an idle connection is as it should be: open, and silent.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.input.is_empty() && !self.is_outbound() && self.poll_read(&mut cx).is_pending()
    }

    /// Gives memory back that a large statement or result took.
    pub(crate) fn trim(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > CHUNK_BYTES {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Says goodbye, as far as that is possible without waiting, and closes.
    pub(crate) fn close(mut self) {
        self.output.clear();
        postgres_protocol::message::frontend::terminate(&mut self.output);
        let mut cx = Context::from_waker(Waker::noop());
        // Best effort: the server ends the session at the close as well.
        let _ = self.poll_flush(&mut cx);
    }

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
            match poll_fn(|cx| self.poll_drive(cx)).await {
                Ok(Progress::Received(0)) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(Progress::Received(_) | Progress::Sent) => {}
                Err(error) => return Err(self.lost(error)),
            }
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
                let source = ServerError::read(body);
                return Err(UpstreamError::Refused { target: self.target.clone(), source });
            }
            b'S' => {
                let (name, value) = read_parameter_status(body).map_err(|source| self.broken(source))?;
                set_parameter(&mut self.session.parameters, name, value);
            }
            // Descriptions, notices, notifications and empty queries: nothing to keep.
            b'T' | b'N' | b'A' | b'I' => {}
            b'Z' => {
                answers.statuses.push(TransactionStatus::read(body).map_err(|source| self.broken(source))?)
            }
            tag => return Err(self.broken(WireError::Unexpected { tag })),
        }
        Ok(true)
    }

    fn broken(&self, source: WireError) -> UpstreamError {
        UpstreamError::Protocol { target: self.target.clone(), source }
    }

    pub(crate) fn lost(&self, source: io::Error) -> UpstreamError {
        UpstreamError::Lost { target: self.target.clone(), source }
    }

    pub(crate) fn unexpected(&self, what: &'static str) -> UpstreamError {
        UpstreamError::Unexpected { target: self.target.clone(), what }
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

/// What a read asks for when the buffer has to grow.
const CHUNK_BYTES: usize = 16 * 1024;
/// The same while a large result arrives.
const LARGE_CHUNK_BYTES: usize = 64 * 1024;
/// Less room than this is not worth a read.
const MIN_READ_BYTES: usize = 4 * 1024;
/// What may lie unread; whoever reads takes messages off in pieces long before.
const INPUT_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// What one batch of our own may answer.
const ANSWER_LIMIT_BYTES: usize = 256 * 1024 * 1024;
