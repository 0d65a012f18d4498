//! Wanted records, found by reading the lines of blocks.

use std::{collections::HashSet, io, ops::Range, time::Instant};

use memchr::memmem;
use uuid::Uuid;

use super::{
    block::Block,
    entry::Entry,
    files::{Files, StoredRecord},
    filter::{Direction, Filter},
    needle::Needle,
    sieve::Sieve,
};
use crate::audit::follow::numbered;

/// Which records are wanted, ready to be held against lines.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    sieve: Sieve,
    /// Stands in every line that is wanted, as it is written.
    needle: Option<Needle>,
    /// Numbers that are wanted: the first, and the first behind them.
    least: u64,
    most: u64,
    of: Of,
}

/// Of which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Those that the filter takes.
    Filter,
    /// Of these, those that are none of a statement's.
    Others,
    /// All.
    All,
}

/// A wanted record.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) found: StoredRecord,
    pub(super) end: Option<StoredRecord>,
    /// The statement whose end was not in the record's own block, and where the next begins.
    pub(super) unended: Option<(Uuid, u64)>,
}

/// What was found in some blocks.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) hits: Vec<Hit>,
    /// The block that was looked at last, and whether all were.
    pub(super) last: Option<Block>,
    pub(super) is_all: bool,
}

/// How far a scan goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) direction: Direction,
    /// Records at most.
    pub(super) most: usize,
    /// No block is begun behind it.
    pub(super) until: Instant,
}

impl Wanted {
    pub(super) fn new(filter: &Filter) -> Self {
        let least = filter.after.map_or(0, |after| after.saturating_add(1));
        let most = filter.before.unwrap_or(u64::MAX);
        Self { needle: Needle::of(filter), sieve: Sieve::new(filter.clone()), least, most, of: Of::Filter }
    }

    /// Records that name `id`, apart from those of statements.
    pub(super) fn naming(id: &str) -> Self {
        let filter = Filter { reference: Some(id.to_owned()), ..Filter::default() };
        Self { of: Of::Others, ..Self::new(&filter) }
    }

    /// The record of this number, whatever it is.
    pub(super) fn numbered(seq: u64) -> Self {
        Self { least: seq, most: seq.saturating_add(1), of: Of::All, ..Self::new(&Filter::default()) }
    }

    /// The numbers that are wanted: the first, and the first behind them.
    pub(super) const fn range(&self) -> (u64, u64) {
        (self.least, self.most)
    }

    /// The lines of a block that are wanted, in order, and the statements among them that were let run.
    fn lines(&self, bytes: &[u8]) -> Vec<(u64, Range<usize>, Option<Uuid>)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(line) = self.next_line(bytes, at) {
            at = line.end + 1;
            let text = bytes.get(line.clone()).unwrap_or_default();
            let Some((seq, _)) = numbered(text).filter(|(seq, _)| (self.least..self.most).contains(seq))
            else {
                continue;
            };
            match Entry::read(text) {
                Ok(entry) if self.takes(&entry) => {
                    let is_run = &*entry.event == "statement_start" && entry.is_allowed() == Some(true);
                    found.push((seq, line, entry.statement.filter(|_| is_run)));
                }
                Ok(_) => {}
                // What cannot be read is shown: somebody who looks should see that.
                Err(_) => found.push((seq, line, None)),
            }
        }
        found
    }

    /// The next line from `at` on that may be wanted.
    fn next_line(&self, bytes: &[u8], at: usize) -> Option<Range<usize>> {
        let rest = bytes.get(at..)?;
        let (start, from) = match &self.needle {
            None => (at, at),
            Some(needle) => {
                let found = at + needle.find(rest)?;
                let before = bytes.get(at..found).and_then(|before| memchr::memrchr(b'\n', before));
                (before.map_or(at, |before| at + before + 1), found)
            }
        };
        let end = from + memchr::memchr(b'\n', bytes.get(from..)?)?;
        Some(start..end)
    }

    fn takes(&self, entry: &Entry<'_>) -> bool {
        let Filter { from, until, .. } = self.sieve.filter;
        let is_taken = || {
            from.is_none_or(|from| entry.at >= from)
                && until.is_none_or(|until| entry.at < until)
                && self.sieve.takes(entry)
        };
        match self.of {
            Of::All => true,
            Of::Filter => is_taken(),
            Of::Others => entry.is_allowed().is_none() && is_taken(),
        }
    }
}

/// Looks through blocks, which are in the order of `bounds`, until there is enough. Blocks on the disk.
pub(super) fn scan(files: &mut Files, blocks: &[Block], wanted: &Wanted, bounds: Bounds) -> io::Result<Scan> {
    let mut all = Scan::default();
    for block in blocks {
        if all.hits.len() >= bounds.most || (all.last.is_some() && Instant::now() >= bounds.until) {
            return Ok(all);
        }
        let bytes = files.read(block)?;
        let mut lines = wanted.lines(&bytes);
        match bounds.direction {
            Direction::Newest => lines.reverse(),
            Direction::Oldest => {}
        }
        lines.truncate(bounds.most - all.hits.len());
        let run: HashSet<Uuid> = lines.iter().filter_map(|(_, _, run)| *run).collect();
        let mut ends = ends(&bytes, &run);
        for (seq, line, run) in lines {
            let end = run.and_then(|run| ends.iter().position(|(id, _)| *id == run));
            let end = end.map(|at| ends.swap_remove(at).1);
            let unended = run.filter(|_| end.is_none()).map(|run| (run, block.next()));
            let found = StoredRecord::of(seq, bytes.get(line).unwrap_or_default());
            all.hits.push(Hit { found, end, unended });
        }
        all.last = Some(block.clone());
    }
    all.is_all = all.hits.len() < bounds.most;
    Ok(all)
}

/// The ends of these statements that lie in a block.
pub(super) fn ends(bytes: &[u8], of: &HashSet<Uuid>) -> Vec<(Uuid, StoredRecord)> {
    let mut found = Vec::new();
    if of.is_empty() {
        return found;
    }
    // No text holds it: there, quotation marks are escaped.
    for at in memmem::find_iter(bytes, ENDED) {
        let id = bytes.get(at + ENDED.len()..at + ENDED.len() + UUID_BYTES);
        let Some(id) = id.and_then(|id| Uuid::try_parse_ascii(id).ok()).filter(|id| of.contains(id)) else {
            continue;
        };
        let start = bytes.get(..at).and_then(|before| memchr::memrchr(b'\n', before)).map_or(0, |at| at + 1);
        let rest = bytes.get(start..).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).and_then(|end| rest.get(..end)).unwrap_or_default();
        if let Some((seq, _)) = numbered(line) {
            found.push((id, StoredRecord::of(seq, line)));
        }
    }
    found
}

const ENDED: &[u8] = b"\"event\":\"statement_end\",\"statement\":\"";
const UUID_BYTES: usize = 36;
