//! What `SHOW transaction_read_only` answers: the session's own word, not the lock of the lane that it runs on.
//!
//! Clients that look for the primary among several hosts ask it right after login, and leave those that say `on`.

use super::{session::Session, task::Task};
use crate::{model::facts::SessionEffect, wire::postgres::ledger::Owed};

/// One column, one value: as text, as which it is sent in the binary format, too.
const ON: &[u8] = b"D\0\0\0\x0c\0\x01\0\0\0\x02on";
const OFF: &[u8] = b"D\0\0\0\x0d\0\x01\0\0\0\x03off";

/// Whether a row of this length may be that answer.
pub(super) const fn may_be(total_bytes: usize) -> bool {
    total_bytes == ON.len()
}

impl Session {
    /// The row to show in place of `row`, if that tells of the gateway's lock.
    ///
    /// In a transaction, and where the client has set the mode itself, the server's answer is the truth.
    pub(super) fn own_answer(&mut self, row: &[u8]) -> Option<&'static [u8]> {
        let own = self.names.in_transaction()
            || self.in_transaction()
            || self.lanes.is_own_read_only()
            || self
                .settings
                .iter()
                .any(|(name, value)| &**name == "default_transaction_read_only" && value.is_some());
        if own || row != ON {
            return None;
        }
        let Some(Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = self.ledger.front_mut()
        else {
            return None;
        };
        let facts = run.current()?.facts()?;
        facts.effects.contains(&SessionEffect::ShowsReadOnly).then_some(OFF)
    }
}
