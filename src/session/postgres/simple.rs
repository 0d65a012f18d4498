//! The simple query protocol: one text, any number of statements, all or nothing.

use std::{borrow::Cow, ops::Range, sync::Arc, time::Instant};

use bytes::BytesMut;

use super::{receive::Flow, session::Session, task::Task};
use crate::{
    audit::Receipt,
    model::{
        dialect::Dialect,
        facts::{AccessMode, Facts, SessionEffect},
        object::Object,
        refusal::Refusal,
        target::Lane,
    },
    policy::{Claimed, Permit},
    session::{
        allowed::{Allowed, strongest},
        judge::{Judged, Refused, nothing_known},
        modes::{asks_read_write, opens, stays_read_only},
        ties,
    },
    upstream::{ProtocolMessage, Setup},
    wire::postgres::{
        backend::{self, Severity, TransactionStatus},
        ledger::Owed,
    },
};

impl Session {
    /// One Query. Waits until everything before it is settled, because its lane, and what its names mean,
    /// depend on it.
    pub(super) async fn query(&mut self, text: &str) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if !self.is_settled() {
            return self.wait_for_replies();
        }
        let received = Instant::now();
        self.desk.watch_anew(text, Dialect::Postgres);
        if let Err(refusal) = self.leaves_alone(None) {
            let refused = Refused::from(refusal);
            let recorded = self.desk.record_refusal(text, &[], &refused).await;
            self.refuse_query(recorded.err().unwrap_or(refused.refusal));
            return Flow::Done;
        }
        // Again if grants changed while a connection was waited for.
        while !self.judge_and_run(text, received).await {}
        Flow::Done
    }

    /// Judges a Query and sends it or answers it; false if what was judged no longer holds.
    async fn judge_and_run(&mut self, text: &str, received: Instant) -> bool {
        self.renew_catalog().await;
        let judged = match self.judge_batch(text) {
            Ok(judged) => judged,
            Err(refused) => {
                let recorded = self.desk.record_refusal(text, &[], &refused).await;
                self.refuse_query(recorded.err().unwrap_or(refused.refusal));
                return true;
            }
        };
        if judged.is_empty() {
            let mut empty = BytesMut::new();
            backend::empty_query_response(&mut empty);
            self.ledger.push(Owed::Local(empty.freeze()));
            // As any Query it ends a block of extended messages.
            self.sync().await;
            return true;
        }
        if let Some(once) = self.approved_once(&judged) {
            return self.run_once(text, judged, once, received).await;
        }
        if judged.iter().any(|judged| judged.verdict.is_err()) {
            let recorded = self.desk.record_refusals(&judged).await;
            let first = judged.into_iter().find_map(|judged| judged.verdict.err());
            self.refuse_query(
                recorded.err().or(first.map(|refused| refused.refusal)).unwrap_or_else(nothing_known),
            );
            return true;
        }
        let allowed: Vec<Allowed> = judged.into_iter().filter_map(Judged::allowed).collect();
        let lane = match self.lane_of_batch(&allowed) {
            Ok(lane) => self.take_lane(lane, held_read_only(&allowed)).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        match lane {
            Err(refusal) => self.refuse_batch(allowed, refusal).await,
            Ok(_) if !self.desk.all_hold(&allowed) => return false,
            Ok(lane) => self.run_query(text, lane, allowed, None, received).await,
        }
        true
    }

    /// Sends a Query that may run; `once` is the leave that was used up for its one statement.
    pub(super) async fn run_query(
        &mut self,
        text: &str,
        lane: Lane,
        allowed: Vec<Allowed>,
        once: Option<Claimed>,
        received: Instant,
    ) {
        let sent = match self.written_for(lane, text, allowed.iter().filter_map(|it| it.does.first())) {
            Ok(sent) => sent,
            Err(refusal) => return self.refuse_batch(allowed, refusal).await,
        };
        let (receipt, run) = match self.desk.record_allowed(&allowed, once).await {
            Ok(recorded) => recorded,
            Err(refusal) => return self.refuse_query(refusal),
        };
        self.sign(allowed.iter().flat_map(|it| it.does.iter()));
        self.make_ready_for_query(lane, &allowed);
        for Allowed { text, does, .. } in &allowed {
            self.note_left(does, text);
            self.make_way(does);
        }
        self.desk.note_deeds(&allowed, once, self.ledger.block());
        let mut message = BytesMut::with_capacity(sent.len() + 6);
        backend::message(&mut message, b'Q', |out| {
            out.extend_from_slice(sent.as_bytes());
            out.extend_from_slice(&[0]);
        });
        if let (Some(permit), Some(receipt)) = (strongest(&allowed), receipt) {
            self.send_batch(&message, permit, &receipt);
            self.desk.metrics.gate_seconds.observe(received.elapsed().as_secs_f64());
        }
        self.block.end();
        self.ledger.push(Owed::Query(Task::Run(run)));
    }

    fn send_batch(&mut self, message: &[u8], permit: &Permit, receipt: &Receipt) {
        if let Some(lease) = self.lanes.active_lease_mut() {
            // Cannot fail: the lane is the strongest of the batch, and the message is one Query.
            let sent = lease.send_statement(message, permit, receipt);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
    }

    async fn refuse_batch(&mut self, allowed: Vec<Allowed>, refusal: Refusal) {
        let refusal = self.desk.record_not_run(allowed, refusal).await;
        self.refuse_query(refusal);
    }

    /// The lane that a batch runs on.
    ///
    /// # Errors
    /// When the open transaction is on a weaker one.
    fn lane_of_batch(&self, allowed: &[Allowed]) -> Result<Lane, Refusal> {
        let needed = strongest(allowed).map_or(Lane::Read, Permit::lane);
        let opens = allowed
            .iter()
            .any(|it| it.does.iter().any(|facts| opens_or_ties(facts) || shows_by_rights(facts)));
        self.choose_lane(needed, opens)
    }

    /// Answers a Query with a refusal, in the state in which the database would be after an error.
    pub(super) fn refuse_query(&mut self, refusal: Refusal) {
        let mut error = BytesMut::new();
        backend::error_response(&mut error, Severity::Error, &refusal);
        let involved = self.is_upstream_involved();
        match self.lanes.active_lease_mut().filter(|_| involved) {
            Some(lease) => {
                let sent = lease.send_setup(Setup::PoisonQuery);
                debug_assert!(sent.is_ok(), "{sent:?}");
                self.block.end();
                self.ledger.push(Owed::RefusedQuery(error.freeze()));
            }
            None => {
                self.client.outbound.extend_from_slice(&error);
                backend::ready_for_query(&mut self.client.outbound, TransactionStatus::Idle);
            }
        }
    }

    /// The text as it goes out. On the read lane, transactions that ask for READ WRITE in words are opened READ ONLY,
    /// so that clients which always say so work with a grant to read.
    ///
    /// # Errors
    /// `ReadOnlyTransaction` when it asks for READ WRITE in another way.
    pub(super) fn written_for<'t>(
        &self,
        lane: Lane,
        text: &'t str,
        statements: impl Iterator<Item = &'t Arc<Facts>>,
    ) -> Result<Cow<'t, str>, Refusal> {
        let spans: Vec<Range<usize>> =
            statements.filter(|facts| asks_read_write(facts)).map(|facts| facts.span.clone()).collect();
        if lane != Lane::Read || spans.is_empty() {
            return Ok(self.with_comment(text.into()));
        }
        let mut written = text.to_owned();
        spans.into_iter().for_each(|span| say_read_only(&mut written, span));
        // INVARIANT: what goes out on the read lane does not lift its lock; the new text is judged like any other.
        let lifts = |facts: &Arc<Facts>| asks_read_write(facts);
        match self.analyze(&written) {
            Ok(analysis) if !analysis.iter().any(lifts) => Ok(self.with_comment(written.into())),
            Ok(_) | Err(_) => Err(stays_read_only()),
        }
    }

    /// Something before this message is not settled: it waits, and the upstream is asked to say what it has.
    pub(super) fn wait_for_replies(&mut self) -> Flow {
        if self.block.sent && !self.block.flushed && !self.block.copying_in {
            self.block.flushed = true;
            self.send_protocol(ProtocolMessage::Flush);
        }
        Flow::Wait
    }
}

/// Whether a statement opens a transaction, or ties the session to its connection: then the strongest lane is
/// taken at once, because neither can be moved later. The last number of a sequence was given there, too.
pub(super) fn opens_or_ties(facts: &Facts) -> bool {
    opens(facts) || ties::pins(facts) || facts.effects.contains(&SessionEffect::ReadsDiagnostics)
}

/// Whether what the statement shows depends on the rights of the account that asks.
///
/// Constraints and privileges stand in information_schema for those alone who may do more than read the table. Who
/// works with definitions has to see them, or a migration makes them again.
pub(super) fn shows_by_rights(facts: &Facts) -> bool {
    facts.accesses.iter().any(|access| match &access.object {
        Object::Relation { schema, .. } => {
            access.mode == AccessMode::Use && schema.as_str() == "information_schema"
        }
        Object::Database
        | Object::Unresolved { .. }
        | Object::Schema { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => false,
    })
}

/// Replaces the words WRITE by ONLY within `span` of `text`; no offset moves.
fn say_read_only(text: &mut String, span: Range<usize>) {
    let Some(statement) = text.get(span.clone()) else { return };
    let upper = statement.to_ascii_uppercase();
    let places: Vec<usize> = upper.match_indices("WRITE").map(|(at, _)| span.start + at).collect();
    for at in places {
        text.replace_range(at..at + "WRITE".len(), "ONLY ");
    }
}

/// Whether the database is told to hold the connection read-only for the whole batch.
fn held_read_only(allowed: &[Allowed]) -> bool {
    allowed.iter().all(|it| it.does.iter().all(|facts| is_held_read_only(facts, it.permit.lane())))
}

/// Whether the database is told to hold the connection read-only for a statement that needs the lane `needed`.
///
/// Not where it needs the admin lane because of a routine: what that does is out of sight, and whoever may run it may
/// have it write.
pub(super) fn is_held_read_only(facts: &Facts, needed: Lane) -> bool {
    let runs_anything = needed == Lane::Admin && !facts.calls.is_empty();
    facts.read_only && !opens_or_ties(facts) && !runs_anything
}
