//! Writes records in a form.

use super::{csv, form::Export, ocsf, parquet::Table};
use crate::audit::{error::AuditError, trail::FoundRecord};

/// Writes records in one form, one after the other. What it writes is to be put together in that order.
pub(super) struct Exporter {
    form: Form,
    /// What comes before the first record.
    head: Vec<u8>,
}

enum Form {
    Csv,
    Jsonl,
    Ocsf,
    Parquet(Box<Table>),
}

impl Exporter {
    /// # Errors
    /// `Table`.
    pub(super) fn new(export: Export) -> Result<Self, AuditError> {
        Ok(match export {
            Export::Csv => Self { form: Form::Csv, head: csv::head() },
            Export::Jsonl => Self { form: Form::Jsonl, head: Vec::new() },
            Export::Ocsf => Self { form: Form::Ocsf, head: Vec::new() },
            Export::Parquet => Self { form: Form::Parquet(Box::new(Table::new()?)), head: Vec::new() },
        })
    }

    /// Adds a record to `out`; nothing where the form has no place for it, or keeps it for later.
    ///
    /// # Errors
    /// `Table`.
    pub(super) fn write(&mut self, record: &FoundRecord, out: &mut Vec<u8>) -> Result<(), AuditError> {
        out.append(&mut self.head);
        match &mut self.form {
            Form::Csv => csv::write(record, out),
            Form::Jsonl => {
                for line in [Some(&record.found), record.end.as_ref()].into_iter().flatten() {
                    out.extend_from_slice(&line.line);
                    out.push(b'\n');
                }
            }
            Form::Ocsf => {
                let Some(event) = ocsf::event(record) else { return Ok(()) };
                // Types of our own, without any that JSON lacks: that cannot fail.
                if serde_json::to_writer(&mut *out, &event).is_ok() {
                    out.push(b'\n');
                }
            }
            Form::Parquet(table) => table.write(record, out)?,
        }
        Ok(())
    }

    /// Adds what comes behind the last record.
    ///
    /// # Errors
    /// `Table`.
    pub(super) fn end(mut self, out: &mut Vec<u8>) -> Result<(), AuditError> {
        out.append(&mut self.head);
        match self.form {
            Form::Csv | Form::Jsonl | Form::Ocsf => Ok(()),
            Form::Parquet(table) => Ok(table.end(out)?),
        }
    }
}
