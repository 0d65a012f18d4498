//! What differs between the databases, beside framing and grammar.

use serde::{Deserialize, Serialize};

/// The SQL and the wire protocol that a target speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// MySQL, MariaDB and Aurora MySQL.
    Mysql,
    /// PostgreSQL and Aurora PostgreSQL.
    Postgres,
}

impl Dialect {
    /// The word of configuration and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }

    /// Whether a statement reaches every database of the server by its qualified name, so that a relation's own
    /// database, and not the session's, is the one that grants are held against.
    pub const fn spans_databases(self) -> bool {
        match self {
            Self::Mysql => true,
            Self::Postgres => false,
        }
    }
}
