//! What the client says, message by message.

use super::{
    gate::{OUTBOUND_HIGH_BYTES, OWED_LIMIT},
    run::End,
    session::Session,
};
use crate::{
    model::refusal::{Refusal, RefusalCode},
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
                None => match take_frame(&mut self.client.inbound, self.gate.limits.message_bytes)? {
                    Some(frame) => frame,
                    None => break,
                },
            };
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
        let flow = match Frontend::read(frame)? {
            Frontend::Query(text) => self.query(text).await,
            Frontend::Parse { name, query, types } => self.parse(frame, name, query, types).await,
            Frontend::Bind { portal, statement, .. } => self.bind(frame, portal, statement).await,
            Frontend::Execute { portal, .. } => self.execute(frame, portal).await,
            Frontend::Describe(named) => self.describe(frame, named).await,
            Frontend::Close(named) => self.close(frame, named),
            Frontend::Sync => self.sync(),
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
        Ok(flow)
    }

    /// COPY data goes to a COPY that runs or is about to, and is ignored otherwise, as the server does.
    fn copy(&mut self, frame: &Frame, ends: bool) -> Flow {
        if self.block.copying_in {
            self.block.copying_in = !ends;
            self.send_protocol(ProtocolMessage::Framed(frame.bytes()));
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
