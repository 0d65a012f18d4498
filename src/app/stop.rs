//! Stopping in order: who is idle goes, who is busy may finish, and what is left is cut, each on record.

use std::time::Duration;

use tokio::{sync::Semaphore, task::JoinHandle, time::interval, time::timeout};

use crate::{control::Control, net::Shutdown, session::Gate};

/// Waits for the signal, says to all who look that the gateway is about to stop, and waits until it begins to.
pub(super) async fn announced(shutdown: &Shutdown, control: &Control) {
    shutdown.given().await;
    control.note_stopping();
    tracing::info!("about to stop: not ready any more");
    shutdown.begun().await;
}

/// Lets sessions finish for as long as the drain lasts, then stops what runs, then ends what does not stop. `connections`
/// are the places, `limit` of them, that clients take up.
pub(super) async fn drained(gate: &Gate, connections: &Semaphore, limit: usize, shutdown: &Shutdown) {
    tracing::info!(sessions = gate.registry.len(), "stopping");
    gate.registry.drain_all();
    let drained = tokio::select! {
        () = gone(gate) => true,
        () = shutdown.over() => false,
    };
    if !drained {
        tracing::info!(sessions = gate.registry.len(), "the time to finish is over");
        gate.registry.stop_all();
        if timeout(LAST_WORDS, gone(gate)).await.is_err() {
            gate.registry.terminate_all();
            if timeout(LAST_WORDS, gone(gate)).await.is_err() {
                tracing::warn!(sessions = gate.registry.len(), "sessions were cut off");
            }
        }
    }
    // Those who were logging in are told as well.
    let left = async {
        let mut ticks = interval(LOOK_EVERY);
        while connections.available_permits() < limit {
            ticks.tick().await;
        }
    };
    if timeout(LAST_LOGINS, left).await.is_err() {
        tracing::info!("connections that did not log in were cut off");
    }
}

/// Waits for the end of a task, but not for long: then it is ended.
pub(super) async fn within(otherwise: &'static str, mut task: JoinHandle<()>) {
    if timeout(LAST_WORDS, &mut task).await.is_err() {
        tracing::warn!("{otherwise}");
        task.abort();
    }
}

async fn gone(gate: &Gate) {
    let mut ticks = interval(LOOK_EVERY);
    while !gate.registry.is_empty() {
        ticks.tick().await;
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long those who log in have to finish with that.
const LAST_LOGINS: Duration = Duration::from_secs(1);
/// How long those who are told to end have for it: more than what does not stop is given.
const LAST_WORDS: Duration = Duration::from_secs(4);
