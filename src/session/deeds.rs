//! What a transaction has done so far, and so what its COMMIT would make last.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use crate::{
    model::facts::{Facts, StatementKind, TransactionEffect},
    policy::Permit,
};

/// What was written in the open transaction, and when that was decided last.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    /// What a COMMIT would make last.
    done: Option<Facts>,
    /// The last block of messages in which something was written.
    done_in: u64,
    /// When what was written in it has to be decided again.
    pub(super) until: Option<Timestamp>,
    /// The version of the snapshot on which that was decided last.
    version: u64,
    /// What was written in it may no longer last.
    pub(super) lost: bool,
    /// The transaction has failed: its COMMIT makes nothing last.
    pub(super) failed: bool,
}

impl Deeds {
    /// What a COMMIT would make last.
    pub(super) const fn done(&self) -> Option<&Facts> {
        self.done.as_ref()
    }

    /// Notes what a statement that was let through in `block` may have written.
    pub(super) fn note(&mut self, does: &[Arc<Facts>], permit: &Permit, block: u64) {
        if does.iter().all(|facts| facts.read_only) {
            return;
        }
        self.done_in = block;
        // The oldest decision counts for all of it.
        let version = if self.done.is_some() { self.version } else { permit.version() };
        self.version = version.min(permit.version());
        self.until = [self.until, permit.until()].into_iter().flatten().min();
        for facts in does.iter().filter(|facts| !facts.read_only) {
            let done = self.done.get_or_insert_with(nothing_done);
            merge(&mut done.accesses, &facts.accesses);
            merge(&mut done.shown_by_errors, &facts.shown_by_errors);
            merge(&mut done.calls, &facts.calls);
        }
    }

    /// What a COMMIT would make last, if that is not known to be allowed at `now` by the snapshot of `version`.
    pub(super) fn done_unless_decided(&self, version: u64, now: Timestamp) -> Option<&Facts> {
        let holds = !self.lost && self.version == version && self.until.is_none_or(|until| now < until);
        self.done.as_ref().filter(|_| !holds)
    }

    /// What was written in it was decided again.
    pub(super) fn decided(&mut self, permit: &Permit) {
        self.until = permit.until();
        self.version = permit.version();
        self.lost = false;
    }

    /// Whether `facts` would make something last that was written before.
    pub(super) fn are_committed_by(&self, facts: &Facts) -> bool {
        // COMMIT of a failed transaction makes nothing last.
        self.done.is_some() && !self.failed && matches!(facts.transaction, TransactionEffect::Commit { .. })
    }

    /// Something else than a statement of the client's decided on them: they may not last.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.until = None;
    }

    /// It is over, and with it the blocks before `block`. Where a later one has written, all of it is kept: that is
    /// more than its COMMIT makes last, never less.
    pub(super) fn forget_before(&mut self, block: u64) {
        if self.done_in < block {
            self.forget();
        }
    }

    /// Nothing of it will last.
    pub(super) fn forget(&mut self) {
        self.done = None;
        self.until = None;
        self.lost = false;
    }
}

/// Adds what is not known yet; `known` is in order, and each is in it once.
fn merge<T: Clone + Ord>(known: &mut Vec<T>, more: &[T]) {
    if more.iter().any(|it| known.binary_search(it).is_err()) {
        let all: BTreeSet<T> = known.iter().chain(more).cloned().collect();
        *known = all.into_iter().collect();
    }
}

fn nothing_done() -> Facts {
    Facts {
        kind: StatementKind::Transaction,
        command: "COMMIT",
        span: 0..0,
        accesses: Vec::new(),
        shown_by_errors: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: false,
        fingerprint: 0,
        sent: None,
    }
}
