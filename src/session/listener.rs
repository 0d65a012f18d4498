//! Accepts clients and gives each a task of its own.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Semaphore};
use uuid::Uuid;

use super::{
    gate::Gate,
    login::{
        Door,
        postgres::{Arrival, login},
    },
    postgres::{serve, turn_away},
};
use crate::{model::ids::SessionId, net::Shutdown};

/// How many clients are let in at one time.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Connections over all listeners, those that log in included.
    pub connections: Arc<Semaphore>,
    /// Sessions of one principal.
    pub per_principal: usize,
}

/// Accepts on `listener` until the gateway shuts down.
pub async fn listen(
    listener: TcpListener,
    door: Arc<Door>,
    gate: Arc<Gate>,
    admission: Admission,
    shutdown: Shutdown,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.begun() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those that are open will close.
                tracing::error!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&admission.connections).try_acquire_owned() else {
            gate.metrics.logins.over_limit.inc();
            tracing::warn!(%peer, "too many connections: closed one");
            continue;
        };
        let (door, gate, per_principal) = (Arc::clone(&door), Arc::clone(&gate), admission.per_principal);
        tokio::spawn(async move {
            let _place = place;
            let id = SessionId::new(Uuid::now_v7());
            match login(socket, peer, id, &door).await {
                Ok(Arrival::LoggedIn(arrived)) => {
                    if gate.registry.count_of(&arrived.principal.name) >= per_principal {
                        gate.metrics.logins.over_limit.inc();
                        turn_away(*arrived, per_principal).await;
                    } else {
                        serve(gate, id, *arrived).await;
                    }
                }
                Ok(Arrival::Cancel { request, stream }) => {
                    gate.registry.cancel(request.process_id, &request.key);
                    drop(stream);
                }
                Err(error) => tracing::debug!(%peer, %error, "login failed"),
            }
        });
    }
}

/// How long accepting pauses when it fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
