//! One login, from accept to its outcome.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{
    arrival::{Hello, LoggedIn, application},
    exchange::Exchange,
    farewell::farewell,
    lobby::Lobby,
    opening::open,
    proof::{Shown, prove},
};
use crate::{
    model::ids::SessionId,
    net::Stream,
    session::login::{
        attempt::Attempt, claim::Proven, close::say_last, door::Door, error::LoginError, place::choose_target,
    },
    wire::mysql::{greeting::Nonce, handshake::HandshakeResponse, reply},
};

/// Logs a client in, up to the first OK, which is the session's.
///
/// Takes at most the door's timeout, and for a failure its delay and a second for the farewell. Every outcome of an
/// attempt is audited before the client hears of it, under the name that was given; a client that goes away when it
/// is asked for a proof has not attempted anything.
///
/// # Errors
/// Why it was not let in; the client has been told what it may know, and the connection is closed.
pub async fn login(
    socket: TcpStream,
    peer: SocketAddr,
    session: SessionId,
    hello: Hello,
    door: &Door,
    lobby: &Lobby,
) -> Result<Box<LoggedIn>, LoginError> {
    let attempt = Attempt::new(session, peer);
    let mut visit = Visit { door, lobby, attempt, stream: None, sequence: 0 };
    let outcome = door.in_time(visit.arrive(socket, hello)).await;
    if let Err(error) = &outcome {
        visit.turn_away(error).await;
    }
    outcome
}

struct Visit<'a> {
    door: &'a Door,
    lobby: &'a Lobby,
    attempt: Attempt,
    /// The connection; `None` while TLS has it, and when TLS broke it.
    stream: Option<Stream>,
    /// Number of the next packet.
    sequence: u8,
}

impl Visit<'_> {
    async fn arrive(&mut self, socket: TcpStream, hello: Hello) -> Result<Box<LoggedIn>, LoginError> {
        let peer = self.attempt.peer;
        let (response, nonce) =
            open(socket, peer, hello, self.door, &mut self.stream, &mut self.sequence).await?;
        self.attempt.named(&response.user, &response.database, self.stream.as_ref(), self.door)?;
        if response.compresses {
            return Err(LoginError::Compresses);
        }
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        let mut shown = Shown {
            user: response.user.clone(),
            plugin: response.plugin.clone(),
            proof: response.proof.clone(),
            nonce,
        };
        let mut exchange = Exchange::new(stream, &mut self.sequence);
        let proven = prove(&mut exchange, &mut shown, self.door, self.lobby).await?;
        // Attempts made side by side must not learn more than attempts made in turn.
        self.attempt.hold_up(self.door)?;
        self.let_in(response, shown.nonce, proven).await
    }

    async fn let_in(
        &mut self,
        response: HandshakeResponse,
        nonce: Nonce,
        proven: Proven,
    ) -> Result<Box<LoggedIn>, LoginError> {
        let (listings, snapshot) = (&self.door.listings, self.door.snapshot.load());
        let now = self.door.clock.now();
        let place = choose_target(&response.database, listings, &snapshot, &proven.principal.name, now)?;
        let application = application(&response.attributes);
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        let tls = stream.tls_version();
        self.attempt.succeeded(self.door, &proven, &place, &application, tls).await?;
        let Proven { principal, method, .. } = proven;
        let stream = self.stream.take().ok_or(LoginError::NoTls)?;
        Ok(Box::new(LoggedIn {
            stream,
            sequence: self.sequence,
            principal,
            place,
            capabilities: response.capabilities,
            compression: response.compression,
            charset: response.charset,
            max_packet_bytes: response.max_packet_bytes,
            nonce,
            attributes: response.attributes,
            application,
            method,
            tls,
        }))
    }

    /// Counts and audits the failure, then says what the client may know.
    async fn turn_away(&mut self, error: &LoginError) {
        self.attempt.failed(self.door, error).await;
        if let (Some(stream), Some(words)) = (self.stream.take(), farewell(error, &self.attempt.user)) {
            let mut out = BytesMut::new();
            reply::err(&mut out, &mut self.sequence, &words);
            say_last(stream, &out).await;
        }
    }
}
