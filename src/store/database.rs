//! Opening the store.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{change::Change, error::StoreError, error::doing, lock::Lock};

/// The gateway's store: one SQLite file. Cheap to clone; the file is free again when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) pool: SqlitePool,
    path: Arc<Path>,
    _lock: Arc<Lock>,
}

impl Store {
    /// Opens the file at `path`, makes it (mode 0600) where it does not exist, and brings its tables to this version.
    ///
    /// # Errors
    /// `InUse` while another gateway has the file, `Newer` when its tables are of a later version, `Lock`, `Open` and
    /// `Migrate` when the file or its directory cannot be used.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
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
        migrations().run(&pool).await.map_err(|source| not_migrated(path.to_owned(), source))?;
        Ok(Self { pool, path: path.into(), _lock: Arc::new(lock) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a change; it is undone unless it is committed.
    ///
    /// # Errors
    /// `Query` when the file cannot be written now.
    pub async fn change(&self) -> Result<Change, StoreError> {
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        begun.map(Change::new).map_err(doing("begin a change"))
    }

    /// Answers if the store can be read.
    ///
    /// # Errors
    /// `Query` when it cannot.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT name FROM meta LIMIT 1")
            .fetch_optional(&self.pool)
            .await
            .map(|_| ())
            .map_err(doing("answer"))
    }

    /// Closes every connection, in order; the clones of it answer nothing more.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes the file for its owner alone before SQLite does with the process's mask; its companions follow its mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map(|_| ()).map_err(|source| StoreError::Open { path: path.to_owned(), source: Box::new(source) })
}

fn migrations() -> Migrator {
    let texts = [
        (1, "store", include_str!("../../migrations/sqlite/0001_store.sql")),
        (2, "native keys", include_str!("../../migrations/sqlite/0002_native_keys.sql")),
        (3, "requests", include_str!("../../migrations/sqlite/0003_requests.sql")),
        (10, "identities", include_str!("../../migrations/sqlite/0010_identities.sql")),
        (20, "events", include_str!("../../migrations/sqlite/0020_events.sql")),
    ];
    let numbered = texts.into_iter().map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(numbered.collect())
}

fn not_migrated(path: PathBuf, source: MigrateError) -> StoreError {
    match source {
        MigrateError::VersionMissing(version) => StoreError::Newer { path, version },
        source => StoreError::Migrate { path, source },
    }
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 4;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn an_empty_file_gets_its_tables_and_an_existing_one_keeps_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let store = Store::open(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut change = store.change().await.unwrap();
        change.set_value("colour", b"teal").await.unwrap();
        change.commit().await.unwrap();
        drop(store);
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.value("colour").await.unwrap().as_deref(), Some(b"teal".as_slice()));
    }

    #[tokio::test]
    async fn a_second_store_on_the_same_file_is_refused_and_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let first = Store::open(&path).await.unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
        assert!(refused.to_string().starts_with("another tidegate (pid "), "{refused}");
        drop(first);
        Store::open(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_left_by_a_dead_process_does_not_bar_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        std::fs::write(dir.path().join("store.db.lock"), "4194303\n").unwrap();
        Store::open(&path).await.unwrap();
    }

    #[tokio::test]
    async fn tables_of_a_later_version_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let store = Store::open(&path).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', TRUE, x'00', 0)",
        )
        .execute(&store.pool)
        .await
        .unwrap();
        drop(store);
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { version: 99, .. }), "{refused:?}");
    }

    #[tokio::test]
    async fn tables_of_the_first_version_are_brought_up_with_their_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let first: Vec<Migration> = migrations().iter().take(1).cloned().collect();
        let pool =
            SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path).create_if_missing(true));
        let pool = pool.await.unwrap();
        Migrator::with_migrations(first).run(&pool).await.unwrap();
        sqlx::query(
            "INSERT INTO grants (id, holder_kind, holder, target, database_name, objects, permissions, starts_at, \
             ends_at, reason, created_at, created_by) VALUES ('019aa000-0000-7000-8000-000000000001', 'principal', \
             'dana', 'hr', 'hr_prod', '[\"public.*\"]', '[\"select\"]', 1000, 2000, 'INC-42', 1000, 'admin')",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let store = Store::open(&path).await.unwrap();
        let grants = store.grants(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((grants.len(), &grants[0].origin, &grants[0].statement), (1, &None, &None));
        assert!(store.keys().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_change_that_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let mut change = store.change().await.unwrap();
        change.set_value("colour", b"teal").await.unwrap();
        drop(change);
        assert_eq!(store.value("colour").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        std::fs::write(
            &path,
            "this is a letter, not a database, and long enough to be read as a header of one…………",
        )
        .unwrap();
        let refused = Store::open(&path).await.unwrap_err();
        assert!(refused.to_string().contains("store.db"), "{refused}");
    }
}
