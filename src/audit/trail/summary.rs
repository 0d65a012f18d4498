//! What the index keeps of a block: where it lies, what it is marked with, its words and its counts.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use smallvec::SmallVec;
use uuid::Uuid;

use super::{
    block::Block,
    entry::{Entry, decision_code, permission_code},
    filter::words_of,
    mark::marks_of,
    named::Named,
    tally::{Tally, TouchKey},
    words::{Name, Words},
};
use crate::audit::follow::{Cursor, FollowedLine};

/// What the index keeps of a block.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) block: Block,
    pub(super) marks: HashSet<i64, RandomState>,
    pub(super) words: HashSet<Box<str>, RandomState>,
    /// Statements that end in it and began neither in it nor in the block before.
    pub(super) late: Vec<Uuid>,
    pub(super) tally: Tally,
    /// `hash` of its last line.
    hash: Option<[u8; HASH_BYTES]>,
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
        let marks = HashSet::with_capacity_and_hasher(USUAL_MARKS, RandomState::default());
        let (words, late) = (HashSet::default(), Vec::new());
        Self { block, marks, words, late, tally: Tally::default(), hash: None }
    }

    /// Whether `line` can be part of it.
    pub(super) const fn takes(&self, line: &FollowedLine<'_>) -> bool {
        !self.block.is_full() && self.block.segment == line.segment && self.block.next() == line.seq
    }

    /// Where it ends; the name of the log is for who has it.
    pub(super) fn end(&self, log: Option<Uuid>) -> Cursor {
        let Block { segment, place, bytes, .. } = self.block;
        let hash = self.hash.map(|hash| String::from_utf8_lossy(&hash).into_owned());
        Cursor { log, next: self.block.next(), hash, segment, offset: place + bytes }
    }

    /// Adds a line; `None` for one that cannot be read, which is found by its place alone.
    pub(super) fn add(&mut self, line: &FollowedLine<'_>, entry: Option<&Entry<'_>>, names: &mut Words) {
        self.block.records += 1;
        self.block.bytes += line.bytes.len() as u64 + 1;
        let covered = line.bytes.len().checked_sub(HASH_FROM_END);
        let hash = covered.and_then(|at| line.bytes.get(at..)?.first_chunk());
        self.hash = hash.copied();
        let Some(entry) = entry else { return };
        let at = entry.at.as_microsecond();
        self.block.from = self.block.from.min(at);
        self.block.until = self.block.until.max(at);
        let named = Named::of(entry, names);
        count(entry, &named, line.segment, &mut self.tally);
        marks_of(entry, &named, |mark| {
            self.marks.insert(mark.number());
        });
        if let Some(sql) = entry.sql.as_deref() {
            self.add_words(sql.get(..sql.floor_char_boundary(TEXT_BYTES)).unwrap_or_default());
        }
    }

    fn add_words(&mut self, sql: &str) {
        for word in words_of(&sql.to_lowercase()) {
            if !self.words.contains(word) {
                self.words.insert(word.into());
            }
        }
    }
}

/// Counts a statement that was judged.
pub(super) fn count(entry: &Entry<'_>, named: &Named, segment: u64, tally: &mut Tally) {
    if &*entry.event != "statement_start" {
        return;
    }
    let number = |name: Option<Name>| name.map_or(0, |name| name.id);
    let statement = TouchKey {
        segment: super::feed::integer(segment),
        hour: entry.at.as_microsecond().div_euclid(HOUR_US),
        principal: number(named.person),
        target: number(named.target),
        database: number(named.database),
        object: 0,
        permission: 0,
        decision: entry.is_allowed().map_or(-1, decision_code),
    };
    let touched = named.objects.iter().map(|(object, permission)| (object.id, permission_code(*permission)));
    let mut touches: SmallVec<[(i64, i64); 4]> = touched.collect();
    touches.sort_unstable();
    touches.dedup();
    tally.count(statement, touches.into_iter());
}

pub(super) const HOUR_US: i64 = 3_600_000_000;
/// Marks that a block has at least, mostly.
const USUAL_MARKS: usize = 256;
/// Of a longer text, words are found that stand in its first bytes.
const TEXT_BYTES: usize = 16 << 10;
const HASH_BYTES: usize = 64;
/// The hash, its quotation mark and the brace.
const HASH_FROM_END: usize = HASH_BYTES + 2;
