//! What a statement leaves on the connection that it ran on.

use std::sync::Arc;

use super::session::Session;
use crate::model::{
    catalog::Catalog,
    facts::{Access, AccessMode, Facts, SessionEffect, StatementKind, TransactionEffect},
    object::Object,
    target::Lane,
};

impl Session {
    /// Notes statements that are let through on the lane in use: unless it is known that they leave nothing there, the
    /// connection is reset before somebody else has it.
    pub(super) fn note_left(&mut self, does: &[Arc<Facts>], text: &str) {
        if !self.lanes.is_untouched() {
            return;
        }
        let catalog = self.names.context().catalog.as_deref();
        if !does.iter().all(|facts| leaves_nothing(facts, catalog)) || draws(text) {
            self.lanes.note_left();
        }
    }

    /// Leaves the databases in which nobody may be while these statements run. What other sessions use stays.
    pub(super) fn make_way(&self, does: &[Arc<Facts>]) {
        for effect in does.iter().flat_map(|facts| &facts.effects) {
            if let SessionEffect::Vacates(database) = effect {
                self.desk.gate.pools.vacate(&self.desk.place.target, database);
            }
        }
    }
}

/// Whether connections of `lane` can be handed on as they are: what can write can leave anything.
pub(super) fn begins_untouched(lane: Lane) -> bool {
    lane == Lane::Read
}

/// Whether a statement leaves nothing on its connection, whatever the database holds.
///
/// INVARIANT: only what the server does by itself runs for it. Views, row security, foreign tables and types with code
/// of somebody's may leave anything, and so may every routine that is not built in.
fn leaves_nothing(facts: &Facts, catalog: Option<&Catalog>) -> bool {
    let ends_with_itself = match facts.transaction {
        TransactionEffect::None
        | TransactionEffect::Begin { .. }
        | TransactionEffect::Commit { chain: false }
        | TransactionEffect::Rollback { chain: false } => true,
        TransactionEffect::Commit { chain: true }
        | TransactionEffect::Rollback { chain: true }
        | TransactionEffect::Savepoint(_)
        | TransactionEffect::Release(_)
        | TransactionEffect::RollbackTo(_)
        | TransactionEffect::SetModes { .. } => false,
    };
    ends_with_itself
        && facts.kind != StatementKind::Set
        && facts.read_only
        && facts.effects.is_empty()
        && runs_no_code(facts, catalog)
}

/// Whether only what the server does by itself runs for a statement, whatever the database holds.
pub(super) fn runs_no_code(facts: &Facts, catalog: Option<&Catalog>) -> bool {
    let is_unclear =
        |effect: &SessionEffect| matches!(effect, SessionEffect::Pin | SessionEffect::ContextUnknown);
    (is_plain_kind(facts.kind) || facts.kind == StatementKind::Set)
        && !facts.effects.iter().any(is_unclear)
        && facts.calls.is_empty()
        && facts.runs.is_none()
        && facts.accesses.iter().all(|access| reads_plain(access, catalog))
}

const fn is_plain_kind(kind: StatementKind) -> bool {
    match kind {
        StatementKind::Select | StatementKind::Show | StatementKind::Transaction | StatementKind::Empty => {
            true
        }
        StatementKind::Administer
        | StatementKind::CloseCursor
        | StatementKind::CopyFrom
        | StatementKind::CopyTo
        | StatementKind::Deallocate
        | StatementKind::DeclareCursor
        | StatementKind::Define
        | StatementKind::Delete
        | StatementKind::Discard
        | StatementKind::Execute
        | StatementKind::Explain
        | StatementKind::ExplainAnalyze
        | StatementKind::Fetch
        | StatementKind::Insert
        | StatementKind::Listen
        | StatementKind::Lock
        | StatementKind::Merge
        | StatementKind::Notify
        | StatementKind::Prepare
        | StatementKind::Set
        | StatementKind::Update
        | StatementKind::Use => false,
    }
}

fn reads_plain(access: &Access, catalog: Option<&Catalog>) -> bool {
    match (&access.object, access.mode) {
        (Object::Database, AccessMode::Use) => true,
        (Object::Relation { schema, .. }, AccessMode::Use) => {
            matches!(schema.as_str(), "pg_catalog" | "information_schema")
        }
        (Object::Relation { schema, name }, AccessMode::Read) => {
            let schemas = catalog.and_then(|catalog| catalog.plain.get(name));
            schemas.is_some_and(|schemas| schemas.contains(schema))
        }
        _ => false,
    }
}

/// Whether a text may draw random numbers: the next draws tell of the ones before, and setting the seed anew is a part
/// of the reset. A name can be hidden in escapes only where that is written.
fn draws(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_at = |at: usize, word: &[u8]| {
        bytes.get(at..at + word.len()).is_some_and(|there| there.eq_ignore_ascii_case(word))
    };
    memchr::memchr3_iter(b'm', b'M', b'&', bytes).chain(memchr::memchr2_iter(b'f', b'F', bytes)).any(|at| {
        // By a letter that is rarer than the first.
        let is_behind = |offset: usize, word: &[u8]| at.checked_sub(offset).is_some_and(|at| is_at(at, word));
        is_behind(5, b"random") || is_behind(2, b"sample") || is_behind(1, b"u&") || is_behind(3, b"shuffle")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        model::{
            dialect::Dialect,
            name_context::{NameContext, SearchPath},
        },
        sql::{Limits, analyze},
    };

    /// `employee` is plain, `guarded` is not.
    fn catalog() -> Catalog {
        let in_public = || BTreeSet::from(["public".into()]);
        Catalog {
            version: 1,
            schemas: ["public", "pg_catalog"].map(Into::into).into(),
            relations: BTreeMap::from([("employee".into(), in_public()), ("guarded".into(), in_public())]),
            plain: BTreeMap::from([("employee".into(), in_public())]),
            ..Catalog::default()
        }
    }

    fn facts_of(text: &str, catalog: Catalog) -> (Vec<Facts>, Arc<NameContext>) {
        let context = Arc::new(NameContext {
            database: "hr".into(),
            server_version: 15,
            search_path: SearchPath::Known([crate::model::ids::Ident::from("public")].into()),
            accounts: [].into(),
            temporary: Arc::default(),
            made: Arc::default(),
            catalog: Some(Arc::new(catalog)),
            mysql: None,
        });
        (analyze(text, Dialect::Postgres, &context, &Limits::default()).unwrap(), context)
    }

    fn leaves_something(text: &str, catalog: Catalog) -> bool {
        let (facts, context) = facts_of(text, catalog);
        draws(text) || !facts.iter().all(|facts| leaves_nothing(facts, context.catalog.as_deref()))
    }

    #[test]
    fn reading_a_plain_table_leaves_nothing() {
        for text in [
            "SELECT * FROM employee WHERE id = 7",
            "SELECT count(*) FROM public.employee e JOIN employee f USING (id)",
            "SELECT relname FROM pg_catalog.pg_class",
            "SELECT 1",
            "SHOW timezone",
            "BEGIN",
            "COMMIT",
        ] {
            assert!(!leaves_something(text, catalog()), "{text}");
        }
    }

    #[test]
    fn code_of_somebodys_runs_where_it_may_be() {
        let runs_code = |text| {
            let (facts, context) = facts_of(text, catalog());
            !facts.iter().all(|facts| runs_no_code(facts, context.catalog.as_deref()))
        };
        for text in ["SELECT * FROM employee", "SET timezone = 'UTC'", "SELECT random()", "BEGIN; COMMIT"] {
            assert!(!runs_code(text), "{text}");
        }
        for text in ["SELECT * FROM guarded", "SELECT f(1)", "INSERT INTO employee VALUES (1)", "EXECUTE p"] {
            assert!(runs_code(text), "{text}");
        }
        assert!(runs_code("SELECT pg_prepared_statement()"), "it shows all that stands there");
    }

    #[test]
    fn what_may_leave_something_is_not_mistaken_for_it() {
        for text in [
            "SELECT * FROM guarded",
            "SELECT * FROM employee, guarded",
            "SELECT * FROM unknown_table",
            "SELECT f(1)",
            "SELECT id FROM employee WHERE f(id)",
            "SET timezone = 'UTC'",
            "SELECT set_config('timezone', 'UTC', false)",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_advisory_lock(id) FROM employee",
            "SELECT setseed(0.5)",
            "SELECT random()",
            "SELECT U&\"r\\0061ndom\"()",
            "SELECT nextval('s')",
            "LISTEN c",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "CREATE TEMP TABLE t (a int)",
            "INSERT INTO employee VALUES (1)",
            "SELECT * FROM employee FOR UPDATE",
            "EXPLAIN ANALYZE SELECT 1",
            "COPY employee TO STDOUT",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "BEGIN; SET LOCAL timezone = 'UTC'",
        ] {
            assert!(leaves_something(text, catalog()), "{text}");
        }
        assert!(leaves_something("SELECT * FROM employee", Catalog { plain: BTreeMap::new(), ..catalog() }));
    }
}
