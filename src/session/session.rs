//! One session: everything that is its own.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use tokio::{io::AsyncWriteExt, task::JoinHandle};

use super::{
    gate::Gate, held::Held, lanes::Lanes, names::Names, registry::Handle, settings::Settings, task::Ended,
    task::Task, who::Who,
};
use crate::{
    metrics::TargetMetrics,
    model::{
        facts::{Access, Call, Facts, StatementKind, TransactionEffect},
        target::Lane,
    },
    net::Stream,
    policy::Permit,
    upstream::CatalogSource,
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
    /// Where the catalog of its database comes from.
    pub(super) catalog: CatalogSource,
    /// What is counted of its target.
    pub(super) metrics: TargetMetrics,
    /// It ends as soon as it does nothing.
    pub(super) draining: bool,
    /// Since when something that was told to stop is still running.
    pub(super) stopping_since: Option<Instant>,
}

/// The client's connection and what waits on it.
pub(super) struct ClientSide {
    pub(super) stream: Stream,
    pub(super) inbound: BytesMut,
    pub(super) outbound: BytesMut,
    pub(super) unflushed: bool,
    /// The client has been told that the session ends.
    pub(super) said_fatal: bool,
    /// What the upstream said before it closed, for the client if the session ends with it.
    pub(super) last_words: Option<Bytes>,
    /// A cancel that is under way.
    pub(super) cancelling: Option<JoinHandle<()>>,
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
    /// The last block of messages in which something was written.
    done_in: u64,
    /// When what was written in it has to be decided again.
    pub(super) until: Option<Timestamp>,
    /// The version of the snapshot on which that was decided last.
    version: u64,
    /// What was written in it may no longer last.
    pub(super) lost: bool,
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
        Self {
            status: TransactionStatus::Idle,
            done: None,
            failed: false,
            done_in: 0,
            until: None,
            version: 0,
            lost: false,
        }
    }

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
        sent: None,
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

impl ClientSide {
    /// Takes over the connection of a client that has logged in.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            unflushed: false,
            said_fatal: false,
            last_words: None,
            cancelling: None,
        }
    }

    /// Says `message` behind everything that waits, and closes; gives up on a client that does not read.
    pub(super) async fn say_last(&mut self, message: &[u8]) {
        self.outbound.extend_from_slice(message);
        let say = async {
            self.stream.write_all(&self.outbound).await?;
            self.stream.shutdown().await
        };
        // Best effort: the client may be gone.
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, say).await;
    }
}

/// How long a client has to take its last message.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
