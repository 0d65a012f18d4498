//! A statement that was approved as it stands, and runs once.

use std::time::Instant;

use super::{session::Session, simple::opens_or_ties};
use crate::{
    policy::Once,
    session::{allowed::Allowed, judge::Judged},
};

impl Session {
    /// Leave for the one statement of a text that was refused otherwise, outside transactions.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        if self.in_transaction() { None } else { self.desk.approved_once(judged) }
    }

    /// Runs it, or answers why not; false if what was judged no longer holds.
    pub(super) async fn run_once(
        &mut self,
        text: &str,
        mut judged: Vec<Judged>,
        once: Once,
        received: Instant,
    ) -> bool {
        let Some(Judged { text: own, does, verdict: Err(refused) }) = judged.pop() else { return true };
        let ties = does.iter().any(|facts| opens_or_ties(facts));
        let read_only = !ties && does.iter().all(|facts| facts.read_only);
        let lane = match self.choose_lane(once.lane(), ties) {
            Ok(lane) => self.take_lane(lane, read_only).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        let grant = once.grant();
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, permit))) => {
                let allowed = vec![Allowed { text: own, does, permit }];
                self.run_query(text, lane, allowed, Some(grant), received).await;
            }
            Ok(None) => return false,
            Err(refused) => {
                let recorded = self.desk.record_refusal(&own, &does, &refused).await;
                self.refuse_query(recorded.err().unwrap_or(refused.refusal));
            }
        }
        true
    }
}
