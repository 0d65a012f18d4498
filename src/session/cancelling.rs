//! A cancel that is on its way to the upstream.

use tokio::task::JoinHandle;

use super::desk::Desk;
use crate::upstream::{Lease, Protocol};

/// The cancel of a session; at most one is under way.
#[derive(Debug, Default)]
pub(super) struct Cancelling(Option<JoinHandle<()>>);

impl Cancelling {
    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.0.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// Asks the upstream to stop what runs on `lease`, unless it is being asked already.
    pub(super) fn begin<P: Protocol>(&mut self, desk: &Desk, lease: Option<&Lease<P>>) {
        if self.is_under_way() {
            return;
        }
        let Some(handle) = lease.and_then(Lease::cancel_handle) else { return };
        desk.gate.metrics.cancels.inc();
        let (session, target) = (desk.who.session, desk.place.target.clone());
        self.0 = Some(tokio::spawn(async move {
            if let Err(error) = handle.cancel().await {
                tracing::warn!(%session, %target, %error, "could not cancel");
            }
        }));
    }

    /// Waits until the one under way has arrived, so that it does not hit what comes next.
    pub(super) async fn arrived(&mut self) {
        if let Some(task) = self.0.take() {
            // Bounded by the cancel's own timeout.
            let _ = task.await;
        }
    }
}
