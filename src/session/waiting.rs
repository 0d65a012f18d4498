//! A session that waits for an upstream connection still hears what ends it, or its wait.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

use super::{
    client::{ClientSide, Moved},
    desk::Desk,
    end::End,
    leaving::Leaving,
    registry::Signals,
    who::Doing,
};
use crate::model::refusal::{Refusal, RefusalCode};

/// How a session ended while it waited, and how much its client was to be told before.
#[derive(Debug)]
pub(super) struct Over {
    end: End,
    told: usize,
}

/// Waits for `what`; gives it up when the client goes away or cancels, or when the session is to end. Then whoever asked
/// answers with the refusal, and the session [goes on or ends](end_if_over).
///
/// What changed otherwise is looked at when `what` is there: nothing of the session runs meanwhile.
///
/// # Errors
/// Why it was given up.
pub(super) async fn unless_over<T>(
    desk: &mut Desk,
    client: &mut ClientSide,
    what: impl Future<Output = T>,
) -> Result<T, Refusal> {
    // For others to see.
    desk.who.note(Doing::Active);
    let mut what = pin!(what);
    poll_fn(|cx| {
        if let Poll::Ready(had) = what.as_mut().poll(cx) {
            return Poll::Ready(Ok(had));
        }
        let refusal = match desk.handle.poll_signals(cx) {
            Poll::Ready(signals) => desk.heed_while_waiting(signals, client),
            Poll::Pending => None,
        };
        let refusal = refusal.or_else(|| poll_gone(cx, desk, client));
        refusal.map_or(Poll::Pending, |refusal| Poll::Ready(Err(refusal)))
    })
    .await
}

/// Ends the session if it was over while it waited; what it was told since then is not said.
///
/// # Errors
/// How it ends.
pub(super) fn end_if_over(desk: &mut Desk, client: &mut ClientSide) -> Result<(), End> {
    let Some(Over { end, told }) = desk.over.take() else { return Ok(()) };
    client.outbound.truncate(told);
    Err(end)
}

/// Reads ahead, within what is read ahead of any client; tells whether it is gone.
fn poll_gone(cx: &mut Context<'_>, desk: &mut Desk, client: &mut ClientSide) -> Option<Refusal> {
    loop {
        match client.poll(cx, false) {
            Poll::Ready(Moved::Received) => {}
            Poll::Ready(Moved::Sent) | Poll::Pending => return None,
            Poll::Ready(Moved::Closed) => {
                desk.over = Some(Over { end: End::ClientClosed, told: 0 });
                return Some(Refusal::new(RefusalCode::ConnectionFailure, "the client went away"));
            }
        }
    }
}

impl Desk {
    /// What it was told while it waits: gives why it waits no longer, if so.
    fn heed_while_waiting(&mut self, signals: Signals, client: &ClientSide) -> Option<Refusal> {
        let unwelcome = || signals.recheck() && self.check_welcome().is_err();
        if signals.terminate() || unwelcome() {
            self.over = Some(Over { end: End::Terminated, told: client.outbound.len() });
            return Some(Refusal::new(RefusalCode::AdminShutdown, "the gateway ended this session"));
        }
        if signals.stop() {
            self.leaving = Leaving::Now;
            return Some(
                Refusal::new(RefusalCode::AdminShutdown, "the gateway is stopping")
                    .with_detail("The statement waited for a connection and did not run.")
                    .with_hint("Connect again, and repeat the statement."),
            );
        }
        if signals.drain() && self.leaving == Leaving::No {
            self.leaving = Leaving::WhenIdle;
        }
        signals.cancel().then(|| {
            Refusal::new(RefusalCode::QueryCanceled, "canceling statement due to user request")
                .with_detail("It waited for a connection and did not run.")
        })
    }
}
