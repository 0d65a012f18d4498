//! A file of Parquet, made group by group.

use std::{mem, sync::Arc};

use parquet::{
    basic::Compression,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::{parser::parse_message_type, types::ColumnPath},
};

use super::{
    cell::row,
    columns::{COLUMNS, Column},
    leaf::Group,
};
use crate::audit::trail::FoundRecord;

/// A file on its way.
pub(in crate::audit::export) struct Table {
    file: SerializedFileWriter<Vec<u8>>,
    group: Group,
}

impl Table {
    pub(in crate::audit::export) fn new() -> Result<Self, ParquetError> {
        let columns: String = COLUMNS.iter().map(Column::schema).collect();
        let schema = parse_message_type(&format!("message record {{ {columns} }}"))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("tidegate version ", env!("CARGO_PKG_VERSION")).to_owned());
        // Each value is there once: a list of them would be made for nothing.
        let properties = UNIQUE.into_iter().fold(properties, |properties, name| {
            properties.set_column_dictionary_enabled(ColumnPath::from(name), false)
        });
        let file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))?;
        Ok(Self { file, group: Group::new() })
    }

    /// Adds a record; `out` gets bytes whenever a group is full.
    pub(in crate::audit::export) fn write(
        &mut self,
        record: &FoundRecord,
        out: &mut Vec<u8>,
    ) -> Result<(), ParquetError> {
        self.group.push(row(record));
        if self.group.is_full() { self.close_group(out) } else { Ok(()) }
    }

    /// Adds what is left, and the description of the file.
    pub(in crate::audit::export) fn end(mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        if !self.group.is_empty() {
            self.close_group(out)?;
        }
        self.file.finish()?;
        self.hand_over(out);
        Ok(())
    }

    fn close_group(&mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        let group = mem::replace(&mut self.group, Group::new());
        let mut writer = self.file.next_row_group()?;
        for leaf in group.leaves() {
            let Some(column) = writer.next_column()? else { break };
            leaf.write(column)?;
        }
        writer.close()?;
        self.file.flush()?;
        self.hand_over(out);
        Ok(())
    }

    fn hand_over(&mut self, out: &mut Vec<u8>) {
        out.append(self.file.inner_mut());
    }
}

/// Columns whose values are all different.
const UNIQUE: [&str; 5] = ["seq", "end_seq", "hash", "end_hash", "statement"];
