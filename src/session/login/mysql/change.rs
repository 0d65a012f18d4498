//! COM_CHANGE_USER: a login anew, on a connection that is open.

use std::net::SocketAddr;

use super::{
    arrival::{Changed, application},
    exchange::Exchange,
    farewell::farewell,
    lobby::Lobby,
    proof::{Shown, prove},
};
use crate::{
    model::ids::SessionId,
    net::Stream,
    session::login::{attempt::Attempt, claim::Proven, door::Door, error::LoginError, place::choose_target},
    wire::mysql::{compression::Framing, greeting::Nonce, handshake::ChangeUser, reply},
};

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The session that the new login is of; one of its own, for what came before is over.
    pub session: SessionId,
    /// From where.
    pub peer: SocketAddr,
    /// What the proof of the command is bound to.
    pub nonce: Nonce,
    /// Number of the packet that answers the command.
    pub sequence: u8,
}

/// Logs the client in anew, up to the OK, which is the session's. Nothing of the client's may have been read ahead.
/// `framing` is that of a client that compresses.
///
/// Held up, counted, audited and bounded in time as every login.
///
/// # Errors
/// Why it was not let in; the client has been told what it may know. The connection must be closed, as MySQL does.
pub async fn change_user(
    stream: &mut Stream,
    framing: Option<&mut Framing>,
    caller: Caller,
    request: ChangeUser,
    door: &Door,
    lobby: &Lobby,
) -> Result<Changed, LoginError> {
    let mut attempt = Attempt::new(caller.session, caller.peer);
    attempt.user.clone_from(&request.user);
    attempt.database.clone_from(&request.database);
    let mut sequence = caller.sequence;
    let mut exchange = Exchange::new(stream, &mut sequence).framed(framing);
    let change = change(&mut exchange, caller.nonce, request, &attempt, door, lobby);
    match door.in_time(change).await {
        Ok(changed) => Ok(Changed { sequence, ..changed }),
        Err(error) => {
            attempt.failed(door, &error).await;
            if let Some(words) = farewell(&error, &attempt.user) {
                // A client that is gone already need not be told.
                let _ = exchange.say(|out, sequence| reply::err(out, sequence, &words)).await;
            }
            Err(error)
        }
    }
}

async fn change(
    exchange: &mut Exchange<'_>,
    nonce: Nonce,
    request: ChangeUser,
    attempt: &Attempt,
    door: &Door,
    lobby: &Lobby,
) -> Result<Changed, LoginError> {
    attempt.hold_up(door)?;
    let ChangeUser { user, proof, database, charset, attributes, .. } = request;
    // The servers ask for a proof anew whatever came with the command, and there are clients that count on it.
    let mut shown = Shown { user, plugin: String::new(), proof, nonce };
    let proven = prove(exchange, &mut shown, door, lobby).await?;
    attempt.hold_up(door)?;
    let now = door.clock.now();
    let place = choose_target(&database, &door.listings, &door.snapshot.load(), &proven.principal.name, now)?;
    let application = application(&attributes);
    let tls = exchange.stream.tls_version();
    attempt.succeeded(door, &proven, &place, &application, tls).await?;
    let Proven { principal, method, .. } = proven;
    Ok(Changed {
        sequence: *exchange.sequence,
        principal,
        place,
        charset,
        nonce: shown.nonce,
        application,
        method,
    })
}
