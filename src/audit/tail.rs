//! Opens a log: holds it, reads where it ends, and moves a torn end away.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    bodies::Bodies,
    chain::{self, Head, Line, LineFault, NO_HASH, OwnRecord},
    error::AuditError,
    medium::{LogFile, Medium},
    rotation::{self, Rotator},
    segments::{first_line, segments, sync_folder},
};
use crate::net::Clock;

/// A log that is held and whole.
pub(super) struct Opened {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) head: Head,
    /// What the log itself has to say first.
    pub(super) first: Bodies,
    /// Rotates it; `None` where there are no files.
    pub(super) rotator: Option<Rotator>,
}

/// Opens or creates the log at `path`.
pub(super) fn open(path: &Path, clock: &Clock) -> Result<Opened, AuditError> {
    let unopened = |source| AuditError::Open { path: path.to_owned(), source };
    enter(path)?;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(OWNER_ONLY)
        .open(path)
        .map_err(unopened)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(AuditError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => return Err(unopened(source)),
    }
    if !is_at(path, &file).map_err(unopened)? {
        // Whoever wrote it went on in the next file between our two looks.
        return Err(AuditError::Locked { path: path.to_owned() });
    }
    let Tail { head, torn } = read(path, &file)?;
    let mut first = Bodies::default();
    let mut say = |record| first.push(&record).map_err(|source| AuditError::Unserializable { source });
    if head == Head::EMPTY {
        say(OwnRecord::Created { format: FORMAT, log: uuid::Uuid::new_v4() })?;
        sync_folder(path).map_err(unopened)?;
    }
    if !torn.is_empty() {
        let side = move_away(path, &torn, head.next, clock).map_err(unopened)?;
        file.set_len(head.end).map_err(unopened)?;
        tracing::warn!(bytes = torn.len(), moved_to = %side, "torn end of the audit log moved away");
        say(OwnRecord::Repaired {
            torn_bytes: torn.len() as u64,
            torn_sha256: &String::from_utf8_lossy(&chain::hash(&torn)),
            moved_to: &side,
        })?;
    }
    let medium = Arc::new(LogFile::new(path.to_owned(), file).map_err(unopened)?);
    Ok(Opened { medium, head, first, rotator: None })
}

/// Sees to it that the file at `path` is the one to write: a rotation that a kill cut short is finished, and what comes
/// before it is chained to it.
fn enter(path: &Path) -> Result<(), AuditError> {
    let unread = |source| AuditError::Read { source };
    let bad =
        |problem: &str| AuditError::Tail { path: path.to_owned(), offset: 0, problem: problem.to_owned() };
    let all = match segments(path) {
        Ok(all) => all,
        // It is told of when the file is made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(unread(source)),
    };
    let last = match all.iter().rfind(|it| !it.is_active) {
        Some(last) => {
            let file = File::open(&last.path).map_err(unread)?;
            Some(read(&last.path, &file)?.head)
        }
        None => None,
    };
    if !rotation::finish(path, last).map_err(unread)? {
        return Err(bad("files before it are there, and it is not: move all of them away together"));
    }
    let first = first_line(path).map_err(unread)?;
    match (first, last) {
        (Some(first), Some(last)) if first.seq != last.next || first.prev.as_bytes() != last.hash => {
            Err(bad("it does not go on where the file before it ends"))
        }
        _ => Ok(()),
    }
}

/// Where the whole lines end, and what comes after them.
#[derive(Debug)]
struct Tail {
    head: Head,
    torn: Vec<u8>,
}

/// Whether the file is the one that lies at `path`.
fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let (own, there) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

fn read(path: &Path, file: &File) -> Result<Tail, AuditError> {
    let unreadable = |source| AuditError::Read { source };
    let length = file.metadata().map_err(unreadable)?.len();
    let mut window = FIRST_WINDOW_BYTES;
    loop {
        let start = length.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, start).map_err(unreadable)?;
        let bad = |offset, problem: &str| AuditError::Tail {
            path: path.to_owned(),
            offset,
            problem: problem.to_owned(),
        };
        if let Some((from, to)) = whole_lines(&bytes, start == 0) {
            let torn = bytes.split_off(to);
            let lines = bytes.get(from..).unwrap_or_default();
            let head = check(lines, start + from as u64).map_err(|(at, problem)| bad(at, problem))?;
            return Ok(Tail { head, torn });
        }
        if start == 0 {
            let torn_first_line = FIRST_BYTES.starts_with(bytes.get(..FIRST_BYTES.len()).unwrap_or(&bytes));
            if torn_first_line || bytes.iter().all(|byte| *byte == 0) {
                return Ok(Tail { head: Head::EMPTY, torn: bytes });
            }
            return Err(bad(0, "it is not an audit log"));
        }
        if window >= LAST_WINDOW_BYTES {
            return Err(bad(start, "there is no whole line in its end"));
        }
        window *= 4;
    }
}

/// The range of the whole lines in the window, if there is one at least. Unless the window has the file's first
/// byte, the line that it begins in is not whole.
fn whole_lines(bytes: &[u8], from_first: bool) -> Option<(usize, usize)> {
    let to = memchr::memrchr(b'\n', bytes)? + 1;
    let from = if from_first { 0 } else { memchr::memchr(b'\n', bytes)? + 1 };
    (from < to).then_some((from, to))
}

/// Checks lines that follow each other; gives where they end.
fn check(lines: &[u8], offset: u64) -> Result<Head, (u64, &'static str)> {
    let mut head: Option<Head> = None;
    let mut at = offset;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let read = Line::read(line.strip_suffix(b"\n").unwrap_or(line)).map_err(|fault| match fault {
            LineFault::Hash => (at, "the line does not have its hash"),
            LineFault::Unreadable => (at, "it is not a line of an audit log"),
        })?;
        let follows = match head {
            Some(before) => read.seq == before.next && read.prev.as_bytes() == before.hash,
            None if offset > 0 => true,
            None if read.seq > 0 => read.event == "log_continued",
            None => read.prev.as_bytes() == NO_HASH,
        };
        if !follows {
            return Err((at, "the line does not follow the one before"));
        }
        let hash = read.hash.as_bytes().try_into().map_err(|_| (at, "the line does not have its hash"))?;
        at += line.len() as u64;
        head = Some(Head { next: read.seq + 1, hash, at: read.at, end: at });
    }
    head.ok_or((offset, "there is no whole line in its end"))
}

fn move_away(path: &Path, torn: &[u8], next: u64, clock: &Clock) -> io::Result<String> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".torn-{next}-{}", clock.now().as_microsecond()));
    let side: PathBuf = path.with_file_name(&name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&side)?;
    file.write_all(torn)?;
    file.sync_all()?;
    sync_folder(path)?;
    Ok(name.to_string_lossy().into_owned())
}

/// Version of the line format.
pub(super) const FORMAT: u32 = 1;

/// Every log begins so.
const FIRST_BYTES: &[u8] = b"{\"seq\":0,\"at\":\"";

/// A log can hold what people typed, values and all.
pub(super) const OWNER_ONLY: u32 = 0o600;

const FIRST_WINDOW_BYTES: u64 = 1024 * 1024;

const LAST_WINDOW_BYTES: u64 = 1024 * 1024 * 1024;
