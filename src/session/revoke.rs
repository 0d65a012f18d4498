//! What already runs is decided again when grants change or end.

use std::time::{Duration, Instant};

use super::{conversation::Conversation, desk::Desk, end::End, judge::Refused, running::Running};
use crate::model::refusal::{Refusal, RefusalCode};

/// Decides what runs in `session` again, and marks what may no longer run; true if that is anything new.
///
/// `lasts_at_once` says that it makes last at once what was written before it: then that is decided, too.
///
/// # Errors
/// `Terminated` when the principal may not be here any longer.
pub(super) fn stop_what_lost_its_grant<C: Conversation>(
    session: &mut C,
    lasts_at_once: bool,
) -> Result<bool, End> {
    let (desk, running) = session.under_way();
    desk.check_welcome()?;
    let lost = desk.decide_what_was_done().err().filter(|_| lasts_at_once).map(|lost| lost.1);
    let stopped = running.filter_map(|one| desk.recheck(one, lost.as_ref())).max();
    if let Some(delay) = stopped {
        desk.note_stopping(delay);
    }
    Ok(stopped.is_some())
}

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

    /// Decides a statement that runs again. If it may no longer run it is marked, and gives how long ago it lost its
    /// grant: by the clock, or else by what was published.
    fn recheck(&mut self, one: &mut Running, lost: Option<&Refused>) -> Option<Duration> {
        if one.revoked.is_some() {
            return None;
        }
        one.deadline = self.deadline(&one.does, one.started);
        if one.once.is_some_and(|claimed| self.goes_on(claimed).is_ok()) {
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
    fn note_stopping(&mut self, delay: Duration) {
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
