//! Proof that a record is stored.

/// Proof that a record is stored.
#[derive(Debug)]
pub struct Receipt {
    sequence: u64,
}

impl Receipt {
    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}
