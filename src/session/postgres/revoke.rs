//! A transaction that may no longer last is failed where it stands.

use super::session::Session;
use crate::{
    session::revoke::rolled_back,
    upstream::Setup,
    wire::postgres::{
        backend::{self, TransactionStatus},
        ledger::Owed,
    },
};

impl Session {
    /// A transaction whose writes would no longer be let through is failed where it stands, so that it holds no
    /// locks and can only be rolled back.
    pub(super) fn fail_transaction_that_lost_its_grant(&mut self) {
        let stands = self.transaction.status == TransactionStatus::Open;
        match self.desk.decide_what_was_done() {
            Ok(()) => {}
            Err(_) if !stands || !self.is_settled() || self.block.sent => {
                // Not now; its COMMIT is decided in any case.
                self.desk.deeds.lose();
            }
            Err(lost) => {
                let (_, refused) = *lost;
                let notice = rolled_back(refused);
                // Kept: ROLLBACK TO a savepoint would bring back what was written before it.
                self.desk.deeds.lose();
                if let Some(lease) = self.lanes.active_lease_mut() {
                    let sent = lease.send_setup(Setup::PoisonQuery);
                    debug_assert!(sent.is_ok(), "{sent:?}");
                    self.ledger.push(Owed::Quiet);
                    backend::notice_response(&mut self.client.outbound, &notice);
                }
            }
        }
    }
}
