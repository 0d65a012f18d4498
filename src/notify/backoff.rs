//! How long to wait before something is tried again.

use std::time::Duration;

/// Waits that double from `first` up to `most`, each shortened by chance to between a half and the whole of it, so that
/// those who failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second attempt.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
}

impl Backoff {
    /// How long to wait after so many failed attempts (one at least); `chance` is any number.
    pub fn after(&self, attempts: u32, chance: u64) -> Duration {
        let doubled = self.first.saturating_mul(1_u32 << attempts.saturating_sub(1).min(30));
        let whole = doubled.min(self.most);
        let half = whole / 2;
        let share = u32::try_from(chance % 1024).unwrap_or_default();
        half + half * share / 1023
    }
}

/// A number that nobody can foresee.
pub(super) fn chance() -> u64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(60) };

    #[test]
    fn waits_double_up_to_the_longest() {
        let longest: Vec<u64> = (1..=8).map(|attempts| SECONDS.after(attempts, 1023).as_secs()).collect();
        assert_eq!(longest, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(SECONDS.after(u32::MAX, 1023).as_secs(), 60);
    }

    #[test]
    fn chance_takes_away_a_half_at_most() {
        assert_eq!(SECONDS.after(2, 0), Duration::from_secs(2));
        for chance in 0..5000 {
            let wait = SECONDS.after(2, chance);
            assert!(wait >= Duration::from_secs(2) && wait <= Duration::from_secs(4), "{wait:?}");
        }
    }
}
