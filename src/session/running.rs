//! Statements that were let through, up to their end records.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use smallvec::SmallVec;

use super::trace::Traced;
use crate::{
    model::{
        facts::Facts,
        ids::StatementId,
        record::Outcome,
        refusal::{Refusal, RefusalCode},
    },
    policy::Claimed,
};

/// What a statement does, and what it runs by name.
pub(super) type Does = Arc<[Arc<Facts>]>;

/// The statements of one text, or the one of an execution. Kept apart from what passes it on: it is large.
#[derive(Debug)]
pub(super) struct Run {
    /// In the order in which they run; most texts are one.
    pub(super) statements: SmallVec<[Running; 1]>,
    /// How many of them are over.
    pub(super) over: usize,
}

/// A statement that was let through.
#[derive(Debug)]
pub(super) struct Running {
    /// Its identifier in the audit log.
    pub(super) id: StatementId,
    /// What it does, and what it runs by name.
    pub(super) does: Does,
    /// Its text, where a prepared statement or a cursor comes of it.
    pub(super) text: Arc<str>,
    /// When it has to be decided again.
    pub(super) until: Option<Timestamp>,
    /// The leave that was used up for it: it goes on for as long as that is not over or revoked.
    pub(super) once: Option<Claimed>,
    /// When it was let through.
    pub(super) started: Instant,
    /// When it has run for as long as policy lets it.
    pub(super) deadline: Option<Instant>,
    /// Bytes of rows so far.
    pub(super) bytes: u64,
    /// It was told to stop, and this is what its client is told.
    pub(super) revoked: Option<Refusal>,
    /// What its trace has so far, if one is kept.
    pub(super) traced: Option<Arc<Traced>>,
}

impl Running {
    /// Takes it over, to note its end.
    pub(super) fn take(&mut self) -> Self {
        Self {
            id: self.id,
            does: Arc::clone(&self.does),
            text: Arc::clone(&self.text),
            until: self.until,
            once: self.once,
            started: self.started,
            deadline: self.deadline,
            bytes: self.bytes,
            revoked: self.revoked.take(),
            traced: self.traced.clone(),
        }
    }

    /// How it ended.
    pub(super) fn ended(&self, outcome: Outcome, upstream_pid: Option<i32>) -> Ended {
        Ended {
            id: self.id,
            outcome,
            rows: None,
            bytes: self.bytes,
            started: self.started,
            sqlstate: None,
            upstream_pid,
            traced: self.traced.as_ref().map(|traced| (Arc::clone(traced), Instant::now())),
        }
    }

    /// Its end where nothing more is heard of it: lost, or revoked if it was told to stop.
    pub(super) fn lost(&self, upstream_pid: Option<i32>) -> Ended {
        match &self.revoked {
            None => self.ended(Outcome::Lost, upstream_pid),
            Some(refusal) => Ended {
                sqlstate: Some(refusal.code.sqlstate().into()),
                ..self.ended(stopped_by(refusal), upstream_pid)
            },
        }
    }

    /// What the statement itself does.
    pub(super) fn facts(&self) -> Option<&Arc<Facts>> {
        self.does.first()
    }
}

impl Run {
    /// The statement whose replies are coming.
    pub(super) fn current(&mut self) -> Option<&mut Running> {
        self.statements.get_mut(self.over)
    }

    /// Those that are not over.
    pub(super) fn open(&self) -> &[Running] {
        self.statements.get(self.over..).unwrap_or_default()
    }

    /// Those that are not over, to change.
    pub(super) fn open_mut(&mut self) -> &mut [Running] {
        self.statements.get_mut(self.over..).unwrap_or_default()
    }
}

/// How a statement ended that was told to stop, and told this.
pub(super) fn stopped_by(refusal: &Refusal) -> Outcome {
    if refusal.code == RefusalCode::StatementTimeout { Outcome::Failed } else { Outcome::Revoked }
}

/// How a statement ended; becomes its end record.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which.
    pub(super) id: StatementId,
    /// How.
    pub(super) outcome: Outcome,
    /// Rows by the command tag.
    pub(super) rows: Option<u64>,
    /// Bytes of rows.
    pub(super) bytes: u64,
    /// When it was let through.
    pub(super) started: Instant,
    /// SQLSTATE.
    pub(super) sqlstate: Option<Box<str>>,
    /// The upstream's process.
    pub(super) upstream_pid: Option<i32>,
    /// What its trace has so far, if one is kept, and when it was over.
    pub(super) traced: Option<(Arc<Traced>, Instant)>,
}
