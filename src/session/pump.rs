//! Waits until something can go on, moving bytes in both directions meanwhile.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Buf;
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::Sleep,
};

use super::{
    gate::{INBOUND_HIGH_BYTES, OUTBOUND_HIGH_BYTES},
    registry::Signals,
    session::{ClientSide, Session},
};
use crate::upstream::Progress;

/// What woke the session.
#[derive(Debug)]
pub(super) enum Wake {
    /// Bytes moved.
    Bytes,
    /// The client is gone.
    ClientClosed,
    /// It was told something.
    Signals(Signals),
    /// The timer ran out.
    Timer,
    /// The upstream connection is gone.
    UpstreamClosed(io::Error),
}

impl Session {
    /// Waits for whatever comes first. Nothing is lost if the caller stops waiting.
    pub(super) async fn wait(&mut self, timer: &mut Option<Pin<Box<Sleep>>>) -> Wake {
        poll_fn(|cx| {
            // Registered first: a signal that comes while the rest is polled wakes us again.
            if let Poll::Ready(signals) = self.handle.poll_signals(cx) {
                return Poll::Ready(Wake::Signals(signals));
            }
            let client = self.client.poll(cx);
            let upstream = self.poll_upstream(cx);
            match (client, upstream) {
                (Poll::Ready(Wake::ClientClosed), _) => return Poll::Ready(Wake::ClientClosed),
                (_, Poll::Ready(wake)) | (Poll::Ready(wake), _) => return Poll::Ready(wake),
                (Poll::Pending, Poll::Pending) => {}
            }
            match timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Wake::Timer),
                Some(Poll::Pending) | None => Poll::Pending,
            }
        })
        .await
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let takes_more = self.client.outbound.len() < OUTBOUND_HIGH_BYTES;
        let Some(lease) = self.lanes.active_lease_mut() else { return Poll::Pending };
        if !takes_more {
            // A client that does not read holds up its own statement, not the gateway's memory.
            return match lease.is_outbound().then(|| lease.poll_flush(cx)) {
                Some(Poll::Ready(Ok(()))) => Poll::Ready(Wake::Bytes),
                Some(Poll::Ready(Err(error))) => Poll::Ready(Wake::UpstreamClosed(error)),
                Some(Poll::Pending) | None => Poll::Pending,
            };
        }
        match lease.poll_drive(cx) {
            Poll::Ready(Ok(Progress::Received(0))) => {
                Poll::Ready(Wake::UpstreamClosed(io::ErrorKind::UnexpectedEof.into()))
            }
            Poll::Ready(Ok(Progress::Received(_) | Progress::Sent)) => Poll::Ready(Wake::Bytes),
            Poll::Ready(Err(error)) => Poll::Ready(Wake::UpstreamClosed(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl ClientSide {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let wrote = match self.poll_write(cx) {
            Ok(wrote) => wrote,
            Err(_) => return Poll::Ready(Wake::ClientClosed),
        };
        if self.inbound.len() < INBOUND_HIGH_BYTES || self.awaits_more() {
            self.inbound.reserve(READ_BYTES);
            match pin!(self.stream.read_buf(&mut self.inbound)).poll(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Wake::ClientClosed),
                Poll::Ready(Ok(_)) => return Poll::Ready(Wake::Bytes),
                Poll::Pending => {}
            }
        }
        if wrote { Poll::Ready(Wake::Bytes) } else { Poll::Pending }
    }

    /// Whether the message in front is larger than what is read ahead.
    fn awaits_more(&self) -> bool {
        let next = crate::wire::postgres::frame::header(&self.inbound, usize::MAX);
        matches!(next, Ok(Some(next)) if next.total_bytes > self.inbound.len())
    }

    /// Writes as much as the client takes; true if it took all of something.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut wrote = false;
        while !self.outbound.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.outbound) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.outbound.advance(count);
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

/// Room made for one read.
const READ_BYTES: usize = 4096;
