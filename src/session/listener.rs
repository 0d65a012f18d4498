//! Accepts clients and gives each a task of its own.

use std::{future::poll_fn, io, net::SocketAddr, sync::Arc, task::Poll, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use uuid::Uuid;

use super::{
    gate::Gate,
    login::{Door, mysql::Lobby},
    mysql, postgres,
};
use crate::{
    model::ids::SessionId,
    net::{Shutdown, Workers},
};

/// What the clients of a listener speak.
#[derive(Clone, Debug)]
pub enum Speaks {
    /// MySQL; with what all its listeners share.
    Mysql(Arc<Lobby>),
    /// PostgreSQL.
    Postgres,
}

/// How many clients are let in at one time.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Connections over all listeners, those that log in included.
    pub connections: Arc<Semaphore>,
    /// Sessions of one principal.
    pub per_principal: usize,
}

/// Who receives clients, whichever way they come.
#[derive(Clone, Debug)]
pub struct Reception {
    /// What lets them in.
    pub door: Arc<Door>,
    /// What they speak.
    pub speaks: Speaks,
    /// What their sessions share.
    pub gate: Arc<Gate>,
    /// How many there may be.
    pub admission: Admission,
    /// The threads that serve them.
    pub workers: Workers,
}

/// Accepts on `listener` until the gateway shuts down. Whoever was connected by the system before is accepted, too:
/// closing the listener would reset them.
pub async fn listen(listener: TcpListener, reception: Reception, shutdown: Shutdown) {
    let mut late = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.begun() => {
                late += 1;
                match accept_now(&listener).await {
                    Some(accepted) if late <= MOST_LATE => accepted,
                    Some(_) | None => return,
                }
            }
            accepted = listener.accept() => accepted,
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
        reception.receive(socket, peer);
    }
}

impl Reception {
    /// Places a client on one of the workers, or closes its connection if there are too many.
    pub fn receive(&self, socket: TcpStream, peer: SocketAddr) {
        let Self { door, speaks, gate, admission, workers } = self;
        let Ok(place) = Arc::clone(&admission.connections).try_acquire_owned() else {
            gate.metrics.logins.over_limit.inc();
            tracing::warn!(%peer, "too many connections: closed one");
            return;
        };
        let (door, gate, per_principal) = (Arc::clone(door), Arc::clone(gate), admission.per_principal);
        let speaks = speaks.clone();
        // Known to the runtime of this task, and from now on to that of the worker.
        let Ok(socket) = socket.into_std() else { return };
        workers.place(async move {
            let _place = place;
            let Ok(socket) = TcpStream::from_std(socket) else { return };
            let id = SessionId::new(Uuid::now_v7());
            match speaks {
                Speaks::Mysql(lobby) => {
                    let entrance = mysql::Entrance { door, lobby, per_principal };
                    mysql::admit(socket, peer, id, entrance, gate).await;
                }
                Speaks::Postgres => postgres::admit(socket, peer, id, &door, gate, per_principal).await,
            }
        });
    }
}

/// Accepts without waiting.
async fn accept_now(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Connections accepted when the gateway shuts down: as many as may have waited.
const MOST_LATE: usize = 1024;
/// How long accepting pauses when it fails.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
