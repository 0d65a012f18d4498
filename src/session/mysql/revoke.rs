//! What already runs is decided again when grants change or end, and stopped when it may no longer run.

use super::session::Session;
use crate::{
    session::{
        end::{End, STOP_PATIENCE},
        gate::SETUP_TIMEOUT,
        revoke::rolled_back,
    },
    upstream::mysql::Setup,
};

impl Session {
    /// Decides everything again that runs now, or waits for its COMMIT.
    ///
    /// # Errors
    /// `Terminated` when the principal may not be here any longer.
    pub(super) fn recheck(&mut self) -> Result<(), End> {
        self.desk.check_welcome()?;
        let lost = self.desk.lost_at_once(self.in_transaction() || !self.autocommits());
        let mut stopped = None;
        if let Some(run) = self.flight.as_mut().and_then(super::flight::Flight::run_mut) {
            for one in run.open_mut() {
                stopped = stopped.max(self.desk.recheck_running(one, lost.as_ref()));
            }
        }
        if let Some(delay) = stopped {
            self.desk.note_stopping(delay);
            self.cancel_running();
        }
        if self.desk.decide_what_was_done().is_err() {
            self.desk.deeds.lose();
        }
        Ok(())
    }

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

    /// Ends the session if something that was told to stop has not done so for too long.
    ///
    /// # Errors
    /// `Fatal` then.
    pub(super) fn end_if_it_does_not_stop(&mut self) -> Result<(), End> {
        let Some(since) = self.desk.stopping_since else { return Ok(()) };
        let open = self.flight.as_ref().map(super::flight::Flight::open).unwrap_or_default();
        match open.iter().find_map(|running| running.revoked.clone()) {
            None => {
                self.desk.stopping_since = None;
                Ok(())
            }
            Some(refusal) if since.elapsed() >= STOP_PATIENCE => Err(End::Fatal(refusal)),
            Some(_) => Ok(()),
        }
    }

    /// Asks the upstream to stop what runs on the connection in use, if something does.
    pub(super) fn cancel_running(&mut self) {
        if self.flight.is_none() || self.cancelling.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Some(handle) = self.lanes.active_lease().and_then(|lease| lease.cancel_handle()) else { return };
        self.desk.gate.metrics.cancels.inc();
        let (session, target) = (self.desk.who.session, self.desk.place.target.clone());
        self.cancelling = Some(tokio::spawn(async move {
            if let Err(error) = handle.cancel().await {
                tracing::warn!(%session, %target, %error, "could not cancel");
            }
        }));
    }

    /// Waits until a cancel under way has arrived, so that it does not hit what comes next.
    pub(super) async fn await_cancel(&mut self) {
        if let Some(task) = self.cancelling.take() {
            // Bounded by the cancel's own timeout.
            let _ = task.await;
        }
    }
}
