//! What is read again while the gateway runs, and who is told of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use crate::{
    net::{NetError, ServerTls, Shutdown},
    session::Gate,
};

/// Tells every session of every new Snapshot, so that what runs is decided again at once.
pub(super) async fn tell_sessions(gate: Arc<Gate>) {
    let mut published = gate.snapshot.subscribe();
    while published.changed().await.is_ok() {
        gate.registry.recheck_all(Instant::now());
    }
}

/// Reads the certificates again every minute and on SIGHUP; files that are broken change nothing.
pub(super) async fn renew_certificates(all: Vec<Arc<ServerTls>>, shutdown: Shutdown) -> Result<(), NetError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|source| NetError::Signals { source })?;
    let mut minutes = interval(RENEW_EVERY);
    minutes.tick().await;
    loop {
        tokio::select! {
            _ = minutes.tick() => {}
            _ = hangup.recv() => {}
            () = shutdown.begun() => return Ok(()),
        }
        for tls in &all {
            if let Err(error) = tls.reload() {
                tracing::error!(%error, "certificate not renewed; the one in force stays");
            }
        }
    }
}

const RENEW_EVERY: Duration = Duration::from_secs(60);
