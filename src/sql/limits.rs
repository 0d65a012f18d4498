//! How large a text may be.

/// Bounds that a text must keep before the parser sees it; a text at the bound still passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole text.
    pub statement_bytes: usize,
    /// Tokens of the whole text, comments not counted.
    pub tokens: usize,
    /// Brackets (and CASE) that are open at once.
    pub nesting: usize,
    /// Statements of one batch.
    pub statements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement_bytes: 1 << 20, tokens: 400_000, nesting: 200, statements: 1_000 }
    }
}
