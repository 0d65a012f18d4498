//! What is read again while the gateway runs, and who is told of it.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};

use crate::{
    control::{Control, ControlError},
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

/// Reads the certificates again every minute, and certificates and policy on SIGHUP; what is broken changes nothing.
pub(super) async fn read_again(
    certificates: Vec<Arc<ServerTls>>,
    control: Control,
    shutdown: Shutdown,
) -> Result<(), NetError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|source| NetError::Signals { source })?;
    let mut minutes = interval(RENEW_EVERY);
    minutes.tick().await;
    loop {
        let asked_for = tokio::select! {
            _ = minutes.tick() => false,
            _ = hangup.recv() => true,
            () = shutdown.begun() => return Ok(()),
        };
        for tls in &certificates {
            if let Err(error) = tls.reload() {
                tracing::error!(
                    error = &error as &dyn Error,
                    "certificate not renewed; the one in force stays"
                );
            }
        }
        if asked_for {
            // The watch for changed policy files goes by their stamps; this reads them whatever those say.
            match control.reload_policy(SIGNAL).await {
                // Told of by the reload itself.
                Ok(_) | Err(ControlError::PolicyBroken { .. } | ControlError::PolicyUnreadable { .. }) => {}
                Err(error) => tracing::error!(%error, "policy was not reloaded; the one in force stays"),
            }
        }
    }
}

/// The actor of a reload that SIGHUP asked for.
const SIGNAL: &str = "signal";
const RENEW_EVERY: Duration = Duration::from_secs(60);
