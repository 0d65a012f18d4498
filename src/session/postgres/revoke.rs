//! What already runs is decided again when grants change or end, and stopped when it may no longer run.

use std::time::Duration;

use super::{session::Session, task::Task};
use crate::{
    session::{
        end::{End, STOP_PATIENCE},
        revoke::rolled_back,
    },
    upstream::Setup,
    wire::postgres::{
        backend::{self, TransactionStatus},
        ledger::Owed,
    },
};

impl Session {
    /// Decides everything again that runs now, or waits for its COMMIT.
    ///
    /// # Errors
    /// `Terminated` when the principal may not be here any longer.
    pub(super) fn recheck(&mut self) -> Result<(), End> {
        self.desk.check_welcome()?;
        if let Some(delay) = self.stop_what_lost_its_grant() {
            self.desk.note_stopping(delay);
            self.cancel_running();
        }
        self.fail_transaction_that_lost_its_grant();
        Ok(())
    }

    /// Ends the session if something that was told to stop has not done so for too long.
    ///
    /// # Errors
    /// `Fatal` then.
    pub(super) fn end_if_it_does_not_stop(&mut self) -> Result<(), End> {
        let Some(since) = self.desk.stopping_since else { return Ok(()) };
        let stopped = self.ledger.iter().find_map(|owed| match owed {
            Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run)) => {
                run.open().iter().find_map(|running| running.revoked.clone())
            }
            _ => None,
        });
        match stopped {
            None => {
                self.desk.stopping_since = None;
                Ok(())
            }
            Some(refusal) if since.elapsed() >= STOP_PATIENCE => Err(End::Fatal(refusal)),
            Some(_) => Ok(()),
        }
    }

    /// Marks the statements that may no longer run. If there are any new ones, gives how long ago they lost it: by
    /// the clock, or else by what was published.
    fn stop_what_lost_its_grant(&mut self) -> Option<Duration> {
        let lost = self.desk.lost_at_once(self.in_transaction());
        let mut stopped = None;
        for owed in self.ledger.iter_mut() {
            let (Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = owed else { continue };
            for one in run.open_mut() {
                stopped = stopped.max(self.desk.recheck_running(one, lost.as_ref()));
            }
        }
        stopped
    }

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

    /// Asks the upstream to cancel what runs on the connection in use, if something does.
    pub(super) fn cancel_running(&mut self) {
        if self.is_settled() || self.cancelling.as_ref().is_some_and(|task| !task.is_finished()) {
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

    /// Cancels what runs and waits until the upstream knows: the session is over.
    pub(super) async fn cancel_if_running(&mut self) {
        if self.ledger.is_upstream_owing() {
            self.cancel_running();
        }
        self.await_cancel().await;
    }

    /// Waits until a cancel under way has arrived, so that it does not hit what comes next.
    pub(super) async fn await_cancel(&mut self) {
        if let Some(task) = self.cancelling.take() {
            // Bounded by the cancel's own timeout.
            let _ = task.await;
        }
    }
}
