//! A store in a file.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    error::StoreError,
    migrations::{migrator, not_migrated},
};

/// Opens the file, makes it where it does not exist, and brings its tables to this version.
pub(super) async fn open(path: &Path) -> Result<SqlitePool, StoreError> {
    make_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A change that was answered with success is on the disk.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_with(options)
        .await
        .map_err(|source| StoreError::Open { path: path.to_owned(), source: Box::new(source) })?;
    let migrated = migrations().run(&pool).await;
    migrated.map_err(|source| not_migrated(path.display().to_string(), source))?;
    Ok(pool)
}

/// Makes the file for its owner alone before SQLite does with the process's mask; its companions follow its mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(|_| ()).map_err(|source| StoreError::Open { path: path.to_owned(), source: Box::new(source) })
}

pub(super) fn migrations() -> Migrator {
    migrator(&[
        (1, "store", include_str!("../../migrations/sqlite/0001_store.sql")),
        (2, "native keys", include_str!("../../migrations/sqlite/0002_native_keys.sql")),
        (3, "requests", include_str!("../../migrations/sqlite/0003_requests.sql")),
        (4, "guards", include_str!("../../migrations/sqlite/0004_guards.sql")),
        (5, "denials", include_str!("../../migrations/sqlite/0005_denials.sql")),
        (10, "identities", include_str!("../../migrations/sqlite/0010_identities.sql")),
        (20, "events", include_str!("../../migrations/sqlite/0020_events.sql")),
        (30, "event cursors", include_str!("../../migrations/sqlite/0030_event_cursors.sql")),
        (31, "webhooks", include_str!("../../migrations/sqlite/0031_webhooks.sql")),
        (35, "slack", include_str!("../../migrations/sqlite/0035_slack.sql")),
        (45, "directory groups", include_str!("../../migrations/sqlite/0045_directory_groups.sql")),
        (46, "gateway policies", include_str!("../../migrations/sqlite/0046_gateway_policies.sql")),
    ])
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 4;
