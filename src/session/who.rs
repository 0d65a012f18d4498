//! Whose session it is.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use uuid::Builder;

use crate::model::{
    ids::{DatabaseName, SessionId, StatementId},
    principal::Principal,
    record::Actor,
    target::Place,
};

/// Who logged in, from where, to where.
#[derive(Debug)]
pub struct Who {
    /// The session.
    pub session: SessionId,
    /// Who, as of the login; every decision looks the name up again.
    pub principal: Arc<Principal>,
    /// Where to, as of the login.
    pub place: Place,
    /// The database it is in now, where that is not the one of the login any longer.
    moved_to: ArcSwapOption<DatabaseName>,
    /// From where.
    pub client: SocketAddr,
    /// What the client called itself at login.
    pub application: String,
    /// Since when.
    pub since: Timestamp,
    /// Statements judged so far.
    statements: AtomicU64,
    /// What it does, as of its last step.
    doing: AtomicU8,
}

/// What a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing.
    Idle = 0,
    /// A statement runs.
    Active = 1,
    /// A transaction is open, and no statement runs.
    InTransaction = 2,
}

impl Who {
    /// Whoever logged in just now.
    pub(super) fn new(
        session: SessionId,
        principal: Arc<Principal>,
        place: Place,
        client: SocketAddr,
        application: String,
        since: Timestamp,
    ) -> Self {
        Self {
            session,
            principal,
            place,
            moved_to: ArcSwapOption::empty(),
            client,
            application,
            since,
            statements: AtomicU64::new(0),
            doing: AtomicU8::new(Doing::Idle as u8),
        }
    }

    /// The session's part of its records, at `place`.
    pub(super) fn actor<'a>(&'a self, place: &'a Place) -> Actor<'a> {
        Actor {
            session: self.session,
            principal: &self.principal.name,
            client: self.client,
            application: &self.application,
            target: &place.target,
            database: &place.database,
        }
    }

    /// A new statement's identifier: the session's random half and a counter, so that making one costs nothing.
    pub(super) fn next_statement(&self) -> StatementId {
        let count = self.statements.fetch_add(1, Ordering::Relaxed) + 1;
        let mut bytes = *self.session.uuid().as_bytes();
        // The session's identifier has its randomness in the last eight bytes.
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(tail);
        tail.copy_from_slice(&count.to_be_bytes());
        StatementId::new(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The database it is in.
    pub fn database(&self) -> DatabaseName {
        let moved = self.moved_to.load();
        moved.as_deref().unwrap_or(&self.place.database).clone()
    }

    /// Notes that it is in another database.
    pub(super) fn move_to(&self, database: &DatabaseName) {
        self.moved_to.store(Some(Arc::new(database.clone())));
    }

    /// Notes what it does now.
    pub(super) fn note(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    /// What it does, in words: "idle", "active" or "in transaction".
    pub fn state(&self) -> &'static str {
        match self.doing.load(Ordering::Relaxed) {
            0 => "idle",
            1 => "active",
            _ => "in transaction",
        }
    }

    /// Statements judged so far.
    pub fn statement_count(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}
