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

use super::{error::UpstreamError, protocol::Protocol};
use crate::{
    model::ids::TargetName,
    net::{READ_BYTES, Stream},
    wire::WireError,
};

/// What one step of driving a connection did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes arrived; 0 means that the upstream closed.
    Received(usize),
    /// Everything that was outbound is sent; nothing arrived.
    Sent,
}

/// One connection to an upstream, logged in.
#[derive(Debug)]
pub struct Connection<P: Protocol> {
    stream: Stream,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// Written to the stream, and perhaps not on to the socket.
    unflushed: bool,
    /// The last read took all the room there was: more is waiting.
    filled: bool,
    pub(crate) target: TargetName,
    /// What it is like while it is idle.
    pub(crate) home: P::Home,
    pub(crate) session: P::Session,
    pub(crate) opened_at: Instant,
}

impl<P: Protocol> Connection<P> {
    pub(crate) fn new(stream: Stream, target: TargetName, home: P::Home, session: P::Session) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
            filled: false,
            target,
            home,
            session,
            opened_at: Instant::now(),
        }
    }

    /// Reads once; 0 means that the upstream closed. Nothing is lost if the caller stops waiting.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.input.len() >= INPUT_LIMIT_BYTES {
            return Poll::Ready(Err(io::Error::other("the read buffer is full")));
        }
        if !self.filled {
            let count = ready!(self.stream.poll_read_behind(cx, &mut self.input))?;
            self.filled = count == READ_BYTES;
            return Poll::Ready(Ok(count));
        }
        // A large result: straight to where it is taken from.
        if self.input.capacity() - self.input.len() < MIN_READ_BYTES {
            self.input.reserve(LARGE_CHUNK_BYTES);
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
            // Cleared, it begins again where it began.
            if written == self.output.len() {
                self.output.clear()
            } else {
                self.output.advance(written)
            }
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

    /// Whether the present runtime is the one that wakes who waits for it.
    pub(crate) fn is_here(&self) -> bool {
        self.stream.is_here()
    }

    /// Changes over to the present runtime.
    ///
    /// # Errors
    /// When the system does not take it; it is closed then.
    pub(crate) fn settle_here(&mut self) -> io::Result<()> {
        self.stream.settle_here()
    }

    /// Waits until bytes have arrived or everything outbound is sent.
    ///
    /// # Errors
    /// `Lost`, also when the upstream closed.
    pub(crate) async fn drive(&mut self) -> Result<(), UpstreamError> {
        match poll_fn(|cx| self.poll_drive(cx)).await {
            Ok(Progress::Received(0)) => Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(Progress::Received(_) | Progress::Sent) => Ok(()),
            Err(error) => Err(self.lost(error)),
        }
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
        P::farewell(&mut self.output);
        let mut cx = Context::from_waker(Waker::noop());
        // Best effort: the server ends the session at the close as well.
        let _ = self.poll_flush(&mut cx);
    }

    pub(crate) fn broken(&self, source: WireError) -> UpstreamError {
        UpstreamError::Protocol { target: self.target.clone(), source }
    }

    pub(crate) fn lost(&self, source: io::Error) -> UpstreamError {
        UpstreamError::Lost { target: self.target.clone(), source }
    }

    pub(crate) fn unexpected(&self, what: &'static str) -> UpstreamError {
        UpstreamError::Unexpected { target: self.target.clone(), what }
    }
}

/// What an idle connection may keep of each buffer.
const CHUNK_BYTES: usize = 16 * 1024;
/// What a read asks for while a large result arrives.
const LARGE_CHUNK_BYTES: usize = 64 * 1024;
/// Less room than this is not worth a read.
const MIN_READ_BYTES: usize = 4 * 1024;
/// What may lie unread; whoever reads takes messages off in pieces long before.
pub(crate) const INPUT_LIMIT_BYTES: usize = 16 * 1024 * 1024;
