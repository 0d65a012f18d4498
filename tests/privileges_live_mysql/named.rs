//! What a server names when it denies a statement, and whether our facts hold it.

use std::collections::BTreeSet;

use tidegate::model::{
    facts::{AccessMode, Facts},
    object::Object,
};

use super::mysql_live::Answer;

pub(crate) const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// What the server says may not be touched, or is not there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Table(Option<String>, String),
    Routine(String),
    Database(String),
    /// A right of the server's.
    Server,
}

/// What an answer names.
pub(crate) fn named(answer: &Answer) -> Option<Named> {
    let Answer::Error(code, message) = answer else { return None };
    let behind = |words: &str| message.rsplit_once(words).map(|(_, rest)| plain(rest));
    match code {
        1142 => behind("for table ").map(table),
        1143 => behind("in table ").map(table),
        1146 => message
            .strip_prefix("Table ")
            .and_then(|rest| rest.strip_suffix(" doesn't exist"))
            .map(plain)
            .map(table),
        1370 => behind("for routine ").map(Named::Routine),
        1044 => behind("to database ").map(Named::Database),
        1049 => behind("Unknown database ").map(Named::Database),
        1227 | 1045 => Some(Named::Server),
        _ => None,
    }
}

fn plain(text: &str) -> String {
    text.trim_matches(['\'', '`', ' ']).replace("`.`", ".")
}

fn table(text: String) -> Named {
    match text.split_once('.') {
        Some((database, name)) => Named::Table(Some(database.to_owned()), name.to_owned()),
        None => Named::Table(None, text),
    }
}

/// Whether the facts hold what the server names.
pub(crate) fn holds(facts: &Facts, named: &Named, open: &BTreeSet<&str>) -> bool {
    let same = |ours: &str, theirs: &str| ours.eq_ignore_ascii_case(theirs);
    let mut objects = facts.accesses.iter().map(|access| &access.object);
    match named {
        Named::Table(database, table) => {
            let is_it = |object: &Object| match object {
                Object::Relation { schema, name } if name.contains('.') || name.chars().count() > 32 => {
                    // The server cuts the name, and we cannot tell where the database's ends.
                    let whole = database
                        .iter()
                        .map(String::as_str)
                        .chain([table.as_str()])
                        .collect::<Vec<_>>()
                        .join(".");
                    name.starts_with(whole.strip_prefix(&format!("{schema}.")).unwrap_or(&whole))
                }
                Object::Relation { schema, name } => {
                    same(name, table) && database.as_ref().is_none_or(|database| same(schema, database))
                }
                _ => false,
            };
            // Tables of the system that everybody may read are not named by the facts.
            let system =
                database.as_ref().is_none_or(|database| SYSTEM.iter().any(|name| same(name, database)));
            let account = same(table, "user") && administers(facts);
            objects.any(is_it) || account || system && open.contains(table.to_ascii_lowercase().as_str())
        }
        Named::Routine(routine) => {
            let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            facts.calls.iter().any(|call| last(&call.name) == last(routine))
        }
        Named::Database(database) => objects.any(|object| match object {
            Object::Relation { schema, .. } => same(schema, database),
            Object::Schema { name } => same(name, database),
            _ => SYSTEM.iter().any(|name| same(name, database)),
        }),
        Named::Server => administers(facts) || !facts.calls.is_empty(),
    }
}

fn administers(facts: &Facts) -> bool {
    facts.accesses.iter().any(|access| access.mode == AccessMode::Administer)
}
