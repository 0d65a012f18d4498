//! How long something is to last, as people write it.

use std::{fmt, str::FromStr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// From one second to ninety days; written `90s`, `2m`, `8h`, `1d` or joined, largest first: `1h30m`.
///
/// A day is 24 hours. What must last longer belongs into policy, where it is reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    seconds: i64,
}

impl Lifetime {
    /// One minute.
    pub const MINUTE: Self = Self { seconds: 60 };
    /// The longest one, in seconds.
    pub const MAX_SECONDS: i64 = 90 * DAY;

    /// The instant so much later than `start`; the end of time where there is none.
    pub fn after(self, start: Timestamp) -> Timestamp {
        start.checked_add(SignedDuration::from_secs(self.seconds)).unwrap_or(Timestamp::MAX)
    }

    /// Its length.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }
}

/// The text is no lifetime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no lifetime: write for example 90s, 2m, 8h, 1d or 1h30m, at least 1s and at most 90d")]
pub struct BadLifetime(pub String);

impl FromStr for Lifetime {
    type Err = BadLifetime;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadLifetime(text.chars().take(40).collect());
        let mut rest = text;
        let mut seconds = 0_i64;
        let mut last = i64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(bad)?;
            let (count, tail) = rest.split_at(digits);
            let count: i64 = count.parse().map_err(|_| bad())?;
            let unit = match tail.as_bytes().first() {
                Some(b'd') => DAY,
                Some(b'h') => 3600,
                Some(b'm') => 60,
                Some(b's') => 1,
                _ => return Err(bad()),
            };
            if unit >= last {
                return Err(bad());
            }
            last = unit;
            seconds = count.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(bad)?;
            rest = tail.get(1..).unwrap_or_default();
        }
        if (1..=Self::MAX_SECONDS).contains(&seconds) { Ok(Self { seconds }) } else { Err(bad()) }
    }
}

/// The shortest way to write it.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds;
        for (unit, letter) in [(DAY, 'd'), (3600, 'h'), (60, 'm'), (1, 's')] {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl Serialize for Lifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

const DAY: i64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_count_and_a_unit_or_several() {
        for (text, seconds) in
            [("1s", 1), ("2m", 120), ("8h", 28_800), ("1d", 86_400), ("1h30m", 5_400), ("90d", 7_776_000)]
        {
            let lifetime: Lifetime = text.parse().unwrap();
            assert_eq!(lifetime.seconds(), seconds, "{text}");
            assert_eq!(lifetime.to_string(), text);
        }
        assert_eq!("120s".parse::<Lifetime>().unwrap().to_string(), "2m");
    }

    #[test]
    fn what_is_too_short_too_long_or_unclear_is_refused() {
        for text in [
            "",
            "0s",
            "2",
            "m",
            "-2m",
            "2m ",
            "91d",
            "90d1s",
            "30m1h",
            "1h1h",
            "1.5h",
            "2w",
            "99999999999999999999d",
        ] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }
}
