//! Reads a log from its first line to its last and says whether it is whole.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    chain::{Line, LineFault, NO_HASH},
    checkpoint::Checkpoint,
    error::AuditError,
    segments::segments,
};

/// What a log holds, and what is wrong with it.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Whole lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Records by event.
    pub events: BTreeMap<String, u64>,
    /// Time of the first line.
    pub first_at: Option<Timestamp>,
    /// Time of the last line.
    pub last_at: Option<Timestamp>,
    /// Number and hash of the last line. Kept elsewhere, it shows later whether the end was cut off.
    pub last: Option<(u64, String)>,
    /// Number of the first record, if those before it were removed in order: the log itself says so.
    pub begins_at: Option<u64>,
    /// Checkpoints that the log agrees with.
    pub checkpoints: u64,
    /// Statements that were let run and have no end record: they ran when the gateway died, or run still.
    pub unended_count: u64,
    /// The first of them.
    pub unended: Vec<Unended>,
    /// What is wrong; empty if the log is whole. At most [`Report::PROBLEMS_KEPT`] are kept.
    pub problems: Vec<Problem>,
    /// How many things are wrong.
    pub problem_count: u64,
}

/// A statement without end record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unended {
    /// Number of its start record.
    pub sequence: u64,
    /// Its identifier.
    pub statement: String,
}

/// One thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct Problem {
    /// The file, where there are several.
    pub file: Option<PathBuf>,
    /// Line of the file, from 1; 0 where it is none's.
    pub line: u64,
    /// What.
    pub kind: ProblemKind,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// Its bytes do not have its hash.
    #[error("the record was changed: its bytes do not have its hash")]
    Changed,
    /// Records are missing before it.
    #[error("records {from} to {to} are missing before it")]
    Missing {
        /// Number of the first that is missing.
        from: u64,
        /// Number of the last that is missing.
        to: u64,
    },
    /// The log's first lines are missing.
    #[error("the log does not begin with its first record")]
    NoHead,
    /// Its number was there before: it was inserted, or lines changed places.
    #[error("record {found} stands where {expected} should: it was inserted, or records changed places")]
    OutOfOrder {
        /// The number it should have.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// It was made for another line before it: that one was rewritten with its hash, or this one comes from elsewhere.
    #[error("it does not carry the hash of the line before: one of the two was rewritten or inserted")]
    Unchained,
    /// Time steps back, which the gateway never writes.
    #[error("its time is before the line before")]
    TimeStepsBack,
    /// The file ends within a line. The gateway repairs that when it opens the log.
    #[error("the file ends within a line")]
    Torn,
    /// It is not a line of a log at all.
    #[error("it is not a line of an audit log")]
    Unreadable,
    /// A checkpoint was signed for another record of this number.
    #[error("record {seq} is not the one that was signed at {at}: everything from it on was rewritten")]
    NotAsSigned {
        /// The record.
        seq: u64,
        /// When it was signed.
        at: Timestamp,
    },
    /// A checkpoint was signed for a record that the log does not reach.
    #[error("the end was cut off: record {seq} was there at {at}, and the log ends before it")]
    EndCut {
        /// The last record that was signed.
        seq: u64,
        /// When it was signed.
        at: Timestamp,
    },
    /// A checkpoint does not have the signature of the key, or is none.
    #[error("checkpoint {number} is not signed by this key, or was changed")]
    BadCheckpoint {
        /// Which, from 1.
        number: u64,
    },
    /// A file of another log stands among them.
    #[error("the file belongs to another log")]
    OtherLog,
    /// It is longer than any the gateway writes; the rest was not read.
    #[error("it is longer than {limit} bytes; nothing after it was read")]
    TooLong {
        /// The bound.
        limit: u64,
    },
}

impl Report {
    /// Problems kept in a report; more are counted.
    pub const PROBLEMS_KEPT: usize = 100;

    /// Whether nothing is wrong.
    pub const fn is_whole(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, file: Option<&Path>, line: u64, kind: ProblemKind) {
        self.problem_count += 1;
        if self.problems.len() < Self::PROBLEMS_KEPT {
            self.problems.push(Problem { file: file.map(Path::to_owned), line, kind });
        }
    }
}

/// Reads a log of one file to its end, one line in memory at a time. A log that is not whole is no error: the report
/// says so.
///
/// Whether the end was cut off at a line's end, no chain can show: compare [`Report::last`] with one noted before, or
/// give checkpoints to [`verify_log`].
///
/// # Errors
/// `Read` if the reader fails.
pub fn verify(reader: impl BufRead) -> Result<Report, AuditError> {
    let mut check = Check::default();
    check.read(reader)?;
    Ok(check.finish())
}

/// Reads all files of the log at `path`, oldest first, and compares it with checkpoints, each of which is a problem if
/// it cannot be read.
///
/// # Errors
/// `Read` if a file cannot be read.
pub fn verify_log(path: &Path, checkpoints: &[Option<Checkpoint>]) -> Result<Report, AuditError> {
    let unread = |source| AuditError::Read { source };
    let mut check = Check::default();
    for (number, checkpoint) in (1..).zip(checkpoints) {
        match checkpoint {
            Some(checkpoint) => check.signed.entry(checkpoint.seq).or_default().push(checkpoint.clone()),
            None => check.report.problem(None, 0, ProblemKind::BadCheckpoint { number }),
        }
    }
    let mut files: Vec<PathBuf> =
        segments(path).map_err(unread)?.into_iter().filter(|it| !it.is_active).map(|it| it.path).collect();
    // Also where it is no log at all: then the report says so.
    files.push(path.to_owned());
    for file in files {
        let opened = File::open(&file).map_err(unread)?;
        (check.file, check.number) = (Some(file), 0);
        check.read(BufReader::with_capacity(1 << 20, opened))?;
    }
    Ok(check.finish())
}

#[derive(Default)]
struct Check {
    report: Report,
    /// Line of the file, from 1.
    number: u64,
    /// Number and hash that the line before states; hash unknown if it could not be read.
    before: Option<(u64, Option<String>)>,
    /// Statements let run since the gateway last started, and the number of their record.
    running: HashMap<String, u64>,
    /// The file that is read.
    file: Option<PathBuf>,
    /// What checkpoints say, by number.
    signed: BTreeMap<u64, Vec<Checkpoint>>,
    /// The log's name.
    log: Option<Uuid>,
    /// Number and hash of the record before the first, where the first is not the log's.
    before_first: Option<(u64, String)>,
}

impl Check {
    fn read(&mut self, mut reader: impl BufRead) -> Result<(), AuditError> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let limit = LINE_BYTES + 1;
            let read = (&mut reader)
                .take(limit)
                .read_until(b'\n', &mut line)
                .map_err(|source| AuditError::Read { source })?;
            self.report.bytes += read as u64;
            if read == 0 {
                return Ok(());
            }
            self.number += 1;
            let Some(whole) = line.strip_suffix(b"\n") else {
                let is_long = read as u64 == limit;
                self.problem(if is_long {
                    ProblemKind::TooLong { limit: LINE_BYTES }
                } else {
                    ProblemKind::Torn
                });
                return Ok(());
            };
            self.line(whole);
        }
    }

    fn problem(&mut self, kind: ProblemKind) {
        self.report.problem(self.file.as_deref(), self.number, kind);
    }

    fn line(&mut self, bytes: &[u8]) {
        self.report.lines += 1;
        let line = match Line::read(bytes) {
            Ok(line) => line,
            Err(LineFault::Hash) => {
                self.problem(ProblemKind::Changed);
                // It is taken at its word for its place, so that one changed line is one problem.
                let stated =
                    serde_json::from_slice::<Line>(bytes).ok().map(|line| (line.seq, Some(line.hash)));
                self.before = stated.or_else(|| self.skipped());
                return;
            }
            Err(LineFault::Unreadable) => {
                self.problem(ProblemKind::Unreadable);
                self.before = self.skipped();
                return;
            }
        };
        self.place(&line);
        self.compare(&line);
        if self.report.last_at.is_some_and(|before| line.at < before) {
            self.problem(ProblemKind::TimeStepsBack);
        }
        self.report.first_at.get_or_insert(line.at);
        self.report.last_at = Some(line.at);
        self.count(&line);
        self.before = Some((line.seq, Some(line.hash.clone())));
        self.report.last = Some((line.seq, line.hash));
    }

    /// What is known of a line that cannot be read: it stands for one number.
    fn skipped(&self) -> Option<(u64, Option<String>)> {
        Some((self.before.as_ref().map_or(0, |(number, _)| number.saturating_add(1)), None))
    }

    fn place(&mut self, line: &Line) {
        let kind = match &self.before {
            None if line.seq == 0 && line.prev.as_bytes() == NO_HASH && line.event == "log_created" => return,
            None if line.seq > 0 && line.event == "log_continued" => {
                // Whether that is in order, the log says later, or a checkpoint.
                self.before_first = Some((line.seq - 1, line.prev.clone()));
                return;
            }
            None => ProblemKind::NoHead,
            Some((before, hash)) => {
                let expected = before.saturating_add(1);
                if line.seq > expected {
                    ProblemKind::Missing { from: expected, to: line.seq - 1 }
                } else if line.seq < expected {
                    ProblemKind::OutOfOrder { expected, found: line.seq }
                } else if hash.as_ref().is_some_and(|hash| *hash != line.prev) {
                    ProblemKind::Unchained
                } else {
                    return;
                }
            }
        };
        self.problem(kind);
    }

    /// Compares a record with what was signed, and its log with that of the others.
    fn compare(&mut self, line: &Line) {
        if let Some(log) = line.log.filter(|_| line.event == "log_created" || line.event == "log_continued")
            && *self.log.get_or_insert(log) != log
        {
            self.problem(ProblemKind::OtherLog);
        }
        for checkpoint in self.signed.remove(&line.seq).unwrap_or_default() {
            if checkpoint.hash == line.hash && self.log.is_none_or(|log| log == checkpoint.log) {
                self.report.checkpoints += 1;
            } else {
                self.problem(ProblemKind::NotAsSigned { seq: line.seq, at: checkpoint.at });
            }
        }
        if line.event == "log_trimmed"
            && let (Some((seq, hash)), Some(last), Some(last_hash)) =
                (&self.before_first, line.last, &line.last_hash)
            && last >= *seq
            && (last > *seq || hash == last_hash)
        {
            self.report.begins_at = Some(seq + 1);
        }
    }

    /// What is left of the checkpoints when the log is over: those of records before it, and those behind it.
    fn compare_rest(&mut self) {
        let first = self.before_first.clone();
        let last = self.report.last.as_ref().map(|(seq, _)| *seq);
        for (seq, checkpoints) in std::mem::take(&mut self.signed) {
            for checkpoint in checkpoints {
                match &first {
                    Some((before, hash)) if seq == *before && *hash == checkpoint.hash => {
                        self.report.checkpoints += 1;
                        self.report.begins_at = Some(before + 1);
                    }
                    Some((before, _)) if seq < *before => {}
                    _ if last.is_none_or(|last| seq > last) => {
                        self.report.problem(None, 0, ProblemKind::EndCut { seq, at: checkpoint.at });
                    }
                    _ => self.report.problem(None, 0, ProblemKind::NotAsSigned { seq, at: checkpoint.at }),
                }
            }
        }
    }

    fn count(&mut self, line: &Line) {
        let allowed = line.decision.as_deref() == Some("allow");
        match (line.event.as_str(), &line.statement) {
            ("statement_start", Some(statement)) if allowed => {
                self.running.insert(statement.clone(), line.seq);
            }
            ("statement_end", Some(statement)) => {
                self.running.remove(statement);
            }
            // Nothing outlives the run that started it.
            ("started", _) => self.close_run(),
            _ => {}
        }
        if let Some(count) = self.report.events.get_mut(&line.event) {
            *count += 1;
        } else if self.report.events.len() < EVENTS_KEPT {
            self.report.events.insert(line.event.clone(), 1);
        }
    }

    fn close_run(&mut self) {
        self.report.unended_count += self.running.len() as u64;
        let mut unended: Vec<_> =
            self.running.drain().map(|(statement, sequence)| Unended { sequence, statement }).collect();
        unended.sort_by_key(|unended| unended.sequence);
        unended.truncate(UNENDED_KEPT.saturating_sub(self.report.unended.len()));
        self.report.unended.append(&mut unended);
    }

    fn finish(mut self) -> Report {
        self.close_run();
        self.compare_rest();
        let is_unexplained = self.before_first.is_some() && self.report.begins_at.is_none();
        if self.report.lines == 0 && self.report.bytes == 0 || is_unexplained {
            self.number = 1;
            self.problem(ProblemKind::NoHead);
        }
        self.report
    }
}

/// Bytes of the longest line that is read: a statement of the highest limit in the configuration, every byte of
/// it escaped, and room for its objects.
const LINE_BYTES: u64 = 512 * 1024 * 1024;

/// Unended statements listed.
const UNENDED_KEPT: usize = 100;

/// Kinds of event counted: more than there are.
const EVENTS_KEPT: usize = 200;
