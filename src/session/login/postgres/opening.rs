//! From the first byte of a connection to its startup message, in TLS or not.

use std::io;

use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{
    net::Stream,
    session::login::{
        door::Door,
        error::LoginError,
        line::{gone, say},
    },
    wire::postgres::startup::{Opening, Request},
};

/// What a connection asks for once TLS is settled.
#[derive(Debug)]
pub(super) struct Opened {
    /// A cancel request or a startup message.
    pub(super) request: Request,
    /// Channel-binding data of the certificate that the client was shown.
    pub(super) end_point: Option<Vec<u8>>,
}

/// Goes through TLS and GSS requests up to a cancel request or a startup message.
///
/// `place` has the stream at the end, also after an error unless the error broke it.
pub(super) async fn open(
    socket: TcpStream,
    peer: std::net::SocketAddr,
    door: &Door,
    place: &mut Option<Stream>,
) -> Result<Opened, LoginError> {
    *place = Some(Stream::accepted(socket, peer)?);
    let mut opening = Opening::new();
    let mut end_point = None;
    loop {
        let mut stream = place.take().ok_or(LoginError::NoTls)?;
        let request = match next_request(&mut opening, &mut stream).await {
            Ok(request) => request,
            Err(error) => {
                *place = Some(stream);
                return Err(error);
            }
        };
        match (request, &door.tls) {
            (Request::Gss, _) | (Request::Ssl, None) => {
                say(&mut stream, b"N").await?;
                *place = Some(stream);
            }
            (Request::Ssl, Some(tls)) => {
                say(&mut stream, b"S").await?;
                let mut first = [0];
                if stream.peek_socket(&mut first).await.map_err(gone)? == 1 && first != TLS_HANDSHAKE {
                    return Err(LoginError::PlaintextBeforeTls);
                }
                let state = tls.state();
                *place = Some(stream.accept_tls(&state, &[]).await?);
                opening.inside_tls();
                end_point.clone_from(&state.end_point);
            }
            (Request::DirectTls, Some(tls)) => {
                let state = tls.state();
                let stream = stream.accept_tls(&state, &TLS_HANDSHAKE).await?;
                let named = stream.protocol().is_some();
                *place = Some(stream);
                if !named {
                    return Err(LoginError::Alpn);
                }
                end_point.clone_from(&state.end_point);
            }
            (Request::DirectTls, None) => return Err(LoginError::NoTls),
            (request @ (Request::Cancel(_) | Request::Startup(_)), _) => {
                *place = Some(stream);
                return Ok(Opened { request, end_point });
            }
        }
    }
}

/// Reads one request and not a byte more.
async fn next_request(opening: &mut Opening, stream: &mut Stream) -> Result<Request, LoginError> {
    let mut bytes = [0; 1024];
    loop {
        let wanted = opening.wanted().min(bytes.len());
        let room = bytes.get_mut(..wanted).unwrap_or_default();
        let count = stream.read(room).await.map_err(gone)?;
        let mut read = room.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Err(gone(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(request) = opening.feed(&mut read)? {
            return Ok(request);
        }
    }
}

/// First byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: [u8; 1] = [0x16];
