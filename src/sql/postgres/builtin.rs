//! What is built into PostgreSQL, by name: functions, system relations, settings, operators, types.
//!
//! The tables are data (`policies/postgres/*.tsv`), derived from the catalogs of fresh servers of every supported
//! version by `scripts/derive-builtins.py` and reviewed by hand in the `*.review.tsv` beside them. Names are
//! compared as the server folds them. A class that this file does not know is the strictest.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// What a built-in function does beyond computing with its arguments.
///
/// Arguments are counted from 0, in the order of the declaration (a named argument counts where it is declared).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionClass {
    /// Nothing: computes, aggregates, or tells of definitions.
    Pure,
    /// Harmless, but what it leaves belongs to the connection (advisory locks, a random seed, a snapshot).
    Pin,
    /// Reads (`write` false) or moves a sequence.
    Sequence {
        /// The one that names the sequence; `usize::MAX` if none does (lastval).
        argument: usize,
        /// nextval and setval.
        write: bool,
    },
    /// Sends a notification.
    Notify,
    /// Reads the rows of the relation that an argument names.
    ReadsRelation {
        /// The one that names it, as text or regclass.
        argument: usize,
    },
    /// Reads every table of the schema that an argument names.
    ReadsSchema {
        /// The one that names it.
        argument: usize,
    },
    /// Reads every table of the database.
    ReadsDatabase,
    /// Runs the SQL text in an argument.
    RunsText {
        /// The one that holds the text.
        argument: usize,
    },
    /// Shows or (`write`) sets the setting that argument 0 names.
    Setting {
        /// set_config.
        write: bool,
    },
    /// Tells how large a relation is.
    Size {
        /// The one that names it.
        argument: usize,
    },
    /// Reaches outside, controls the server, reads others' work, or runs what it should not: needs `admin`.
    Guarded,
}

/// How a relation of the system's schemas is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemRelation {
    /// Definitions and counters: any grant on the database is enough.
    Open,
    /// Carries data, secrets or other people's work: needs `admin`.
    Guarded,
}

/// What setting a setting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingClass {
    /// Any value is harmless.
    Harmless,
    /// Only these values are let through (lower case; case does not count), and the default is.
    Values(&'static [&'static str]),
    /// Changes what names mean.
    SearchPath,
    /// Would lift or lower the read-only lock.
    ReadOnly,
    /// Changes the account: needs `admin`.
    Role,
    /// Needs `admin`.
    Admin,
    /// Changes how bytes are read: only UTF8 is let through.
    ClientEncoding,
    /// Changes how text is read: never let through.
    Refused,
}

/// The class of a built-in function; where overloads differ, the strictest. `None`: not built in.
///
/// Functions of `information_schema` are found under their qualified name only.
pub(crate) fn function(name: &str) -> Option<FunctionClass> {
    TABLES.functions.get(in_catalog(name)).map(|(class, _)| *class)
}

/// Whether a built-in function changes something, so that it does not belong on the read lane.
pub(crate) fn writes(name: &str) -> bool {
    TABLES.functions.get(in_catalog(name)).is_some_and(|(_, writes)| *writes)
}

/// How a system relation is protected; `None`: no relation of the system.
///
/// Well-known views of extensions that show other people's work are `Guarded` in whatever schema they stand.
pub(crate) fn relation(schema: &str, name: &str) -> Option<SystemRelation> {
    if schema == "pg_toast" {
        return Some(SystemRelation::Guarded);
    }
    [schema, "*"].iter().find_map(|schema| TABLES.relations.get(&(*schema, name)).copied())
}

/// The class of a setting; case does not count. `None`: not built in (extensions' and custom ones).
pub(crate) fn setting(name: &str) -> Option<SettingClass> {
    TABLES.settings.get(name.to_ascii_lowercase().as_str()).copied()
}

/// Whether an operator of this name is built in.
pub(crate) fn operator(name: &str) -> bool {
    TABLES.operators.contains(name)
}

/// Whether a type of this name is built in; those of `information_schema` under their qualified name only.
pub(crate) fn type_name(name: &str) -> bool {
    TABLES.types.contains(in_catalog(name))
}

fn in_catalog(name: &str) -> &str {
    name.strip_prefix("pg_catalog.").unwrap_or(name)
}

struct Tables {
    functions: HashMap<&'static str, (FunctionClass, bool)>,
    relations: HashMap<(&'static str, &'static str), SystemRelation>,
    settings: HashMap<&'static str, SettingClass>,
    operators: HashSet<&'static str>,
    types: HashSet<&'static str>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    functions: FUNCTIONS.lines().filter_map(function_line).collect(),
    relations: RELATIONS.lines().filter_map(relation_line).collect(),
    settings: SETTINGS.lines().filter_map(setting_line).collect(),
    operators: OPERATORS.lines().collect(),
    types: TYPES.lines().collect(),
});

fn function_line(line: &'static str) -> Option<(&'static str, (FunctionClass, bool))> {
    let mut columns = line.split('\t');
    let (name, class) = (columns.next()?, columns.next()?);
    Some((name, (function_class(class), columns.next() != Some("-"))))
}

fn function_class(text: &str) -> FunctionClass {
    let mut parts = text.split(':');
    let (word, argument, way) = (parts.next(), parts.next(), parts.next());
    let number = argument.and_then(|argument| argument.parse().ok());
    match (word, number, argument, way) {
        (Some("pure"), None, None, None) => FunctionClass::Pure,
        (Some("pin"), None, None, None) => FunctionClass::Pin,
        (Some("notify"), None, None, None) => FunctionClass::Notify,
        (Some("reads_database"), None, None, None) => FunctionClass::ReadsDatabase,
        (Some("reads_relation"), Some(argument), _, None) => FunctionClass::ReadsRelation { argument },
        (Some("reads_schema"), Some(argument), _, None) => FunctionClass::ReadsSchema { argument },
        (Some("runs_text"), Some(argument), _, None) => FunctionClass::RunsText { argument },
        (Some("size"), Some(argument), _, None) => FunctionClass::Size { argument },
        (Some("sequence"), Some(argument), _, Some(way)) => {
            FunctionClass::Sequence { argument, write: way != "read" }
        }
        (Some("sequence"), None, Some("none"), Some(way)) => {
            FunctionClass::Sequence { argument: usize::MAX, write: way != "read" }
        }
        (Some("setting"), None, Some(way), None) => FunctionClass::Setting { write: way != "read" },
        // closed: guarded, unreviewed, and whatever is misspelt.
        _ => FunctionClass::Guarded,
    }
}

fn relation_line(line: &'static str) -> Option<((&'static str, &'static str), SystemRelation)> {
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    let class = if columns.next() == Some("open") { SystemRelation::Open } else { SystemRelation::Guarded };
    Some((key, class))
}

fn setting_line(line: &'static str) -> Option<(&'static str, SettingClass)> {
    let (name, class) = line.split_once('\t')?;
    let class = match class {
        "harmless" => SettingClass::Harmless,
        "search_path" => SettingClass::SearchPath,
        "read_only" => SettingClass::ReadOnly,
        "role" => SettingClass::Role,
        "client_encoding" => SettingClass::ClientEncoding,
        "refused" => SettingClass::Refused,
        // Leaked once for the life of the process: the table is a static.
        _ => class.strip_prefix("values:").map_or(SettingClass::Admin, |values| {
            SettingClass::Values(values.split('|').collect::<Vec<_>>().leak())
        }),
    };
    Some((name, class))
}

static FUNCTIONS: &str = include_str!("../../../policies/postgres/functions.tsv");
static RELATIONS: &str = include_str!("../../../policies/postgres/relations.tsv");
static SETTINGS: &str = include_str!("../../../policies/postgres/settings.tsv");
static OPERATORS: &str = include_str!("../../../policies/postgres/operators.tsv");
static TYPES: &str = include_str!("../../../policies/postgres/types.tsv");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_line_is_reviewed_and_well_formed() {
        for line in FUNCTIONS.lines() {
            let columns: Vec<_> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            let class = function_class(columns[1]);
            assert!(class != FunctionClass::Guarded || columns[1] == "guarded", "{line}");
            assert!(matches!(columns[2], "writes" | "-"), "{line}");
        }
        for line in RELATIONS.lines() {
            let columns: Vec<_> = line.split('\t').collect();
            assert!(columns.len() == 3 && matches!(columns[2], "open" | "guarded"), "{line}");
        }
        for line in SETTINGS.lines() {
            let (name, class) = setting_line(line).unwrap();
            assert!(class != SettingClass::Admin || line == format!("{name}\tadmin"), "{line}");
        }
        for text in [FUNCTIONS, RELATIONS, SETTINGS, OPERATORS, TYPES] {
            assert!(text.lines().is_sorted(), "{}", text.lines().next().unwrap());
        }
    }

    #[test]
    fn a_misspelt_class_is_the_strictest() {
        for text in ["unreviewed", "Pure", "pure:1", "runs_text", "runs_text:x", "sequence:0", ""] {
            assert_eq!(function_class(text), FunctionClass::Guarded, "{text}");
        }
        assert_eq!(relation_line("a\tb\topen?").unwrap().1, SystemRelation::Guarded);
        assert_eq!(setting_line("a\tunreviewed").unwrap().1, SettingClass::Admin);
    }

    #[test]
    fn functions_that_take_text_names_or_files_are_not_pure() {
        for (name, class) in [
            ("query_to_xml", FunctionClass::RunsText { argument: 0 }),
            ("ts_stat", FunctionClass::RunsText { argument: 0 }),
            ("ts_rewrite", FunctionClass::RunsText { argument: 1 }),
            ("table_to_xml", FunctionClass::ReadsRelation { argument: 0 }),
            ("schema_to_xml", FunctionClass::ReadsSchema { argument: 0 }),
            ("database_to_xml", FunctionClass::ReadsDatabase),
            ("set_config", FunctionClass::Setting { write: true }),
            ("current_setting", FunctionClass::Setting { write: false }),
            ("nextval", FunctionClass::Sequence { argument: 0, write: true }),
            ("lastval", FunctionClass::Sequence { argument: usize::MAX, write: false }),
            ("pg_read_file", FunctionClass::Guarded),
            ("pg_ls_logdir", FunctionClass::Guarded),
            ("lo_get", FunctionClass::Guarded),
            ("pg_terminate_backend", FunctionClass::Guarded),
            ("pg_stat_get_backend_activity", FunctionClass::Guarded),
            ("pg_advisory_lock", FunctionClass::Pin),
        ] {
            assert_eq!(function(name), Some(class), "{name}");
        }
        assert!(writes("nextval") && writes("lo_unlink") && writes("pg_notify"));
    }

    #[test]
    fn what_ordinary_clients_call_is_pure() {
        for name in [
            "version",
            "count",
            "row_number",
            "now",
            "pg_sleep",
            "has_table_privilege",
            "pg_get_viewdef",
            "pg_catalog.pg_get_userbyid",
            "information_schema._pg_expandarray",
            "uuidv7",
        ] {
            assert_eq!(function(name), Some(FunctionClass::Pure), "{name}");
            assert!(!writes(name), "{name}");
        }
        assert_eq!(function("dblink"), None);
        assert_eq!(function("_pg_expandarray"), None);
    }

    #[test]
    fn definitions_are_open_and_secrets_are_not() {
        assert_eq!(relation("pg_catalog", "pg_class"), Some(SystemRelation::Open));
        assert_eq!(relation("pg_catalog", "pg_roles"), Some(SystemRelation::Open));
        assert_eq!(relation("pg_catalog", "pg_authid"), Some(SystemRelation::Guarded));
        assert_eq!(relation("pg_catalog", "pg_stats"), Some(SystemRelation::Guarded));
        assert_eq!(relation("information_schema", "columns"), Some(SystemRelation::Open));
        assert_eq!(relation("information_schema", "user_mapping_options"), Some(SystemRelation::Guarded));
        assert_eq!(relation("pg_toast", "pg_toast_16384"), Some(SystemRelation::Guarded));
        assert_eq!(relation("monitoring", "pg_stat_statements"), Some(SystemRelation::Guarded));
        assert_eq!(relation("public", "pg_class"), None);
    }

    #[test]
    fn settings_are_found_in_any_case_and_classed_by_what_they_can_do() {
        assert_eq!(setting("DateStyle"), Some(SettingClass::Harmless));
        assert_eq!(setting("search_path"), Some(SettingClass::SearchPath));
        assert_eq!(setting("ROLE"), Some(SettingClass::Role));
        assert_eq!(setting("session_replication_role"), Some(SettingClass::Admin));
        assert_eq!(setting("default_tablespace"), Some(SettingClass::Values(&["", "pg_default"])));
        assert_eq!(setting("client_encoding"), Some(SettingClass::ClientEncoding));
        assert_eq!(setting("myapp.user"), None);
    }

    #[test]
    fn operators_and_types_are_known_by_name() {
        assert!(operator("=") && operator("->>") && !operator("<<<"));
        assert!(type_name("int4") && type_name("_text") && type_name("serial") && !type_name("citext"));
    }
}
