//! The state of the walk over one statement, and how what it found becomes facts.

use std::ops::Range;

use crate::{
    model::{
        facts::{
            Access, AccessMode, Call, Facts, Runs, SessionEffect, StatementKind, TransactionEffect,
            Unanalyzable,
        },
        ids::Ident,
        object::Object,
    },
    sql::{
        found::{note_effect, sort_out},
        limits::Limits,
    },
};

use super::{attribute::ScalarRows, batch::Names};

/// What every step of the walk answers.
pub(super) type Step = Result<(), Unanalyzable>;

/// Kind and command of a statement, as its facts carry them.
pub(super) type Head = (StatementKind, &'static str);

/// Collects what one statement does.
pub(super) struct Walk<'n> {
    /// What names mean here.
    pub(super) names: &'n Names,
    pub(super) limits: &'n Limits,
    /// How many texts within texts lead here.
    pub(super) inner_texts: usize,
    /// How relations in FROM are touched: `Read`, or `Export` within COPY … TO.
    pub(super) reading: AccessMode,
    /// Names of the common table expressions that are in scope; they hide relations.
    pub(super) ctes: Vec<String>,
    /// The schema that CREATE SCHEMA makes, for the elements in it.
    pub(super) own_schema: Option<Ident>,
    /// Columns named so far; tells whether an expression shows anything of a row.
    pub(super) columns_seen: usize,
    /// Calls so far that keep or send what they are given, where that is no constant.
    pub(super) values_kept: usize,
    /// Places of the calls that run exactly once if the statement runs.
    pub(super) runs_once: Vec<i32>,
    /// The setting that the column `name` stands for in a query on pg_settings.
    pub(super) only_setting: Option<String>,
    /// Functions in FROM so far, wherever in the statement: their names may stand for plain values.
    pub(super) scalar_rows: Vec<ScalarRows>,
    pub(super) found: Found,
}

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Asked for by the text itself: EXPLAIN turns these into `Explain`.
    pub(super) accesses: Vec<Access>,
    /// Asked for by functions, which may already run while a plan is made.
    pub(super) by_function: Vec<Access>,
    /// See [`Facts::shown_by_errors`].
    pub(super) shown_by_errors: Vec<Object>,
    pub(super) calls: Vec<Call>,
    pub(super) transaction: TransactionEffect,
    pub(super) effects: Vec<SessionEffect>,
    pub(super) runs: Option<Runs>,
    pub(super) writes: bool,
}

impl<'n> Walk<'n> {
    pub(super) fn new(names: &'n Names, limits: &'n Limits) -> Self {
        Self {
            names,
            limits,
            inner_texts: 0,
            reading: AccessMode::Read,
            ctes: Vec::new(),
            own_schema: None,
            columns_seen: 0,
            values_kept: 0,
            runs_once: Vec::new(),
            only_setting: None,
            scalar_rows: Vec::new(),
            found: Found::default(),
        }
    }

    pub(super) fn access(&mut self, object: Object, mode: AccessMode) {
        if matches!(mode, AccessMode::Write | AccessMode::Define) {
            self.found.writes = true;
        }
        self.found.accesses.push(Access { object, mode });
    }

    pub(super) fn access_by_function(&mut self, object: Object, mode: AccessMode) {
        self.found.by_function.push(Access { object, mode });
    }

    /// Something that belongs to no schema and needs `admin`.
    pub(super) fn administer(&mut self, what: &str) {
        self.found.writes = true;
        self.access(Object::Server { what: what.into() }, AccessMode::Administer);
    }

    pub(super) fn call(&mut self, name: impl Into<Ident>) {
        self.found.calls.push(Call { name: name.into() });
    }

    /// Effects stand in the order in which they happen.
    pub(super) fn effect(&mut self, effect: SessionEffect) {
        note_effect(&mut self.found.effects, effect);
    }
}

impl Found {
    /// The facts of a statement that stands at `span`.
    pub(super) fn into_facts(self, (kind, command): Head, span: Range<usize>, fingerprint: u64) -> Facts {
        let Self {
            mut accesses,
            by_function,
            mut shown_by_errors,
            mut calls,
            transaction,
            mut effects,
            runs,
            writes,
        } = self;
        let by_name = by_function.iter().any(|access| access.mode != AccessMode::Administer);
        if by_name && effects.iter().any(changes_names) {
            // Functions look names up while the statement runs, maybe in the path that it sets.
            let object = Object::Server { what: "setting search_path".into() };
            accesses.push(Access { object, mode: AccessMode::Administer });
        }
        accesses.extend(by_function);
        sort_out(&mut accesses, &mut shown_by_errors, &mut calls, &mut effects);
        Facts {
            kind,
            command,
            span,
            accesses,
            shown_by_errors,
            calls,
            transaction,
            effects,
            runs,
            read_only: !writes,
            fingerprint,
            sent: None,
        }
    }
}

/// A node or construct that the walk does not know: the batch is refused.
pub(super) fn unknown(construct: impl Into<String>) -> Unanalyzable {
    Unanalyzable::Unknown { construct: construct.into() }
}

/// Whether names may mean something else behind this.
pub(super) fn changes_names(effect: &SessionEffect) -> bool {
    match effect {
        SessionEffect::Set { name, .. } => name.as_str() == "search_path",
        SessionEffect::ContextUnknown => true,
        SessionEffect::ResetAll
        | SessionEffect::DiscardAll
        | SessionEffect::DiscardTemporary
        | SessionEffect::CreateTemporary(_)
        | SessionEffect::DropRelation(_)
        | SessionEffect::Prepare { .. }
        | SessionEffect::Deallocate(_)
        | SessionEffect::DeclareCursor { .. }
        | SessionEffect::CloseCursor(_)
        | SessionEffect::Pin
        | SessionEffect::Ties(_)
        | SessionEffect::Releases(_)
        | SessionEffect::UseDatabase(_)
        | SessionEffect::Vacates(_)
        | SessionEffect::LockTables
        | SessionEffect::UnlockTables
        | SessionEffect::ShowsApplication
        | SessionEffect::ShowsPrivileges
        | SessionEffect::ShowsReadOnly
        | SessionEffect::ReadsDiagnostics
        | SessionEffect::Define => false,
    }
}
