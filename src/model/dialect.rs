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

    /// Whether values may be left open in a statement; a text in which that cannot be told apart from other things
    /// counts as one.
    pub fn may_have_parameters(self, sql: &str) -> bool {
        match self {
            Self::Mysql => sql.contains('?'),
            Self::Postgres => sql.as_bytes().windows(2).any(|two| matches!(two, [b'$', b'0'..=b'9'])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_values_left_open_is_told_apart_and_one_that_may_be_is_taken_for_one() {
        assert!(Dialect::Postgres.may_have_parameters("SELECT $1"));
        assert!(Dialect::Postgres.may_have_parameters("SELECT 'US$5'"));
        assert!(!Dialect::Postgres.may_have_parameters("SELECT $$a$$, 1 ? 2, '$'"));
        assert!(Dialect::Mysql.may_have_parameters("SELECT ?"));
        assert!(!Dialect::Mysql.may_have_parameters("SELECT '$1'"));
    }
}
