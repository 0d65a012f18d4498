//! One open transaction of either database.

use sqlx::Sqlite;

use super::pool::OpenPostgres;

/// Undone unless it is committed.
#[derive(Debug)]
pub(super) enum Transaction {
    Postgres(OpenPostgres),
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Transaction {
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(open) => open.commit().await,
            Self::Sqlite(open) => open.commit().await,
        }
    }
}
