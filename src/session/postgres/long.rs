//! A Query or a Parse whose text is too long: refused in its place as soon as its header is there, and thrown away as it
//! comes.

use bytes::Buf;

use super::{receive::Flow, session::Session};
use crate::{
    session::{
        end::End,
        long::{BEGINNING_BYTES, beginning, too_long},
    },
    wire::postgres::frame::{HEADER_BYTES, Header, header},
};

impl Session {
    /// Deals with such messages at the front of what the client has sent; `Wait` where more of them has to come, or has to
    /// be waited for, before anything behind them is looked at.
    ///
    /// # Errors
    /// How the session ends.
    pub(super) async fn pass_over_long(&mut self) -> Result<Flow, End> {
        loop {
            let there = self.passing_over.min(self.client.inbound.len());
            self.client.inbound.advance(there);
            self.passing_over -= there;
            if self.passing_over > 0 {
                return Ok(Flow::Wait);
            }
            let Some(Header { tag, total_bytes }) = self.long_ahead() else { return Ok(Flow::Done) };
            let Some(start) = self.client.inbound.get(HEADER_BYTES..HEADER_BYTES + BEGINNING_BYTES) else {
                return Ok(Flow::Wait);
            };
            let start = start.to_vec();
            let flow = match self.while_copying(tag)? {
                Some(flow) => flow,
                None => self.refuse_long(tag, &start).await,
            };
            if flow == Flow::Wait {
                return Ok(Flow::Wait);
            }
            self.passing_over = total_bytes;
        }
    }

    /// The header of what comes next, if its text is too long.
    pub(super) fn long_ahead(&self) -> Option<Header> {
        let limits = &self.desk.gate.limits;
        // One that is beyond all bounds ends the session.
        let next = header(&self.client.inbound, limits.message_bytes).ok().flatten()?;
        let room = match next.tag {
            b'Q' => QUERY_BYTES,
            b'P' => PARSE_BYTES,
            _ => return None,
        };
        (next.total_bytes > limits.sql.statement_bytes.saturating_add(room)).then_some(next)
    }

    /// Refuses one that begins with `start`.
    async fn refuse_long(&mut self, tag: u8, start: &[u8]) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        let is_query = tag == b'Q';
        let waits = if is_query { !self.is_settled() } else { self.must_wait() };
        if waits {
            return self.wait_for_replies();
        }
        if self.is_settled() {
            // A cancel that is still on its way is for what was before.
            self.cancelling.arrived().await;
        }
        let refused = too_long(&self.desk.gate.limits);
        if is_query {
            let recorded = self.desk.record_refusal(beginning(start), &[], &refused).await;
            self.refuse_query(recorded.err().unwrap_or(refused.refusal));
        } else {
            // Behind the statement's name.
            let text = start.splitn(2, |byte| *byte == 0).nth(1).unwrap_or_default();
            self.refuse_statement(beginning(text), &[], refused).await;
        }
        Flow::Done
    }
}

/// Header and end of a text.
const QUERY_BYTES: usize = HEADER_BYTES + 1;
/// The same with the most types that parameters can have, and as much again for a name.
const PARSE_BYTES: usize = 512 * 1024;
