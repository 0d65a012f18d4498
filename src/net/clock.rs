//! What time it is: the machine's, or one that is set by hand.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Where the time comes from; cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's real-time clock.
    #[default]
    System,
    /// A clock that stands until it is moved.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// A clock that stands at `at`, and the handle that moves it.
    pub fn manual(at: Timestamp) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock(watch::Sender::new(at)));
        (Self::Manual(Arc::clone(&clock)), clock)
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Manual(clock) => *clock.0.borrow(),
        }
    }

    /// Waits until the present is at or after `at`; at once if it already is.
    ///
    /// Follows steps of the real-time clock within half a second.
    pub async fn sleep_until(&self, at: Timestamp) {
        match self {
            Self::System => loop {
                let left = at.duration_since(Timestamp::now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                let left = left.unsigned_abs();
                // The timer runs on the monotonic clock: a long sleep would not see the real-time clock stepped.
                tokio::time::sleep(left.min(STEP_NOTICED_WITHIN)).await;
            },
            Self::Manual(clock) => {
                // The sender lives in `clock`, so the wait cannot fail.
                let _ = clock.0.subscribe().wait_for(|now| *now >= at).await;
            }
        }
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<Timestamp>);

impl ManualClock {
    /// Moves the clock to `at` and wakes whoever waited for it.
    pub fn set(&self, at: Timestamp) {
        self.0.send_replace(at);
    }

    /// Moves the clock forward; past the end of time it stays where it is.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.checked_add(by).unwrap_or(*now));
    }
}

/// How long a step of the real-time clock can go unnoticed by a sleeper.
const STEP_NOTICED_WITHIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_manual_clock_reaches_its_instant_and_not_before() {
        let (clock, hand) = Clock::manual(Timestamp::UNIX_EPOCH);
        let at = Timestamp::from_second(10).unwrap();
        let sleeper = clock.sleep_until(at);
        tokio::pin!(sleeper);
        hand.advance(Duration::from_millis(9_999));
        assert!(matches!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(sleeper.as_mut().poll(cx))).await,
            std::task::Poll::Pending
        ));
        hand.advance(Duration::from_millis(1));
        sleeper.await;
        assert_eq!(clock.now(), at);
    }

    #[tokio::test]
    async fn the_past_is_not_waited_for() {
        Clock::System.sleep_until(Timestamp::UNIX_EPOCH).await;
    }
}
