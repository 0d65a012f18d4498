//! A text that is too long: refused as soon as all of it has come, of which only the beginning is kept.

use super::session::Session;
use crate::{
    session::{
        end::End,
        long::{BEGINNING_BYTES, beginning, too_long},
    },
    wire::mysql::{
        capability::Capabilities,
        command::{COM_QUERY, COM_STMT_PREPARE},
        packet::{Discard, HEADER_BYTES, Numbers, header},
    },
};

/// One that is thrown away as it comes.
#[derive(Debug)]
pub(super) struct Long {
    rest: Discard,
    beginning: String,
}

impl Session {
    /// Deals with one at the front of what the client has sent; false where more of it has to come before anything behind
    /// it is looked at.
    ///
    /// # Errors
    /// How the session ends.
    pub(super) async fn pass_over_long(&mut self) -> Result<bool, End> {
        if self.long.is_none() {
            if !self.is_long_ahead() {
                return Ok(true);
            }
            let at = HEADER_BYTES..HEADER_BYTES + BEGINNING_BYTES;
            let Some(start) = self.client.inbound.get(at) else { return Ok(false) };
            let beginning = self.text_in(start).to_owned();
            self.long = Some(Long { rest: Discard::default(), beginning });
        }
        let numbers = self.client.numbers();
        let Some(long) = &mut self.long else { return Ok(true) };
        let limit = self.desk.gate.limits.message_bytes;
        let Some(next) = long.rest.pass(&mut self.client.inbound, limit, numbers)? else { return Ok(false) };
        let refused = too_long(&self.desk.gate.limits);
        let recorded = self.desk.record_refusal(&long.beginning, &[], &refused).await;
        self.long = None;
        self.say_refusal(next, &recorded.err().unwrap_or(refused.refusal));
        Ok(true)
    }

    /// Whether what comes next carries a text that is too long.
    fn is_long_ahead(&self) -> bool {
        let inbound = &self.client.inbound;
        let (Some(next), Some(command)) = (header(inbound), inbound.get(HEADER_BYTES)) else { return false };
        let room = match *command {
            COM_QUERY if self.has_attributes() => ATTRIBUTES_BYTES,
            COM_QUERY | COM_STMT_PREPARE => 1,
            _ => return false,
        };
        // Of one in several pieces the first says the least that it has.
        (next.sequence == 0 || self.client.numbers() == Numbers::Ignored)
            && next.length_bytes > self.desk.gate.limits.sql.statement_bytes.saturating_add(room)
    }

    /// How the text of a command begins, as far as it is found without reading the command.
    fn text_in<'p>(&self, payload: &'p [u8]) -> &'p str {
        let text = match payload {
            // No attributes, of the one set that there is.
            [COM_QUERY, 0, 1, text @ ..] if self.has_attributes() => text,
            [COM_QUERY, ..] if self.has_attributes() => &[],
            [_, text @ ..] => text,
            [] => &[],
        };
        beginning(text)
    }

    const fn has_attributes(&self) -> bool {
        self.capabilities.has(Capabilities::QUERY_ATTRIBUTES)
    }
}

/// As much may the attributes of a text have.
const ATTRIBUTES_BYTES: usize = 1024 * 1024;
