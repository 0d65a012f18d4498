//! A statement that was approved as it stands, and runs once.

use std::time::Instant;

use super::{session::Session, simple::opens_or_ties};
use crate::{
    policy::Once,
    session::judge::{Judged, Refused},
};

impl Session {
    /// Leave for the one statement of a text that was refused otherwise; there is none inside a transaction, because
    /// there is more in that than what was approved.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        let [Judged { text, does, verdict: Err(_) }] = judged else { return None };
        let [facts] = &**does else { return None };
        if self.in_transaction() { None } else { self.desk.approved_once(text, facts) }
    }

    /// Runs it, or answers why not; false if what was judged no longer holds. The leave is used up last, when there is
    /// a connection to run it on.
    pub(super) async fn run_once(
        &mut self,
        text: &str,
        mut judged: Vec<Judged>,
        once: Once,
        received: Instant,
    ) -> bool {
        let Some(Judged { text: own, does, verdict }) = judged.pop() else { return true };
        let ties = does.iter().any(|facts| opens_or_ties(facts));
        let read_only = !ties && does.iter().all(|facts| facts.read_only);
        let lane = match self.choose_lane(once.lane(), ties) {
            Ok(lane) => self.take_lane(lane, read_only).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        let refused = match lane {
            Ok(_) if once.version() != self.desk.gate.snapshot.load().version() => return false,
            Ok(lane) => {
                let grant = once.grant();
                match self.desk.claim(once).await {
                    Some(permit) => {
                        let allowed = vec![(own, does, permit)];
                        self.run_query(text, lane, allowed, Some(grant), received).await;
                        return true;
                    }
                    None => verdict.err(),
                }
            }
            Err(refusal) => Some(Refused::from(refusal)),
        };
        let Some(refused) = refused else { return true };
        let recorded = self.desk.record_refusal(&own, &does, &refused).await;
        self.refuse_query(recorded.err().unwrap_or(refused.refusal));
        true
    }
}
