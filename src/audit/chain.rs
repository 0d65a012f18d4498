//! The line format and its chain.
//!
//! `{"seq":N,"at":"…","prev":"…","gateway":"…",<record>,"hash":"…"}` and a line feed. Lines of older versions do not
//! name the gateway, but in the record `started`. `hash` is the SHA-256 of the line's own
//! bytes before `,"hash":"`, and `prev` is the `hash` of the line before, so each hash covers all lines above.

use std::io::Write;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use serde::{Deserialize, Serialize};

use crate::model::ids::GatewayName;

/// Bytes of a hash in hexadecimal.
pub(super) const HASH_BYTES: usize = 64;

/// `prev` of the first line.
pub(super) const NO_HASH: [u8; HASH_BYTES] = [b'0'; HASH_BYTES];

const HASH_KEY: &[u8] = b",\"hash\":\"";
const LINE_END: &[u8] = b"\"}\n";
const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Where a log ends: what the next line is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the next line.
    pub(super) next: u64,
    /// `hash` of the last line.
    pub(super) hash: [u8; HASH_BYTES],
    /// `at` of the last line.
    pub(super) at: Timestamp,
    /// Bytes up to the end of the last line.
    pub(super) end: u64,
}

impl Head {
    /// Of a log without lines.
    pub(super) const EMPTY: Self = Self { next: 0, hash: NO_HASH, at: Timestamp::MIN, end: 0 };

    /// What lines that are written at `now` say of it. Moves to that time.
    ///
    /// Time does not step back within a log: when `now` is before the last line, they repeat the last line's time and
    /// say in `clock_back_us` how far the clock is behind.
    pub(super) fn moment(&mut self, now: Timestamp) -> Moment {
        let back = self.at.as_microsecond().saturating_sub(now.as_microsecond()).max(0);
        self.at = self.at.max(now);
        let mut at = String::with_capacity(32);
        // Writing to a string, and a time within the calendar: neither can fail.
        let _written = MICROSECONDS.print_timestamp(&self.at, &mut at);
        Moment { at, back }
    }

    /// Writes the next line, of `origin`, to `out` and moves on to it. `out` may hold other lines already.
    pub(super) fn chain(&mut self, origin: &Origin, body: &[u8], moment: &Moment, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(b"{\"seq\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.next).as_bytes());
        out.extend_from_slice(b",\"at\":\"");
        out.extend_from_slice(moment.at.as_bytes());
        out.extend_from_slice(b"\",\"prev\":\"");
        out.extend_from_slice(&self.hash);
        out.push(b'"');
        if moment.is_back() {
            // Writing to a vector cannot fail.
            let _written = write!(out, ",\"clock_back_us\":{}", moment.back);
        }
        out.extend_from_slice(&origin.0);
        out.extend_from_slice(body);
        self.hash = hash(out.get(start..).unwrap_or_default());
        out.extend_from_slice(HASH_KEY);
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(LINE_END);
        self.next += 1;
        self.end += (out.len() - start) as u64;
    }
}

/// When lines are written that go out together, rendered once.
#[derive(Debug)]
pub(super) struct Moment {
    /// As it stands in them.
    at: String,
    /// Microseconds that the clock is behind them.
    back: i64,
}

impl Moment {
    /// Whether the clock has stepped back.
    pub(super) const fn is_back(&self) -> bool {
        self.back > 0
    }
}

/// Which gateway writes a log: its part of every line, rendered once, so that lines of several logs can be told apart
/// where they are put together.
#[derive(Clone, Debug)]
pub(super) struct Origin(Box<[u8]>);

impl Origin {
    pub(super) fn new(gateway: &GatewayName) -> Result<Self, serde_json::Error> {
        let name = serde_json::to_string(gateway)?;
        Ok(Self(format!(",\"gateway\":{name}").into_bytes().into()))
    }
}

/// Records that the log itself makes.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event")]
pub(super) enum OwnRecord<'a> {
    /// The first line of a log.
    #[serde(rename = "log_created")]
    Created {
        /// Version of the format.
        format: u32,
        /// Random name of this log.
        log: uuid::Uuid,
    },
    /// The first line of a file that goes on where another ended.
    #[serde(rename = "log_continued")]
    Continued {
        /// Version of the format.
        format: u32,
        /// The name of the log.
        log: uuid::Uuid,
        /// The file before.
        before: &'a str,
    },
    /// The oldest file is removed.
    #[serde(rename = "log_trimmed")]
    Trimmed {
        /// Its name.
        file: &'a str,
        /// Number of its first record.
        first: u64,
        /// Number of its last record.
        last: u64,
        /// `hash` of its last record.
        last_hash: &'a str,
        /// Its size.
        bytes: u64,
    },
    /// Bytes after the last whole line were moved away when the log was opened.
    #[serde(rename = "log_repaired")]
    Repaired {
        /// How many.
        torn_bytes: u64,
        /// SHA-256 of them.
        torn_sha256: &'a str,
        /// File beside the log that has them now.
        moved_to: &'a str,
    },
    /// The log can be written again.
    #[serde(rename = "log_recovered")]
    Recovered {
        /// When it could no longer be written.
        unwritable_since: Timestamp,
        /// Records that were not kept meanwhile.
        refused_records: u64,
    },
}

/// What of a line the chain and the reports need.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) prev: String,
    pub(super) event: String,
    pub(super) hash: String,
    pub(super) statement: Option<String>,
    pub(super) decision: Option<String>,
    /// Of `log_trimmed`.
    pub(super) last: Option<u64>,
    /// Of `log_trimmed`.
    pub(super) last_hash: Option<String>,
    /// Of the first line of a file.
    pub(super) log: Option<uuid::Uuid>,
}

impl Line {
    /// Reads a line (without its line feed) and checks its hash.
    pub(super) fn read(line: &[u8]) -> Result<Self, LineFault> {
        let cut = line.len().checked_sub(HASH_KEY.len() + HASH_BYTES + 2).ok_or(LineFault::Unreadable)?;
        let (covered, rest) = line.split_at_checked(cut).ok_or(LineFault::Unreadable)?;
        let stated = rest
            .strip_prefix(HASH_KEY)
            .and_then(|rest| rest.strip_suffix(b"\"}"))
            .ok_or(LineFault::Unreadable)?;
        if hash(covered) != stated {
            return Err(LineFault::Hash);
        }
        serde_json::from_slice(line).map_err(|_| LineFault::Unreadable)
    }
}

/// Why a line by itself is no line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    /// Its bytes do not have its hash.
    Hash,
    /// It does not have the form of a line.
    Unreadable,
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let digest = digest(&SHA256, bytes);
    let mut text = NO_HASH;
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest.as_ref()) {
        pair.copy_from_slice(&hex(*byte));
    }
    text
}

/// A byte in hexadecimal digits.
pub(super) const fn hex(byte: u8) -> [u8; 2] {
    [hex_digit(byte >> 4), hex_digit(byte & 15)]
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}
