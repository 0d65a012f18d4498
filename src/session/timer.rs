//! The timer of a session, which outlives the waits that it bounds.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::end::LONGEST_SLEEP;

/// The timer of a session; it need not be set.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Runs out in `wait` at the latest, and never later than the longest sleep; `None` leaves it as it is.
    pub(super) fn set(&mut self, wait: Option<Duration>) {
        let Some(wait) = wait else { return };
        let at = Instant::now() + wait.min(LONGEST_SLEEP);
        match &mut self.0 {
            // One that runs out early costs a look; setting it again for every statement would cost more.
            Some(timer) if timer.deadline() <= at => {}
            Some(timer) => timer.as_mut().reset(at),
            None => self.0 = Some(Box::pin(sleep_until(at))),
        }
    }

    /// Ready once, when it has run out: then it is no longer set.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.0 else { return Poll::Pending };
        let step = timer.as_mut().poll(cx);
        if step.is_ready() {
            self.0 = None;
        }
        step
    }
}
