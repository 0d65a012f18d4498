//! One session: everything that is its own.

use std::sync::Arc;

use bytes::Bytes;

use super::{held::Held, lanes::Lanes, names::Names, reading::Read, settings::Settings, task::Task};
use crate::{
    model::{ids::StatementId, record::Outcome, target::Lane},
    policy::Claimed,
    session::{
        cancelling::Cancelling, client::ClientSide, conversation::Conversation, desk::Desk, running::Running,
    },
    upstream::CatalogSource,
    wire::postgres::{backend::TransactionStatus, frame::Frame, ledger::Ledger},
};

/// One session, between its login and its end.
pub(super) struct Session {
    pub(super) desk: Desk,
    pub(super) client: ClientSide,
    pub(super) names: Names,
    pub(super) held: Held,
    pub(super) settings: Settings,
    pub(super) lanes: Lanes,
    pub(super) ledger: Ledger<Task>,
    pub(super) transaction: Transaction,
    pub(super) block: Block,
    /// A message that waits until everything before it is settled.
    pub(super) parked: Option<Frame>,
    /// Bytes of a message that are thrown away as they come.
    pub(super) passing_over: usize,
    /// Where the catalog of its database comes from.
    pub(super) catalog: CatalogSource,
    /// The `search_path` of connections on which nobody has set one, as the session was told when it began.
    pub(super) initial_path: String,
    /// The client has been told that the session ends.
    pub(super) said_fatal: bool,
    /// What the upstream said before it closed, for the client if the session ends with it.
    pub(super) last_words: Option<Bytes>,
    /// What connections are called while it works on them, as of a version of its settings.
    pub(super) signed_name: Option<(u64, Arc<str>)>,
    /// How its texts were read last.
    pub(super) read: Option<Read>,
    pub(super) cancelling: Cancelling,
    /// The statement that was told to stop last.
    pub(super) cancelled: Option<StatementId>,
}

/// What is known of the transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    /// As the last ReadyForQuery said.
    pub(super) status: TransactionStatus,
    /// Some statement since the last ReadyForQuery failed.
    pub(super) failed: bool,
    /// Some statement since the last ReadyForQuery changed definitions.
    pub(super) defined: bool,
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
    /// Something of it was executed.
    pub(super) executed: bool,
    /// The portal that was bound on leave that was used up for it, by its number: nothing else runs in the block.
    pub(super) once: Option<(u64, Claimed)>,
}

impl Block {
    /// What is sent from now on belongs to another.
    pub(super) const fn end(&mut self) {
        self.sent = false;
        self.flushed = false;
        self.executed = false;
        self.once = None;
    }
}

impl Transaction {
    pub(super) const fn idle() -> Self {
        Self { status: TransactionStatus::Idle, failed: false, defined: false }
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

    /// Notes that a statement is over; its end record is written before the client knows.
    pub(super) fn note_end(
        &mut self,
        running: &Running,
        outcome: Outcome,
        rows: Option<u64>,
        sqlstate: Option<&str>,
    ) {
        let upstream_pid = self.upstream_pid();
        self.desk.note_end(running, outcome, rows, sqlstate, upstream_pid);
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
