//! A transaction that may no longer last is rolled back.

use super::session::Session;
use crate::{
    session::{end::End, gate::SETUP_TIMEOUT, revoke::rolled_back},
    upstream::mysql::Setup,
};

impl Session {
    /// Rolls the open transaction back if what was written in it may no longer last; the client is told with its next
    /// statement.
    ///
    /// # Errors
    /// When the upstream does not take it: the session ends, and the transaction with it.
    pub(super) async fn roll_back_what_lost_its_grant(&mut self) -> Result<(), End> {
        if !self.desk.deeds.lost || self.flight.is_some() {
            return Ok(());
        }
        let Err(lost) = self.desk.decide_what_was_done() else { return Ok(()) };
        let (_, refused) = *lost;
        if let Some(lease) = self.lanes.active_lease_mut() {
            let rolled = lease.run_setup(&[Setup::Rollback], SETUP_TIMEOUT).await;
            rolled.map_err(|error| End::Upstream(error.to_string()))?;
        }
        self.end_transaction();
        self.state.lost = Some(rolled_back(refused));
        Ok(())
    }
}
