//! A statement that was approved as it stands, and runs once.

use std::time::Instant;

use super::{query::Form, session::Session};
use crate::{
    model::facts::Facts,
    policy::Once,
    session::{
        allowed::Allowed,
        judge::{Judged, Refused},
    },
};

impl Session {
    /// Leave for the one statement of a text that was refused otherwise, outside transactions.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        let alone = self.autocommits() && !self.in_transaction();
        if alone { self.desk.approved_once(judged) } else { None }
    }

    /// Runs it, or answers why not; false if what was judged no longer holds.
    pub(super) async fn run_once(
        &mut self,
        mut judged: Vec<Judged>,
        once: Once,
        form: Form<'_>,
        next: u8,
        received: Instant,
    ) -> bool {
        let Some(Judged { text, does, verdict: Err(refused) }) = judged.pop() else { return true };
        let facts: Vec<&Facts> = does.iter().map(|facts| &**facts).collect();
        let lane = self.enter_lane(once.lane(), &facts).await;
        let grant = once.grant();
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, permit))) => {
                self.note_plans(&does);
                let allowed = vec![Allowed { text, does, permit }];
                self.send_text(lane, allowed, form, next, Some(grant), received).await;
            }
            Ok(None) => return false,
            Err(refused) => {
                let recorded = self.desk.record_refusal(&text, &does, &refused).await;
                self.say_refused(next, &recorded.err().map_or(refused, Refused::from));
            }
        }
        true
    }
}
