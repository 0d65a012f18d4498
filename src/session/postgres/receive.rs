//! What the client says, message by message.

use super::session::Session;
use crate::{
    model::refusal::{Refusal, RefusalCode},
    session::{
        end::End,
        gate::{OUTBOUND_HIGH_BYTES, OWED_LIMIT},
        waiting::end_if_over,
    },
    upstream::ProtocolMessage,
    wire::postgres::{
        frame::{Frame, HEADER_BYTES, header, take_frame},
        frontend::Frontend,
    },
};

/// Whether a message was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It was.
    Done,
    /// It has to wait until everything before it is settled.
    Wait,
}

impl Session {
    /// Deals with what the client has sent, as far as it can be dealt with now.
    ///
    /// # Errors
    /// How the session ends.
    pub(super) async fn receive(&mut self) -> Result<(), End> {
        while self.ledger.len() < OWED_LIMIT && !self.is_full() {
            let frame = match self.parked.take() {
                Some(frame) => frame,
                None if self.pass_over_long().await? == Flow::Wait => break,
                None => match take_frame(&mut self.client.inbound, self.desk.gate.limits.message_bytes)? {
                    Some(frame) => frame,
                    None => break,
                },
            };
            if self.is_settled() {
                // A cancel that is still on its way is for what was before.
                self.cancelling.arrived().await;
            }
            if self.handle(&frame).await? == Flow::Wait {
                self.parked = Some(frame);
                break;
            }
        }
        Ok(())
    }

    /// Whether the client must take what it has before it is read on, or the upstream must.
    fn is_full(&self) -> bool {
        let upstream = self.lanes.active_lease().map_or(0, crate::upstream::Lease::outbound_bytes);
        self.client.outbound.len() >= OUTBOUND_HIGH_BYTES || upstream >= OUTBOUND_HIGH_BYTES
    }

    async fn handle(&mut self, frame: &Frame) -> Result<Flow, End> {
        if let Some(flow) = self.while_copying(frame.tag())? {
            return Ok(flow);
        }
        let flow = match Frontend::read(frame)? {
            Frontend::Query(text) => self.query(text).await,
            Frontend::Parse { name, query, types } => self.parse(frame, name, query, types).await,
            Frontend::Bind { portal, statement, .. } => self.bind(frame, portal, statement).await,
            Frontend::Execute { portal, .. } => self.execute(frame, portal).await,
            Frontend::Describe(named) => self.describe(frame, named).await,
            Frontend::Close(named) => self.close(frame, named),
            Frontend::Sync => self.sync().await,
            Frontend::Flush => {
                self.flush_upstream();
                Flow::Done
            }
            Frontend::CopyData => self.copy(frame, false),
            Frontend::CopyDone | Frontend::CopyFail => self.copy(frame, true),
            Frontend::Terminate => return Err(End::ClientClosed),
            Frontend::FunctionCall => self.function_call(),
            Frontend::Password(_) => {
                return Err(End::Fatal(Refusal::new(
                    RefusalCode::ProtocolViolation,
                    "a password message after the login",
                )));
            }
        };
        end_if_over(&mut self.desk, &mut self.client)?;
        Ok(flow)
    }

    /// What becomes of a message that is not COPY's own while a COPY FROM STDIN runs or may be about to.
    ///
    /// # Errors
    /// `ProtocolViolation` where the server would fail the COPY with it and end the session.
    pub(super) fn while_copying(&mut self, tag: u8) -> Result<Option<Flow>, End> {
        if matches!(tag, b'd' | b'c' | b'f' | b'H' | b'X') {
            return Ok(None);
        }
        match (self.block.copying_in, tag) {
            // The server ignores it, and answers nothing.
            (true, b'S') => Ok(Some(Flow::Done)),
            (true, _) => Err(End::Fatal(Refusal::new(
                RefusalCode::ProtocolViolation,
                format!("unexpected message type 0x{tag:02X} during COPY from stdin"),
            ))),
            // Whether it comes to the COPY, and so whether a Sync is answered, only the next reply tells.
            (false, _) if self.is_copy_awaited() => Ok(Some(self.wait_for_replies())),
            (false, _) => Ok(None),
        }
    }

    /// COPY data goes to a COPY that runs or is about to, and is ignored otherwise, as the server does.
    fn copy(&mut self, frame: &Frame, ends: bool) -> Flow {
        if self.block.copying_in {
            self.block.copying_in = !ends;
            let in_block = self.block.sent;
            self.send_protocol(ProtocolMessage::Framed(frame.bytes()));
            // That of a Query belongs to no block of extended messages: no Sync ends it.
            self.block.sent = in_block;
            return Flow::Done;
        }
        // The upstream may be about to ask for it; only its next reply tells.
        if self.is_copy_awaited() { self.wait_for_replies() } else { Flow::Done }
    }

    fn function_call(&mut self) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if !self.is_settled() {
            return self.wait_for_replies();
        }
        let message = "function calls by object identifier are not let through";
        let refusal = Refusal::new(RefusalCode::NotSupported, message);
        self.refuse_query(refusal.with_hint("Call the function in a SELECT."));
        Flow::Done
    }

    /// Whether the message in hand and what is behind it, up to Sync, run at most one statement.
    pub(super) fn is_alone_in_block(&self) -> bool {
        let mut rest: &[u8] = &self.client.inbound;
        let (mut parses, mut executes) = (0, 0);
        while let Ok(Some(next)) = header(rest, usize::MAX) {
            match next.tag {
                b'S' => return parses == 0 && executes <= 1,
                b'P' => parses += 1,
                b'E' => executes += 1,
                _ => {}
            }
            if next.total_bytes < HEADER_BYTES {
                return false;
            }
            let Some(behind) = rest.get(next.total_bytes..) else { return false };
            rest = behind;
        }
        false
    }
}
