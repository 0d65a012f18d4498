//! From an endpoint to a connection that is logged in.

use std::{future::poll_fn, io, sync::Arc};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    accounts,
    connection::{Connection, Progress},
    error::UpstreamError,
    settings::{TargetSettings, TargetTls},
};
use crate::{
    model::{dialect::Dialect, ids::DatabaseName, secret::Secret, target::Lane},
    net::Stream,
    wire::postgres::upstream::{Login, LoginRequest, Transport},
};

/// Connects and logs in, within the target's `connect_timeout`.
///
/// # Errors
/// `Credential`, `Dial`, `Tls`, `TlsRefused`, `Login`, `Timeout`, and those of the first statement of our own.
pub(crate) async fn connect(
    target: &Arc<TargetSettings>,
    database: &DatabaseName,
    lane: Lane,
) -> Result<Connection, UpstreamError> {
    let open = async {
        let secret = target.accounts.of(lane).credential.secret().await?;
        let mut connection = Connection::new(open_stream(target).await?, target.name.clone());
        match target.dialect {
            Dialect::Mysql => return Err(UpstreamError::Misuse { what: "a MySQL target" }),
            Dialect::Postgres => log_in(&mut connection, target, database, lane, secret).await?,
        }
        accounts::introduce(&mut connection, lane).await?;
        Ok(connection)
    };
    timeout(target.pool.connect_timeout, open).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: target.name.clone(), what: "connecting and logging in" })
    })
}

/// Dials and secures; resolves the name anew each time. Has no bound of its own.
///
/// # Errors
/// `Dial`, `Tls`, `TlsRefused`.
pub(crate) async fn open_stream(target: &TargetSettings) -> Result<Stream, UpstreamError> {
    let dial = |source| UpstreamError::Dial { target: target.name.clone(), source };
    let refused = |what| UpstreamError::TlsRefused { target: target.name.clone(), what };
    let mut stream = Stream::connect(&target.endpoint.to_string()).await.map_err(dial)?;
    let TargetTls::VerifyFull(tls) = &target.tls else { return Ok(stream) };
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

async fn log_in(
    connection: &mut Connection,
    target: &TargetSettings,
    database: &DatabaseName,
    lane: Lane,
    secret: Secret<String>,
) -> Result<(), UpstreamError> {
    let failed = |source| UpstreamError::Login { target: target.name.clone(), lane, source };
    let transport = match &target.tls {
        TargetTls::Disable => Transport::Plain,
        TargetTls::VerifyFull(_) => Transport::Tls { end_point: connection.upstream_end_point() },
    };
    let request = LoginRequest { user: &target.accounts.of(lane).user, database, options: options(lane) };
    let mut login = Login::new(request, secret, transport, &mut connection.output).map_err(failed)?;
    loop {
        match poll_fn(|cx| connection.poll_drive(cx)).await {
            Ok(Progress::Received(0)) => return Err(connection.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(Progress::Received(_) | Progress::Sent) => {}
            Err(error) => return Err(connection.lost(error)),
        }
        if let Some(session) = login.receive(&mut connection.input, &mut connection.output).map_err(failed)? {
            connection.session = session;
            return Ok(());
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
