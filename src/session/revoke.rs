//! What already runs is decided again when grants change or end, and stopped when it may no longer run.

use std::{sync::Arc, time::Duration};

use super::{held::Does, judge::Refused, run::End, session::Session, task::Task};
use crate::{
    model::refusal::{Refusal, RefusalCode},
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
        let snapshot = self.gate.snapshot.load();
        match snapshot.principal(&self.who.principal.name) {
            // closed: no principal, no session.
            None => return Err(End::Terminated),
            Some(principal) if principal.disabled => return Err(End::Terminated),
            Some(_) => {}
        }
        if let Some(delay) = self.stop_what_lost_its_grant() {
            self.gate.metrics.policy.revocation_delay_seconds.observe(delay.as_secs_f64());
            self.cancel_running();
        }
        self.fail_transaction_that_lost_its_grant();
        Ok(())
    }

    /// Marks the statements that may no longer run. If there are any new ones, gives how long ago they lost it: by
    /// the clock, or else by what was published.
    fn stop_what_lost_its_grant(&mut self) -> Option<Duration> {
        let now = self.now();
        let published = self.handle.published_at();
        let mut running: Vec<(usize, usize, Does)> = Vec::new();
        for (debt, owed) in self.ledger.iter().enumerate() {
            let (Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = owed else { continue };
            for (index, one) in run.open().iter().enumerate() {
                if one.revoked.is_none() {
                    running.push((debt, index, Arc::clone(&one.does)));
                }
            }
        }
        let mut stopped = None;
        for (debt, index, does) in running {
            let verdict = self.decide(&does);
            let owed = self.ledger.iter_mut().nth(debt);
            let Some(Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = owed else { continue };
            let Some(one) = run.open_mut().get_mut(index) else { continue };
            match verdict {
                Ok(permit) => one.until = permit.until(),
                Err(refused) => {
                    one.revoked = Some(stopped_refusal(refused));
                    let over =
                        one.until.filter(|end| *end <= now).map(|end| now.duration_since(end).unsigned_abs());
                    let since = over.or_else(|| published.map(|at| at.elapsed()));
                    stopped = stopped.max(Some(since.unwrap_or_default()));
                }
            }
        }
        stopped
    }

    /// A transaction whose writes would no longer be let through is failed where it stands, so that it holds no
    /// locks and can only be rolled back.
    fn fail_transaction_that_lost_its_grant(&mut self) {
        let Some(done) = self.transaction.done().cloned() else { return };
        if self.transaction.status != TransactionStatus::Open || !self.is_settled() || self.block.sent {
            return;
        }
        match self.decide(&[Arc::new(done)]) {
            Ok(permit) => self.transaction.until = permit.until(),
            Err(refused) => {
                let notice = Refusal {
                    message: format!("the transaction was rolled back: {}", refused.refusal.message),
                    ..refused.refusal
                };
                self.transaction.forget();
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
        if self.is_settled() || self.client.cancelling.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Some(handle) = self.lanes.active_lease().and_then(|lease| lease.cancel_handle()) else { return };
        self.gate.metrics.cancels.inc();
        let (session, target) = (self.who.session, self.who.place.target.clone());
        self.client.cancelling = Some(tokio::spawn(async move {
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
        if let Some(task) = self.client.cancelling.take() {
            // Bounded by the cancel's own timeout.
            let _ = task.await;
        }
    }
}

fn stopped_refusal(refused: Refused) -> Refusal {
    let Refusal { code: _, message, detail, hint, position } = refused.refusal;
    Refusal {
        code: RefusalCode::InsufficientPrivilege,
        message: format!("stopped while running: {message}"),
        detail,
        hint,
        position,
    }
}
