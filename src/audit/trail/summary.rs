//! What the index keeps of a block: where it lies, what it is marked with, its words and its counts.

use std::collections::HashSet;

use uuid::Uuid;

use super::{
    block::Block,
    entry::{Entry, decision_code, permission_code},
    filter::words_of,
    mark::marks_of,
    tally::{Tally, TouchKey},
    words::Words,
};
use crate::audit::follow::{Cursor, FollowedLine};

/// What the index keeps of a block.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) block: Block,
    pub(super) marks: HashSet<i64>,
    pub(super) words: HashSet<Box<str>>,
    /// Statements that end in it and began neither in it nor in the block before.
    pub(super) late: Vec<Uuid>,
    pub(super) tally: Tally,
    /// Where it ends.
    pub(super) end: Cursor,
}

impl Summary {
    /// Of no line yet, to begin with `line`.
    pub(super) fn begin(line: &FollowedLine<'_>) -> Self {
        let block = Block {
            first: line.seq,
            records: 0,
            segment: line.segment,
            place: line.offset,
            bytes: 0,
            from: i64::MAX,
            until: i64::MIN,
        };
        let (marks, words, late) = (HashSet::new(), HashSet::new(), Vec::new());
        Self { block, marks, words, late, tally: Tally::default(), end: Cursor::START }
    }

    /// Whether `line` can be part of it.
    pub(super) const fn takes(&self, line: &FollowedLine<'_>) -> bool {
        !self.block.is_full() && self.block.segment == line.segment && self.block.next() == line.seq
    }

    /// Adds a line; `None` for one that cannot be read, which is found by its place alone.
    pub(super) fn add(&mut self, line: &FollowedLine<'_>, entry: Option<&Entry<'_>>, names: &mut Words) {
        let bytes = line.bytes.len() as u64 + 1;
        self.block.records += 1;
        self.block.bytes += bytes;
        // The name of the log is filled in by who has it.
        let hash =
            line.bytes.len().checked_sub(HASH_FROM_END).and_then(|at| line.bytes.get(at..at + HASH_BYTES));
        let hash = hash.map(|hash| String::from_utf8_lossy(hash).into_owned());
        let (segment, offset) = (line.segment, line.offset + bytes);
        self.end = Cursor { log: None, next: line.seq + 1, hash, segment, offset };
        let Some(entry) = entry else { return };
        let at = entry.at.as_microsecond();
        self.block.from = self.block.from.min(at);
        self.block.until = self.block.until.max(at);
        count(entry, line.segment, names, &mut self.tally);
        marks_of(entry, |mark| {
            self.marks.insert(mark.number());
        });
        if let Some(sql) = entry.sql.as_deref() {
            let sql = sql.get(..sql.floor_char_boundary(TEXT_BYTES)).unwrap_or_default().to_lowercase();
            for word in words_of(&sql) {
                if !self.words.contains(word) {
                    self.words.insert(word.into());
                }
            }
        }
    }
}

/// Counts a statement that was judged.
pub(super) fn count(entry: &Entry<'_>, segment: u64, names: &mut Words, tally: &mut Tally) {
    if &*entry.event != "statement_start" {
        return;
    }
    let statement = TouchKey {
        segment: super::feed::integer(segment),
        hour: entry.at.as_microsecond().div_euclid(HOUR_US),
        principal: names.maybe(entry.person()),
        target: names.maybe(entry.target()),
        database: names.maybe(entry.database()),
        object: 0,
        permission: 0,
        decision: entry.is_allowed().map_or(-1, decision_code),
    };
    let mut touches: Vec<_> = entry
        .objects
        .iter()
        .map(|object| (names.id(&object.name), permission_code(object.mode.permission())))
        .collect();
    touches.sort_unstable();
    touches.dedup();
    tally.count(statement, touches.into_iter());
}

const HOUR_US: i64 = 3_600_000_000;
/// Of a longer text, words are found that stand in its first bytes.
const TEXT_BYTES: usize = 16 << 10;
const HASH_BYTES: usize = 64;
/// The hash, its quotation mark and the brace.
const HASH_FROM_END: usize = HASH_BYTES + 2;
