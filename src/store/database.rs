//! The store itself: open, changed, closed.

use std::{path::Path, sync::Arc};

use super::{
    change::Change,
    error::{StoreError, doing},
    lock::Lock,
    place::{Place, Server},
    pool::Pool,
    postgres,
    sql::query,
    sqlite,
};

/// The gateway's store: one SQLite file of its own, or a PostgreSQL that it may share with others. Cheap to clone; all
/// clones are the same one, and a file is free again when the last of them is gone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) pool: Arc<Pool>,
    _lock: Option<Arc<Lock>>,
}

impl Store {
    /// Opens the store at `place`: [`Store::open`] or [`Store::connect`].
    ///
    /// # Errors
    /// As these.
    pub async fn open_at(place: &Place) -> Result<Self, StoreError> {
        match place {
            Place::Postgres(server) => Self::connect(server).await,
            Place::Sqlite(path) => Self::open(path).await,
        }
    }

    /// Opens the file at `path`, makes it (mode 0600) where it does not exist, and brings its tables to this version.
    ///
    /// # Errors
    /// `InUse` while another gateway has the file, `Newer` when its tables are of a later version, `Lock`, `Open` and
    /// `Migrate` when the file or its directory cannot be used.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let pool = sqlite::open(path).await?;
        Ok(Self { pool: Arc::new(Pool::Sqlite(pool)), _lock: Some(Arc::new(lock)) })
    }

    /// Opens the database on `server`, and brings its tables to this version. Several gateways may have it open.
    ///
    /// # Errors
    /// `Reach` when the server cannot be reached, `Newer` when the tables are of a later version, `Migrate` when they
    /// cannot be made.
    pub async fn connect(server: &Server) -> Result<Self, StoreError> {
        let pool = postgres::open(server).await?;
        Ok(Self { pool: Arc::new(Pool::Postgres(pool)), _lock: None })
    }

    /// Whether other gateways may have it open, too.
    pub fn is_shared(&self) -> bool {
        matches!(*self.pool, Pool::Postgres(_))
    }

    /// Begins a change; it is undone unless it is committed.
    ///
    /// # Errors
    /// `Query` when the store cannot be written now.
    pub async fn change(&self) -> Result<Change, StoreError> {
        self.pool.begin().await.map(Change::new).map_err(doing("begin a change"))
    }

    /// Answers if the store can be read.
    ///
    /// # Errors
    /// `Query` when it cannot.
    pub async fn ping(&self) -> Result<(), StoreError> {
        query("SELECT name FROM meta LIMIT 1")
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use sqlx::{SqlitePool, migrate::Migrator, sqlite::SqliteConnectOptions};

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
        let mut change = store.change().await.unwrap();
        query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', TRUE, x'00', 0)",
        )
        .execute(change.connection())
        .await
        .unwrap();
        change.commit().await.unwrap();
        drop(store);
        let refused = Store::open(&path).await.unwrap_err();
        assert!(matches!(refused, StoreError::Newer { version: 99, .. }), "{refused:?}");
    }

    #[tokio::test]
    async fn tables_of_the_first_version_are_brought_up_with_their_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let first = sqlite::migrations().iter().take(1).cloned().collect();
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
