//! A store in a PostgreSQL.

use std::time::Duration;

use sqlx::{
    Connection, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::time::timeout;

use super::{
    error::StoreError,
    migrations::{migrator, not_migrated},
    place::{Server, ServerTls},
    pool::{PostgresPool, late},
};

/// Brings the tables to this version, and opens the pool.
pub(super) async fn open(server: &Server) -> Result<PostgresPool, StoreError> {
    let reach = |source| StoreError::Reach { store: server.to_string(), source };
    // A connection of its own: migrations may take longer than a statement is given.
    let mut connection = connect(server).await?;
    let migrated = migrations().run(&mut connection).await;
    migrated.map_err(|source| not_migrated(server.to_string(), source))?;
    connection.close().await.map_err(reach)?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        // What another gateway changed must not wait for a connection to be made.
        .min_connections(KEPT_OPEN)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // Each of these waits for the server on its own, without an end: the two below have one.
        .test_before_acquire(false)
        .before_acquire(|connection, it| {
            Box::pin(async move { Ok(it.idle_for < FRESH || answers(connection).await) })
        })
        .after_release(|connection, _| {
            Box::pin(async move { if answers(connection).await { Ok(true) } else { Err(late()) } })
        })
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SETTINGS).execute(connection).await.map(|_| ()) })
        })
        .connect_lazy_with(options(server));
    Ok(PostgresPool::new(pool))
}

/// A single connection.
pub(super) async fn connect(server: &Server) -> Result<PgConnection, StoreError> {
    let connecting = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options(server))).await;
    let reach = |source| StoreError::Reach { store: server.to_string(), source };
    connecting.unwrap_or_else(|_| Err(late())).map_err(reach)
}

fn options(server: &Server) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&server.host)
        .port(server.port)
        .database(&server.database)
        .username(&server.user)
        .password(server.password.expose())
        .application_name("tidegate store");
    match &server.tls {
        ServerTls::Disable => options.ssl_mode(PgSslMode::Disable),
        ServerTls::VerifyFull { ca: None } => options.ssl_mode(PgSslMode::VerifyFull),
        ServerTls::VerifyFull { ca: Some(ca) } => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ca),
    }
}

async fn answers(connection: &mut PgConnection) -> bool {
    matches!(timeout(ANSWER_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

pub(super) fn migrations() -> Migrator {
    migrator(&[
        (1, "store", include_str!("../../migrations/postgres/0001_store.sql")),
        (10, "identities", include_str!("../../migrations/postgres/0010_identities.sql")),
        (20, "events", include_str!("../../migrations/postgres/0020_events.sql")),
        (30, "event cursors", include_str!("../../migrations/postgres/0030_event_cursors.sql")),
        (31, "webhooks", include_str!("../../migrations/postgres/0031_webhooks.sql")),
        (35, "slack", include_str!("../../migrations/postgres/0035_slack.sql")),
        (45, "directory groups", include_str!("../../migrations/postgres/0045_directory_groups.sql")),
        (46, "gateway policies", include_str!("../../migrations/postgres/0046_gateway_policies.sql")),
        (50, "replicas", include_str!("../../migrations/postgres/0050_replicas.sql")),
    ])
}

/// What must not depend on how server, database or account are set. A gateway that stops in the middle of a change holds
/// up the others no longer than this.
const SETTINGS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
    SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'";

const CONNECTIONS: u32 = 10;
const KEPT_OPEN: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// A connection that was idle for less is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);
