//! From a target's settings to a connection that is logged in.

use std::sync::Arc;

use tokio::time::timeout;

use super::{
    connection::Connection,
    error::UpstreamError,
    protocol::Protocol,
    settings::{TargetSettings, TargetTls},
};
use crate::model::{secret::Secret, target::Lane};

/// Gets what the account shows, then connects and logs in within the target's `connect_timeout`. The account's secret
/// and the endpoint's name are looked up anew each time.
///
/// # Errors
/// `Credential`, `Token`, `Dial`, `Tls`, `TlsRefused`, `Login`, `Timeout`, and those of the first statement of our own.
pub(crate) async fn connect<P: Protocol>(
    target: &Arc<TargetSettings>,
    home: &P::Home,
    lane: Lane,
) -> Result<Connection<P>, UpstreamError> {
    let open = P::open(target, home, lane, secret(target, lane).await?);
    let opened = timeout(target.pool.connect_timeout, open).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: target.name.clone(), what: "connecting and logging in" })
    });
    // That there is no such database says nothing against it.
    if let Err(error @ UpstreamError::Login { .. }) = &opened
        && !error.leaves_target_up()
    {
        target.accounts.of(lane).credential.refused();
    }
    opened
}

/// What the account of a lane shows at its login.
///
/// # Errors
/// `Credential`, `Token`.
pub(super) async fn secret(target: &TargetSettings, lane: Lane) -> Result<Secret<String>, UpstreamError> {
    let credential = &target.accounts.of(lane).credential;
    // INVARIANT: a token is as good as a password for a quarter of an hour; nobody may read it on its way.
    if credential.is_bare() && matches!(target.way(lane).1, TargetTls::Disable) {
        return Err(UpstreamError::Misuse { what: "login tokens go over verified TLS only" });
    }
    credential.secret().await
}
