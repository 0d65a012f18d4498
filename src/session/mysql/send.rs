//! Statements on their way to the upstream: the lane, the records, the text as it goes out.

use std::{borrow::Cow, sync::Arc, time::Instant};

use super::{
    effects::{asks_diagnostics_only, opens_or_ties, shows_privileges},
    flight::{Flight, Task},
    session::Session,
};
use crate::{
    audit::Receipt,
    model::{
        facts::{Facts, SessionEffect, StatementKind},
        refusal::Refusal,
        target::Lane,
    },
    policy::{Claimed, Permit},
    session::{
        allowed::Allowed,
        gate::REPLY_LIMIT_BYTES,
        judge::{Judged, Refused, nothing_known, refusal_of},
        modes::{asks_read_write, stays_read_only},
        running::Run,
    },
    sql,
    wire::mysql::response::{Expect, Response},
};

/// Statements that are on record, and the proof of it.
pub(super) struct Recorded {
    /// The strongest of their permits.
    pub(super) permit: Permit,
    /// The first of their receipts.
    pub(super) receipt: Receipt,
    /// What is remembered of them.
    pub(super) run: Box<Run>,
}

impl Session {
    /// Makes ready the lane that statements run on; gives it.
    ///
    /// # Errors
    /// When the open transaction is on a weaker one, or there is no connection to be had.
    pub(super) async fn enter_lane(&mut self, needed: Lane, does: &[&Facts]) -> Result<Lane, Refusal> {
        let opens = !self.autocommits() || does.iter().any(|facts| opens_or_ties(facts));
        let shows = !does.is_empty() && does.iter().all(|facts| shows_privileges(facts));
        let mut lane = self.choose_lane(needed, opens || shows)?;
        let asks = does.iter().all(|facts| asks_diagnostics_only(facts)) && !does.is_empty();
        let here = self.lanes.active().filter(|active| asks && *active >= lane);
        if let Some(here) = here {
            lane = here;
        }
        let read_only = does.iter().all(|facts| facts.read_only) && !opens;
        // What the statement before left is lost with the next one, be it the gateway's own.
        self.take_lane(lane, (!asks || here.is_none()).then_some(read_only)).await?;
        Ok(lane)
    }

    /// Writes statements down that go out together; `once` is the leave that was used up for them.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub(super) async fn record(
        &mut self,
        allowed: Vec<Allowed>,
        once: Option<Claimed>,
    ) -> Result<Option<Recorded>, Refusal> {
        self.state.told = None;
        let (receipt, run) = self.desk.record_allowed(&allowed, once).await?;
        self.desk.note_deeds(&allowed, once, 0);
        let permit = allowed.into_iter().map(|it| it.permit).max_by_key(Permit::lane);
        Ok(permit.zip(receipt).map(|(permit, receipt)| Recorded { permit, receipt, run }))
    }

    /// Notes that a command was sent whose reply begins with `upstream_next`, and for the client with `client_next`.
    pub(super) fn take_off(
        &mut self,
        lane: Lane,
        expect: Expect,
        upstream_next: u8,
        client_next: u8,
        task: Task,
    ) {
        let Some(lease) = self.lanes.active_lease() else { return };
        let shape = lease.capabilities();
        let response = Response::new(expect, shape, upstream_next, client_next, REPLY_LIMIT_BYTES);
        self.flight = Some(Flight { response, task, lane });
    }

    /// Counts how long the gateway had a statement.
    pub(super) fn note_gate_time(&self, received: Instant) {
        self.desk.metrics.gate_seconds.observe(received.elapsed().as_secs_f64());
    }

    /// Writes down statements that do not run although they were let through, and says why.
    pub(super) async fn refuse_allowed(&mut self, sequence: u8, allowed: Vec<Allowed>, refusal: Refusal) {
        let refusal = self.desk.record_not_run(allowed, refusal).await;
        self.say_refusal(sequence, &refusal);
    }

    /// Writes down a statement that is not let through, and says why.
    pub(super) async fn refuse_judged(
        &mut self,
        text: &str,
        does: &[Arc<Facts>],
        refused: Refused,
        sequence: u8,
    ) {
        let recorded = self.desk.record_refusal(text, does, &refused).await;
        self.say_refused(sequence, &recorded.err().map_or(refused, Refused::from));
    }

    /// A statement as it goes out. On the read lane, transactions that ask for READ WRITE in words are opened READ
    /// ONLY, so that clients which always say so work with a grant to read.
    ///
    /// # Errors
    /// `ReadOnlyTransaction` when it asks for READ WRITE in another way.
    pub(super) fn written_for(
        &self,
        lane: Lane,
        facts: &Facts,
        text: &Arc<str>,
    ) -> Result<Arc<str>, Refusal> {
        let sent = facts.sent.as_ref().unwrap_or(text);
        if facts.effects.contains(&SessionEffect::ShowsReadOnly) {
            return self.with_own_read_only(facts, sent);
        }
        if lane != Lane::Read || !asks_read_write(facts) {
            return Ok(Arc::clone(sent));
        }
        let written = sent.replace("WRITE", "ONLY").replace("write", "ONLY").replace("Write", "ONLY");
        // INVARIANT: what goes out on the read lane does not lift its lock; the new text is judged like any other.
        match self.analyze(&written) {
            Ok(analysis) if !analysis.iter().any(|facts| asks_read_write(facts)) => Ok(written.into()),
            Ok(_) | Err(_) => Err(stays_read_only()),
        }
    }

    /// A statement that shows whether the session's transactions are read-only, with the session's own word for it: on
    /// the connection that is set for the lane, and for each statement anew.
    fn with_own_read_only(&self, facts: &Facts, sent: &str) -> Result<Arc<str>, Refusal> {
        let context = self.names.context();
        let written = sql::own_read_only(sent, context, self.settings.read_only())
            .map_err(|reason| refusal_of(&reason))?;
        // INVARIANT: what was judged is what runs, but for a number in the place of the variable.
        match self.analyze(&written) {
            Ok(analysis)
                if analysis.iter().all(|it| it.accesses == facts.accesses && it.calls == facts.calls) =>
            {
                Ok(written.into())
            }
            Ok(_) | Err(_) => Err(nothing_known()),
        }
    }

    /// Begins a text with the comment that says whose it is, where that is how the database is told.
    pub(super) fn sign(&self, text: &mut Vec<u8>) {
        if let Some(comment) = self.desk.signature.comment() {
            text.extend_from_slice(comment.as_bytes());
            text.push(b' ');
        }
    }

    /// The bytes of a statement that goes out: strings that are no UTF-8 have theirs again.
    ///
    /// # Errors
    /// When it cannot be read, which it was before.
    pub(super) fn bytes_of<'t>(&self, text: &'t str) -> Result<Cow<'t, [u8]>, Refusal> {
        sql::sendable(text, self.names.context()).map_err(|reason| refusal_of(&reason))
    }
}

/// Whether a statement is nothing at all.
pub(super) fn is_empty(judged: &Judged) -> bool {
    judged.does.iter().any(|facts| facts.kind == StatementKind::Empty)
}
