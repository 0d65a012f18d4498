//! The client's connection and what waits on it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{compressed::Compressed, gate::INBOUND_HIGH_BYTES};
use crate::{
    net::Stream,
    wire::{
        WireError,
        mysql::{compression::Framing, packet::Numbers},
    },
};

/// The client's connection and what waits on it.
pub(super) struct ClientSide {
    pub(super) stream: Stream,
    pub(super) inbound: BytesMut,
    pub(super) outbound: BytesMut,
    unflushed: bool,
    compressed: Option<Box<Compressed>>,
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
        Self {
            stream,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            unflushed: false,
            compressed: None,
        }
    }

    /// From here on both sides compress; what waits goes as it is.
    pub(super) fn compress(&mut self, framing: Framing) {
        let (raw, sealed) = (std::mem::take(&mut self.inbound), std::mem::take(&mut self.outbound));
        self.compressed = Some(Box::new(Compressed::new(framing, raw, sealed)));
    }

    /// The connection, and the frames around what is said where both sides compress: for whoever reads and writes by
    /// themselves when nothing waits.
    pub(super) fn line(&mut self) -> (&mut Stream, Option<&mut Framing>) {
        (&mut self.stream, self.compressed.as_mut().map(|compressed| &mut compressed.framing))
    }

    /// Makes some of what has come inbound, where both sides compress; false if there is nothing, or not yet.
    ///
    /// # Errors
    /// When it is not what the protocol says.
    pub(super) fn open_more(&mut self) -> Result<bool, WireError> {
        let Some(compressed) = &mut self.compressed else { return Ok(false) };
        compressed.open(&mut self.inbound, !self.outbound.is_empty())
    }

    /// Whether the numbers of packets mean anything.
    pub(super) const fn numbers(&self) -> Numbers {
        if self.compressed.is_some() { Numbers::Ignored } else { Numbers::Counted }
    }

    /// Whether something has come that was not dealt with.
    pub(super) fn has_unread(&self) -> bool {
        !self.inbound.is_empty() || self.compressed.as_ref().is_some_and(|it| it.has_unread())
    }

    /// Says `message` behind everything that waits, and closes; gives up on a client that does not read.
    pub(super) async fn say_last(&mut self, message: &[u8]) {
        self.outbound.extend_from_slice(message);
        let say = async {
            self.say_all().await?;
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

    /// Says everything that waits.
    pub(super) async fn say_all(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            self.poll_write(cx)?;
            let sealed = self.compressed.as_ref().is_some_and(|it| !it.sealed.is_empty());
            let unsaid = self.unflushed || sealed || !self.outbound.is_empty();
            if unsaid { Poll::Pending } else { Poll::Ready(Ok(())) }
        })
        .await
    }

    /// Reads and writes what can be; `awaits_more` reads beyond what is read ahead.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, awaits_more: bool) -> Poll<Moved> {
        let wrote = match self.poll_write(cx) {
            Ok(wrote) => wrote,
            Err(_) => return Poll::Ready(Moved::Closed),
        };
        let (buffer, awaits_more) = match &mut self.compressed {
            None => (&mut self.inbound, awaits_more),
            Some(compressed) => {
                if compressed.goes_on(!self.outbound.is_empty()) {
                    return Poll::Ready(Moved::Received);
                }
                // What is awaited is opened as it comes, and what is not need not be read beyond.
                (&mut compressed.raw, false)
            }
        };
        if buffer.len() < INBOUND_HIGH_BYTES || awaits_more {
            match self.stream.poll_read_behind(cx, buffer) {
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
        let more = self.compressed.as_mut().map(|it| [&mut it.raw, &mut it.sealed]);
        for buffer in [&mut self.inbound, &mut self.outbound].into_iter().chain(more.into_iter().flatten()) {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Writes as much as the client takes; true if it took all of something.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut wrote = false;
        loop {
            let waiting = match &mut self.compressed {
                None => &mut self.outbound,
                Some(compressed) => compressed.seal(&mut self.outbound),
            };
            if waiting.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, waiting) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    // Cleared, it begins again where it began.
                    if count == waiting.len() {
                        waiting.clear()
                    } else {
                        waiting.advance(count)
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
