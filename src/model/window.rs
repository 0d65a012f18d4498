//! When a grant is in force.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A span of time: `starts_at` is in it, `ends_at` is not; without `ends_at` it is standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant.
    pub starts_at: Timestamp,
    /// First instant after it; `None` never ends.
    pub ends_at: Option<Timestamp>,
}

impl Window {
    /// From the beginning of time, without end.
    pub const STANDING: Self = Self { starts_at: Timestamp::MIN, ends_at: None };

    /// Whether `now` is in it.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.starts_at <= now && self.ends_at.is_none_or(|end| now < end)
    }

    /// Whether it is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_over_at_its_last_second() {
        let end = Timestamp::from_second(100).unwrap();
        let window = Window { starts_at: Timestamp::from_second(10).unwrap(), ends_at: Some(end) };
        assert!(!window.contains(Timestamp::from_second(9).unwrap()));
        assert!(window.contains(Timestamp::from_second(10).unwrap()));
        assert!(window.contains(Timestamp::from_second(99).unwrap()));
        assert!(!window.contains(end));
        assert!(window.is_over(end));
    }
}
