//! From an accepted connection to the end of its session.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

use super::greet::{begin, turn_away};
use crate::{
    model::ids::SessionId,
    session::{
        client::ClientSide,
        gate::Gate,
        login::{
            Door,
            postgres::{Arrival, login},
        },
        run::run,
    },
};

/// Logs a client in and serves it, or passes on its request to cancel.
pub(in crate::session) async fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    id: SessionId,
    door: &Door,
    gate: Arc<Gate>,
    per_principal: usize,
) {
    // Each stage in a box of its own: what a login takes is given back before the session begins.
    match Box::pin(login(socket, peer, id, door)).await {
        Ok(Arrival::LoggedIn(arrived)) => {
            match gate.room_for(&arrived.principal.name, &arrived.place.target, per_principal) {
                Ok(()) => {
                    if let Some(session) = Box::pin(begin(gate, id, *arrived)).await {
                        Box::pin(run(session)).await;
                    }
                }
                Err(refusal) => Box::pin(turn_away(*arrived, &refusal)).await,
            }
        }
        Ok(Arrival::Cancel { request, stream }) => {
            gate.cancel(request.process_id, &request.key).await;
            // Over TLS an end without a word is an error to the client: libpq says that it could not cancel.
            ClientSide::new(stream).say_last(&[]).await;
        }
        Err(error) => tracing::debug!(%peer, %error, "login failed"),
    }
}
