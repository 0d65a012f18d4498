//! Statements that were approved as they stand, and run once.

use super::{
    desk::Desk,
    judge::{Judged, Refused},
};
use crate::{
    model::{ids::GrantId, refusal::Refusal, target::Lane},
    policy::{self, Once, Permit},
};

impl Desk {
    /// Leave for the one statement of a text that was refused otherwise. Not for what is inside a transaction: there
    /// is more in that than what was approved.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        let [Judged { text, does, verdict: Err(_) }] = judged else { return None };
        let [facts] = &**does else { return None };
        let snapshot = self.gate.snapshot.load();
        policy::decide_exact(&snapshot, &self.who.principal, &self.place, text, facts, self.now())
    }

    /// Uses up leave for a statement that was `refused` otherwise, last of all: when there is a `lane` to run it on.
    /// `None` if what was judged no longer holds.
    ///
    /// # Errors
    /// What is told instead: why there is no lane; or the refusal, if somebody else was first or it could not be kept.
    pub(super) async fn use_up(
        &self,
        once: Once,
        lane: Result<Lane, Refusal>,
        refused: Refused,
    ) -> Result<Option<(Lane, Permit)>, Refused> {
        let lane = lane?;
        if once.version() != self.gate.snapshot.load().version() {
            return Ok(None);
        }
        let (holder, session) = (&self.who.principal.name, self.who.session);
        if self.gate.claims.claim(once.grant(), holder, session).await {
            Ok(Some((lane, once.claimed())))
        } else {
            Err(refused)
        }
    }

    /// Whether what runs on leave that was used up may go on.
    pub(super) fn still_runs(&self, grant: GrantId) -> bool {
        let snapshot = self.gate.snapshot.load();
        policy::still_runs(&snapshot, &self.who.principal, &self.place, grant, self.now())
    }
}
