//! Waits until something can go on, moving bytes in both directions meanwhile.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

use super::{
    client::Moved,
    conversation::{Conversation, Ends},
    gate::OUTBOUND_HIGH_BYTES,
    registry::Signals,
    timer::Timer,
};
use crate::upstream::{Lease, Progress, Protocol};

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

/// Waits for whatever comes first. Nothing is lost if the caller stops waiting.
pub(super) async fn wait<C: Conversation>(session: &mut C, timer: &mut Timer) -> Wake {
    let awaits_more = session.awaits_more();
    let Ends { desk, client, mut lease } = session.ends();
    let upstream_bytes = lease.as_deref().map_or(0, Lease::outbound_bytes);
    // Only who could not go on for want of room has something to do when bytes have gone.
    let held_up = client.outbound.len().max(upstream_bytes) >= OUTBOUND_HIGH_BYTES;
    poll_fn(|cx| {
        // Registered first: a signal that comes while the rest is polled wakes us again.
        if let Poll::Ready(signals) = desk.handle.poll_signals(cx) {
            return Poll::Ready(Wake::Signals(signals));
        }
        let client_moved = match client.poll(cx, awaits_more) {
            Poll::Ready(Moved::Closed) => return Poll::Ready(Wake::ClientClosed),
            Poll::Ready(Moved::Received) => Poll::Ready(Wake::Bytes),
            Poll::Ready(Moved::Sent) if held_up => Poll::Ready(Wake::Bytes),
            Poll::Ready(Moved::Sent) | Poll::Pending => Poll::Pending,
        };
        let takes_more = client.outbound.len() < OUTBOUND_HIGH_BYTES;
        let upstream_moved =
            lease.as_deref_mut().map_or(Poll::Pending, |lease| poll_upstream(cx, lease, takes_more, held_up));
        match (client_moved, upstream_moved) {
            (_, Poll::Ready(wake)) | (Poll::Ready(wake), _) => return Poll::Ready(wake),
            (Poll::Pending, Poll::Pending) => {}
        }
        timer.poll(cx).map(|()| Wake::Timer)
    })
    .await
}

/// Sends what is outbound, and reads if the client `takes_more`. That everything is sent is told if it `held_up`.
fn poll_upstream<P: Protocol>(
    cx: &mut Context<'_>,
    lease: &mut Lease<P>,
    takes_more: bool,
    held_up: bool,
) -> Poll<Wake> {
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
        Poll::Ready(Ok(Progress::Received(_))) => Poll::Ready(Wake::Bytes),
        Poll::Ready(Ok(Progress::Sent)) if held_up => Poll::Ready(Wake::Bytes),
        Poll::Ready(Err(error)) => Poll::Ready(Wake::UpstreamClosed(error)),
        // What was sent is answered in time: the read was begun.
        Poll::Ready(Ok(Progress::Sent)) | Poll::Pending => Poll::Pending,
    }
}
