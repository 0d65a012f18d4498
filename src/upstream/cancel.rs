//! Stops what runs on a connection, from outside.

use std::sync::Arc;

use tokio::time::timeout;

use super::{error::UpstreamError, postgres::Postgres, protocol::Protocol, settings::TargetSettings};
use crate::model::target::Lane;

/// Stops what runs on one connection; cheap to clone, and usable after the lease is gone.
///
/// Cancelling is a matter of luck in time: it stops whatever the connection runs when it arrives. Wait for it
/// before the connection goes home, or somebody else's statement is stopped.
#[derive(Clone, Debug)]
pub struct CancelHandle<P: Protocol = Postgres> {
    target: Arc<TargetSettings>,
    lane: Lane,
    key: P::Key,
}

impl<P: Protocol> CancelHandle<P> {
    pub(crate) const fn new(target: Arc<TargetSettings>, lane: Lane, key: P::Key) -> Self {
        Self { target, lane, key }
    }

    /// Asks for it over another connection, and waits until the upstream has taken it up.
    ///
    /// # Errors
    /// `Dial`, `Tls`, `TlsRefused`, `Login`, `Lost`, `Timeout` (after the target's `connect_timeout`).
    pub async fn cancel(&self) -> Result<(), UpstreamError> {
        // Apart: whoever may have to cancel does not carry the room for a login about.
        let cancel = Box::pin(P::cancel(&self.target, self.lane, &self.key));
        timeout(self.target.pool.connect_timeout, cancel).await.unwrap_or_else(|_| {
            Err(UpstreamError::Timeout { target: self.target.name.clone(), what: "cancelling" })
        })
    }
}
