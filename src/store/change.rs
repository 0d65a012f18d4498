//! One transaction.

use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::error::{StoreError, doing};

/// Writes that take effect together, at [`Change::commit`]; dropped without it, none of them does.
#[derive(Debug)]
#[must_use]
pub struct Change {
    transaction: Transaction<'static, Sqlite>,
}

impl Change {
    pub(super) fn new(transaction: Transaction<'static, Sqlite>) -> Self {
        Self { transaction }
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Makes the writes last; they are on the disk when this returns.
    ///
    /// # Errors
    /// `Query` when they are not.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(doing("commit a change"))
    }
}
