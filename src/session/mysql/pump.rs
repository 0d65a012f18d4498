//! Waits until something can go on, moving bytes in both directions meanwhile.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::Sleep;

use super::session::Session;
use crate::{
    session::{client::Moved, gate::OUTBOUND_HIGH_BYTES, registry::Signals},
    upstream::Progress,
};

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
        // Commands wait in the buffer while one is under way, and the next is not whole yet otherwise.
        let awaits_more = self.flight.is_none();
        poll_fn(|cx| {
            // Registered first: a signal that comes while the rest is polled wakes us again.
            if let Poll::Ready(signals) = self.desk.handle.poll_signals(cx) {
                return Poll::Ready(Wake::Signals(signals));
            }
            let client = match self.client.poll(cx, awaits_more) {
                Poll::Ready(Moved::Closed) => return Poll::Ready(Wake::ClientClosed),
                Poll::Ready(Moved::Bytes) => Poll::Ready(Wake::Bytes),
                Poll::Pending => Poll::Pending,
            };
            match (client, self.poll_upstream(cx)) {
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
