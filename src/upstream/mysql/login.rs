//! From an endpoint to a session of MySQL.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    ServerFacts, State,
    protocol::{Home, Mysql, Session},
};
use crate::{
    model::{secret::Secret, target::Lane},
    net::Stream,
    upstream::{
        connection::Connection,
        error::UpstreamError,
        settings::{TargetSettings, TargetTls},
    },
    wire::mysql::{
        packet::{Packet, take_packet},
        upstream::{LoggedIn, Login, LoginError, LoginRequest, LoginStep},
    },
};

/// A connection that is logged in, and not introduced yet.
///
/// # Errors
/// `Dial`, `Tls`, `TlsRefused`, `Login`, `Lost`.
pub(super) async fn log_in(
    target: &TargetSettings,
    home: &Home,
    lane: Lane,
    secret: Secret<String>,
) -> Result<Connection<Mysql>, UpstreamError> {
    let dial = |source| UpstreamError::Dial { target: target.name.clone(), source };
    let (endpoint, tls) = target.way(lane);
    let stream = Stream::connect(&endpoint.to_string()).await.map_err(dial)?;
    let failed = |source: LoginError| UpstreamError::Login {
        target: target.name.clone(),
        lane,
        source: source.into(),
    };
    let request = LoginRequest {
        user: &target.accounts.of(lane).user,
        database: home.database.as_ref().map_or("", |database| database),
        shape: home.shape,
        tls: matches!(tls, TargetTls::VerifyFull(_)),
        charset: UTF8MB4_GENERAL_CI,
        attributes: &[("program_name", "tidegate")],
    };
    let login = Login::new(&request, secret).map_err(failed)?;
    let (stream, LoggedIn { greeting, capabilities, .. }) = exchange(stream, login, target, lane).await?;
    let session = Session {
        capabilities,
        thread_id: greeting.connection_id.into(),
        facts: Arc::new(ServerFacts::of_greeting(&greeting)),
        state: State::default(),
        option_set: false,
    };
    Ok(Connection::new(stream, target.name.clone(), home.clone(), session))
}

async fn exchange(
    mut stream: Stream,
    mut login: Login,
    target: &TargetSettings,
    lane: Lane,
) -> Result<(Stream, LoggedIn), UpstreamError> {
    let failed = |source: LoginError| UpstreamError::Login {
        target: target.name.clone(),
        lane,
        source: source.into(),
    };
    let lost = |source| UpstreamError::Lost { target: target.name.clone(), source };
    let refused = |what| UpstreamError::TlsRefused { target: target.name.clone(), what };
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        let packet = read_packet(&mut stream, &mut input).await.map_err(lost)?;
        let Some(packet) = packet.map_err(|source| failed(source.into()))? else {
            return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
        };
        let step = login.receive(&packet, &mut output).map_err(failed)?;
        send(&mut stream, &mut output).await.map_err(lost)?;
        match step {
            LoginStep::Done(_) if !input.is_empty() => {
                return Err(failed(LoginError::Protocol { what: "more than its OK" }));
            }
            LoginStep::Done(logged_in) => return Ok((stream, logged_in)),
            LoginStep::Next => {}
            LoginStep::StartTls => {
                let TargetTls::VerifyFull(tls) = target.way(lane).1 else {
                    return Err(UpstreamError::Misuse { what: "TLS that is not configured" });
                };
                // What came in plain text behind the greeting could be anybody's.
                if !input.is_empty() {
                    return Err(refused("speaks before TLS begins"));
                }
                let broken = |source| UpstreamError::Tls { target: target.name.clone(), source };
                stream = stream.connect_tls(tls).await.map_err(broken)?;
                login.tls_started(&mut output).map_err(failed)?;
                send(&mut stream, &mut output).await.map_err(lost)?;
            }
        }
    }
}

/// The next packet; `None` when the server closed.
async fn read_packet(
    stream: &mut Stream,
    input: &mut BytesMut,
) -> std::io::Result<Result<Option<Packet>, crate::wire::WireError>> {
    loop {
        match take_packet(input, MAX_PACKET_BYTES) {
            Ok(None) => {}
            taken => return Ok(taken),
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(Ok(None));
        }
    }
}

async fn send(stream: &mut Stream, output: &mut BytesMut) -> std::io::Result<()> {
    if !output.is_empty() {
        stream.write_all(output).await?;
        stream.flush().await?;
        // A password may have been in it.
        zeroize::Zeroize::zeroize(&mut output[..]);
        output.clear();
    }
    Ok(())
}

/// Every server has it, from 5.5 on.
const UTF8MB4_GENERAL_CI: u8 = 45;
/// Packets of a login are small; the longest carries an RSA key.
const MAX_PACKET_BYTES: usize = 64 * 1024;
