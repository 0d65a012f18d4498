//! The client's connection and what waits on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::gate::INBOUND_HIGH_BYTES;
use crate::net::Stream;

/// The client's connection and what waits on it.
pub(super) struct ClientSide {
    pub(super) stream: Stream,
    pub(super) inbound: BytesMut,
    pub(super) outbound: BytesMut,
    unflushed: bool,
}

/// What became of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The client is gone.
    Closed,
    /// Bytes came.
    Received,
    /// Bytes went, none came; who asked is woken when some come.
    Sent,
}

impl ClientSide {
    /// Takes over the connection of a client that has logged in.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, inbound: BytesMut::new(), outbound: BytesMut::new(), unflushed: false }
    }

    /// Says `message` behind everything that waits, and closes; gives up on a client that does not read.
    pub(super) async fn say_last(&mut self, message: &[u8]) {
        self.outbound.extend_from_slice(message);
        let say = async {
            self.stream.write_all(&self.outbound).await?;
            self.stream.shutdown().await?;
            // Closing a socket with unread bytes resets it, and the client would lose the message.
            let (mut unread, mut nowhere) = ((&mut self.stream).take(MOST_UNREAD_BYTES), tokio::io::sink());
            // What is there, without waiting for more.
            let _ = tokio::time::timeout(Duration::ZERO, tokio::io::copy(&mut unread, &mut nowhere)).await;
            Ok::<_, io::Error>(())
        };
        // Best effort: the client may be gone.
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, say).await;
    }

    /// Reads and writes what can be; `awaits_more` reads beyond what is read ahead.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, awaits_more: bool) -> Poll<Moved> {
        let wrote = match self.poll_write(cx) {
            Ok(wrote) => wrote,
            Err(_) => return Poll::Ready(Moved::Closed),
        };
        if self.inbound.len() < INBOUND_HIGH_BYTES || awaits_more {
            match self.stream.poll_read_behind(cx, &mut self.inbound) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::Closed),
                Poll::Ready(Ok(_)) => return Poll::Ready(Moved::Received),
                Poll::Pending => {}
            }
        }
        if wrote { Poll::Ready(Moved::Sent) } else { Poll::Pending }
    }

    /// Sends what the socket takes now, without waiting: the rest goes with what comes next.
    pub(super) fn send_at_once(&mut self) {
        // That the client is gone is noticed by whoever reads.
        let _ = self.poll_write(&mut Context::from_waker(Waker::noop()));
    }

    /// Gives back the memory of buffers that are empty.
    pub(super) fn rest(&mut self) {
        for buffer in [&mut self.inbound, &mut self.outbound] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Writes as much as the client takes; true if it took all of something.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut wrote = false;
        while !self.outbound.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outbound) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    // Cleared, it begins again where it began.
                    if count == self.outbound.len() {
                        self.outbound.clear()
                    } else {
                        self.outbound.advance(count)
                    }
                    self.unflushed = true;
                    wrote = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(wrote),
            }
        }
        if self.unflushed && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(wrote)
    }
}

/// How long a client has to take its last message.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// What a client may have sent ahead of its last message and is thrown away.
const MOST_UNREAD_BYTES: u64 = 64 * 1024;
