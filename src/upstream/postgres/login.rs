//! From an endpoint to a session of PostgreSQL.

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::protocol::{Postgres, Session};
use crate::{
    model::{ids::DatabaseName, secret::Secret, target::Lane},
    net::Stream,
    upstream::{
        connection::Connection,
        error::UpstreamError,
        settings::{TargetSettings, TargetTls},
    },
    wire::postgres::upstream::{Login, LoginError, LoginRequest, Transport},
};

/// Dials and secures; resolves the name anew each time. Has no bound of its own.
///
/// # Errors
/// `Dial`, `Tls`, `TlsRefused`.
pub(super) async fn open_stream(target: &TargetSettings, lane: Lane) -> Result<Stream, UpstreamError> {
    let dial = |source| UpstreamError::Dial { target: target.name.clone(), source };
    let refused = |what| UpstreamError::TlsRefused { target: target.name.clone(), what };
    let (endpoint, tls) = target.way(lane);
    let mut stream = Stream::connect(&endpoint.to_string()).await.map_err(dial)?;
    let TargetTls::VerifyFull(tls) = tls else { return Ok(stream) };
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let broken = |source| UpstreamError::Lost { target: target.name.clone(), source };
    stream.write_all(&request).await.map_err(broken)?;
    // Exactly one byte: whatever follows it in plain text reaches the handshake, which fails on it.
    match stream.read_u8().await.map_err(broken)? {
        b'S' => {}
        b'N' => return Err(refused("does not offer TLS; switch it on there, or set tls mode disable here")),
        _ => return Err(refused("does not answer the request for TLS as a PostgreSQL server would")),
    }
    stream.connect_tls(tls).await.map_err(|source| UpstreamError::Tls { target: target.name.clone(), source })
}

/// A connection that is logged in.
///
/// # Errors
/// `Dial`, `Tls`, `TlsRefused`, `Login`, `Lost`.
pub(super) async fn log_in(
    target: &TargetSettings,
    database: &DatabaseName,
    lane: Lane,
    secret: Secret<String>,
) -> Result<Connection<Postgres>, UpstreamError> {
    let stream = open_stream(target, lane).await?;
    let mut connection =
        Connection::<Postgres>::new(stream, target.name.clone(), database.clone(), Session::default());
    let failed = |source: LoginError| UpstreamError::Login {
        target: target.name.clone(),
        lane,
        source: source.into(),
    };
    let transport = match target.way(lane).1 {
        TargetTls::Disable => Transport::Plain,
        TargetTls::VerifyFull(_) => Transport::Tls { end_point: connection.upstream_end_point() },
    };
    let user = &target.accounts.of(lane).user;
    let request = LoginRequest { user, database, application: "tidegate", options: options(lane) };
    let mut login = Login::new(request, secret, transport, &mut connection.output).map_err(failed)?;
    loop {
        connection.drive().await?;
        if let Some(logged_in) =
            login.receive(&mut connection.input, &mut connection.output).map_err(failed)?
        {
            connection.session.logged_in = logged_in;
            return Ok(connection);
        }
    }
}

/// Settings that hold for the whole connection: what a session resets falls back to them.
///
/// Strings are read as they were judged, whatever the account's or database's own settings say.
const fn options(lane: Lane) -> &'static str {
    match lane {
        Lane::Read => "-c default_transaction_read_only=on -c standard_conforming_strings=on",
        Lane::Write | Lane::Admin => "-c standard_conforming_strings=on",
    }
}
