//! A refusal that somebody may want to ask about.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{facts::Facts, ids::PrincipalName, refusal::Missing, target::Place};

/// Names a refusal to the person who was refused: eight hexadecimal digits.
///
/// Short, because people copy it; it names nothing to anybody else, so it need not be hard to guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DenialId(u32);

impl DenialId {
    /// Wraps a number made elsewhere.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for DenialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for DenialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text names no refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no refusal: copy the eight digits behind --denial from the hint")]
pub struct BadDenialId(pub String);

impl FromStr for DenialId {
    type Err = BadDenialId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| BadDenialId(text.chars().take(40).collect()))
    }
}

impl Serialize for DenialId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DenialId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What was refused, to whom and where; enough to ask for it.
#[derive(Clone, Debug)]
pub struct Denied {
    /// Who was refused.
    pub principal: PrincipalName,
    /// Where.
    pub place: Place,
    /// The text of the statement.
    pub sql: Arc<str>,
    /// What it does, and what it runs by name.
    pub does: Arc<[Arc<Facts>]>,
    /// What was missing.
    pub missing: Vec<Missing>,
    /// When.
    pub at: Timestamp,
}

/// Whoever keeps refusals, so that they can be asked about. Must not wait: a session calls it on its way.
pub trait KeepDenials: fmt::Debug + Send + Sync + 'static {
    /// Keeps one for a while and names it; `None` if it cannot be asked about.
    fn keep(&self, denied: Denied) -> Option<DenialId>;

    /// Where a browser shows it, with the form that asks; `None` where people have no address to open.
    fn page_of(&self, denial: DenialId) -> Option<String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_named_by_eight_digits() {
        let id = DenialId::new(0xd7f3a);
        assert_eq!(id.to_string(), "000d7f3a");
        assert_eq!("000d7f3a".parse(), Ok(id));
        for bad in ["", "d7f3a", "000d7f3g", "+00d7f3a", "0000d7f3a"] {
            assert!(bad.parse::<DenialId>().is_err(), "{bad}");
        }
    }
}
