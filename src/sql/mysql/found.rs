//! What the grammar finds in one statement, and how it becomes facts.

use std::{ops::Range, sync::Arc};

use crate::{
    model::{
        facts::{Access, AccessMode, Call, Facts, Runs, SessionEffect, StatementKind, TransactionEffect},
        ids::Ident,
        object::Object,
    },
    sql::found::{note_effect, sort_out},
};

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) accesses: Vec<Access>,
    pub(super) calls: Vec<Call>,
    pub(super) transaction: TransactionEffect,
    pub(super) effects: Vec<SessionEffect>,
    pub(super) runs: Option<Runs>,
    /// How it is sent, if not as its own tokens.
    pub(super) sent: Option<String>,
    /// Something in it would not be taken by a READ ONLY transaction, or is not undone with it.
    pub(super) writes: bool,
    /// Its plan may show values of rows: the server reads them while it plans.
    pub(super) plan_shows_rows: bool,
    /// It keeps a value of the rows that it changes in a variable, a lock's name or the like.
    pub(super) captures: bool,
    /// It keeps a value of any rows in that way.
    pub(super) keeps: bool,
    /// See [`Facts::shown_by_errors`].
    pub(super) shown_by_errors: Vec<Object>,
}

impl Found {
    /// Notes that `object` is touched.
    pub(super) fn access(&mut self, object: Object, mode: AccessMode) {
        if matches!(mode, AccessMode::Write | AccessMode::Define) {
            self.writes = true;
            self.shown_by_errors.push(object.clone());
        }
        self.accesses.push(Access { object, mode });
    }

    /// Notes that a value is kept where the session can read it.
    pub(super) fn keep(&mut self) {
        self.captures = true;
        self.keeps = true;
    }

    /// Notes something that belongs to no database and needs `admin`.
    pub(super) fn administer(&mut self, what: &str) {
        self.writes = true;
        self.access(Object::Server { what: what.into() }, AccessMode::Administer);
    }

    /// Notes a routine that is not built in, as "database.routine".
    pub(super) fn call(&mut self, name: impl Into<Ident>) {
        self.calls.push(Call { name: name.into() });
    }

    /// Notes that something runs which is not seen: whatever the session is set to may be different, and none of its
    /// temporary tables is known to be there.
    pub(super) fn runs_unseen(&mut self) {
        self.effect(SessionEffect::ContextUnknown);
        self.effect(SessionEffect::DiscardTemporary);
        self.effect(SessionEffect::Pin);
    }

    /// Notes an effect, behind those that come about before it.
    pub(super) fn effect(&mut self, effect: SessionEffect) {
        note_effect(&mut self.effects, effect);
    }

    /// The facts of a statement that stands at `span` and is sent as `sent`.
    pub(super) fn into_facts(
        self,
        kind: StatementKind,
        command: &'static str,
        span: Range<usize>,
        fingerprint: u64,
        sent: Arc<str>,
    ) -> Facts {
        let Self {
            mut accesses, mut shown_by_errors, mut calls, transaction, mut effects, runs, writes, ..
        } = self;
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
            sent: Some(sent),
        }
    }
}
