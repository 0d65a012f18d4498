//! A session from its greeting to its end.

use std::pin::Pin;

use bytes::BytesMut;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{pump::Wake, session::Session};
use crate::{
    session::{
        end::{End, LONGEST_SLEEP, LOOK_EVERY, STOP_PATIENCE},
        who::Doing,
    },
    wire::mysql::{error::ServerError, reply},
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
        self.cancel_running();
        self.await_cancel().await;
        let written = self.desk.record_ends().await;
        let mut message = BytesMut::new();
        let said = self.state.said_fatal && written.is_ok();
        if let Some(refusal) = end.farewell(&self.desk.place.target).filter(|_| !said) {
            // The number that the client waits for, if it waits for anything.
            let mut sequence = self.flight.as_ref().map_or(0, |flight| flight.response.client_next());
            reply::err(&mut message, &mut sequence, &ServerError::refused(&refusal));
        }
        if !matches!(end, End::ClientClosed) {
            self.client.say_last(&message).await;
        }
        let busy = self.flight.is_some() || matches!(end, End::Upstream(_));
        let in_transaction = self.in_transaction() || self.state.locked;
        self.lanes.close(busy, in_transaction);
        self.desk.record_session_end(&end).await;
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, End> {
        let mut timer: Option<Pin<Box<Sleep>>> = None;
        loop {
            let told = self.client.outbound.len();
            self.relay()?;
            if self.flight.is_none() {
                self.learn_state().await?;
            }
            if self.state.lost_ties {
                return Err(End::Upstream("the connection that the session was tied to is gone".to_owned()));
            }
            self.roll_back_what_lost_its_grant().await?;
            self.receive().await?;
            if let Err(end) = self.desk.record_ends().await {
                // How it went is not told: its record is not there.
                self.client.outbound.truncate(told);
                return Err(end);
            }
            let is_idle = self.note_doing();
            if self.desk.draining && is_idle {
                return Err(End::Terminated);
            }
            if is_idle && self.cancelling.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
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
        let doing = if self.flight.is_some() {
            Doing::Active
        } else if self.in_transaction() || self.state.locked || self.state.next_modes {
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
        let idle = self.flight.is_none() && !self.in_transaction() && self.lanes.has_untied();
        let idle = idle.then_some(LOOK_EVERY);
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
        let open = self.flight.as_ref().map(super::flight::Flight::open).unwrap_or_default();
        open.iter()
            .filter(|running| running.revoked.is_none())
            .filter_map(|running| running.until)
            .chain(self.desk.deeds.until)
            .min()
    }

    /// The upstream connection in use is gone. If nothing is lost with it, the session goes on with another.
    pub(super) fn on_upstream_closed(&mut self, reason: &str) -> Result<(), End> {
        if self.flight.is_some() {
            self.relay()?;
        }
        let lane = self.lanes.active();
        let cursor = lane.is_some_and(|lane| self.held.has_cursor_on(lane));
        let tied = (lane.is_some() && self.lanes.sticky() == lane) || cursor || self.state.locked;
        if self.flight.is_none() && !self.in_transaction() && !tied {
            if let Some(lane) = lane {
                self.drop_lane(lane);
            }
            return Ok(());
        }
        let words = self.lanes.active_lease().and_then(|lease| lease.last_words());
        if let Some(error) = words {
            let sequence = self.flight.as_ref().map_or(0, |flight| flight.response.client_next());
            self.say_error(sequence, &error);
            self.state.said_fatal = true;
        }
        Err(End::Upstream(reason.to_owned()))
    }

    /// What was sent and not answered is noted as lost, so that its record does not stay open.
    fn settle_lost(&mut self) {
        let upstream_pid = self.upstream_pid();
        let open = self.flight.as_ref().map(super::flight::Flight::open).unwrap_or_default();
        self.desk.ended.extend(open.iter().map(|running| running.lost(upstream_pid)));
    }
}
