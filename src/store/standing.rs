//! How far a store's tables are, without changing them.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{
    error::{StoreError, doing},
    migrations::newest,
    place::{Place, Server},
    postgres, sqlite,
};

/// How far a store's tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version that they have.
    pub version: i64,
    /// The one that this program knows as the last.
    pub newest: i64,
}

/// Looks at the store at `place`, also while gateways use it; `None` where nothing is kept yet.
///
/// # Errors
/// `Open` when a file is no store, `Reach` when a server cannot be reached, `Query`.
pub async fn look(place: &Place) -> Result<Option<Standing>, StoreError> {
    match place {
        Place::Postgres(server) => of_server(server).await,
        Place::Sqlite(path) => of_file(path).await,
    }
}

async fn of_server(server: &Server) -> Result<Option<Standing>, StoreError> {
    let mut connection = postgres::connect(server).await?;
    let failed = || doing("say what its tables are");
    let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass('_sqlx_migrations') IS NOT NULL");
    let mut version = None;
    if there.fetch_one(&mut connection).await.map_err(failed())? {
        version = sqlx::query_scalar(VERSION).fetch_one(&mut connection).await.map_err(failed())?;
    }
    connection.close().await.map_err(failed())?;
    Ok(version.map(|version| Standing { version, newest: newest(&postgres::migrations()) }))
}

async fn of_file(path: &Path) -> Result<Option<Standing>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let unopened = |source| StoreError::Open { path: path.to_owned(), source: Box::new(source) };
    let mut file =
        SqliteConnectOptions::new().filename(path).read_only(true).connect().await.map_err(unopened)?;
    let there = sqlx::query_scalar::<_, bool>(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
    );
    let mut version = None;
    if there.fetch_one(&mut file).await.map_err(unopened)? {
        version = sqlx::query_scalar(VERSION).fetch_one(&mut file).await.map_err(unopened)?;
    }
    file.close().await.map_err(unopened)?;
    Ok(version.map(|version| Standing { version, newest: newest(&sqlite::migrations()) }))
}

const VERSION: &str = "SELECT MAX(version) FROM _sqlx_migrations";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_store_is_looked_at_without_being_made_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let place = Place::Sqlite(path.clone());
        assert_eq!(look(&place).await.unwrap(), None);
        assert!(!path.exists(), "looking makes nothing");
        let store = Store::open(&path).await.unwrap();
        let found = look(&place).await.unwrap().unwrap();
        assert_eq!(found.version, found.newest, "and does not need the store for itself");
        store.close().await;
        std::fs::write(folder.path().join("other"), "no store at all, but long enough to be read").unwrap();
        look(&Place::Sqlite(folder.path().join("other"))).await.unwrap_err();
    }
}
