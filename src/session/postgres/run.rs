//! What the life of a session asks of PostgreSQL's.

use bytes::BytesMut;

use super::{session::Session, task};
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
    upstream::{HomeState, Postgres},
    wire::postgres::{
        backend::{self, Severity},
        frame::header,
    },
};

impl Conversation for Session {
    type Upstream = Postgres;

    fn ends(&mut self) -> Ends<'_, Postgres> {
        Ends { desk: &mut self.desk, client: &mut self.client, lease: self.lanes.active_lease_mut() }
    }

    fn under_way(&mut self) -> (&mut Desk, impl Iterator<Item = &mut Running>) {
        (&mut self.desk, task::under_way(&mut self.ledger))
    }

    async fn go_on(&mut self) -> Result<(), End> {
        self.relay()?;
        self.cancel_what_is_stopped();
        if self.desk.deeds.lost {
            self.fail_transaction_that_lost_its_grant();
        }
        loop {
            self.receive().await?;
            // What waited for the gateway's own answer goes on at once: nothing else will wake it.
            if !self.show_local() {
                break;
            }
        }
        if self.lanes.lost_ties() { Err(End::lost_ties()) } else { Ok(()) }
    }

    fn doing(&self) -> Doing {
        if !self.is_settled() {
            Doing::Active
        } else if self.in_transaction() || self.block.sent {
            // A block that no Sync has ended is a transaction like any other.
            Doing::InTransaction
        } else {
            Doing::Idle
        }
    }

    fn awaits_more(&self) -> bool {
        let next = header(&self.client.inbound, usize::MAX);
        matches!(next, Ok(Some(next)) if next.total_bytes > self.client.inbound.len())
            && self.long_ahead().is_none()
    }

    async fn send_idle_home(&mut self) {
        let idle = self.desk.gate.limits.lease_idle;
        self.look_at_ties(idle).await;
        self.send_home(idle);
    }

    fn has_untied(&self) -> bool {
        self.lanes.has_untied()
    }

    fn recheck(&mut self) -> Result<(), End> {
        let lasts_at_once = !self.in_transaction();
        if stop_what_lost_its_grant(self, lasts_at_once)? {
            self.cancel_what_is_stopped();
        }
        self.fail_transaction_that_lost_its_grant();
        Ok(())
    }

    fn cancel_running(&mut self) {
        if !self.is_settled() {
            // A late one must not find somebody else's statement.
            self.lanes.note_left();
            self.cancelling.begin(&self.desk, self.lanes.active_lease());
        }
    }

    fn on_upstream_closed(&mut self, reason: &str) -> Result<(), End> {
        self.relay()?;
        let lane = self.lanes.active();
        let tied = lane.is_some_and(|lane| self.lanes.is_tied(lane)) || self.held.has_holding();
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

    fn upstream_pid(&self) -> Option<i32> {
        self.lanes.active_lease().and_then(|lease| lease.process_id())
    }

    async fn stop(&mut self) {
        if self.ledger.is_upstream_owing() {
            self.cancel_running();
        }
        self.cancelling.arrived().await;
    }

    fn has_said(&self, end: &End) -> bool {
        // The upstream has said itself why it closes.
        self.said_fatal && matches!(end, End::Upstream(_))
    }

    fn last_message(&mut self, refusal: &Refusal) -> BytesMut {
        let mut message = BytesMut::new();
        backend::error_response(&mut message, Severity::Fatal, refusal);
        message
    }

    fn close_lanes(&mut self, end: &End) {
        let busy = self.doing() != Doing::Idle || matches!(end, End::Upstream(_));
        self.lanes.close((!busy).then_some(HomeState::Idle));
    }
}

impl Session {
    /// Stops what runs now if it was told to stop, once; what waits behind it is stopped when its turn comes.
    fn cancel_what_is_stopped(&mut self) {
        let now =
            task::under_way(&mut self.ledger).next().filter(|one| one.revoked.is_some()).map(|one| one.id);
        if now.is_some() && now != self.cancelled {
            self.cancelled = now;
            self.cancel_running();
        }
    }
}
