//! A session from its greeting to its end.

use std::pin::Pin;

use bytes::BytesMut;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{pump::Wake, session::Session, task::Task};
use crate::{
    model::refusal::Refusal,
    session::{
        end::{End, LONGEST_SLEEP, LOOK_EVERY, STOP_PATIENCE},
        running::Run,
        who::Doing,
    },
    wire::postgres::{
        backend::{self, Severity},
        ledger::Owed,
    },
};

impl Session {
    /// Serves the session until it ends, and cleans up behind it.
    pub(super) async fn run(mut self) {
        let end = match self.serve().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        match &end {
            End::Upstream(problem) => {
                tracing::warn!(session = %self.desk.who.session, target = %self.desk.place.target, problem, "upstream lost");
            }
            End::ClientClosed | End::Fatal(_) | End::Terminated => {
                tracing::debug!(session = %self.desk.who.session, reason = end.reason(), "session over");
            }
        }
        self.settle_lost();
        self.cancel_if_running().await;
        let written = self.desk.record_ends().await;
        let mut message = BytesMut::new();
        if let Some(refusal) = self.farewell(&end, written.is_err()) {
            backend::error_response(&mut message, Severity::Fatal, &refusal);
        }
        if !matches!(end, End::ClientClosed) {
            self.client.say_last(&message).await;
        }
        let busy = self.in_transaction() || !self.is_settled() || self.block.sent;
        self.lanes.close(busy || matches!(end, End::Upstream(_)));
        self.desk.record_session_end(&end).await;
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        loop {
            let told = self.client.outbound.len();
            self.relay()?;
            if self.desk.deeds.lost {
                self.fail_transaction_that_lost_its_grant();
            }
            self.receive().await?;
            self.show_local();
            if self.lanes.lost_ties() {
                return Err(End::Upstream("the connection that the session was tied to is gone".to_owned()));
            }
            if let Err(end) = self.desk.record_ends().await {
                // How it went is not told: its record is not there.
                self.client.outbound.truncate(told);
                return Err(end);
            }
            let is_idle = self.note_doing();
            if self.desk.draining && is_idle {
                return Err(End::Terminated);
            }
            if is_idle {
                self.send_idle_home(self.desk.gate.limits.lease_idle);
            }
            self.set_timer(&mut timer);
            match self.wait(&mut timer).await {
                Wake::Bytes => {}
                Wake::ClientClosed => return Err(End::ClientClosed),
                Wake::Signals(signals) => {
                    if signals.terminate() {
                        return Err(End::Terminated);
                    }
                    self.desk.draining |= signals.drain();
                    if signals.cancel() {
                        self.cancel_running();
                    }
                    if signals.recheck() {
                        self.recheck()?;
                    }
                }
                Wake::Timer => {
                    timer = None;
                    self.recheck()?;
                    self.end_if_it_does_not_stop()?;
                }
                Wake::UpstreamClosed(error) => self.on_upstream_closed(&error.to_string())?,
            }
        }
    }

    /// Notes what the session does, for others to see; true if it does nothing.
    fn note_doing(&self) -> bool {
        let doing = if !self.is_settled() || self.block.sent {
            Doing::Active
        } else if self.in_transaction() {
            Doing::InTransaction
        } else {
            Doing::Idle
        };
        self.desk.who.note(doing);
        doing == Doing::Idle
    }

    /// The timer for whatever ends first: a grant on which something that runs rests, or the patience with an
    /// idle connection.
    fn set_timer(&self, timer: &mut Option<Pin<Box<Sleep>>>) {
        let grant_end = self
            .next_end()
            .map(|end| end.duration_since(self.desk.now()).max(SignedDuration::ZERO).unsigned_abs());
        let has_idle = self.is_settled() && !self.in_transaction() && self.lanes.has_untied();
        let idle = has_idle.then_some(LOOK_EVERY);
        let stopping = self.desk.stopping_since.map(|since| STOP_PATIENCE.saturating_sub(since.elapsed()));
        let Some(wait) = [grant_end, idle, stopping].into_iter().flatten().min() else { return };
        let at = Instant::now() + wait.min(LONGEST_SLEEP);
        match timer {
            // One that runs out early costs a look; setting it again for every statement would cost more.
            Some(timer) if timer.deadline() <= at => {}
            Some(timer) => timer.as_mut().reset(at),
            None => *timer = Some(Box::pin(sleep_until(at))),
        }
    }

    /// When something that runs, or that the open transaction did, has to be decided again.
    fn next_end(&self) -> Option<Timestamp> {
        let runs = self.ledger.iter().filter_map(|owed| match owed {
            Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run)) => Some(run),
            _ => None,
        });
        runs.flat_map(Run::open)
            .filter(|running| running.revoked.is_none())
            .filter_map(|running| running.until)
            .chain(self.desk.deeds.until)
            .min()
    }

    /// The upstream connection in use is gone. If nothing is lost with it, the session goes on with another.
    fn on_upstream_closed(&mut self, reason: &str) -> Result<(), End> {
        self.relay()?;
        let lane = self.lanes.active();
        let tied = self.lanes.sticky() == lane || self.held.has_holding();
        if self.is_settled() && !self.in_transaction() && !self.block.sent && !tied {
            if let Some(lane) = lane {
                self.lanes.drop_lease(lane);
                self.held.forget_lane(lane);
            }
            self.last_words = None;
            return Ok(());
        }
        if let Some(message) = self.last_words.take() {
            self.client.outbound.extend_from_slice(&message);
            self.said_fatal = true;
        }
        Err(End::Upstream(reason.to_owned()))
    }

    /// What was sent and not answered is noted as lost, so that its record does not stay open.
    fn settle_lost(&mut self) {
        let upstream_pid = self.upstream_pid();
        for owed in self.ledger.iter() {
            let (Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = owed else { continue };
            self.desk.ended.extend(run.open().iter().map(|running| running.lost(upstream_pid)));
        }
    }

    fn farewell(&self, end: &End, log_failed: bool) -> Option<Refusal> {
        match end {
            // The upstream has said itself why it closes.
            End::Upstream(_) if self.said_fatal && !log_failed => None,
            _ => end.farewell(&self.desk.place.target),
        }
    }
}
