//! Reads a log as it grows, from file to file, without taking part in its writing.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    buffer::spare_capacity,
    io::{Errno, pread},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    chain::{HASH_BYTES, NO_HASH},
    segments::{FirstLine, Segment, first_line, segments},
};

/// How far a log was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The log; `None` before its first line was read.
    pub log: Option<Uuid>,
    /// Number of the next record.
    pub next: u64,
    /// `hash` of the record before it; `None` if that was not read.
    pub hash: Option<String>,
    /// Number of the first record of the file that is read.
    pub segment: u64,
    /// Bytes of that file that were read.
    pub offset: u64,
}

impl Cursor {
    /// Before the first record.
    pub const START: Self = Self { log: None, next: 0, hash: None, segment: 0, offset: 0 };
}

/// Whole lines that follow each other.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    lines: Vec<Spot>,
    before: Option<Cursor>,
}

/// Where a line lies.
#[derive(Clone, Debug)]
struct Spot {
    seq: u64,
    segment: u64,
    offset: u64,
    range: Range<usize>,
}

/// A line of a chunk, without its line feed.
#[derive(Clone, Copy, Debug)]
pub struct FollowedLine<'c> {
    /// Number of its record.
    pub seq: u64,
    /// Number of the first record of its file.
    pub segment: u64,
    /// Where in its file it begins, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'c [u8],
}

impl Chunk {
    /// The lines in order.
    pub fn lines(&self) -> impl Iterator<Item = FollowedLine<'_>> {
        self.lines.iter().map(|spot| FollowedLine {
            seq: spot.seq,
            segment: spot.segment,
            offset: spot.offset,
            bytes: self.bytes.get(spot.range.clone()).unwrap_or_default(),
        })
    }

    /// All of its bytes, line feeds and all.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where it begins.
    pub fn before(&self) -> &Cursor {
        self.before.as_ref().unwrap_or(&Cursor::START)
    }

    /// Whether there is nothing new.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Why a log cannot be read on from a cursor.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Another log lies there now.
    #[error("another log has taken its place")]
    Replaced,
    /// What follows does not continue what was read: records were taken back, or changed.
    #[error("record {at} does not follow what was read before")]
    Diverged {
        /// The record that was expected.
        at: u64,
    },
    /// Records are gone that were not read.
    #[error("records {from} to {to} are gone")]
    Gap {
        /// The first that is gone.
        from: u64,
        /// The last that is gone.
        to: u64,
    },
    /// A line is longer than any that the gateway writes.
    #[error("record {at} is too long")]
    TooLong {
        /// The record.
        at: u64,
    },
    /// A file cannot be read.
    #[error("could not read the audit log")]
    Read {
        /// Why.
        #[from]
        source: io::Error,
    },
}

/// Reads a log as it grows.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    cursor: Cursor,
    open: Option<(File, u64)>,
}

impl Follower {
    /// Goes on at `cursor` in the log at `path`; opens nothing yet.
    pub fn new(path: &Path, cursor: Cursor) -> Self {
        Self { path: path.to_owned(), cursor, open: None }
    }

    /// Begins behind the last whole record that the log has now. Blocks on the disk.
    ///
    /// # Errors
    /// `Read`, `TooLong`.
    pub fn at_end(path: &Path) -> Result<Self, FollowError> {
        let Some(last) = segments(path)?.pop() else { return Ok(Self::new(path, Cursor::START)) };
        let log = first_line(&last.path)?.map(|line| line.log);
        let file = File::open(&last.path)?;
        let length = file.metadata()?.len();
        let mut window = READ_BYTES as u64;
        loop {
            let start = length.saturating_sub(window);
            let bytes = read_at(&file, start, usize::try_from(length - start).unwrap_or(usize::MAX))?;
            let end = memchr::memrchr(b'\n', &bytes);
            let line = end.and_then(|end| {
                let before = bytes.get(..end)?;
                let from = match memchr::memrchr(b'\n', before) {
                    Some(at) => at + 1,
                    None if start == 0 => 0,
                    None => return None,
                };
                Some((before.get(from..)?, start + end as u64 + 1))
            });
            if let Some((line, offset)) = line {
                let Some((seq, _, hash)) = frame(line) else {
                    return Err(FollowError::Diverged { at: last.first });
                };
                let hash = Some(String::from_utf8_lossy(hash).into_owned());
                let cursor = Cursor { log, next: seq + 1, hash, segment: last.first, offset };
                return Ok(Self::new(path, cursor));
            }
            if start == 0 {
                return Ok(Self::new(
                    path,
                    Cursor { log, next: last.first, hash: None, segment: last.first, offset: 0 },
                ));
            }
            if window >= LONGEST_LINE_BYTES as u64 {
                return Err(FollowError::TooLong { at: last.first });
            }
            window *= 4;
        }
    }

    /// How far it has read.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The next whole lines, about `limit` bytes of them; empty while there are none. Blocks on the disk.
    ///
    /// # Errors
    /// As of [`FollowError`]; the cursor stays where it is, except after `Gap`, when it is at the oldest record.
    pub fn read(&mut self, limit: usize) -> Result<Chunk, FollowError> {
        for _ in 0..2 {
            if self.open.is_none() && !self.enter()? {
                return Ok(Chunk::default());
            }
            let chunk = self.lines(limit)?;
            if !chunk.is_empty() || !self.is_over()? {
                return Ok(chunk);
            }
            // What was appended between the look at its end and the move of the file comes first.
            let chunk = self.lines(limit)?;
            if !chunk.is_empty() {
                return Ok(chunk);
            }
            self.open = None;
        }
        Ok(Chunk::default())
    }

    /// Goes to record `next`, wherever it lies now, without knowing what was before it.
    ///
    /// # Errors
    /// `Read`.
    pub fn seek(&mut self, next: u64) -> Result<(), FollowError> {
        self.open = None;
        let all = segments(&self.path)?;
        let Some(segment) = all.iter().rev().find(|it| it.first <= next).or_else(|| all.first()) else {
            self.cursor = Cursor::START;
            return Ok(());
        };
        let log = first_line(&segment.path)?.map(|line| line.log);
        let first = segment.first;
        self.cursor = Cursor { log, next: first, hash: None, segment: first, offset: 0 };
        while self.cursor.next < next {
            let chunk = self.read(READ_BYTES)?;
            let Some(stop) = chunk.lines().find(|line| line.seq >= next) else {
                if chunk.is_empty() {
                    return Ok(());
                }
                continue;
            };
            let (seq, segment, offset) = (stop.seq, stop.segment, stop.offset);
            self.cursor = Cursor { log, next: seq, hash: None, segment, offset };
            return Ok(());
        }
        Ok(())
    }

    /// Opens the file that has the next record; whether there is one.
    fn enter(&mut self) -> Result<bool, FollowError> {
        let all = segments(&self.path)?;
        let Some(oldest) = all.first() else { return Ok(false) };
        let next = self.cursor.next;
        if oldest.first > next {
            let gap = FollowError::Gap { from: next, to: oldest.first - 1 };
            let log = self.cursor.log;
            self.cursor = Cursor { log, next: oldest.first, hash: None, segment: oldest.first, offset: 0 };
            return Err(gap);
        }
        let Some(segment) = all.iter().rev().find(|it| it.first <= next) else { return Ok(false) };
        let file = File::open(&segment.path)?;
        let Some(line) = first_line(&segment.path)? else { return Ok(false) };
        if line.seq != segment.first {
            // It was moved meanwhile; the next look finds it under its new name.
            return Ok(false);
        }
        self.arrive(segment, &line)?;
        self.open = Some((file, segment.first));
        Ok(true)
    }

    fn arrive(&mut self, segment: &Segment, line: &FirstLine) -> Result<(), FollowError> {
        if self.cursor.log.is_some_and(|log| log != line.log) {
            return Err(FollowError::Replaced);
        }
        self.cursor.log = Some(line.log);
        if self.cursor.segment != segment.first {
            if segment.first != self.cursor.next {
                return Err(FollowError::Diverged { at: self.cursor.next });
            }
            (self.cursor.segment, self.cursor.offset) = (segment.first, 0);
        }
        Ok(())
    }

    /// Whether the file that is read is not the one that is written any more, and another follows.
    fn is_over(&self) -> Result<bool, FollowError> {
        let Some((file, _)) = &self.open else { return Ok(false) };
        let own = file.metadata()?;
        let written = match fs::metadata(&self.path) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if own.len() < self.cursor.offset {
            return Err(FollowError::Diverged { at: self.cursor.next });
        }
        Ok((own.dev(), own.ino()) != (written.dev(), written.ino()))
    }

    fn lines(&mut self, limit: usize) -> Result<Chunk, FollowError> {
        let Some((file, segment)) = &self.open else { return Ok(Chunk::default()) };
        let segment = *segment;
        let mut most = limit.max(HASH_BYTES);
        let bytes = loop {
            let mut bytes = read_at(file, self.cursor.offset, most)?;
            if let Some(end) = memchr::memrchr(b'\n', &bytes) {
                bytes.truncate(end + 1);
                break bytes;
            }
            if bytes.len() < most {
                return Ok(Chunk::default());
            }
            if most >= LONGEST_LINE_BYTES {
                return Err(FollowError::TooLong { at: self.cursor.next });
            }
            most *= 4;
        };
        let Cursor { log, mut next, mut offset, .. } = self.cursor;
        let mut last = self.cursor.hash.as_deref().map(str::as_bytes);
        let mut lines = Vec::new();
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', &bytes) {
            let line = bytes.get(from..end).unwrap_or_default();
            let Some((seq, prev, hash)) = frame(line) else {
                return Err(FollowError::Diverged { at: next });
            };
            let follows = seq == next && last.is_none_or(|last| last == prev);
            let begins = seq > 0 || prev == NO_HASH;
            if !follows || !begins {
                return Err(FollowError::Diverged { at: next });
            }
            lines.push(Spot { seq, segment, offset, range: from..end });
            next += 1;
            offset += (end + 1 - from) as u64;
            last = Some(hash);
            from = end + 1;
        }
        let hash = last.map(|last| String::from_utf8_lossy(last).into_owned());
        let cursor = Cursor { log, next, hash, segment: self.cursor.segment, offset };
        let before = Some(std::mem::replace(&mut self.cursor, cursor));
        Ok(Chunk { bytes, lines, before })
    }
}

/// Number, `prev` and `hash` of a line, by their places.
fn frame(line: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (seq, rest) = numbered(line)?;
    let rest = rest.strip_prefix(b",\"at\":\"")?;
    let rest = rest.get(memchr::memchr(b'"', rest)?..)?.strip_prefix(b"\",\"prev\":\"")?;
    let prev = rest.get(..HASH_BYTES)?;
    let hash = line.strip_suffix(b"\"}")?;
    Some((seq, prev, hash.get(hash.len().checked_sub(HASH_BYTES)?..)?))
}

/// The number that a line says it has, and what comes behind it.
pub(super) fn numbered(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    let number = digits
        .iter()
        .try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    Some((number, rest))
}

/// What a file has from `offset` on, up to `most` bytes of it.
pub(super) fn read_at(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    while bytes.len() < most {
        let from = offset + bytes.len() as u64;
        match pread(file, spare_capacity(&mut bytes), from) {
            Ok(0) => break,
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Room may have been made for more.
    bytes.truncate(most);
    Ok(bytes)
}

/// Bytes of one read of those who follow.
pub(super) const READ_BYTES: usize = 1 << 20;

/// As long as the gateway itself writes them.
const LONGEST_LINE_BYTES: usize = 512 << 20;
