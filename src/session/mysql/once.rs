//! A statement that was approved as it stands, and runs once.

use std::{sync::Arc, time::Instant};

use super::{
    prepared::{Ready, Step},
    query::Form,
    session::Session,
};
use crate::{
    model::facts::Facts,
    policy::{Leave as _, Once},
    session::{
        allowed::Allowed,
        judge::{Judged, Refused},
        running::Does,
    },
};

impl Session {
    /// Leave for the one statement of a text that was refused otherwise, outside transactions.
    pub(super) fn approved_once(&self, text: &str, does: &[Arc<Facts>]) -> Option<Once> {
        let alone = self.autocommits() && !self.in_transaction();
        if alone { self.desk.approved_once(text, does) } else { None }
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
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, permit, claimed))) => {
                self.note_plans(&does);
                let allowed = vec![Allowed { text, does, permit }];
                self.send_text(lane, allowed, form, next, Some(claimed), received).await;
            }
            Ok(None) => return false,
            Err(refused) => self.refuse_judged(&text, &does, refused, next).await,
        }
        true
    }

    /// Makes ready what was prepared, and may be executed once; its leave is used up when it is prepared on the
    /// connection that it runs on.
    pub(super) async fn ready_once(
        &mut self,
        number: u32,
        (text, does): (Arc<str>, Does),
        once: Once,
        refused: Refused,
        next: u8,
    ) -> Step {
        let entered = self.enter_prepared(number, &once, &does).await;
        let (lane, upstream) = match entered {
            Ok((lane, upstream)) => (Ok(lane), upstream),
            Err(refusal) => (Err(refusal), 0),
        };
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, permit, claimed))) => {
                self.note_plans(&does);
                let allowed = Allowed { text: sent(&does, text), does, permit };
                Step::Runs(Ready { allowed, lane, upstream, once: Some(claimed) })
            }
            Ok(None) => Step::Again,
            Err(refused) => {
                self.held.take_long_data(number);
                self.refuse_judged(&text, &does, refused, next).await;
                Step::Answered
            }
        }
    }
}

/// A statement as the server is told it, for its record.
pub(super) fn sent(does: &Does, text: Arc<str>) -> Arc<str> {
    does.first().and_then(|facts| facts.sent.clone()).unwrap_or(text)
}
