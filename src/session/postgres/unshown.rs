//! Errors and notices of PostgreSQL that may hold rows which the session may not read.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};

use super::{session::Session, task::Task};
use crate::{
    model::{
        facts::{AccessMode, Facts, TransactionEffect},
        object::Object,
    },
    session::{
        running::{Run, Running},
        unshown::{HINT, MESSAGE},
    },
    wire::{
        WireError,
        postgres::{backend, ledger::Owed},
    },
};

/// When an error comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While its statement runs.
    Running,
    /// When deferred constraints are looked at: it can be about whatever the transaction has written.
    Deferred,
}

impl Moment {
    /// When the error of a text comes, `open` being those of its statements that are not over.
    pub(super) fn of_text(run: &Run, open: &[Running]) -> Self {
        match open {
            // A text of several statements is committed with its last one.
            [_] if run.statements.len() > 1 => Self::Deferred,
            [failed, ..] => Self::of_statement(failed),
            [] => Self::Deferred,
        }
    }

    /// When the error of a statement comes that runs by itself.
    pub(super) fn of_statement(failed: &Running) -> Self {
        let looks = |facts: &Facts| {
            facts.command == "SET CONSTRAINTS"
                || matches!(facts.transaction, TransactionEffect::Commit { .. })
        };
        if failed.does.iter().any(|facts| looks(facts)) { Self::Deferred } else { Self::Running }
    }
}

impl Session {
    /// What is shown in place of the error with which a statement failed; `None` is the error itself.
    ///
    /// What the server points to in the text is about the text.
    ///
    /// # Errors
    /// `Malformed` when fields are not laid out as the protocol says.
    pub(super) fn unshown(
        &self,
        failed: Option<&Running>,
        moment: Moment,
        body: &[u8],
    ) -> Result<Option<Bytes>, WireError> {
        let sqlstate = backend::error_code(body)?.unwrap_or_default();
        let text = failed.map_or("", |failed| &*failed.text);
        // With a context it may be of a text that is a value (`note::regtype`).
        let points_to_text =
            backend::error_field(body, b'P')?.is_some() && backend::error_field(body, b'W')?.is_none();
        if points_to_text || tells_names_only(sqlstate, text, body)? {
            return Ok(None);
        }
        let of_statement = failed.iter().flat_map(|failed| failed.does.iter()).map(|facts| &**facts);
        let before = self.desk.deeds.done().filter(|_| moment == Moment::Deferred);
        let about: Vec<&Facts> = of_statement.chain(before).collect();
        let words = if !self.desk.may_read_errors(about.iter().copied()) {
            MESSAGE
        } else if self.quotes_hidden_row(&about, sqlstate, body)? {
            // What is left of it names the constraint.
            backend::error_field(body, b'M')?.unwrap_or(MESSAGE)
        } else {
            return Ok(None);
        };
        let mut error = BytesMut::new();
        backend::reworded_error(&mut error, body, words, HINT)?;
        Ok(Some(error.freeze()))
    }

    /// What is shown in place of a notice or warning; `None` is the message itself.
    ///
    /// Functions warn of the values that they are given, as `xpath` does of a name space.
    ///
    /// # Errors
    /// `Malformed` when fields are not laid out as the protocol says.
    pub(super) fn unshown_notice(&mut self, body: &[u8]) -> Result<Option<Bytes>, WireError> {
        if backend::error_field(body, b'F')?.is_some_and(|file| DEFINERS.contains(&file)) {
            return Ok(None);
        }
        let (current, moment) = match self.ledger.front_mut() {
            Some(Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) => {
                (run.open().first(), Moment::of_text(run, run.open()))
            }
            // A Sync is the COMMIT of what was sent before it.
            _ => (None, Moment::Deferred),
        };
        let text = current.map_or("", |current| &*current.text);
        if tells_names_only(backend::error_code(body)?.unwrap_or_default(), text, body)? {
            return Ok(None);
        }
        let of_statement = current.iter().flat_map(|current| current.does.iter()).map(|facts| &**facts);
        let before = self.desk.deeds.done().filter(|_| moment == Moment::Deferred);
        if self.desk.may_read_errors(of_statement.chain(before)) {
            return Ok(None);
        }
        let mut notice = BytesMut::new();
        backend::reworded_notice(&mut notice, body, MESSAGE, HINT)?;
        Ok(Some(notice.freeze()))
    }

    /// Whether the error of a broken constraint quotes a row of a relation that the session may not read and that the
    /// statements do not name (one that a foreign key changes as well, or that stands behind a view), or a row that was
    /// there before and stands in the way of a new one.
    fn quotes_hidden_row(&self, about: &[&Facts], sqlstate: &str, body: &[u8]) -> Result<bool, WireError> {
        let breaks_constraint = ["23", "44"].iter().any(|class| sqlstate.starts_with(class));
        if !breaks_constraint || backend::error_field(body, b'D')?.is_none() {
            return Ok(false);
        }
        let (schema, name) = match sqlstate {
            FOREIGN_KEY_VIOLATION => (None, backend::error_field(body, b'M')?.and_then(first_quoted)),
            _ => (backend::error_field(body, b's')?, backend::error_field(body, b't')?),
        };
        let Some(name) = name else {
            // A domain's, or one of a table that is not told: closed for the latter.
            return Ok(backend::error_field(body, b'd')?.is_none());
        };
        if schema.is_some_and(|schema| schema.starts_with("pg_temp")) {
            return Ok(false);
        }
        let changes = about.iter().flat_map(|facts| &facts.accesses).any(|access| {
            matches!(access.mode, AccessMode::Define | AccessMode::Write)
                && is_it(&access.object, schema, name)
        });
        if changes && sqlstate != EXCLUSION_VIOLATION {
            return Ok(false);
        }
        let object = match schema {
            Some(schema) => Object::Relation { schema: schema.into(), name: name.into() },
            None => Object::Unresolved { name: name.into() },
        };
        Ok(!self.desk.may_read([&object]))
    }
}

/// Whether an object may be the relation of this name.
fn is_it(object: &Object, schema: Option<&str>, name: &str) -> bool {
    match object {
        Object::Relation { schema: own, name: known } => {
            known.as_str() == name && schema.is_none_or(|schema| own.as_str() == schema)
        }
        Object::Unresolved { name: known } => known.as_str() == name,
        Object::Database
        | Object::Schema { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => false,
    }
}

/// The first name in an error's message: of a broken foreign key that of the table whose key is quoted, while the error's
/// field has that of the table whose constraint it is.
///
/// Source: PostgreSQL, `ri_ReportViolation`.
fn first_quoted(message: &str) -> Option<&str> {
    message.split('"').nth(1)
}

/// The row that stands in the way is quoted.
const EXCLUSION_VIOLATION: &str = "23P01";
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// Whether an error of this SQLSTATE, of a statement of this text, is known to tell of names, states and limits alone.
fn tells_names_only(sqlstate: &str, text: &str, body: &[u8]) -> Result<bool, WireError> {
    if !CLASSES.iter().any(|class| sqlstate.starts_with(class)) && !DEFINITIONS.contains(&sqlstate) {
        return Ok(false);
    }
    // A function or a cast says so, too, of a name that is a value of a row.
    if LOOKED_UP.contains(&sqlstate) { repeats_text(text, body) } else { Ok(true) }
}

/// Whether all that an error says are words of the statement itself, and of the server's own.
fn repeats_text(text: &str, body: &[u8]) -> Result<bool, WireError> {
    let own: HashSet<String> = words(text).collect();
    for field in *b"MDHW" {
        let said = backend::error_field(body, field)?.unwrap_or_default();
        if !words(said).all(|word| own.contains(&word) || WORDS.contains(&&*word)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs of letters, digits and underscores, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Files of the server's source whose notices tell of definitions, of counts, of what the client itself sent, or (PL/pgSQL)
/// in the words of a routine of the database, as errors of class P0 do.
const DEFINERS: &[&str] = &[
    "aclchk.c",
    "analyze.c",
    "cluster.c",
    "copyfrom.c",
    "copyfromparse.c",
    "createas.c",
    "dbcommands.c",
    "dependency.c",
    "dropcmds.c",
    "extension.c",
    "foreigncmds.c",
    "functioncmds.c",
    "heap.c",
    "index.c",
    "indexcmds.c",
    "matview.c",
    "parse_utilcmd.c",
    "pg_shdepend.c",
    "pl_comp.c",
    "pl_exec.c",
    "publicationcmds.c",
    "schemacmds.c",
    "sequence.c",
    "statscmds.c",
    "subscriptioncmds.c",
    "tablecmds.c",
    "trigger.c",
    "typecmds.c",
    "user.c",
    "utility.c",
    "vacuum.c",
    "vacuumlazy.c",
    "view.c",
    "xact.c",
];

/// SQLSTATEs with which functions and casts tell of names that they are given as values (`note::regclass`).
const LOOKED_UP: &[&str] =
    &["0A000", "34000", "3D000", "3F000", "42703", "42704", "42725", "42809", "42883", "42P01"];

/// What the server says around the names, in its own language; in another one, more is held back.
const WORDS: &[&str] = &[
    "a",
    "an",
    "and",
    "are",
    "cannot",
    "column",
    "constraint",
    "cross",
    "cursor",
    "database",
    "does",
    "domain",
    "exist",
    "for",
    "foreign",
    "from",
    "function",
    "implemented",
    "in",
    "index",
    "is",
    "it",
    "key",
    "materialized",
    "more",
    "named",
    "not",
    "of",
    "on",
    "one",
    "operator",
    "or",
    "procedure",
    "references",
    "relation",
    "schema",
    "sequence",
    "statistics",
    "supported",
    "table",
    "than",
    "the",
    "to",
    "trigger",
    "type",
    "view",
];

/// Classes of SQLSTATE. P0 are errors that routines of the database raise in their own words.
///
/// Source: PostgreSQL manual, "PostgreSQL Error Codes".
const CLASSES: &[&str] = &[
    "08", "0A", "21", "24", "25", "26", "28", "2B", "2D", "34", "3B", "3D", "3F", "40", "53", "54", "55",
    "57", "58", "P0",
];

/// Of class 42, what is about definitions. The others can be about a value: a setting, a type or a query that is one.
const DEFINITIONS: &[&str] = &[
    "42501", "42611", "42701", "42702", "42703", "42704", "42710", "42723", "42725", "42803", "42804",
    "42809", "42830", "42846", "42883", "42939", "42P01", "42P02", "42P03", "42P04", "42P05", "42P06",
    "42P07", "42P08", "42P09", "42P10", "42P11", "42P12", "42P13", "42P14", "42P15", "42P16", "42P17",
    "42P18", "42P19", "42P20", "42P21", "42P22",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(words: &str) -> Vec<u8> {
        [b"SERROR\0C42P01\0M", words.as_bytes(), b"\0\0"].concat()
    }

    fn names_only(sqlstate: &str) -> bool {
        tells_names_only(sqlstate, "", &error("")).unwrap()
    }

    #[test]
    fn what_can_hold_a_value_is_not_told() {
        // A cast, a broken row, a query and a setting that are values, and what nobody knows.
        for sqlstate in ["22P02", "22007", "23502", "23505", "42601", "42602", "XX000", "ZZZZZ", ""] {
            assert!(!names_only(sqlstate), "{sqlstate}");
        }
        for sqlstate in ["42P01", "42703", "42501", "25P02", "40001", "40P01", "55P03", "57014", "P0001"] {
            assert!(names_only(sqlstate), "{sqlstate}");
        }
    }

    #[test]
    fn a_name_that_is_not_in_the_text_may_be_a_value() {
        let told = |text, said| tells_names_only("42P01", text, &error(said)).unwrap();
        assert!(told("DROP TABLE hr.\"Nope\"", "relation \"hr.nope\" does not exist"));
        assert!(!told("UPDATE t SET a = note::regclass", "relation \"secret\" does not exist"));
        assert!(told("ALTER TABLE t DROP CONSTRAINT c", "constraint \"c\" of relation \"t\" does not exist"));
        assert!(!told(
            "DELETE FROM t WHERE current_setting(note) = ''",
            "unrecognized configuration parameter \"x\""
        ));
        assert!(!told("UPDATE t SET a = note::regoper", "operator does not exist: secret"));
        assert!(!told("UPDATE t SET a = note::regclass", "relation \"note.secret\" does not exist"));
    }

    #[test]
    fn of_a_broken_foreign_key_the_first_table_is_the_one_whose_key_is_quoted() {
        let message =
            "update or delete on table \"room\" violates foreign key constraint \"f\" on table \"desk\"";
        assert_eq!(first_quoted(message), Some("room"));
        assert_eq!(first_quoted("no name"), None);
    }
}
