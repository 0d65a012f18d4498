//! What the server says of the session's state in OK and EOF.
//!
//! Source: MySQL source documentation, "SERVER_STATUS_flags_enum".

/// Status flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(u16);

impl Status {
    /// A transaction is open.
    pub const IN_TRANSACTION: Self = Self(1);
    /// Autocommit is on.
    pub const AUTOCOMMIT: Self = Self(1 << 1);
    /// Another result follows in the same reply.
    pub const MORE_RESULTS: Self = Self(1 << 3);
    /// A cursor is open for the statement: its rows are fetched.
    pub const CURSOR_EXISTS: Self = Self(1 << 6);
    /// The last row of a cursor was sent.
    pub const LAST_ROW_SENT: Self = Self(1 << 7);
    /// A database was dropped.
    pub const DATABASE_DROPPED: Self = Self(1 << 8);
    /// NO_BACKSLASH_ESCAPES is in `sql_mode`.
    pub const NO_BACKSLASH_ESCAPES: Self = Self(1 << 9);
    /// A prepared statement was prepared anew, with other columns.
    pub const METADATA_CHANGED: Self = Self(1 << 10);
    /// The result is the OUT parameters of a procedure.
    pub const OUT_PARAMETERS: Self = Self(1 << 12);
    /// The open transaction is read-only.
    pub const IN_TRANSACTION_READ_ONLY: Self = Self(1 << 13);
    /// Changes of the session's state follow.
    pub const SESSION_STATE_CHANGED: Self = Self(1 << 14);
    /// MariaDB: ANSI_QUOTES is in `sql_mode`.
    pub const ANSI_QUOTES: Self = Self(1 << 15);

    /// The flags with these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Their bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}
