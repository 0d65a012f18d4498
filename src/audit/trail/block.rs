//! A block: lines of one file that follow each other, marked together and looked at together.

use sqlx::{Row as _, sqlite::SqliteRow};

/// Where the lines of a block lie, and what they reach over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Number of its first record; its name in the index.
    pub(super) first: u64,
    /// How many records.
    pub(super) records: u64,
    /// Number of the first record of its file.
    pub(super) segment: u64,
    /// Its first byte in that file.
    pub(super) place: u64,
    /// How long it is.
    pub(super) bytes: u64,
    /// Instant of its first record, microseconds since 1970.
    pub(super) from: i64,
    /// Instant of its last record.
    pub(super) until: i64,
}

impl Block {
    /// The number behind its last record.
    pub(super) const fn next(&self) -> u64 {
        self.first.saturating_add(self.records)
    }

    /// Whether it takes no more lines.
    pub(super) const fn is_full(&self) -> bool {
        self.records >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }

    /// As the index has it; the columns are [`COLUMNS`].
    pub(super) fn of_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let number = |at: usize| row.try_get::<i64, _>(at).map(|it| u64::try_from(it).unwrap_or(0));
        Ok(Self {
            first: number(0)?,
            records: number(1)?,
            segment: number(2)?,
            place: number(3)?,
            bytes: number(4)?,
            from: row.try_get(5)?,
            until: row.try_get(6)?,
        })
    }
}

/// The columns of a block, in order.
pub(super) const COLUMNS: &str = "id, records, segment, place, bytes, from_at, until_at";

/// Fewer would mark more, more would be looked at for nothing: marks take about 50 bytes a record so, and a look at a
/// block about a millisecond.
const MOST_RECORDS: u64 = 1024;
/// Of long lines there are fewer.
pub(super) const MOST_BYTES: u64 = 1 << 20;
