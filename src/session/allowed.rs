//! Statements that may run, up to their start records.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    desk::Desk,
    judge::{Judged, Refused},
    running::{Does, Run},
};
use crate::{
    audit::Receipt,
    model::refusal::Refusal,
    policy::{Claimed, Permit},
};

/// A statement that may run.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Its text, as it is recorded.
    pub(super) text: Arc<str>,
    /// What it does.
    pub(super) does: Does,
    /// That it may.
    pub(super) permit: Permit,
}

/// The strongest of their permits: it is for all of them.
pub(super) fn strongest(allowed: &[Allowed]) -> Option<&Permit> {
    allowed.iter().map(|it| &it.permit).max_by_key(|permit| permit.lane())
}

impl Desk {
    /// Whether what was decided of all of them would be decided so now.
    pub(super) fn all_hold(&self, allowed: &[Allowed]) -> bool {
        allowed.iter().all(|it| self.still_holds(&it.permit))
    }

    /// Writes down statements that go out together; `once` is the leave that was used up for them. Gives the first of
    /// their receipts.
    ///
    /// # Errors
    /// When the log cannot be written: nothing may run.
    pub(super) async fn record_allowed(
        &mut self,
        allowed: &[Allowed],
        once: Option<Claimed>,
    ) -> Result<(Option<Receipt>, Box<Run>), Refusal> {
        let starts: SmallVec<[_; 1]> = allowed.iter().map(|it| (&it.text, &it.does, &it.permit)).collect();
        self.record_start(&starts, once).await
    }

    /// Keeps in mind what a COMMIT will have to be decided with. What is approved `once` runs outside a transaction:
    /// there will be none.
    pub(super) fn note_deeds(&mut self, allowed: &[Allowed], once: Option<Claimed>, block: u64) {
        for it in allowed.iter().filter(|_| once.is_none()) {
            self.deeds.note(&it.does, &it.permit, block);
        }
    }

    /// Writes down statements that do not run although they were let through. Gives what their client is told.
    pub(super) async fn record_not_run(&mut self, allowed: Vec<Allowed>, refusal: Refusal) -> Refusal {
        let refused: Vec<Judged> = allowed
            .into_iter()
            .map(|it| Judged { text: it.text, does: it.does, verdict: Err(Refused::from(refusal.clone())) })
            .collect();
        let recorded = self.record_refusals(&refused).await;
        recorded.err().unwrap_or(refusal)
    }
}
