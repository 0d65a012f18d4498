//! Values of a group of rows, column by column, with their levels.
//!
//! Source: Apache Parquet, "Nested Encoding" (the levels of Dremel).

use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::writer::SerializedColumnWriter,
};

use super::{
    cell::Cell,
    columns::{COLUMNS, Kind},
};

/// Values of one leaf of the schema.
#[derive(Debug)]
pub(super) struct Leaf {
    values: Values,
    definition: Vec<i16>,
    /// Of lists only.
    repetition: Vec<i16>,
}

#[derive(Debug)]
enum Values {
    Flags(Vec<bool>),
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// Rows that are not written yet.
#[derive(Debug)]
pub(super) struct Group {
    leaves: Vec<Leaf>,
    rows: usize,
    bytes: usize,
}

impl Group {
    pub(super) fn new() -> Self {
        let leaves = COLUMNS.iter().flat_map(|column| match column.kind {
            Kind::Flag => vec![Values::Flags(Vec::new())],
            Kind::Instant | Kind::Number => vec![Values::Numbers(Vec::new())],
            Kind::Objects => vec![Values::Texts(Vec::new()), Values::Texts(Vec::new())],
            Kind::Text | Kind::Texts => vec![Values::Texts(Vec::new())],
        });
        let leaf = |values| Leaf { values, definition: Vec::new(), repetition: Vec::new() };
        Self { leaves: leaves.map(leaf).collect(), rows: 0, bytes: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether it is as large as it may get.
    pub(super) const fn is_full(&self) -> bool {
        self.rows >= MOST_ROWS || self.bytes >= MOST_BYTES
    }

    /// Adds a row, a cell for each column.
    pub(super) fn push(&mut self, row: Vec<Cell<'_>>) {
        let mut leaves = self.leaves.iter_mut();
        self.rows += 1;
        for (column, cell) in COLUMNS.iter().zip(row) {
            let Some(leaf) = leaves.next() else { return };
            self.bytes += LEVEL_BYTES;
            match (column.kind, cell) {
                (Kind::Objects, Cell::Objects(objects)) => {
                    self.bytes += leaf.list(objects.iter().map(|(name, _)| *name));
                    let Some(modes) = leaves.next() else { return };
                    self.bytes += modes.list(objects.iter().map(|(_, mode)| *mode));
                }
                (Kind::Objects, _) => {
                    leaf.nothing(true);
                    let Some(modes) = leaves.next() else { return };
                    modes.nothing(true);
                }
                (Kind::Texts, Cell::Texts(texts)) => self.bytes += leaf.list(texts.into_iter()),
                (Kind::Texts, _) => leaf.nothing(true),
                (_, cell) => self.bytes += leaf.one(&cell),
            }
        }
    }

    /// The leaves in the order of the schema.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.leaves.iter()
    }
}

impl Leaf {
    fn nothing(&mut self, is_list: bool) {
        self.definition.push(0);
        if is_list {
            self.repetition.push(0);
        }
    }

    /// Adds a cell that is no list; gives the bytes that it takes.
    fn one(&mut self, cell: &Cell<'_>) -> usize {
        match (&mut self.values, cell) {
            (Values::Flags(flags), Cell::Flag(flag)) => flags.push(*flag),
            (Values::Numbers(numbers), Cell::Number(number)) => numbers.push(*number),
            (Values::Texts(texts), Cell::Text(text)) => {
                texts.push(ByteArray::from(text.as_bytes().to_vec()));
                self.definition.push(1);
                return text.len() + VALUE_BYTES;
            }
            (Values::Flags(_) | Values::Numbers(_) | Values::Texts(_), _) => {
                self.nothing(false);
                return 0;
            }
        }
        self.definition.push(1);
        size_of::<i64>()
    }

    /// Adds a list; gives the bytes that it takes.
    fn list<'t>(&mut self, items: impl Iterator<Item = &'t str>) -> usize {
        let Values::Texts(texts) = &mut self.values else { return 0 };
        let (before, mut bytes) = (texts.len(), 0);
        for item in items {
            self.repetition.push(i16::from(texts.len() > before));
            self.definition.push(2);
            texts.push(ByteArray::from(item.as_bytes().to_vec()));
            bytes += item.len() + VALUE_BYTES + LEVEL_BYTES;
        }
        if texts.len() == before {
            // A list without items, which is not the same as none.
            self.repetition.push(0);
            self.definition.push(1);
        }
        bytes
    }

    pub(super) fn write(&self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let definition = Some(self.definition.as_slice());
        let repetition = (!self.repetition.is_empty()).then_some(self.repetition.as_slice());
        match &self.values {
            Values::Flags(flags) => column.typed::<BoolType>().write_batch(flags, definition, None)?,
            Values::Numbers(numbers) => column.typed::<Int64Type>().write_batch(numbers, definition, None)?,
            Values::Texts(texts) => {
                column.typed::<ByteArrayType>().write_batch(texts, definition, repetition)?
            }
        };
        column.close()
    }
}

const MOST_ROWS: usize = 65_536;
const MOST_BYTES: usize = 32 << 20;
/// What a text takes beside its letters.
const VALUE_BYTES: usize = size_of::<ByteArray>();
const LEVEL_BYTES: usize = 2 * size_of::<i16>();
