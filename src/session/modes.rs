//! Transactions, as far as their lane depends on how they are opened.

use crate::model::{
    facts::{Facts, TransactionEffect},
    refusal::{Refusal, RefusalCode},
};

/// Whether a statement opens a transaction, or says how one will be.
pub(super) const fn opens(facts: &Facts) -> bool {
    matches!(
        facts.transaction,
        TransactionEffect::Begin { .. }
            | TransactionEffect::SetModes { .. }
            | TransactionEffect::Commit { chain: true }
            | TransactionEffect::Rollback { chain: true }
    )
}

/// Whether a statement asks for READ WRITE.
pub(super) const fn asks_read_write(facts: &Facts) -> bool {
    matches!(
        facts.transaction,
        TransactionEffect::Begin { read_write: true } | TransactionEffect::SetModes { read_write: true, .. }
    )
}

/// What is told of one that asks for it on the read lane, in words that cannot be replaced.
pub(super) fn stays_read_only() -> Refusal {
    Refusal::new(RefusalCode::ReadOnlyTransaction, "the read lane stays read-only")
        .with_detail("No live grant on this database allows to change anything.")
        .with_hint("Ask for dml, ddl or admin; or leave the transaction mode as it is.")
}
