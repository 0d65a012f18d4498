//! How fast new connections may be opened.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::IntCounter;
use tokio::time::{Instant, sleep_until};

/// The pace of new connections to one target, over all its lanes: so many a second, a second's worth at once.
///
/// Whoever comes too early waits in line. Aurora refuses logins with tokens that come too fast.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Time between two; zero is no bound.
    between: Duration,
    /// Nobody waits for longer.
    longest_wait: Duration,
    /// When the next one would be due if all came evenly.
    due: Mutex<Instant>,
    /// Those who had to wait, or were turned away.
    held_up: IntCounter,
}

impl Pace {
    pub(crate) fn new(per_second: Option<u32>, longest_wait: Duration, held_up: IntCounter) -> Self {
        let between = per_second.map_or(Duration::ZERO, |count| Duration::from_secs(1) / count.max(1));
        Self { between, longest_wait, due: Mutex::new(Instant::now()), held_up }
    }

    /// Waits for one's turn; `false` if it would come too late, and then it is not taken.
    #[must_use]
    pub(crate) async fn turn(&self) -> bool {
        let now = Instant::now();
        let Some(at) = self.take(now) else {
            self.held_up.inc();
            return false;
        };
        if at > now {
            self.held_up.inc();
            sleep_until(at).await;
        }
        true
    }

    /// Takes the next turn and says when it is; `None` if that is too late.
    fn take(&self, now: Instant) -> Option<Instant> {
        if self.between.is_zero() {
            return Some(now);
        }
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = (*due).max(now);
        let at = mine.checked_sub(AT_ONCE).unwrap_or(now).max(now);
        if at.duration_since(now) > self.longest_wait {
            return None;
        }
        *due = mine + self.between;
        Some(at)
    }
}

/// How far ahead of an even pace some may come.
const AT_ONCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: Option<u32>) -> Pace {
        Pace::new(per_second, Duration::from_secs(2), IntCounter::new("held_up", "held up").unwrap())
    }

    /// How long each of `count` has to wait that come at `now`; `None` is turned away.
    fn waits(pace: &Pace, now: Instant, count: usize) -> Vec<Option<u128>> {
        let wait = |at: Instant| at.duration_since(now).as_millis();
        (0..count).map(|_| pace.take(now).map(wait)).collect()
    }

    #[test]
    fn a_seconds_worth_goes_at_once_and_the_rest_evenly() {
        let (pace, now) = (pace(Some(10)), Instant::now());
        assert_eq!(waits(&pace, now, 11), [Some(0); 11]);
        assert_eq!(waits(&pace, now, 3), [Some(100), Some(200), Some(300)]);
        let later = now + Duration::from_millis(1300);
        assert_eq!(waits(&pace, later, 11)[9..], [Some(0), Some(100)]);
        assert_eq!(waits(&pace, later + Duration::from_secs(60), 12)[10..], [Some(0), Some(100)]);
    }

    #[test]
    fn who_would_wait_too_long_is_told_at_once_and_takes_no_turn() {
        let (pace, now) = (pace(Some(10)), Instant::now());
        let first = waits(&pace, now, 100);
        assert_eq!(first.iter().flatten().count(), 31);
        assert_eq!(first[30], Some(2000));
        assert_eq!(first[31], None);
        assert_eq!(waits(&pace, now + Duration::from_millis(100), 2), [Some(2000), None]);
    }

    #[tokio::test]
    async fn who_is_turned_away_is_counted_and_without_a_bound_nobody_is() {
        let strict = Pace { longest_wait: Duration::ZERO, ..pace(Some(1)) };
        assert!(strict.turn().await && strict.turn().await);
        assert!(!strict.turn().await);
        assert_eq!(strict.held_up.get(), 1);
        let free = pace(None);
        assert_eq!(waits(&free, Instant::now(), 10_000), vec![Some(0); 10_000]);
    }
}
