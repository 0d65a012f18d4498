//! What the life of a session asks of MySQL's.

use bytes::BytesMut;

use super::{flight::Flight, session::Session};
use crate::{
    model::refusal::Refusal,
    session::{
        conversation::{Conversation, Ends},
        desk::Desk,
        end::End,
        revoke::stop_what_lost_its_grant,
        running::Running,
        who::Doing,
    },
    upstream::Mysql,
    wire::mysql::{error::ServerError, reply},
};

impl Conversation for Session {
    type Upstream = Mysql;

    fn ends(&mut self) -> Ends<'_, Mysql> {
        Ends { desk: &mut self.desk, client: &mut self.client, lease: self.lanes.active_lease_mut() }
    }

    fn under_way(&mut self) -> (&mut Desk, impl Iterator<Item = &mut Running>) {
        let run = self.flight.as_mut().and_then(Flight::run_mut);
        (&mut self.desk, run.into_iter().flat_map(|run| run.open_mut()))
    }

    async fn go_on(&mut self) -> Result<(), End> {
        self.relay()?;
        if self.flight.is_none() {
            self.learn_state().await?;
        }
        if self.lanes.lost_ties() {
            return Err(End::lost_ties());
        }
        self.roll_back_what_lost_its_grant().await?;
        self.receive().await
    }

    fn doing(&self) -> Doing {
        if self.flight.is_some() {
            Doing::Active
        } else if self.in_transaction() || self.state.locked || self.state.next_modes {
            Doing::InTransaction
        } else {
            Doing::Idle
        }
    }

    fn awaits_more(&self) -> bool {
        // Commands wait in the buffer while one is under way, or the client does not read, and the next is not whole yet
        // otherwise.
        self.takes_commands()
    }

    async fn send_idle_home(&mut self) {
        if !self.cancelling.is_under_way() {
            let idle = self.desk.gate.limits.lease_idle;
            self.look_at_ties(idle).await;
            self.send_home(idle);
        }
    }

    fn has_untied(&self) -> bool {
        self.lanes.has_untied()
    }

    fn recheck(&mut self) -> Result<(), End> {
        let lasts_at_once = !self.in_transaction() && self.autocommits();
        if stop_what_lost_its_grant(self, lasts_at_once)? {
            self.cancel_running();
        }
        if self.desk.decide_what_was_done().is_err() {
            self.desk.deeds.lose();
        }
        Ok(())
    }

    fn cancel_running(&mut self) {
        if self.flight.is_some() {
            self.cancelling.begin(&self.desk, self.lanes.active_lease());
        }
    }

    fn on_upstream_closed(&mut self, reason: &str) -> Result<(), End> {
        if self.flight.is_some() {
            self.relay()?;
        }
        let lane = self.lanes.active();
        let cursor = lane.is_some_and(|lane| self.held.has_cursor_on(lane));
        let is_tied = lane.is_some_and(|lane| self.lanes.is_tied(lane));
        let tied = is_tied || cursor || self.state.locked;
        if self.flight.is_none() && !self.in_transaction() && !tied {
            if let Some(lane) = lane {
                self.drop_lane(lane);
            }
            return Ok(());
        }
        let words = self.lanes.active_lease().and_then(|lease| lease.last_words());
        if let Some(error) = words {
            let sequence = self.next_to_client();
            self.say_error(sequence, &error);
            self.state.said_fatal = true;
        }
        Err(End::Upstream(reason.to_owned()))
    }

    fn upstream_pid(&self) -> Option<i32> {
        self.lanes.active_lease().and_then(|lease| i32::try_from(lease.thread_id()).ok())
    }

    async fn stop(&mut self) {
        self.cancel_running();
        self.cancelling.arrived().await;
    }

    fn has_said(&self, _: &End) -> bool {
        self.state.said_fatal
    }

    fn last_message(&mut self, refusal: &Refusal) -> BytesMut {
        let is_silent = self.flight.is_none() && self.client.outbound.is_empty();
        if is_silent && let (_, Some(framing)) = self.client.line() {
            framing.answer_anew();
        }
        let (mut message, mut sequence) = (BytesMut::new(), self.next_to_client());
        reply::err(&mut message, &mut sequence, &ServerError::refused(refusal));
        message
    }

    fn close_lanes(&mut self, end: &End) {
        let busy = self.flight.is_some() || matches!(end, End::Upstream(_));
        self.lanes.close((!busy).then(|| self.home_state()));
    }
}

impl Session {
    /// The number of the packet that the client waits for. One that waits for nothing finds what it is told when it has
    /// sent its next command, and takes it for the answer.
    fn next_to_client(&self) -> u8 {
        self.flight.as_ref().map_or(1, |flight| flight.response.client_next())
    }
}
