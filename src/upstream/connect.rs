//! From a target's settings to a connection that is logged in.

use std::sync::Arc;

use tokio::time::timeout;

use super::{connection::Connection, error::UpstreamError, protocol::Protocol, settings::TargetSettings};
use crate::model::target::Lane;

/// Connects and logs in, within the target's `connect_timeout`. The account's secret and the endpoint's name are
/// looked up anew each time.
///
/// # Errors
/// `Credential`, `Dial`, `Tls`, `TlsRefused`, `Login`, `Timeout`, and those of the first statement of our own.
pub(crate) async fn connect<P: Protocol>(
    target: &Arc<TargetSettings>,
    home: &P::Home,
    lane: Lane,
) -> Result<Connection<P>, UpstreamError> {
    let open = async {
        let secret = target.accounts.of(lane).credential.secret().await?;
        P::open(target, home, lane, secret).await
    };
    timeout(target.pool.connect_timeout, open).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: target.name.clone(), what: "connecting and logging in" })
    })
}
