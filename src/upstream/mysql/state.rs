//! The settings of a session that others depend on, read back from the server.

use super::{ServerFacts, answers::Row};
use crate::model::{ids::DatabaseName, name_context::MysqlFlavor};

/// What a session is set to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The current database; `None` is none.
    pub database: Option<DatabaseName>,
    /// `sql_mode`, as the server spells it.
    pub sql_mode: String,
    /// `character_set_client`.
    pub character_set_client: String,
    /// `character_set_connection`.
    pub character_set_connection: String,
    /// `character_set_results`; `None` is NULL: nothing is converted.
    pub character_set_results: Option<String>,
    /// `collation_connection`.
    pub collation_connection: String,
    /// `autocommit`.
    pub autocommit: bool,
    /// `transaction_read_only`: whether the next transaction can change nothing, unless it says otherwise.
    pub read_only: bool,
    /// `transaction_isolation`, as the server spells it ("REPEATABLE-READ").
    pub isolation: String,
    /// The roles that are active, as CURRENT_ROLE() shows them.
    pub role: Option<String>,
    /// Whether the server takes writes: neither `read_only` nor `innodb_read_only` is on there.
    pub takes_writes: bool,
}

impl State {
    /// The question; what it gives is read by [`State::read`].
    ///
    /// Nobody's `sql_select_limit` holds for a statement with a LIMIT of its own, and nobody's
    /// `character_set_results` for a binary text.
    pub(super) fn text(facts: &ServerFacts) -> String {
        // MariaDB before 11.1 and MySQL before 5.7.20 have only the older names; MySQL 8 has only the newer.
        let prefix = match facts.flavor {
            MysqlFlavor::Mariadb => "tx",
            MysqlFlavor::Mysql if facts.version < 50_720 => "tx",
            MysqlFlavor::Mysql => "transaction",
        };
        let role = match facts.flavor {
            MysqlFlavor::Mysql if facts.version < 80_000 => "NULL",
            MysqlFlavor::Mariadb | MysqlFlavor::Mysql => "CURRENT_ROLE()",
        };
        format!(
            "SELECT CAST(DATABASE() AS BINARY), @@SESSION.sql_mode, @@SESSION.character_set_client, \
             @@SESSION.character_set_connection, @@SESSION.character_set_results, \
             @@SESSION.collation_connection, @@SESSION.autocommit, @@SESSION.{prefix}_read_only, \
             @@SESSION.{prefix}_isolation, {role}, @@GLOBAL.read_only, @@GLOBAL.innodb_read_only LIMIT 1"
        )
    }

    /// Reads the answer to [`State::text`]; `None` if it is none.
    pub(super) fn read(rows: &[Row]) -> Option<Self> {
        let [row] = rows else { return None };
        let text = |at| row.text(at).map(str::to_owned);
        let flag = |at| match row.text(at) {
            Some("1") => Some(true),
            Some("0") => Some(false),
            _ => None,
        };
        let off = |at| matches!(row.text(at), Some("0" | "OFF"));
        Some(Self {
            database: row.text(0).map(DatabaseName::from),
            sql_mode: text(1)?,
            character_set_client: text(2)?,
            character_set_connection: text(3)?,
            character_set_results: text(4),
            collation_connection: text(5)?,
            autocommit: flag(6)?,
            read_only: flag(7)?,
            isolation: text(8)?,
            role: text(9),
            takes_writes: off(10) && off(11),
        })
    }
}
