//! The file of the index.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection as _, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::words::Words;
use crate::audit::{AuditError, follow::Cursor, segments::beside};

/// The file of the index, open. Whoever holds its lock brings it up to date; others only read.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    pub(super) readers: SqlitePool,
    /// Held for as long as this process brings the index up to date.
    lock: Option<File>,
}

impl Index {
    /// Opens it. Makes it anew where it is missing, broken or of another form, if nobody else keeps it.
    pub(super) async fn open(path: &Path) -> Result<Self, AuditError> {
        let unopened = |source| AuditError::Open { path: path.to_owned(), source };
        let lock = hold(&beside(path, "lock")).map_err(unopened)?;
        if lock.is_some() && !matches!(form(path).await, Ok(Some(FORM))) {
            make(path).await?;
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options(path).read_only(true));
        Ok(Self { path: path.to_owned(), readers, lock })
    }

    /// Whether this process brings it up to date.
    pub(super) const fn is_kept(&self) -> bool {
        self.lock.is_some()
    }

    /// A connection that may write.
    pub(super) async fn writer(&self) -> Result<SqliteConnection, AuditError> {
        options(&self.path).connect().await.map_err(AuditError::index)
    }

    /// Empties it, to be made anew from the log.
    pub(super) async fn clear(&self) -> Result<(), AuditError> {
        let mut writer = self.writer().await?;
        sqlx::raw_sql(CLEAR).execute(&mut writer).await.map_err(AuditError::index)?;
        sqlx::raw_sql(TABLES).execute(&mut writer).await.map_err(AuditError::index)?;
        sqlx::raw_sql("COMMIT").execute(&mut writer).await.map_err(AuditError::index)?;
        Ok(())
    }
}

/// How far the log is in the index.
pub(super) async fn cursor(on: &mut SqliteConnection) -> Result<Cursor, AuditError> {
    let kept: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'cursor'")
        .fetch_optional(on)
        .await
        .map_err(AuditError::index)?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Cursor::START))
}

/// Forgets what was in files before the one that begins with `oldest`.
pub(super) async fn forget(on: &mut SqliteConnection, oldest: u64) -> Result<(), AuditError> {
    let mut open = on.begin().await.map_err(AuditError::index)?;
    for text in FORGET {
        let oldest = super::feed::integer(oldest);
        sqlx::query(text).bind(oldest).execute(&mut *open).await.map_err(AuditError::index)?;
    }
    open.commit().await.map_err(AuditError::index)
}

/// All names of the index.
pub(super) async fn words(on: &mut SqliteConnection) -> Result<Words, AuditError> {
    let rows = sqlx::query("SELECT id, text FROM word").fetch_all(on).await.map_err(AuditError::index)?;
    let read = |row: sqlx::sqlite::SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let rows: Result<Vec<_>, sqlx::Error> = rows.into_iter().map(read).collect();
    Ok(Words::known(rows.map_err(AuditError::index)?))
}

/// Its form; `None` if it is no index, or there is none.
async fn form(path: &Path) -> Result<Option<i64>, sqlx::Error> {
    if !path.exists() {
        return Ok(None);
    }
    let mut open = options(path).connect().await?;
    let form: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut open).await?;
    sqlx::query("SELECT 1 FROM meta, word LIMIT 1").fetch_optional(&mut open).await?;
    Ok(Some(form))
}

async fn make(path: &Path) -> Result<(), AuditError> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match fs::remove_file(PathBuf::from(name)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(AuditError::Open { path: path.to_owned(), source }),
        }
    }
    let made = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    made.map_err(|source| AuditError::Open { path: path.to_owned(), source })?;
    let mut open = options(path).connect().await.map_err(AuditError::index)?;
    sqlx::raw_sql(TABLES).execute(&mut open).await.map_err(AuditError::index)?;
    Ok(())
}

fn hold(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What a power failure takes from the index is made again.
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "8192")
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "268435456")
}

/// Of the tables below; another number makes the index anew.
const FORM: i64 = 3;

/// Those who search at one time; others wait.
const READERS: u32 = 4;

const CLEAR: &str = "BEGIN IMMEDIATE; DROP TABLE meta; DROP TABLE word; DROP TABLE block; DROP TABLE seen;
DROP TABLE ending; DROP TABLE total; DROP TABLE tally; DROP TABLE hourly; DROP TABLE text;";

/// A file of the log ends with a whole block, and its records come before those of the next.
const FORGET: [&str; 7] = [
    "DELETE FROM total WHERE segment < ?",
    "DELETE FROM tally WHERE segment < ?",
    "DELETE FROM hourly WHERE segment < ?",
    "DELETE FROM seen WHERE block < ?",
    "DELETE FROM ending WHERE block < ?",
    "DELETE FROM text WHERE rowid < ?",
    "DELETE FROM block WHERE id < ?",
];

/// A block is called by the number of its first record. Instants are microseconds since 1970; names are numbers of
/// `word`, 0 for none; marks are those of `mark.rs`; `text` has the words of a block, each once;
/// `total` sums `tally` up over the hours.
const TABLES: &str = "
PRAGMA user_version = 3;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE block (
    id       INTEGER PRIMARY KEY,
    records  INTEGER NOT NULL,
    segment  INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    from_at  INTEGER NOT NULL,
    until_at INTEGER NOT NULL
);
CREATE TABLE seen (mark INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (mark, block)) WITHOUT ROWID;
CREATE TABLE ending (statement BLOB PRIMARY KEY, block INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE total (
    segment INTEGER NOT NULL, principal INTEGER NOT NULL, target INTEGER NOT NULL, database INTEGER NOT NULL,
    object INTEGER NOT NULL, permission INTEGER NOT NULL, decision INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (segment, principal, target, database, object, permission, decision)
) WITHOUT ROWID;
CREATE TABLE tally (
    segment INTEGER NOT NULL, hour INTEGER NOT NULL, principal INTEGER NOT NULL, target INTEGER NOT NULL,
    database INTEGER NOT NULL, object INTEGER NOT NULL, permission INTEGER NOT NULL, decision INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (segment, hour, principal, target, database, object, permission, decision)
) WITHOUT ROWID;
CREATE TABLE hourly (
    segment INTEGER NOT NULL, hour INTEGER NOT NULL, principal INTEGER NOT NULL, target INTEGER NOT NULL,
    database INTEGER NOT NULL, decision INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (segment, hour, principal, target, database, decision)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE text USING fts5 (words, content = '', contentless_delete = 1, detail = none,
    tokenize = \"ascii tokenchars '_'\");
INSERT INTO text (text, rank) VALUES ('hashsize', 16777216);
";
