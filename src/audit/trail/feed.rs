//! From the lines of the log into the index, whole blocks at a time.

use std::{collections::HashMap, path::Path};

use foldhash::fast::RandomState;
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    bulk::{Cell, Insert},
    entry::Entry,
    index::{Index, cursor, forget, words},
    summary::Summary,
    tally::Tally,
    words::Words,
};
use crate::audit::{
    AuditError,
    follow::{Cursor, FollowError, FollowedLine, Follower, READ_BYTES},
    segments::segments,
};

/// Brings one index up to date.
#[derive(Debug)]
pub(super) struct Feed {
    writer: SqliteConnection,
    reading: Reading,
    /// Number of the first record of the oldest file, as of the last look.
    oldest: u64,
}

/// What the reading of lines remembers.
#[derive(Debug)]
struct Reading {
    follower: Follower,
    words: Words,
    /// The block that lines are added to.
    open: Option<Summary>,
    /// The number of its first record, and of the block before.
    blocks: [u64; 2],
    /// Statements let run, and the block that they began in.
    running: HashMap<Uuid, u64, RandomState>,
    /// Number of the first record that is in no whole block yet.
    next: u64,
}

impl Feed {
    /// Goes on where the index ends.
    pub(super) async fn open(log: &Path, index: &Index) -> Result<Self, AuditError> {
        let mut writer = index.writer().await?;
        let cursor = cursor(&mut writer).await?;
        let words = words(&mut writer).await?;
        let (next, running) = (cursor.next, HashMap::default());
        let follower = Follower::new(log, cursor);
        let reading = Reading { follower, words, open: None, blocks: [u64::MAX; 2], running, next };
        Ok(Self { writer, reading, oldest: 0 })
    }

    /// Number of the first record that is in no block of the index yet.
    pub(super) const fn next(&self) -> u64 {
        self.reading.next
    }

    /// Takes in the next blocks that are whole. Gives itself back, and whether there may be more; dropped or failed, it
    /// has to be opened anew.
    pub(super) async fn step(self, log: &Path) -> Result<(Self, bool), FeedError> {
        let Self { mut writer, mut reading, mut oldest } = self;
        let log = log.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let first = segments(&log)?.first().map_or(0, |oldest| oldest.first);
            let batch = reading.read()?;
            Ok::<_, FollowError>((reading, batch, first))
        });
        let (reading, batch, first) = read.await.map_err(|_| AuditError::gone())??;
        if first > oldest {
            forget(&mut writer, first).await?;
            oldest = first;
        }
        let is_more = batch.is_more;
        if !batch.blocks.is_empty() {
            batch.write(&mut writer).await.map_err(AuditError::index)?;
        }
        Ok((Self { writer, reading, oldest }, is_more))
    }
}

/// Why the index could not be brought on.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Follow(#[from] FollowError),
}

impl Reading {
    fn read(&mut self) -> Result<Batch, FollowError> {
        let mut batch = Batch::default();
        while batch.blocks.len() < BATCH_BLOCKS {
            let chunk = match self.follower.read(READ_BYTES) {
                // What was removed in order cannot be searched any more.
                Err(FollowError::Gap { .. }) => {
                    self.open = None;
                    self.follower.read(READ_BYTES)?
                }
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(self.ended(batch, false));
            }
            for line in chunk.lines() {
                self.take(&line, &mut batch);
            }
        }
        Ok(self.ended(batch, true))
    }

    /// The batch with the names that came up in it.
    fn ended(&mut self, mut batch: Batch, is_more: bool) -> Batch {
        batch.names = self.words.take_fresh();
        batch.is_more = is_more;
        batch
    }

    fn take(&mut self, line: &FollowedLine<'_>, batch: &mut Batch) {
        if self.open.as_ref().is_some_and(|open| !open.takes(line)) {
            self.close(batch);
        }
        if self.open.is_none() {
            let [last, _] = self.blocks;
            self.blocks = [line.seq, last];
        }
        let mut open = self.open.take().unwrap_or_else(|| Summary::begin(line));
        let entry = Entry::read(line.bytes).ok();
        open.add(line, entry.as_ref(), &mut self.words);
        if let Some(entry) = &entry {
            self.pair(entry, &mut open);
        }
        let is_full = open.block.is_full();
        self.open = Some(open);
        if is_full {
            self.close(batch);
        }
    }

    /// Notes where statements began, and those whose end is far away from it.
    fn pair(&mut self, entry: &Entry<'_>, open: &mut Summary) {
        match (&*entry.event, entry.statement) {
            ("statement_start", Some(statement))
                if entry.is_allowed() == Some(true) && self.running.len() < MOST_RUNNING =>
            {
                self.running.insert(statement, open.block.first);
            }
            ("statement_end", Some(statement)) => {
                let began = self.running.remove(&statement);
                if !began.is_some_and(|began| self.blocks.contains(&began)) {
                    open.late.push(statement);
                }
            }
            // Nothing outlives the run that started it.
            ("started", _) => self.running.clear(),
            _ => {}
        }
    }

    fn close(&mut self, batch: &mut Batch) {
        let Some(mut whole) = self.open.take() else { return };
        self.next = whole.block.next();
        batch.end = Some(whole.end(self.follower.cursor().log));
        batch.tally.add(std::mem::take(&mut whole.tally));
        batch.blocks.push(whole);
    }
}

/// Blocks that are written together.
#[derive(Debug, Default)]
struct Batch {
    blocks: Vec<Summary>,
    /// Where the last of them ends.
    end: Option<Cursor>,
    /// Names that came up in them, and their numbers.
    names: Vec<(i64, String)>,
    tally: Tally,
    /// Whether the log may have more.
    is_more: bool,
}

impl Batch {
    /// All or none, together with how far the log was read.
    async fn write(self, writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Self { blocks, end, names, tally, is_more: _ } = self;
        let end = end.map(|end| serde_json::to_string(&end).unwrap_or_default());
        let mut open = writer.begin().await?;
        let counts = tally.inserts();
        for insert in [self::names(names), marks(&blocks)].into_iter().chain(counts).chain(rows(blocks)) {
            insert.run(&mut open).await?;
        }
        sqlx::query("INSERT OR REPLACE INTO meta (name, value) VALUES ('cursor', ?)")
            .bind(end)
            .execute(&mut *open)
            .await?;
        open.commit().await
    }
}

fn names(names: Vec<(i64, String)>) -> Insert {
    let mut insert = Insert::new("INSERT INTO word (id, text) VALUES ", 2, "");
    names.into_iter().for_each(|(id, text)| insert.push([Cell::Integer(id), Cell::Text(text)]));
    insert
}

/// The marks of all blocks in the order of their table: each of its pages is touched once.
fn marks(blocks: &[Summary]) -> Insert {
    let mut marks: Vec<(i64, i64)> =
        blocks.iter().flat_map(|it| it.marks.iter().map(|mark| (*mark, integer(it.block.first)))).collect();
    marks.sort_unstable();
    let mut insert = Insert::new("INSERT OR IGNORE INTO seen (mark, block) VALUES ", 2, "");
    marks.into_iter().for_each(|(mark, block)| insert.push([mark, block].map(Cell::Integer)));
    insert
}

fn rows(blocks: Vec<Summary>) -> [Insert; 3] {
    let mut found = Insert::new(
        "INSERT INTO block (id, records, segment, place, bytes, from_at, until_at) VALUES ",
        7,
        "",
    );
    let mut endings = Insert::new("INSERT OR REPLACE INTO ending (statement, block) VALUES ", 2, "");
    let mut texts = Insert::new("INSERT INTO text (rowid, words) VALUES ", 2, "");
    for Summary { block, words, late, .. } in blocks {
        let id = integer(block.first);
        let place = [block.records, block.segment, block.place, block.bytes].map(integer);
        let [records, segment, place, bytes] = place;
        found.push([id, records, segment, place, bytes, block.from, block.until].map(Cell::Integer));
        late.iter().for_each(|it| endings.push([Cell::Bytes(it.as_bytes().to_vec()), Cell::Integer(id)]));
        if !words.is_empty() {
            let words: Vec<&str> = words.iter().map(|word| &**word).collect();
            texts.push([Cell::Integer(id), Cell::Text(words.join(" "))]);
        }
    }
    [found, endings, texts]
}

/// A number of the log as the index has it: it does not reach 2^63.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Blocks that are written together at most: about 35 MB of the log.
const BATCH_BLOCKS: usize = 64;
/// Statements that run at one time; ends of more are found by a look at the index.
const MOST_RUNNING: usize = 1 << 20;
