//! Records read from the log itself, by their place.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::audit::{
    chain::Line,
    segments::{Segment, segments},
};

/// A record as it is in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredRecord {
    /// Its number.
    pub seq: u64,
    /// Whether its bytes have its hash. The chain between records is checked by `tidegate audit verify`.
    pub intact: bool,
    /// All of it; docs/audit.md has the fields. A text where it cannot be read.
    #[schema(value_type = Object)]
    pub record: Value,
    /// Its line as it is in the log, without the line feed.
    #[serde(skip)]
    pub line: Vec<u8>,
}

impl StoredRecord {
    /// What a line says.
    pub(super) fn of(seq: u64, line: &[u8]) -> Self {
        let record = serde_json::from_slice(line)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(line).into_owned()));
        Self { seq, intact: Line::read(line).is_ok(), record, line: line.to_vec() }
    }

    /// A field of the record that is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.record.get(field)?.as_str()
    }
}

/// Reads single lines of a log. Blocks on the disk.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    segments: Vec<Segment>,
    open: HashMap<u64, File>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), segments: segments(path)?, open: HashMap::new() })
    }

    /// The record with this number, which begins at this byte of its file; `None` if it is not kept any more.
    pub(super) fn read(&mut self, seq: u64, place: u64) -> io::Result<Option<StoredRecord>> {
        for is_again in [false, true] {
            if is_again {
                // The files may have moved meanwhile.
                (self.segments, self.open) = (segments(&self.path)?, HashMap::new());
            }
            if let Some(line) = self.line(seq, place)? {
                return Ok(Some(StoredRecord::of(seq, &line)));
            }
        }
        Ok(None)
    }

    fn line(&mut self, seq: u64, place: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(segment) = self.segments.iter().rev().find(|it| it.first <= seq) else { return Ok(None) };
        let file = match self.open.entry(segment.first) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => match File::open(&segment.path) {
                Ok(file) => place.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let mut line = vec![0; FIRST_BYTES];
        let mut filled = 0;
        loop {
            let Some(rest) = line.get_mut(filled..) else { return Ok(None) };
            let read = file.read_at(rest, place + filled as u64)?;
            let fresh = line.get(filled..filled + read).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', fresh) {
                line.truncate(filled + end);
                break;
            }
            if read == 0 || line.len() > LONGEST_BYTES {
                return Ok(None);
            }
            filled += read;
            if filled == line.len() {
                line.resize(line.len() * 4, 0);
            }
        }
        let begins = format!("{{\"seq\":{seq},");
        Ok(line.starts_with(begins.as_bytes()).then_some(line))
    }
}

const FIRST_BYTES: usize = 4 << 10;
const LONGEST_BYTES: usize = 512 << 20;
