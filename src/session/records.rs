//! A statement's records: one before it runs, one before its result is known.

use std::{sync::Arc, time::Instant};

use smallvec::SmallVec;

use super::{
    desk::Desk,
    end::End,
    judge::{Judged, Refused},
    running::{Does, Ended, Run, Running},
};
use crate::{
    audit::{Keep, Receipt},
    model::{
        facts::Facts,
        ids::StatementId,
        permission::Permission,
        record::{
            DecisionRecord, Fingerprint, Outcome, Record, SessionEnd, StatementEnd, StatementStart, Touched,
        },
        refusal::{Missing, Refusal, RefusalCode},
    },
    policy::{Claimed, Permit},
    sql,
};

impl Desk {
    /// Writes down statements that are let through together; `once` is the leave that was used up for them. Gives the
    /// place of the first in the log, and what the session remembers of them.
    ///
    /// # Errors
    /// When the log cannot be written: nothing may run.
    pub(super) async fn record_start(
        &mut self,
        statements: &[(&Arc<str>, &Does, &Permit)],
        once: Option<Claimed>,
    ) -> Result<(Option<Receipt>, Box<Run>), Refusal> {
        let actor = self.actor();
        let (started, trace_id) = (Instant::now(), self.trace_id());
        let ids: SmallVec<[StatementId; 1]> = statements.iter().map(|_| self.who.next_statement()).collect();
        let hidden = self.hidden(statements.iter().map(|(text, ..)| &***text));
        let records: SmallVec<[Record<'_>; 1]> = statements
            .iter()
            .zip(&ids)
            .enumerate()
            .map(|(at, ((text, does, permit), id))| {
                Record::StatementStart(StatementStart {
                    statement: *id,
                    actor: &actor,
                    sql: kept(&hidden, at, text),
                    fingerprint: fingerprint(does, &hidden),
                    kind: does.first().map(|facts| facts.kind),
                    objects: touched(does),
                    decision: DecisionRecord::Allow { lane: permit.lane(), grants: permit.grants() },
                    trace_id,
                })
            })
            .collect();
        let mut receipts = self.gate.audit.append(&records).await.map_err(|_| unwritable())?;
        drop(records);
        for (_, does, _) in statements {
            self.metrics.allowed(strongest(does));
        }
        let course = self.take_course();
        let traced = |at, id, does: &Does, lane| {
            let course = course.as_ref()?;
            Some(Arc::new(self.traced(course, at, id, does, Some(lane))))
        };
        let running =
            statements.iter().zip(ids).enumerate().map(|(at, ((text, does, permit), id))| Running {
                id,
                does: Arc::clone(does),
                text: Arc::clone(text),
                until: permit.until(),
                once,
                started,
                deadline: self.deadline(does, started),
                bytes: 0,
                revoked: None,
                traced: traced(at, id, does, permit.lane()),
            });
        Ok((receipts.next(), Box::new(Run { statements: running.collect(), over: 0 })))
    }

    /// Writes down statements that are not let through: `judged` are those of one text, of which at least one
    /// was refused; the others do not run either.
    ///
    /// # Errors
    /// When the log cannot be written; the client is told so instead of the refusal.
    pub(super) async fn record_refusals(&mut self, judged: &[Judged]) -> Result<(), Refusal> {
        let other = Refused::from(Refusal::new(
            RefusalCode::InsufficientPrivilege,
            "not run: another statement of the same text was refused",
        ));
        let refused: Vec<(&str, &[Arc<Facts>], &Refused)> = judged
            .iter()
            .map(|judged| (&*judged.text, &*judged.does, judged.verdict.as_ref().err().unwrap_or(&other)))
            .collect();
        self.record_denied(&refused).await
    }

    /// Writes down one statement that is not let through.
    ///
    /// # Errors
    /// As [`Self::record_refusals`].
    pub(super) async fn record_refusal(
        &mut self,
        text: &str,
        does: &[Arc<Facts>],
        refused: &Refused,
    ) -> Result<(), Refusal> {
        self.record_denied(&[(text, does, refused)]).await
    }

    async fn record_denied(&mut self, refused: &[(&str, &[Arc<Facts>], &Refused)]) -> Result<(), Refusal> {
        let (actor, trace_id) = (self.actor(), self.trace_id());
        let ids: Vec<StatementId> = refused.iter().map(|_| self.who.next_statement()).collect();
        let hidden = self.hidden(refused.iter().map(|(text, ..)| *text));
        let records: Vec<Record<'_>> = refused
            .iter()
            .zip(&ids)
            .enumerate()
            .map(|(at, ((text, does, refused), id))| {
                Record::StatementStart(StatementStart {
                    statement: *id,
                    actor: &actor,
                    sql: kept(&hidden, at, text),
                    fingerprint: fingerprint(does, &hidden),
                    kind: does.first().map(|facts| facts.kind),
                    objects: touched(does),
                    decision: DecisionRecord::Deny {
                        sqlstate: refused.refusal.code.sqlstate(),
                        // What names an object may stay; other messages repeat parts of the text.
                        message: match refused.refusal.code {
                            RefusalCode::InsufficientPrivilege => &refused.refusal.message,
                            _ if hidden.is_some() => NOT_KEPT,
                            _ => &refused.refusal.message,
                        },
                        missing: refused.missing.iter().map(in_words).collect(),
                    },
                    trace_id,
                })
            })
            .collect();
        let _receipts = self.gate.audit.append(&records).await.map_err(|_| unwritable())?;
        let course = self.take_course();
        for (number, ((_, does, refused), id)) in refused.iter().zip(ids).enumerate() {
            if let Some((course, watch)) = course.as_ref().zip(self.stopwatch.as_ref()) {
                let traced = self.traced(course, number, id, does, None);
                watch.keep_refused(traced, refused.refusal.code.sqlstate());
            }
            self.metrics.refused(refused.missing.iter().filter_map(|missing| missing.permission).max());
        }
        Ok(())
    }

    /// What is written down in the place of texts; `None` where they are written down themselves.
    fn hidden<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Option<Vec<String>> {
        let policy = self.gate.audit.texts();
        let without_literals = |text: &str| {
            let name = &mut |value: &str| policy.of_literal(value);
            // closed: what cannot be cut into tokens is not written down.
            sql::without_literals(text, self.reading, &self.gate.limits.sql, name)
                .unwrap_or_else(|| policy.of_text(text))
        };
        match policy.kept(&self.who.place.target) {
            Keep::Full => None,
            Keep::Fingerprint => Some(texts.map(|text| policy.of_text(text)).collect()),
            Keep::Hashed => Some(texts.map(without_literals).collect()),
        }
    }

    /// Notes that a statement is over; [`Self::record_ends`] writes it down before the client knows.
    pub(super) fn note_end(
        &mut self,
        running: &Running,
        outcome: Outcome,
        rows: Option<u64>,
        sqlstate: Option<&str>,
        upstream_pid: Option<i32>,
    ) {
        let ended = running.ended(outcome, upstream_pid);
        self.ended.push(Ended { rows, sqlstate: sqlstate.map(Into::into), ..ended });
    }

    /// The record of the session's end.
    pub(super) fn session_end<'r>(&'r self, reason: &'r str) -> Record<'r> {
        Record::SessionEnd(SessionEnd {
            session: self.who.session,
            principal: &self.who.principal.name,
            reason,
            statements: self.who.statement_count(),
        })
    }

    /// Writes down what is over. Nothing goes to the client before this.
    ///
    /// # Errors
    /// When the log cannot be written: the session ends, and the client is not told how its statement went.
    pub(super) async fn record_ends(&mut self) -> Result<(), End> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        let taken = |ended: &Ended| now.saturating_duration_since(ended.started);
        let records: SmallVec<[Record<'_>; 1]> = self
            .ended
            .iter()
            .map(|ended| {
                Record::StatementEnd(StatementEnd {
                    statement: ended.id,
                    session: self.who.session,
                    outcome: ended.outcome,
                    rows: ended.rows,
                    bytes: ended.bytes,
                    duration_us: u64::try_from(taken(ended).as_micros()).unwrap_or(u64::MAX),
                    sqlstate: ended.sqlstate.as_deref(),
                    upstream_pid: ended.upstream_pid,
                })
            })
            .collect();
        let appended = self.gate.audit.append(&records).await;
        drop(records);
        match appended {
            Ok(_receipts) => {
                for ended in self.ended.drain(..) {
                    self.metrics.statement_seconds.observe(taken(&ended).as_secs_f64());
                    if let Some(watch) = &self.stopwatch {
                        watch.keep(ended);
                    }
                }
                Ok(())
            }
            // They are kept: the end of the session tries once more.
            Err(_) => Err(End::Fatal(unwritable())),
        }
    }
}

/// The strongest permission that a statement needs.
pub(super) fn strongest(does: &[Arc<Facts>]) -> Option<Permission> {
    does.iter().flat_map(|facts| &facts.accesses).filter_map(|access| access.mode.permission()).max()
}

fn touched(does: &[Arc<Facts>]) -> Vec<Touched<'_>> {
    does.iter().flat_map(|facts| &facts.accesses).map(Touched).collect()
}

fn in_words(missing: &Missing) -> String {
    match missing.permission {
        Some(permission) => format!("{permission} on {}", missing.object),
        None => format!("any permission on {}", missing.object),
    }
}

fn unwritable() -> Refusal {
    Refusal::new(RefusalCode::AuditUnavailable, "the gateway's audit log cannot be written")
        .with_detail("No statement runs without its record.")
        .with_hint("Tell the gateway's administrator; try again when the log is writable.")
}

/// The text of a record, or what stands in its place.
fn kept<'t>(hidden: &'t Option<Vec<String>>, at: usize, text: &'t str) -> &'t str {
    match hidden {
        None => text,
        // closed: a text with nothing to stand in its place is not written down
        Some(hidden) => hidden.get(at).map_or("", String::as_str),
    }
}

/// The fingerprint of a record. It is a hash without a key: where literals are hidden, it is left out where it goes by some.
fn fingerprint(does: &[Arc<Facts>], hidden: &Option<Vec<String>>) -> Option<Fingerprint> {
    let facts = does.first()?;
    (hidden.is_none() || facts.kind.hides_literals()).then_some(Fingerprint(facts.fingerprint))
}

const NOT_KEPT: &str = "not kept: it may repeat parts of the text";
