//! Proof that a record is kept.

use std::ops::Range;

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

/// Receipts of records that were appended together, in their order.
#[must_use]
#[derive(Debug)]
pub struct Receipts(Range<u64>);

impl Receipts {
    pub(super) const fn new(sequences: Range<u64>) -> Self {
        Self(sequences)
    }
}

impl Iterator for Receipts {
    type Item = Receipt;

    fn next(&mut self) -> Option<Receipt> {
        self.0.next().map(Receipt::new)
    }
}
