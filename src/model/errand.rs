//! What a client asks of a session that is at another gateway of the store.

use std::{fmt, future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

use super::ids::PrincipalName;

/// What is asked of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// Its number, as its client knows it.
    pub session: i32,
    /// What.
    pub what: Asked,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Asked {
    /// To stop what it runs, by whoever has its cancel key.
    Cancel {
        /// What proves the key.
        proof: KeyProof,
    },
    /// Whether it is of this principal.
    Find {
        /// Who asks.
        principal: PrincipalName,
    },
    /// To stop what it runs, if it is of this principal.
    Kill {
        /// Who asks.
        principal: PrincipalName,
        /// To end it, too.
        connection: bool,
    },
}

impl Errand {
    /// Whether whoever asks waits to hear if there is such a session.
    pub const fn wants_answer(&self) -> bool {
        match self.what {
            Asked::Cancel { .. } => false,
            Asked::Find { .. } | Asked::Kill { .. } => true,
        }
    }
}

/// SHA-256 of a session's number and cancel key: tells whether a key is the right one, and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyProof(pub [u8; 32]);

/// Whoever reaches the other gateways of the store.
pub trait SendErrands: fmt::Debug + Send + Sync + 'static {
    /// Has the gateway that gave the session's number do it. Whether it found the session; always false where nobody
    /// waits for an answer, for another gateway that is gone, and without one.
    ///
    /// Takes a second at most.
    fn send(&self, errand: Errand) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_reads_back_as_it_was_written() {
        let principal = || PrincipalName::from("dana");
        for what in [
            Asked::Cancel { proof: KeyProof([7; 32]) },
            Asked::Find { principal: principal() },
            Asked::Kill { principal: principal(), connection: true },
        ] {
            let errand = Errand { session: 9, what };
            let text = serde_json::to_string(&errand).unwrap();
            assert_eq!(serde_json::from_str::<Errand>(&text).unwrap(), errand, "{text}");
        }
    }
}
