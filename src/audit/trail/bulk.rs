//! Many rows in one statement: a call for each would cost more than its row.

use sqlx::{AssertSqlSafe, SqliteConnection};

/// A value of a row.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Bytes(Vec<u8>),
    Integer(i64),
    Text(String),
}

/// Rows for one table.
#[derive(Debug)]
pub(super) struct Insert {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    cells: Vec<Cell>,
}

impl Insert {
    /// `head` ends before the first row; `tail` comes behind the last.
    pub(super) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail, cells: Vec::new() }
    }

    /// Adds a row: as many cells as there are columns.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.cells.extend(row);
        debug_assert!(self.cells.len().is_multiple_of(self.columns));
    }

    /// Runs it; few forms of the statement, so that each is prepared once.
    pub(super) async fn run(self, on: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Self { head, columns, tail, cells } = self;
        let row = format!("({})", vec!["?"; columns].join(","));
        let mut left = cells.len() / columns.max(1);
        let mut cells = cells.into_iter();
        while left > 0 {
            let count = ROWS.into_iter().find(|count| *count <= left).unwrap_or(1);
            let text = format!("{head}{}{tail}", vec![row.as_str(); count].join(","));
            // Nothing but our own words and question marks.
            let mut query = sqlx::query(AssertSqlSafe(text));
            for cell in cells.by_ref().take(count * columns) {
                query = match cell {
                    Cell::Bytes(bytes) => query.bind(bytes),
                    Cell::Integer(number) => query.bind(number),
                    Cell::Text(text) => query.bind(text),
                };
            }
            query.execute(&mut *on).await?;
            left -= count;
        }
        Ok(())
    }
}

/// How many rows a statement may have.
const ROWS: [usize; 4] = [512, 64, 8, 1];
