//! The files of a log: the one that is written, and those that were before it.
//!
//! `audit.jsonl` is written; full ones lie beside it as `audit-<number of their first record, 20 digits>.jsonl`.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its first record.
    pub first: u64,
    /// Whether it is the one that is written.
    pub is_active: bool,
}

/// What the first line of a file says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct FirstLine {
    /// Number of its first record.
    pub(super) seq: u64,
    /// When it was begun.
    pub(super) at: Timestamp,
    /// `hash` of the last line of the file before.
    pub(super) prev: String,
    /// The name of the log.
    pub(super) log: Uuid,
}

/// The files of the log at `path` that are there, oldest first. A file without a whole first line is none yet.
///
/// # Errors
/// When the folder cannot be read.
pub fn segments(path: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(|name| first_of(path, name)) {
            found.push(Segment { path: entry.path(), first, is_active: false });
        }
    }
    found.sort_by_key(|segment| segment.first);
    if let Some(line) = first_line(path)? {
        // A file that was moved between the two looks is not counted twice.
        found.retain(|segment| segment.first != line.seq);
        found.push(Segment { path: path.to_owned(), first: line.seq, is_active: true });
    }
    Ok(found)
}

/// What the first line of the file at `path` says; `None` if there is no such file, or no whole line of a log.
pub(super) fn first_line(path: &Path) -> io::Result<Option<FirstLine>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut line = Vec::new();
    BufReader::new(file).take(FIRST_LINE_BYTES).read_until(b'\n', &mut line)?;
    let whole = line.strip_suffix(b"\n");
    Ok(whole.and_then(|line| serde_json::from_slice(line).ok()))
}

/// Where a full file of the log at `path` is kept.
pub(super) fn sealed(path: &Path, first: u64) -> PathBuf {
    let (stem, extension) = parts(path);
    path.with_file_name(format!("{stem}-{first:020}{extension}"))
}

/// Where the next file is made ready before it takes its place.
pub(super) fn upcoming(path: &Path) -> PathBuf {
    beside(path, "next")
}

/// A file beside the log that belongs to it: its name, a dot and `ending`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}

/// The folder of the log.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes new names in the log's folder outlive a power failure.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn first_of(path: &Path, name: &str) -> Option<u64> {
    let (stem, extension) = parts(path);
    let digits = name.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(&extension)?;
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn parts(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = path.extension().map(|it| format!(".{}", it.to_string_lossy())).unwrap_or_default();
    (stem, extension)
}

/// A first line is one of the log's own records, and short.
const FIRST_LINE_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_the_order_of_their_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let line = |seq: u64| {
            format!(
                "{{\"seq\":{seq},\"at\":\"2026-11-21T12:00:00Z\",\"prev\":\"00\",\"log\":\"{}\"}}\n",
                Uuid::nil()
            )
        };
        fs::write(&path, line(40)).unwrap();
        fs::write(sealed(&path, 9), "").unwrap();
        fs::write(sealed(&path, 0), "").unwrap();
        for foreign in ["audit-9.jsonl", "audit-00000000000000000009.json", "audit.jsonl.index"] {
            fs::write(folder.path().join(foreign), "").unwrap();
        }
        let found: Vec<_> = segments(&path).unwrap().iter().map(|it| (it.first, it.is_active)).collect();
        assert_eq!(found, [(0, false), (9, false), (40, true)]);
        fs::write(&path, &line(40)[..30]).unwrap();
        assert_eq!(segments(&path).unwrap().len(), 2);
    }
}
