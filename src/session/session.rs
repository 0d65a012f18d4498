//! One session: everything that is its own.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use bytes::BytesMut;

use super::{
    gate::Gate, held::Held, lanes::Lanes, names::Names, registry::Handle, settings::Settings, task::Ended, task::Task,
    who::Who,
};
use crate::{
    model::{
        facts::{Access, Call, Facts, StatementKind, TransactionEffect},
        target::Lane,
    },
    net::Stream,
    wire::postgres::{backend::TransactionStatus, frame::Frame, ledger::Ledger},
};

/// One session, between its login and its end.
pub(super) struct Session {
    pub(super) gate: Arc<Gate>,
    pub(super) who: Arc<Who>,
    pub(super) handle: Arc<Handle>,
    pub(super) client: ClientSide,
    pub(super) names: Names,
    pub(super) held: Held,
    pub(super) settings: Settings,
    pub(super) lanes: Lanes,
    pub(super) ledger: Ledger<Task>,
    pub(super) transaction: Transaction,
    pub(super) block: Block,
    /// Statements that are over and whose end records are not written yet.
    pub(super) ended: Vec<Ended>,
    /// A message that waits until everything before it is settled.
    pub(super) parked: Option<Frame>,
}

/// The client's connection and what waits on it.
pub(super) struct ClientSide {
    pub(super) stream: Stream,
    pub(super) inbound: BytesMut,
    pub(super) outbound: BytesMut,
    pub(super) unflushed: bool,
}

/// What is known of the transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    /// As the last ReadyForQuery said.
    pub(super) status: TransactionStatus,
    /// What was written in it: what a COMMIT would make last.
    done: Option<Facts>,
    /// Some statement since the last ReadyForQuery failed.
    pub(super) failed: bool,
}

/// The extended messages since the last Sync.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// Something of it went to the upstream.
    pub(super) sent: bool,
    /// A Flush was sent behind the last of it.
    pub(super) flushed: bool,
    /// The upstream asked for COPY data, and the client has not ended it.
    pub(super) copying_in: bool,
    /// Bytes of the upstream's message in hand that go to the client unread.
    pub(super) passing: usize,
}

impl Transaction {
    pub(super) const fn idle() -> Self {
        Self { status: TransactionStatus::Idle, done: None, failed: false }
    }

    /// What a COMMIT would make last.
    pub(super) const fn done(&self) -> Option<&Facts> {
        self.done.as_ref()
    }

    /// Notes what a statement that was let through may have written.
    pub(super) fn note(&mut self, does: &[Arc<Facts>]) {
        for facts in does.iter().filter(|facts| !facts.read_only) {
            let done = self.done.get_or_insert_with(nothing_done);
            let news = |access: &&Access| done.accesses.binary_search(access).is_err();
            if facts.accesses.iter().any(|access| news(&access)) {
                let all: BTreeSet<Access> = done.accesses.iter().chain(&facts.accesses).cloned().collect();
                done.accesses = all.into_iter().collect();
            }
            if facts.calls.iter().any(|call| done.calls.binary_search(call).is_err()) {
                let all: BTreeSet<Call> = done.calls.iter().chain(&facts.calls).cloned().collect();
                done.calls = all.into_iter().collect();
            }
        }
    }

    /// It is over.
    pub(super) fn forget(&mut self) {
        self.done = None;
    }
}

fn nothing_done() -> Facts {
    Facts {
        kind: StatementKind::Transaction,
        command: "COMMIT",
        span: 0..0,
        accesses: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: false,
        fingerprint: 0,
    }
}

impl Session {
    /// Whether nothing is owed, so that status, names and settings are what they seem.
    pub(super) fn is_settled(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Whether a transaction is open, as far as the last ReadyForQuery tells.
    pub(super) fn in_transaction(&self) -> bool {
        self.transaction.status != TransactionStatus::Idle
    }

    /// Microseconds since `started`.
    pub(super) fn elapsed_us(started: Instant) -> u64 {
        u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The upstream's process on the lane in use.
    pub(super) fn upstream_pid(&self) -> Option<i32> {
        self.lanes.active_lease().and_then(|lease| lease.process_id())
    }

    /// The lane that everything runs on until the transaction, or the block of extended messages, is over.
    pub(super) fn bound_lane(&self) -> Option<Lane> {
        self.lanes.active().filter(|_| self.in_transaction() || self.block.sent)
    }

    /// Whether what the upstream says next depends on what was sent before: a refusal must go through it.
    pub(super) fn is_upstream_involved(&self) -> bool {
        self.lanes.active_lease().is_some()
            && (self.block.sent || self.in_transaction() || self.ledger.is_upstream_owing())
    }
}
