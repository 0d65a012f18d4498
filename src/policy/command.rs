//! The command that would give what is missing.

use std::{collections::BTreeMap, fmt::Write};

use crate::model::{
    dialect::Dialect,
    ids::DatabaseName,
    object::{Object, ObjectPattern},
    permission::{Permission, PermissionSet},
    principal::Principal,
    refusal::Missing,
    target::Place,
};

use super::{ceiling, holdings::shortest};

/// The `tidegate grant create` commands that together give `missing` and nothing more.
///
/// `None` when a name cannot be written as an object pattern that means only it, or would not survive a terminal.
pub(super) fn for_missing(
    missing: &[Missing],
    principal: &Principal,
    place: &Place,
    dialect: Dialect,
) -> Option<String> {
    let mut wanted: BTreeMap<(String, Scope), PermissionSet> = BTreeMap::new();
    for Missing { permission, object } in missing {
        let (database, scope) = scope(object, place, dialect)?;
        let permission = permission.unwrap_or(Permission::Explain);
        wanted.entry((database, scope)).or_default().insert(permission);
    }
    // One command for all tables that need the same; permissions are keyed by their words.
    let mut commands: BTreeMap<(String, bool, String), Vec<String>> = BTreeMap::new();
    for ((database, scope), set) in wanted {
        let words: Vec<_> =
            shortest(ceiling::downward(set)).iter().map(|permission| permission.as_str()).collect();
        let (is_all, tables) = match scope {
            Scope::All => (true, Vec::new()),
            Scope::Table(pattern) => (false, vec![pattern]),
        };
        commands.entry((database, is_all, words.join(","))).or_default().extend(tables);
    }
    let left_out = commands.len().saturating_sub(MOST_COMMANDS);
    let mut written: Vec<_> = commands
        .iter()
        .take(MOST_COMMANDS)
        .map(|((database, is_all, words), tables)| {
            let tables = if *is_all { None } else { Some(tables.as_slice()) };
            one(principal, place, database, tables, words)
        })
        .collect();
    if left_out > 0 {
        written.push(format!("{left_out} more"));
    }
    Some(written.join(" and "))
}

/// What somebody asks for who asks for what is missing: a database, patterns, permissions.
///
/// One request has one set of permissions for all its objects, so what it asks can be more than each of them lacks.
/// `None` where a name cannot be written as a pattern that means only it, or several databases are meant.
pub fn asked_for(
    missing: &[Missing],
    place: &Place,
    dialect: Dialect,
) -> Option<(DatabaseName, Vec<ObjectPattern>, PermissionSet)> {
    let mut permissions = PermissionSet::EMPTY;
    let mut patterns = Vec::new();
    let mut databases = Vec::new();
    for Missing { permission, object } in missing {
        permissions.insert(permission.unwrap_or(Permission::Explain));
        let (database, scope) = scope(object, place, dialect)?;
        databases.push(database);
        patterns.push(match scope {
            Scope::All => ObjectPattern::All,
            Scope::Table(pattern) => pattern.parse().ok()?,
        });
    }
    if patterns.contains(&ObjectPattern::All) {
        patterns = vec![ObjectPattern::All];
    }
    databases.sort();
    databases.dedup();
    let [database] = databases.as_slice() else { return None };
    let permissions = shortest(ceiling::downward(permissions));
    Some((database.as_str().into(), patterns, permissions))
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-/@:,+".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    All,
    Table(String),
}

fn scope(object: &Object, place: &Place, dialect: Dialect) -> Option<(String, Scope)> {
    let here = || place.database.to_string();
    match object {
        Object::Relation { schema: database, name } if dialect.spans_databases() => {
            let is_plain = is_pattern_of_itself(database) && is_pattern_of_itself(name);
            is_plain.then(|| (database.to_string(), Scope::Table(name.to_string())))
        }
        Object::Schema { name: database } if dialect.spans_databases() => {
            is_pattern_of_itself(database).then(|| (database.to_string(), Scope::All))
        }
        Object::Routine { name } if dialect.spans_databases() => {
            let database = name.split_once('.').map_or_else(here, |(database, _)| database.to_owned());
            is_pattern_of_itself(&database).then_some((database, Scope::All))
        }
        Object::Relation { schema, name } => {
            let is_plain = is_pattern_of_itself(schema) && is_pattern_of_itself(name);
            is_plain.then(|| (here(), Scope::Table(format!("{schema}.{name}"))))
        }
        Object::Schema { name } => {
            is_pattern_of_itself(name).then(|| (here(), Scope::Table(format!("{name}.*"))))
        }
        Object::OtherDatabase { name } => is_pattern_of_itself(name).then(|| (name.to_string(), Scope::All)),
        Object::Database | Object::Unresolved { .. } | Object::Routine { .. } | Object::Server { .. } => {
            Some((here(), Scope::All))
        }
    }
}

/// A star would widen the grant that an administrator pastes, and a dot is no part of a pattern's name.
fn is_pattern_of_itself(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= MOST_LETTERS
        && !name.chars().any(|letter| letter == '*' || letter == '.' || letter.is_control())
}

fn one(
    principal: &Principal,
    place: &Place,
    database: &str,
    tables: Option<&[String]>,
    words: &str,
) -> String {
    let mut command = format!(
        "tidegate grant create --to {} --target {} --database {}",
        quoted(&principal.name),
        quoted(&place.target),
        quoted(database),
    );
    match tables {
        None => command.push_str(" --all-tables"),
        Some(tables) => {
            for table in tables.iter().take(MOST_TABLES) {
                let _ = write!(command, " --table {}", quoted(table));
            }
        }
    }
    let _ = write!(command, " --permission {words} --for 1h --reason \"…\"");
    let left_out = tables.map_or(0, |tables| tables.len().saturating_sub(MOST_TABLES));
    if left_out > 0 {
        let _ = write!(command, " (and {left_out} more tables)");
    }
    command
}

const MOST_COMMANDS: usize = 3;
const MOST_TABLES: usize = 12;
/// PostgreSQL keeps 63 bytes of a name, MySQL 64 characters.
const MOST_LETTERS: usize = 64;
