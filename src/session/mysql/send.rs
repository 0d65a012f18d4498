//! Statements on their way to the upstream: the lane, the records, the text as it goes out.

use std::{borrow::Cow, sync::Arc, time::Instant};

use super::{
    effects::{asks_diagnostics_only, opens_or_ties},
    flight::{Flight, Task},
    session::Session,
};
use crate::{
    audit::Receipt,
    model::{
        facts::{Facts, StatementKind, TransactionEffect},
        ids::GrantId,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Permit,
    session::{
        gate::REPLY_LIMIT_BYTES,
        judge::{Judged, Refused, refusal_of},
        running::{Does, Run, Running},
    },
    sql,
    wire::mysql::response::{Expect, Response},
};

/// A statement that may run.
#[derive(Debug)]
pub(super) struct Allowed {
    /// As it goes out, and as it is recorded.
    pub(super) text: Arc<str>,
    /// What it does.
    pub(super) does: Does,
    /// That it may.
    pub(super) permit: Permit,
}

/// Statements that are on record, and the proof of it.
pub(super) struct Recorded {
    /// The strongest of their permits.
    pub(super) permit: Permit,
    /// The first of their receipts.
    pub(super) receipt: Receipt,
    /// What is remembered of them.
    pub(super) run: Run,
}

impl Session {
    /// Makes ready the lane that statements run on; gives it.
    ///
    /// # Errors
    /// When the open transaction is on a weaker one, or there is no connection to be had.
    pub(super) async fn enter_lane(&mut self, needed: Lane, does: &[&Facts]) -> Result<Lane, Refusal> {
        let opens = !self.autocommits() || does.iter().any(|facts| opens_or_ties(facts));
        let mut lane = self.choose_lane(needed, opens)?;
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

    /// Writes statements down that go out together; `once` is the grant that was used up for them.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub(super) async fn record(
        &mut self,
        allowed: Vec<Allowed>,
        once: Option<GrantId>,
    ) -> Result<Option<Recorded>, Refusal> {
        self.state.told = None;
        let starts: Vec<_> = allowed.iter().map(|it| (&it.text, &it.does, &it.permit)).collect();
        let started = self.desk.record_start(&starts).await?;
        let (receipts, statements): (Vec<Receipt>, Vec<Running>) = started.into_iter().unzip();
        // What is approved once runs outside a transaction: no COMMIT will have to be decided with it.
        for it in allowed.iter().filter(|_| once.is_none()) {
            self.desk.deeds.note(&it.does, &it.permit, 0);
        }
        let strongest = allowed.into_iter().map(|it| it.permit).max_by_key(Permit::lane);
        let statements = statements.into_iter().map(|running| Running { once, ..running }).collect();
        let run = Run { statements, over: 0 };
        Ok(match (strongest, receipts.into_iter().next()) {
            (Some(permit), Some(receipt)) => Some(Recorded { permit, receipt, run }),
            _ => None,
        })
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
        let refused: Vec<Judged> = allowed
            .into_iter()
            .map(|it| Judged { text: it.text, does: it.does, verdict: Err(Refused::from(refusal.clone())) })
            .collect();
        let recorded = self.desk.record_refusals(&refused).await;
        self.say_refusal(sequence, &recorded.err().unwrap_or(refusal));
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

    /// The bytes of a statement that goes out: strings that are no UTF-8 have theirs again.
    ///
    /// # Errors
    /// When it cannot be read, which it was before.
    pub(super) fn bytes_of<'t>(&self, text: &'t str) -> Result<Cow<'t, [u8]>, Refusal> {
        sql::sendable(text, self.names.context()).map_err(|reason| refusal_of(&reason))
    }
}

/// Whether the statement asks for READ WRITE.
const fn asks_read_write(facts: &Facts) -> bool {
    matches!(
        facts.transaction,
        TransactionEffect::Begin { read_write: true } | TransactionEffect::SetModes { read_write: true, .. }
    )
}

/// Whether a statement is nothing at all.
pub(super) fn is_empty(judged: &Judged) -> bool {
    judged.does.iter().any(|facts| facts.kind == StatementKind::Empty)
}

fn stays_read_only() -> Refusal {
    Refusal::new(RefusalCode::ReadOnlyTransaction, "the read lane stays read-only")
        .with_detail("No live grant on this database allows to change anything.")
        .with_hint("Ask for dml, ddl or admin; or leave the transaction mode as it is.")
}
