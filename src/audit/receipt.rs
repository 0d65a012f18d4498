//! Proof that a record is kept.

/// Proof that one record is kept as durably as configured. Only the audit log makes one.
///
/// It cannot be made elsewhere:
/// ```compile_fail
/// let receipt = tidegate::audit::Receipt { sequence: 1 };
/// ```
/// nor copied:
/// ```compile_fail
/// fn twice(receipt: tidegate::audit::Receipt) -> (tidegate::audit::Receipt, tidegate::audit::Receipt) {
///     (receipt.clone(), receipt)
/// }
/// ```
/// nor made out of nothing:
/// ```compile_fail
/// let receipt = tidegate::audit::Receipt::default();
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    sequence: u64,
}

impl Receipt {
    pub(super) const fn new(sequence: u64) -> Self {
        Self { sequence }
    }

    /// The record's number in the log.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}
