//! From the first byte of a connection to its login packet, in TLS or not.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{arrival::Hello, exchange::Exchange};
use crate::{
    net::Stream,
    session::login::{
        door::{Authentication, Door},
        error::LoginError,
        line::gone,
    },
    wire::{
        WireError,
        mysql::{
            auth::AuthMethod,
            greeting::{Greeting, NONCE_BYTES, Nonce},
            handshake::{HandshakeResponse, Opening, read_opening},
            status::Status,
        },
    },
};

/// Greets, goes into TLS if the client asks for it, and reads the login packet.
///
/// `place` has the stream at the end, also after an error unless the error broke it; `sequence` the number of the next
/// packet.
pub(super) async fn open(
    socket: TcpStream,
    peer: SocketAddr,
    hello: Hello,
    door: &Door,
    place: &mut Option<Stream>,
    sequence: &mut u8,
) -> Result<(HandshakeResponse, Nonce), LoginError> {
    let stream = place.insert(Stream::accepted(socket, peer)?);
    let nonce = nonce()?;
    let offered = hello.capabilities.offered(door.tls.is_some()).with(door.compression);
    let greeting = Greeting {
        version: hello.version,
        connection_id: hello.connection_id,
        nonce,
        capabilities: offered,
        charset: hello.charset,
        status: Status::AUTOCOMMIT,
        plugin: method(door.authentication).plugin().to_owned(),
    };
    let mut exchange = Exchange::new(stream, sequence);
    exchange.say(|out, sequence| greeting.write(out, sequence)).await?;
    let opening = read_opening(&exchange.read().await?, offered)?;
    let tls = match opening {
        Opening::Login(response) => return Ok((response, nonce)),
        Opening::Tls => door.tls.as_ref().ok_or(LoginError::NoTls)?,
    };
    let mut first = [0];
    if exchange.stream.peek_socket(&mut first).await.map_err(gone)? == 1 && first != TLS_HANDSHAKE {
        return Err(LoginError::PlaintextBeforeTls);
    }
    let stream = place.take().ok_or(LoginError::NoTls)?;
    let stream = place.insert(stream.accept_tls(&tls.state(), &[]).await?);
    let mut exchange = Exchange::new(stream, sequence);
    match read_opening(&exchange.read().await?, offered)? {
        Opening::Login(response) => Ok((response, nonce)),
        Opening::Tls => Err(WireError::Repeated { request: "SSLRequest" }.into()),
    }
}

/// What clients are asked to prove themselves by.
pub(super) const fn method(authentication: Authentication) -> AuthMethod {
    match authentication {
        // The others are of the other protocol: a listener of this one is never set to them, and if it were, this is
        // the safe one.
        Authentication::CachingSha2 | Authentication::Oauth | Authentication::Scram => {
            AuthMethod::CachingSha2
        }
        Authentication::Cleartext => AuthMethod::Cleartext,
        Authentication::Native => AuthMethod::Native,
    }
}

/// Random bytes from 1 to 127 without `$`: clients read them as text, and some take `$` for the end of a salt.
pub(super) fn nonce() -> Result<Nonce, LoginError> {
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| LoginError::Random)?;
    for byte in &mut nonce {
        *byte &= 0x7f;
        if matches!(byte, 0 | b'$') {
            *byte += 1;
        }
    }
    Ok(nonce)
}

/// First byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: [u8; 1] = [0x16];
