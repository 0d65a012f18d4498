//! What differs between the databases, beside framing and grammar.

use serde::{Deserialize, Serialize};

/// The SQL and the wire protocol that a target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// PostgreSQL and Aurora PostgreSQL.
    Postgres,
}

impl Dialect {
    /// The word of configuration and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
        }
    }
}
