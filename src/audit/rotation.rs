//! When the file that is written gives way to the next, and when the oldest goes.
//!
//! The next file is written and synced under another name first, with a first line that is chained to the last line of
//! the file before. Then the full file takes the name by which it is kept, and the next takes its place. Killed between
//! the two, the next start finishes it. What was removed is recorded before it is.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    bodies::Bodies,
    chain::{Head, OwnRecord},
    follow::Cursor,
    medium::LogFile,
    queue::Desk,
    segments::{FirstLine, first_line, sealed, segments, sync_folder, upcoming},
    tail::{FORMAT, OWNER_ONLY},
    writer::Writer,
};
use crate::{metrics::AuditMetrics, net::Clock};

/// When the file that is written gives way to the next, and how long full ones are kept.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// At this size, looked at once a second.
    pub bytes: u64,
    /// After this time, if it has any records but its first.
    pub after: Option<Duration>,
    /// Full files go when their last record is older.
    pub keep_for: Option<Duration>,
    /// Full files go, the oldest first, while all of them together are larger.
    pub keep_bytes: Option<u64>,
    /// Places of those who read along. Their cursors say what they still need.
    pub readers: Vec<PathBuf>,
    /// A file that they need is removed all the same while the full files together are larger.
    pub wait_bytes: u64,
}

impl Rotation {
    /// One file for ever.
    pub const NEVER: Self = Self {
        bytes: u64::MAX,
        after: None,
        keep_for: None,
        keep_bytes: None,
        readers: Vec::new(),
        wait_bytes: u64::MAX,
    };
}

/// Rotates one log; used by its own thread alone.
#[derive(Debug)]
pub(super) struct Rotator {
    path: PathBuf,
    rotation: Rotation,
    /// The first line of the file that is written.
    first: Option<FirstLine>,
    clock: Clock,
    metrics: AuditMetrics,
    looked: Instant,
    trimmed: Option<Instant>,
}

impl Rotator {
    pub(super) fn new(path: &Path, rotation: Rotation, clock: Clock, metrics: AuditMetrics) -> Self {
        let (path, looked) = (path.to_owned(), Instant::now());
        Self { path, rotation, first: None, clock, metrics, looked, trimmed: None }
    }

    /// Does what is due; looks once a second at most. Whether the file gave way.
    pub(super) fn tend(&mut self, desk: &Desk) -> bool {
        if self.looked.elapsed() < LOOK_EVERY {
            return false;
        }
        self.looked = Instant::now();
        let rotated = self.rotate_if_due(desk).unwrap_or_else(|error| {
            tracing::error!(%error, "the audit log's file could not give way to the next; it goes on growing");
            false
        });
        if rotated || self.trimmed.is_none_or(|at| at.elapsed() >= TRIM_EVERY) {
            self.trimmed = Some(Instant::now());
            if let Err(error) = self.trim(desk) {
                tracing::error!(%error, "old files of the audit log could not be removed");
            }
        }
        rotated
    }

    pub(super) fn rotate_if_due(&mut self, desk: &Desk) -> io::Result<bool> {
        let first = match &self.first {
            Some(first) => first.clone(),
            None => {
                let Some(first) = first_line(&self.path)? else { return Ok(false) };
                self.first.insert(first).clone()
            }
        };
        let now = self.clock.now();
        let age = self.rotation.after.and_then(|after| SignedDuration::try_from(after).ok());
        let is_old = age.is_some_and(|age| now.duration_since(first.at) >= age);
        let lead = desk.lead();
        let (head, medium, is_troubled) =
            (lead.writer.head(), lead.writer.medium(), lead.writer.is_troubled());
        drop(lead);
        desk.clear_up();
        let is_full = head.end >= self.rotation.bytes;
        let is_due = is_full || (is_old && head.next > first.seq + 1);
        if is_troubled || !is_due {
            return Ok(false);
        }
        // Most of it before the others have to wait.
        medium.sync()?;
        let mut lead = desk.lead();
        let rotated = rotate(&mut lead.writer, &self.path, &first, now);
        drop(lead);
        desk.clear_up();
        rotated?;
        self.first = None;
        self.metrics.rotations.inc();
        tracing::info!(
            first = first.seq,
            last = head.next.saturating_sub(1),
            "the audit log went on in a new file"
        );
        Ok(true)
    }

    /// Removes the oldest files that need not be kept, each recorded before it goes.
    pub(super) fn trim(&self, desk: &Desk) -> io::Result<()> {
        let all = segments(&self.path)?;
        self.metrics.files.set(i64::try_from(all.len()).unwrap_or(i64::MAX));
        let mut bytes = 0;
        for full in all.iter().filter(|it| !it.is_active) {
            bytes += fs::metadata(&full.path)?.len();
        }
        let needed = self.needed();
        let mut is_held = false;
        for pair in all.windows(2) {
            let [oldest, following] = pair else { continue };
            let Some(after) = first_line(&following.path)? else { break };
            if !self.is_over(&after, bytes) {
                break;
            }
            if needed < after.seq {
                if bytes <= self.rotation.wait_bytes {
                    is_held = true;
                    break;
                }
                let unread = after.seq - needed.max(oldest.first);
                self.metrics.unread_removed.inc_by(unread);
                tracing::error!(
                    unread,
                    "a file of the audit log goes that a sink has not read: it is too far behind"
                );
            }
            let size = fs::metadata(&oldest.path)?.len();
            remove(desk, oldest.first, &oldest.path, &after, size)?;
            bytes -= size;
        }
        if is_held {
            tracing::warn!("files of the audit log are kept longer: a sink has not read them");
        }
        self.metrics.held_for_sinks.set(i64::from(is_held));
        Ok(())
    }

    /// Whether the file before the one that begins with `after` need not be kept.
    fn is_over(&self, after: &FirstLine, bytes: u64) -> bool {
        let keep = self.rotation.keep_for.and_then(|keep| SignedDuration::try_from(keep).ok());
        let is_old = keep.is_some_and(|keep| self.clock.now().duration_since(after.at) >= keep);
        is_old || self.rotation.keep_bytes.is_some_and(|keep| bytes > keep)
    }

    /// Number of the first record that somebody who reads along still needs.
    fn needed(&self) -> u64 {
        // closed: a cursor that cannot be read needs everything
        let next = |path: &PathBuf| {
            let text = fs::read(path).ok()?;
            serde_json::from_slice::<Cursor>(&text).ok().map(|cursor| cursor.next)
        };
        self.rotation.readers.iter().map(|path| next(path).unwrap_or(0)).min().unwrap_or(u64::MAX)
    }
}

/// Lets the next file take the place of the one that is written.
fn rotate(writer: &mut Writer, path: &Path, first: &FirstLine, now: Timestamp) -> io::Result<()> {
    writer.medium().sync()?;
    let kept = sealed(path, first.seq);
    let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (file, head) = prepare(path, writer, first.log, &name, now)?;
    if kept.exists() {
        return Err(io::Error::other(format!("{} is there already", kept.display())));
    }
    fs::rename(path, &kept)?;
    if let Err(error) = fs::rename(upcoming(path), path) {
        // If this fails, too, the log is not where it should be, and counts as not writable within a second.
        let _back = fs::rename(&kept, path);
        return Err(error);
    }
    sync_folder(path)?;
    writer.move_to(Arc::new(LogFile::new(path.to_owned(), file)?), head);
    Ok(())
}

/// Writes the next file under its own name, held and on the disk.
fn prepare(
    path: &Path,
    writer: &Writer,
    log: Uuid,
    before: &str,
    now: Timestamp,
) -> io::Result<(File, Head)> {
    let next = upcoming(path);
    match fs::remove_file(&next) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file =
        OpenOptions::new().read(true).append(true).create_new(true).mode(OWNER_ONLY).open(&next)?;
    file.try_lock()?;
    let mut head = Head { end: 0, ..writer.head() };
    let mut bodies = Bodies::default();
    bodies.push(&OwnRecord::Continued { format: FORMAT, log, before })?;
    let moment = head.moment(now);
    let mut line = Vec::new();
    for body in bodies.iter() {
        head.chain(writer.origin(), body, &moment, &mut line);
    }
    file.write_all(&line)?;
    file.sync_all()?;
    Ok((file, head))
}

/// Records that a file goes, and removes it.
fn remove(desk: &Desk, first: u64, path: &Path, after: &FirstLine, bytes: u64) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let record =
        OwnRecord::Trimmed { file: &name, first, last: after.seq - 1, last_hash: &after.prev, bytes };
    let mut bodies = Bodies::default();
    bodies.push(&record)?;
    let mut lead = desk.lead();
    let written = lead.writer.write([&bodies, &Bodies::default()]);
    let medium = lead.writer.medium();
    drop(lead);
    desk.clear_up();
    written?;
    medium.sync()?;
    fs::remove_file(path)?;
    sync_folder(path)?;
    tracing::info!(file = name, "an old file of the audit log was removed");
    Ok(())
}

/// Finishes what a kill left half done: no file at `path`, and the next one ready.
pub(super) fn finish(path: &Path, last: Option<Head>) -> io::Result<bool> {
    let next = upcoming(path);
    if path.exists() {
        // Nothing in it counts: it never was the log.
        match fs::remove_file(&next) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        return Ok(true);
    }
    let Some(last) = last else { return Ok(true) };
    let follows =
        first_line(&next)?.is_some_and(|line| line.seq == last.next && line.prev.as_bytes() == last.hash);
    if follows {
        fs::rename(&next, path)?;
        sync_folder(path)?;
        tracing::warn!("the audit log's file had not yet given way to the next: finished");
    }
    Ok(follows)
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const TRIM_EVERY: Duration = Duration::from_secs(60);
