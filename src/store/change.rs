//! One transaction.

use super::{
    error::{StoreError, doing},
    transaction::Transaction,
};

/// Writes that take effect together, at [`Change::commit`]; dropped without it, none of them does.
#[derive(Debug)]
#[must_use]
pub struct Change {
    transaction: Transaction,
}

impl Change {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction }
    }

    pub(super) fn connection(&mut self) -> &mut Transaction {
        &mut self.transaction
    }

    /// Makes the writes last; they are on the disk when this returns.
    ///
    /// # Errors
    /// `Query` when they are not, or when that is not known.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(doing("commit a change"))
    }
}
