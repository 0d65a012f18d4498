//! What already runs is decided again when grants change or end.

use std::time::{Duration, Instant};

use super::{desk::Desk, end::End, judge::Refused, running::Running};
use crate::model::refusal::{Refusal, RefusalCode};

impl Desk {
    /// Whether the principal may still be here.
    ///
    /// # Errors
    /// `Terminated` if not.
    pub(super) fn check_welcome(&self) -> Result<(), End> {
        let snapshot = self.gate.snapshot.load();
        match snapshot.principal(&self.who.principal.name) {
            // closed: no principal, no session.
            None => Err(End::Terminated),
            Some(principal) if principal.disabled => Err(End::Terminated),
            Some(_) => Ok(()),
        }
    }

    /// Why what runs may not go on even if it may itself: it makes last at once what was written before it.
    pub(super) fn lost_at_once(&mut self, in_transaction: bool) -> Option<Refused> {
        match self.decide_what_was_done() {
            Err(lost) if !in_transaction => Some(lost.1),
            Ok(()) | Err(_) => None,
        }
    }

    /// Decides a statement that runs again. If it may no longer run it is marked, and gives how long ago it lost its
    /// grant: by the clock, or else by what was published.
    pub(super) fn recheck_running(&self, one: &mut Running, lost: Option<&Refused>) -> Option<Duration> {
        if one.revoked.is_some() {
            return None;
        }
        if one.once.is_some_and(|grant| self.still_runs(grant)) {
            return None;
        }
        match self.decide(&one.does).and_then(|permit| lost.cloned().map_or(Ok(permit), Err)) {
            Ok(permit) => {
                one.until = permit.until();
                None
            }
            Err(refused) => {
                one.revoked = Some(stopped_refusal(refused));
                let now = self.now();
                let over =
                    one.until.filter(|end| *end <= now).map(|end| now.duration_since(end).unsigned_abs());
                let since = over.or_else(|| self.handle.published_at().map(|at| at.elapsed()));
                Some(since.unwrap_or_default())
            }
        }
    }

    /// Something was told to stop, and had lost its grant `delay` ago.
    pub(super) fn note_stopping(&mut self, delay: Duration) {
        self.stopping_since.get_or_insert_with(Instant::now);
        self.gate.metrics.policy.revocation_delay_seconds.observe(delay.as_secs_f64());
    }
}

/// What the client is told of a transaction that is rolled back because what it wrote may no longer last.
pub(super) fn rolled_back(refused: Refused) -> Refusal {
    Refusal {
        message: format!("the transaction was rolled back: {}", refused.refusal.message),
        ..refused.refusal
    }
}

fn stopped_refusal(refused: Refused) -> Refusal {
    let Refusal { code: _, message, detail, hint, position } = refused.refusal;
    Refusal {
        code: RefusalCode::InsufficientPrivilege,
        message: format!("stopped while running: {message}"),
        detail,
        hint,
        position,
    }
}
