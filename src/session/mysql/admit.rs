//! From an accepted connection to the end of its session.

use std::{net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{
    greet::{begin, turn_away},
    session::Entrance,
};
use crate::{
    model::{
        ids::SessionId,
        refusal::{Refusal, RefusalCode},
    },
    net::Stream,
    session::{
        client::ClientSide,
        gate::Gate,
        lanes::refusal_of,
        login::mysql::{Hello, login},
        run::run,
    },
    wire::mysql::{error::ServerError, reply},
};

/// Logs a client in and serves it.
pub(in crate::session) async fn admit(
    socket: TcpStream,
    peer: SocketAddr,
    id: SessionId,
    entrance: Entrance,
    gate: Arc<Gate>,
) {
    let hello = match Box::pin(hello(&entrance, &gate)).await {
        Ok(hello) => hello,
        Err(refusal) => return turn_away_unheard(socket, peer, &refusal).await,
    };
    let number = i32::try_from(hello.connection_id).unwrap_or(i32::MAX);
    let per_principal = entrance.per_principal;
    // Each stage in a box of its own: what a login takes is given back before the session begins.
    match Box::pin(login(socket, peer, id, hello, &entrance.door, &entrance.lobby)).await {
        Ok(arrived) => match gate.room_for(&arrived.principal.name, &arrived.place.target, per_principal) {
            Ok(()) => {
                if let Some(session) = Box::pin(begin(gate, id, number, *arrived, entrance)).await {
                    Box::pin(run(session)).await;
                }
            }
            Err(refusal) => Box::pin(turn_away(*arrived, &refusal)).await,
        },
        Err(error) => tracing::debug!(%peer, %error, "login failed"),
    }
}

/// The greeting is that of the listener's first target: the client has not said yet whom it means.
async fn hello(entrance: &Entrance, gate: &Gate) -> Result<Hello, Refusal> {
    let Some(first) = entrance.door.listings.first() else {
        return Err(Refusal::new(RefusalCode::ConnectionFailure, "this listener leads to no target"));
    };
    let facts = gate.pools.mysql_facts(&first.target).await.map_err(|error| refusal_of(&error))?;
    Ok(Hello {
        version: facts.version_text.clone(),
        capabilities: facts.capabilities,
        charset: facts.charset,
        connection_id: u32::try_from(gate.registry.next_process()).unwrap_or_default(),
    })
}

/// Says why there is no greeting: an error may come in its place.
async fn turn_away_unheard(socket: TcpStream, peer: SocketAddr, refusal: &Refusal) {
    let Ok(stream) = Stream::accepted(socket, peer) else { return };
    let (mut out, mut sequence) = (BytesMut::new(), 0);
    reply::err(&mut out, &mut sequence, &ServerError::refused(refusal));
    ClientSide::new(stream).say_last(&out).await;
}
