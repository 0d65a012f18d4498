//! Records for other programs.
//!
//! The door is [`Export`]: each form turns a record, and for a statement its end, into bytes.

mod csv;
mod event;
mod ocsf;
#[cfg(test)]
mod tests;

use super::trail::FoundRecord;

/// In which form records are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// A table, RFC 4180, with a head.
    Csv,
    /// The lines of the log as they are; behind each start of a statement its end.
    Jsonl,
    /// OCSF events of the class Datastore Activity, one a line; statements and logins alone.
    Ocsf,
}

impl Export {
    /// What comes before the first record.
    pub fn head(self) -> Vec<u8> {
        match self {
            Self::Csv => csv::head(),
            Self::Jsonl | Self::Ocsf => Vec::new(),
        }
    }

    /// Adds a record to `out`; nothing where the form has no place for it.
    pub fn write(self, record: &FoundRecord, out: &mut Vec<u8>) {
        match self {
            Self::Csv => csv::write(record, out),
            Self::Jsonl => {
                for line in [Some(&record.found), record.end.as_ref()].into_iter().flatten() {
                    out.extend_from_slice(&line.line);
                    out.push(b'\n');
                }
            }
            Self::Ocsf => {
                let Some(event) = ocsf::event(record) else { return };
                // Types of our own, without any that JSON lacks: that cannot fail.
                if serde_json::to_writer(&mut *out, &event).is_ok() {
                    out.push(b'\n');
                }
            }
        }
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl | Self::Ocsf => "application/x-ndjson",
        }
    }

    /// Its word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
        }
    }

    /// How names of its files end.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf.jsonl",
        }
    }
}
