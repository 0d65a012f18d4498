//! A whole store in one file, and back.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    error::{StoreError, doing},
    lock::Lock,
    migrations::newest,
    sqlite::migrations,
};

/// Writes all that the store in file `from` holds at this moment to the new file `to` (mode 0600), also while a gateway
/// uses it.
///
/// # Errors
/// `Exists` when there is a file of that name, `Open` when a file cannot be used, `Query`.
pub async fn back_up(from: &Path, to: &Path) -> Result<(), StoreError> {
    let opened = |source| StoreError::Open { path: from.to_owned(), source: Box::new(source) };
    let mut store =
        SqliteConnectOptions::new().filename(from).read_only(true).connect().await.map_err(opened)?;
    private_file(to)?;
    let copied = sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut store).await;
    if copied.is_err() {
        // What is not whole must not be taken for a backup.
        let _ = fs::remove_file(to);
    }
    copied.map_err(doing("write the backup"))?;
    store.close().await.map_err(doing("close"))?;
    let kept = File::open(to).and_then(|file| file.sync_all());
    kept.map_err(|source| StoreError::File { path: to.to_owned(), source })
}

/// Puts the backup `from` in the place of the store in file `to`. What was there is kept beside it; gives where.
///
/// # Errors
/// `InUse` while a gateway uses the store, `NoBackup` when `from` is none, `Newer` when a later version wrote it, `Lock`,
/// `Open` and `File` when a file cannot be used. The store is then as it was.
pub async fn restore(from: &Path, to: &Path) -> Result<Option<PathBuf>, StoreError> {
    let _lock = Lock::take(to)?;
    check(from).await?;
    let fresh = beside(to, "restored");
    remove(&fresh)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    private_file(&fresh)?;
    fs::copy(from, &fresh).map_err(failed(&fresh))?;
    File::open(&fresh).and_then(|file| file.sync_all()).map_err(failed(&fresh))?;
    let replaced = set_aside(to).await?;
    fs::rename(&fresh, to).map_err(failed(to))?;
    let directory = to.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|it| it.sync_all()).map_err(failed(directory))?;
    Ok(replaced)
}

/// Whether it is a store of a version that we know, and whole.
async fn check(file: &Path) -> Result<(), StoreError> {
    let unusable = |source| StoreError::NoBackup { path: file.to_owned(), source };
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut backup = options.connect().await.map_err(unusable)?;
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut backup).await.map_err(unusable)?;
    if verdict != "ok" {
        return Err(unusable(sqlx::Error::Protocol(verdict)));
    }
    let version: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut backup)
        .await
        .map_err(unusable)?;
    if version > newest(&migrations()) {
        return Err(StoreError::Newer { store: file.display().to_string(), version });
    }
    backup.close().await.map_err(unusable)
}

/// Moves the store at `path`, whose lock is held, to a free name beside it; gives that.
async fn set_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    // What is still in the write-ahead log belongs to the file; a file that cannot be opened is set aside as it is.
    if let Ok(store) = SqliteConnectOptions::new().filename(path).connect().await {
        checkpoint(store).await;
    }
    let aside = (1..)
        .map(|number| beside(path, &format!("before-restore-{number}")))
        .find(|name| !name.exists())
        .unwrap_or_else(|| beside(path, "before-restore"));
    fs::rename(path, &aside).map_err(|source| StoreError::File { path: aside.clone(), source })?;
    for companion in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(companion);
        remove(Path::new(&name))?;
    }
    Ok(Some(aside))
}

async fn checkpoint(mut store: SqliteConnection) {
    let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut store).await;
    let _ = store.close().await;
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// A new, empty file that nobody else may read: SQLite writes into it.
fn private_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(StoreError::Exists { path: path.to_owned() })
        }
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::File { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
