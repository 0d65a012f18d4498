//! A statement that was approved as it stands, and runs once.

use std::{sync::Arc, time::Instant};

use super::{
    held::Portal,
    receive::Flow,
    session::Session,
    simple::{is_held_read_only, opens_or_ties},
};
use crate::{
    model::{facts::Facts, refusal::Refusal},
    policy::{Claimed, Leave as _, Once},
    session::{
        allowed::Allowed,
        judge::{Judged, Refused},
        once::runs_alone,
    },
    wire::postgres::frame::Frame,
};

impl Session {
    /// Leave for the one statement of a Query that was refused otherwise, outside transactions and blocks.
    pub(super) fn approved_once(&self, judged: &[Judged]) -> Option<Once> {
        let [Judged { text, does, verdict: Err(_) }] = judged else { return None };
        let alone = !self.in_transaction() && !self.block.sent;
        if alone { self.desk.approved_once(text, does) } else { None }
    }

    /// The same for a statement of extended messages: nothing else runs in their block.
    pub(super) fn approved_in_block(&self, text: &str, does: &[Arc<Facts>]) -> Option<Once> {
        let alone = !self.in_transaction() && !self.block.executed && self.block.once.is_none();
        if alone { self.desk.approved_once(text, does) } else { None }
    }

    /// Runs a Query, or answers why not; false if what was judged no longer holds.
    pub(super) async fn run_once(
        &mut self,
        text: &str,
        mut judged: Vec<Judged>,
        once: Once,
        received: Instant,
    ) -> bool {
        let Some(Judged { text: own, does, verdict: Err(refused) }) = judged.pop() else { return true };
        let ties = does.iter().any(|facts| opens_or_ties(facts));
        let read_only = does.iter().all(|facts| is_held_read_only(facts, once.lane()));
        let lane = match self.choose_lane(once.lane(), ties) {
            Ok(lane) => self.take_lane(lane, read_only).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, permit, claimed))) => {
                let allowed = vec![Allowed { text: own, does, permit }];
                self.run_query(text, lane, allowed, Some(claimed), received).await;
            }
            Ok(None) => return false,
            Err(refused) => {
                let recorded = self.desk.record_refusal(&own, &does, &refused).await;
                self.refuse_query(recorded.err().unwrap_or(refused.refusal));
            }
        }
        true
    }

    /// Binds what may run once, and uses its leave up: binding plans, and so may run some of it already. The client's
    /// Parse has been answered by then, so that a statement that the database does not take costs no leave. `None` if
    /// what was judged no longer holds.
    pub(super) async fn bind_once(
        &mut self,
        message: Bind<'_>,
        prepared: (Arc<str>, Arc<[Arc<Facts>]>),
        refused: Refused,
    ) -> Option<Flow> {
        let (text, does) = prepared;
        if !self.is_settled() && self.desk.approved_once(&text, &does).is_some() {
            return Some(self.wait_for_replies());
        }
        let Some(once) = self.approved_in_block(&text, &does) else {
            self.refuse_statement(&text, &does, refused).await;
            return Some(Flow::Done);
        };
        let lane = match self.enter_block(once.lane(), &does).await {
            Ok(Some(lane)) => match self.make_ready(lane, message.statement, &does, &once) {
                Ok(true) if self.is_settled() => Ok(lane),
                Ok(_) => return Some(self.wait_for_replies()),
                Err(refusal) => return Some(self.refuse(refusal)),
            },
            Ok(None) => return Some(self.wait_for_replies()),
            Err(refusal) => Err(refusal),
        };
        match self.desk.use_up(once, lane, refused).await {
            Ok(Some((lane, _permit, claimed))) => {
                let number = self.send_bind(message, lane, text, does);
                self.block.once = Some((number, claimed));
            }
            Ok(None) => return None,
            Err(refused) => self.refuse_statement(&text, &does, refused).await,
        }
        Some(Flow::Done)
    }

    /// Runs the portal whose leave was used up when it was bound, or goes on with it where its rows were not all
    /// asked for: that is one run.
    pub(super) async fn execute_once(
        &mut self,
        frame: &Frame,
        portal: &str,
        bound: &Portal,
        claimed: Claimed,
        received: Instant,
    ) {
        match self.desk.goes_on(claimed) {
            Ok(permit) => self.run_portal(frame, portal, bound, (permit, Some(claimed)), received).await,
            Err(refusal) => self.refuse_statement(&bound.text, &bound.does, refusal.into()).await,
        }
    }

    /// What was approved runs by itself: nothing else runs up to its Sync.
    ///
    /// # Errors
    /// When it is the turn of something else.
    pub(super) fn leaves_alone(&self, portal: Option<u64>) -> Result<Option<Claimed>, Refusal> {
        match self.block.once {
            None => Ok(None),
            Some((number, claimed)) if portal == Some(number) => Ok(Some(claimed)),
            Some(_) => Err(runs_alone()),
        }
    }

    /// Whether what ran once may last now that its block ends.
    ///
    /// # Errors
    /// When its approval is over or was revoked since.
    pub(super) fn lasts_once(&self) -> Result<(), Refusal> {
        self.block.once.map_or(Ok(()), |(_, claimed)| self.desk.goes_on(claimed).map(drop))
    }
}

/// A Bind on its way to the upstream.
#[derive(Clone, Copy)]
pub(super) struct Bind<'a> {
    /// The message.
    pub(super) frame: &'a Frame,
    /// The portal that it makes.
    pub(super) portal: &'a str,
    /// The prepared statement.
    pub(super) statement: &'a str,
}
