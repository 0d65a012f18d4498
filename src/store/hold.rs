//! One gateway at a time.

use super::{
    database::Store,
    error::{StoreError, doing},
    pool::Pool,
    sql::query,
    transaction::Transaction,
};

/// The right to change what Snapshots are made of, among all gateways of a store; it ends when this is dropped, or when
/// its gateway dies.
///
/// It keeps gateways from getting into each other's way. What keeps them from harm is [`super::Change::swap_value`].
#[derive(Debug)]
#[must_use]
pub struct Hold {
    _transaction: Option<Transaction>,
}

impl Store {
    /// Waits until no other gateway holds it; a store that is not shared has nobody to wait for.
    ///
    /// # Errors
    /// `Query` when the store does not answer, or another gateway holds it for too long.
    pub async fn hold(&self) -> Result<Hold, StoreError> {
        if let Pool::Sqlite(_) = *self.pool {
            return Ok(Hold { _transaction: None });
        }
        let failed = doing("wait for the other gateways");
        let held = async {
            let mut transaction = self.pool.begin().await?;
            query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut transaction).await?;
            Ok(transaction)
        };
        held.await.map(|transaction| Hold { _transaction: Some(transaction) }).map_err(failed)
    }
}

/// Names the right in the server; any number that nobody else takes ("tidegate", in ASCII).
const LOCK: i64 = 0x7469_6465_6761_7465;
