//! Blocks read from the log itself, and records as they are shown.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::block::Block;
use crate::audit::{
    chain::Line,
    follow::read_at,
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

/// Reads blocks of a log. Blocks on the disk.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    segments: Vec<Segment>,
    open: HashMap<u64, File>,
}

impl Files {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), segments: segments(path)?, open: HashMap::new() })
    }

    /// Number of the first record of the oldest file.
    pub(super) fn oldest(&self) -> u64 {
        self.segments.first().map_or(0, |oldest| oldest.first)
    }

    /// The lines of a block; empty if its file is not kept any more.
    pub(super) fn read(&mut self, block: &Block) -> io::Result<Vec<u8>> {
        let bytes = self.bytes(block)?;
        if bytes.starts_with(begin_of(block.first).as_bytes()) {
            return Ok(bytes);
        }
        // The files may have moved meanwhile. If not, somebody changed them, and that is shown.
        (self.segments, self.open) = (segments(&self.path)?, HashMap::new());
        self.bytes(block)
    }

    fn bytes(&mut self, block: &Block) -> io::Result<Vec<u8>> {
        let Some(segment) = self.segments.iter().find(|it| it.first == block.segment) else {
            return Ok(Vec::new());
        };
        let file = match self.open.entry(segment.first) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => match File::open(&segment.path) {
                Ok(file) => place.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
        };
        read_at(file, block.place, usize::try_from(block.bytes.min(LONGEST_BYTES)).unwrap_or(0))
    }
}

/// How the line of a record begins.
fn begin_of(seq: u64) -> String {
    format!("{{\"seq\":{seq},")
}

/// As long as the gateway writes a line, and a block may be.
const LONGEST_BYTES: u64 = 512 << 20;
