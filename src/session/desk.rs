//! What every session has, whatever it speaks: whose it is, where it is, and what it has done.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;

use super::{
    attribution::Signature, deeds::Deeds, end::End, gate::Gate, leaving::Leaving, registry::Handle,
    running::Ended, trace::Stopwatch, waiting::Over, who::Who,
};
use crate::{
    metrics::TargetMetrics,
    model::{name_context::Reading, record::Actor, target::Place},
    policy::Recent,
};

/// The part of a session that judges and records; it knows nothing of messages.
pub(super) struct Desk {
    pub(super) gate: Arc<Gate>,
    /// Who it is to the database.
    pub(super) signature: Signature,
    pub(super) who: Arc<Who>,
    pub(super) handle: Arc<Handle>,
    /// What is counted of its target.
    pub(super) metrics: TargetMetrics,
    /// Where it is now; a database can be left for another one where the protocol has that.
    pub(super) place: Place,
    /// How the texts that are written down are cut into tokens.
    pub(super) reading: Reading,
    /// The statement that was let through last.
    pub(super) recent: Recent,
    /// What was written in the open transaction.
    pub(super) deeds: Deeds,
    /// Statements that are over and whose end records are not written yet.
    pub(super) ended: Vec<Ended>,
    /// What measures its statements, where traces are made.
    pub(super) stopwatch: Option<Box<Stopwatch>>,
    /// Whether it is to end because the gateway stops.
    pub(super) leaving: Leaving,
    /// Since when something that was told to stop is still running.
    pub(super) stopping_since: Option<Instant>,
    /// That it was over while it waited for a connection.
    pub(super) over: Option<Over>,
}

impl Desk {
    /// That of a session that has just begun, under `handle` in the registry.
    pub(super) fn new(gate: Arc<Gate>, handle: Arc<Handle>) -> Self {
        let who = handle.who();
        Self {
            metrics: counted(&gate, &who),
            place: who.place.clone(),
            signature: signature(&gate, &who),
            stopwatch: gate.tracer.clone().map(|tracer| Box::new(Stopwatch::new(tracer))),
            gate,
            who,
            handle,
            reading: Reading::Unknown,
            recent: Recent::default(),
            deeds: Deeds::default(),
            ended: Vec::new(),
            leaving: Leaving::No,
            stopping_since: None,
            over: None,
        }
    }

    /// The session goes on as `who`'s: it counts at their target from here on.
    pub(super) fn change(&mut self, who: Arc<Who>) {
        self.gate.registry.change(&self.handle, Arc::clone(&who));
        self.metrics.sessions.dec();
        self.metrics = counted(&self.gate, &who);
        self.place = who.place.clone();
        self.signature = signature(&self.gate, &who);
        self.who = who;
    }

    /// The session's part of its records.
    pub(super) fn actor(&self) -> Actor<'_> {
        self.who.actor(&self.place)
    }

    /// The present instant.
    pub(super) fn now(&self) -> Timestamp {
        self.gate.clock.now()
    }

    /// Writes down that the session is over.
    pub(super) async fn record_session_end(&self, end: &End) {
        let record = self.session_end(end.reason());
        // The session is over whether this can be written or not; the log says itself that it cannot.
        let _ = self.gate.audit.append_one(&record).await;
    }
}

/// Takes the session out of the registry, and out of the count, however it ends.
impl Drop for Desk {
    fn drop(&mut self) {
        self.gate.registry.leave(&self.handle);
        self.metrics.sessions.dec();
    }
}

fn signature(gate: &Gate, who: &Who) -> Signature {
    Signature::of(who, gate.pools.attribution(&who.place.target))
}

/// One session more, at the target of `who`.
fn counted(gate: &Gate, who: &Who) -> TargetMetrics {
    let metrics = gate.metrics.target(&who.place.target);
    metrics.sessions.inc();
    metrics.sessions_total.inc();
    metrics
}
