//! What is built into MySQL and MariaDB, by name: functions, system relations, system variables.
//!
//! The tables are data (`policies/mysql/*.tsv`), derived from fresh servers by `scripts/derive-mysql-builtins.py` and
//! reviewed by hand in the `*.review.tsv` beside them. Case does not count. A class that this file does not know is
//! the strictest.

use std::{collections::HashMap, sync::LazyLock};

use crate::model::name_context::MysqlFlavor;

/// What a built-in function does beyond computing with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing.
    Pure,
    /// Harmless, but what it leaves belongs to the connection (named locks).
    Pin,
    /// Tells what the statement before left on the connection (LAST_INSERT_ID, FOUND_ROWS, ROW_COUNT).
    Diagnostics,
    /// Reads or moves the sequence that the first argument names; SETVAL, NEXTVAL and LASTVAL of MariaDB.
    Sequence,
    /// Reaches outside, controls the server or reads what it should not: needs `admin`.
    Guarded,
}

/// How a relation of the system's databases is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SystemRelation {
    /// Definitions: any grant on the database is enough.
    Open,
    /// Carries data, secrets or other people's work: needs `admin`.
    Guarded,
}

/// What setting a system variable for the session means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// Any value is harmless.
    Harmless,
    /// Only these values are let through (lower case; case does not count), and the default is.
    Values(&'static [&'static str]),
    /// Harmless, but it belongs to the connection and cannot be set again elsewhere.
    Pin,
    /// `autocommit`: switching it on ends the transaction.
    Autocommit,
    /// Would lift or lower the read-only lock.
    ReadOnly,
    /// Changes how text is read.
    SqlMode,
    /// `character_set_client`: changes how bytes are read.
    CharsetClient,
    /// `character_set_connection`: the set that literals are turned into.
    CharsetConnection,
    /// `collation_connection`: the same, by a collation.
    CollationConnection,
    /// Needs `admin`.
    Admin,
}

/// The class of a built-in function of that server; `None`: not built in.
pub(super) fn function(name: &str, flavor: MysqlFlavor) -> Option<Class> {
    let (class, home) = TABLES.functions.get(name.to_ascii_lowercase().as_str())?;
    let here = match flavor {
        MysqlFlavor::Mariadb => *home != "mysql",
        MysqlFlavor::Mysql => *home != "mariadb",
    };
    here.then_some(*class)
}

/// How a relation of a system database is protected; `None`: no database of the system.
pub(super) fn system_relation(database: &str, name: &str) -> Option<SystemRelation> {
    let database = SYSTEM_DATABASES.into_iter().find(|system| system.eq_ignore_ascii_case(database))?;
    let known = TABLES.relations.get(&(database, name.to_ascii_lowercase().as_str())).copied();
    // closed: what is not listed needs admin.
    Some(known.unwrap_or(SystemRelation::Guarded))
}

/// What setting the variable means; what is not listed needs `admin`.
pub(super) fn variable(name: &str) -> Variable {
    let known = TABLES.variables.get(name.to_ascii_lowercase().as_str()).copied();
    known.unwrap_or(Variable::Admin)
}

/// The databases that every server has.
pub(super) const SYSTEM_DATABASES: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

struct Tables {
    functions: HashMap<&'static str, (Class, &'static str)>,
    relations: HashMap<(&'static str, &'static str), SystemRelation>,
    variables: HashMap<&'static str, Variable>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    functions: FUNCTIONS.lines().filter_map(function_line).collect(),
    relations: RELATIONS.lines().filter_map(relation_line).collect(),
    variables: VARIABLES.lines().filter_map(variable_line).collect(),
});

fn function_line(line: &'static str) -> Option<(&'static str, (Class, &'static str))> {
    let mut columns = line.split('\t');
    let (name, class, home) = (columns.next()?, columns.next()?, columns.next()?);
    let class = match class {
        "pure" => Class::Pure,
        "pin" => Class::Pin,
        "diagnostics" => Class::Diagnostics,
        "sequence" => Class::Sequence,
        _ => Class::Guarded,
    };
    Some((name, (class, home)))
}

fn relation_line(line: &'static str) -> Option<((&'static str, &'static str), SystemRelation)> {
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    let class = match columns.next()? {
        "open" => SystemRelation::Open,
        _ => SystemRelation::Guarded,
    };
    Some((key, class))
}

fn variable_line(line: &'static str) -> Option<(&'static str, Variable)> {
    let (name, class) = line.split_once('\t')?;
    let class = match class.split_once(':').unwrap_or((class, "")) {
        ("harmless", "") => Variable::Harmless,
        ("values", list) => Variable::Values(list.split('|').collect::<Vec<_>>().leak()),
        ("pin", "") => Variable::Pin,
        ("autocommit", "") => Variable::Autocommit,
        ("read_only", "") => Variable::ReadOnly,
        ("sql_mode", "") => Variable::SqlMode,
        ("charset_client", "") => Variable::CharsetClient,
        ("charset_connection", "") => Variable::CharsetConnection,
        ("collation_connection", "") => Variable::CollationConnection,
        _ => Variable::Admin,
    };
    Some((name, class))
}

const FUNCTIONS: &str = include_str!("../../../policies/mysql/functions.tsv");
const RELATIONS: &str = include_str!("../../../policies/mysql/relations.tsv");
const VARIABLES: &str = include_str!("../../../policies/mysql/variables.tsv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_outside_is_never_pure() {
        for name in ["LOAD_FILE", "master_pos_wait", "internal_table_rows", "roles_graphml"] {
            assert_eq!(function(name, MysqlFlavor::Mysql), Some(Class::Guarded), "{name}");
        }
        assert_eq!(function("get_lock", MysqlFlavor::Mysql), Some(Class::Pin));
        assert_eq!(function("LAST_INSERT_ID", MysqlFlavor::Mysql), Some(Class::Diagnostics));
    }

    #[test]
    fn what_ordinary_clients_call_is_pure() {
        for name in ["version", "count", "concat", "date_format", "json_extract", "uuid", "if", "database"] {
            for flavor in [MysqlFlavor::Mysql, MysqlFlavor::Mariadb] {
                assert_eq!(function(name, flavor), Some(Class::Pure), "{name}");
            }
        }
    }

    #[test]
    fn a_function_of_one_server_is_none_of_the_other() {
        assert_eq!(function("nextval", MysqlFlavor::Mariadb), Some(Class::Sequence));
        assert_eq!(function("nextval", MysqlFlavor::Mysql), None);
        assert_eq!(function("uuid_to_bin", MysqlFlavor::Mariadb), None);
        assert_eq!(function("uuid_to_bin", MysqlFlavor::Mysql), Some(Class::Pure));
        assert_eq!(function("hr_full_name", MysqlFlavor::Mysql), None);
    }

    #[test]
    fn definitions_are_free_and_what_carries_data_is_not() {
        assert_eq!(system_relation("INFORMATION_SCHEMA", "Columns"), Some(SystemRelation::Open));
        assert_eq!(system_relation("information_schema", "processlist"), Some(SystemRelation::Guarded));
        assert_eq!(system_relation("information_schema", "COLUMN_STATISTICS"), Some(SystemRelation::Guarded));
        assert_eq!(system_relation("information_schema", "of_tomorrow"), Some(SystemRelation::Guarded));
        assert_eq!(system_relation("mysql", "user"), Some(SystemRelation::Guarded));
        assert_eq!(system_relation("mysql", "time_zone_name"), Some(SystemRelation::Open));
        assert_eq!(system_relation("hr_prod", "columns"), None);
    }

    #[test]
    fn variables_are_classed_by_what_they_can_do() {
        assert_eq!(variable("TIME_ZONE"), Variable::Harmless);
        assert_eq!(variable("sql_mode"), Variable::SqlMode);
        assert_eq!(variable("tx_read_only"), Variable::ReadOnly);
        assert_eq!(variable("sql_log_bin"), Variable::Admin);
        assert_eq!(variable("of_tomorrow"), Variable::Admin);
        assert!(
            matches!(variable("default_storage_engine"), Variable::Values(list) if list.contains(&"innodb"))
        );
    }
}
