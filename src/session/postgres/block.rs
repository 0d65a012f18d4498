//! A block of extended messages, up to its Sync: its lane, what is sent in it, and what is refused in it.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    receive::Flow,
    session::Session,
    simple::{is_held_read_only, opens_or_ties, shows_by_rights},
};
use crate::{
    model::{facts::Facts, refusal::Refusal, target::Lane},
    policy::Leave,
    session::judge::Refused,
    upstream::{ProtocolMessage, Setup},
    wire::postgres::{
        backend::{self, Severity},
        ledger::Owed,
    },
};

impl Session {
    /// Goes onto the lane of this block: the one in use, or the one that its first message needs.
    /// `None` has to wait until nothing is owed.
    ///
    /// # Errors
    /// When the lane in use is too weak, or no connection is to be had.
    pub(super) async fn enter_block(
        &mut self,
        needed: Lane,
        does: &[Arc<Facts>],
    ) -> Result<Option<Lane>, Refusal> {
        if let Some(lane) = self.bound_lane() {
            self.choose_lane(needed, false)?;
            self.sign(does);
            return Ok(Some(lane));
        }
        let ties = does.iter().any(|facts| opens_or_ties(facts));
        let alone = self.is_alone_in_block();
        let by_rights = does.iter().any(|facts| shows_by_rights(facts));
        let lane = self.choose_lane(needed, ties || !alone || by_rights)?;
        let read_only = alone && does.iter().all(|facts| is_held_read_only(facts, needed));
        if !self.is_settled() {
            return Ok(self.lanes.is_ready(lane, read_only, self.settings.version()).then_some(lane));
        }
        self.take_lane(lane, read_only).await?;
        self.sign(does);
        Ok(Some(lane))
    }

    pub(super) fn send_prepare(&mut self, message: &[u8], leave: &impl Leave) {
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_prepare(message, leave);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        self.note_sent();
    }

    pub(super) fn send_protocol(&mut self, message: ProtocolMessage<'_>) {
        let sent_something = matches!(message, ProtocolMessage::Framed(_));
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_protocol(message);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        if sent_something {
            self.note_sent();
        }
    }

    pub(super) fn note_sent(&mut self) {
        self.block.sent = true;
        self.block.flushed = false;
    }

    /// One Flush.
    pub(super) fn flush_upstream(&mut self) {
        if self.block.sent && !self.ledger.is_skipping() {
            self.block.flushed = true;
            self.send_protocol(ProtocolMessage::Flush);
        }
    }

    /// Writes down a refused statement and refuses it in its place.
    pub(super) async fn refuse_statement(&mut self, text: &str, does: &[Arc<Facts>], refused: Refused) {
        let recorded = self.desk.record_refusal(text, does, &refused).await;
        self.refuse(recorded.err().unwrap_or(refused.refusal));
    }

    /// Refuses a message in its place among the replies; everything up to Sync is ignored from here on, and
    /// the database's transaction fails with it.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Flow {
        let mut error = BytesMut::new();
        backend::error_response(&mut error, Severity::Error, &refusal);
        let error = error.freeze();
        if self.is_upstream_involved() {
            if let Some(lease) = self.lanes.active_lease_mut() {
                let sent = lease.send_setup(Setup::Poison);
                debug_assert!(sent.is_ok(), "{sent:?}");
            }
            self.note_sent();
            self.ledger.push(Owed::Refused(error));
        } else {
            self.ledger.push_local_failure(error);
        }
        Flow::Done
    }
}
