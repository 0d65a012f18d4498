//! A statement that was approved as it stands, and runs once.

use std::time::Instant;

use super::{query::Form, send::Allowed, session::Session};
use crate::{
    model::facts::Facts,
    policy::Once,
    session::judge::{Judged, Refused},
};

impl Session {
    /// Leave for the one statement of a text that was refused otherwise; there is none inside a transaction, because
    /// there is more in that than what was approved.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        let [Judged { text, does, verdict: Err(_) }] = judged else { return None };
        let [facts] = &**does else { return None };
        let alone = self.autocommits() && !self.in_transaction();
        if alone { self.desk.approved_once(text, facts) } else { None }
    }

    /// Runs it, or answers why not; false if what was judged no longer holds. The leave is used up last, when there is
    /// a connection to run it on.
    pub(super) async fn run_once(
        &mut self,
        mut judged: Vec<Judged>,
        once: Once,
        form: Form<'_>,
        next: u8,
        received: Instant,
    ) -> bool {
        let Some(Judged { text, does, verdict }) = judged.pop() else { return true };
        let facts: Vec<&Facts> = does.iter().map(|facts| &**facts).collect();
        let refused = match self.enter_lane(once.lane(), &facts).await {
            Ok(_) if once.version() != self.desk.gate.snapshot.load().version() => return false,
            Ok(lane) => {
                let grant = once.grant();
                match self.desk.claim(once).await {
                    Some(permit) => {
                        self.note_plans(&does);
                        let allowed = vec![Allowed { text, does, permit }];
                        self.send_text(lane, allowed, form, next, Some(grant), received).await;
                        return true;
                    }
                    None => verdict.err(),
                }
            }
            Err(refusal) => Some(Refused::from(refusal)),
        };
        let Some(refused) = refused else { return true };
        let recorded = self.desk.record_refusal(&text, &does, &refused).await;
        self.say_refused(next, &recorded.err().map_or(refused, Refused::from));
        true
    }
}
