//! From the lines of the log into the index.

use std::{collections::HashMap, path::Path};

use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::{
    bulk::{Cell, Insert},
    entry::{Entry, Mention, decision_code, permission_code},
    index::{Index, cursor, words},
    key::key,
    tally::{Tally, TouchKey},
    words::Words,
};
use crate::audit::{
    AuditError,
    follow::{FollowError, FollowedLine, Follower, READ_BYTES},
};

/// Brings one index up to date.
#[derive(Debug)]
pub(super) struct Feed {
    writer: SqliteConnection,
    reading: Reading,
}

/// What the reading of lines remembers.
#[derive(Debug)]
struct Reading {
    follower: Follower,
    words: Words,
    /// Statements let run, and the number of their record.
    running: HashMap<Uuid, u64>,
}

impl Feed {
    /// Goes on where the index ends.
    pub(super) async fn open(log: &Path, index: &Index) -> Result<Self, AuditError> {
        let mut writer = index.writer().await?;
        let cursor = cursor(&mut writer).await?;
        let words = words(&mut writer).await?;
        let follower = Follower::new(log, cursor);
        Ok(Self { writer, reading: Reading { follower, words, running: HashMap::new() } })
    }

    /// Number of the next record that it takes in.
    pub(super) const fn next(&self) -> u64 {
        self.reading.follower.cursor().next
    }

    /// Takes in the next lines. Gives itself back, and whether there were any; dropped or failed, it has to be opened
    /// anew.
    pub(super) async fn step(self) -> Result<(Self, bool), FeedError> {
        let Self { mut writer, mut reading } = self;
        let read = tokio::task::spawn_blocking(move || {
            let batch = reading.read()?;
            Ok::<_, FollowError>((reading, batch))
        });
        let (reading, batch) = read.await.map_err(|_| AuditError::gone())??;
        let Some(batch) = batch else { return Ok((Self { writer, reading }, false)) };
        batch.write(&mut writer, &reading).await.map_err(AuditError::index)?;
        Ok((Self { writer, reading }, true))
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
    fn read(&mut self) -> Result<Option<Batch>, FollowError> {
        let chunk = match self.follower.read(READ_BYTES) {
            // What was removed in order cannot be searched any more.
            Err(FollowError::Gap { .. }) => self.follower.read(READ_BYTES)?,
            chunk => chunk?,
        };
        if chunk.is_empty() {
            return Ok(None);
        }
        let mut batch = Batch::new();
        for line in chunk.lines() {
            self.take(&line, &mut batch);
        }
        for (id, text) in self.words.take_fresh() {
            batch.words.push([Cell::Integer(id), Cell::Text(text)]);
        }
        Ok(Some(batch))
    }

    fn take(&mut self, line: &FollowedLine<'_>, batch: &mut Batch) {
        let seq = integer(line.seq);
        let Ok(entry) = serde_json::from_slice::<Entry>(line.bytes) else {
            // It is found by its number, and shown as what it is.
            batch.record(seq, [0, integer(line.offset), self.words.id(UNREADABLE), 0, 0, 0, 0, -1, 0]);
            return;
        };
        let words = &mut self.words;
        let principal = words.maybe(entry.person());
        let (target, database) = (words.maybe(entry.target()), words.maybe(entry.database()));
        let (event, kind) = (words.id(&entry.event), words.maybe(entry.kind.as_deref()));
        let decision = entry.is_allowed().map_or(-1, decision_code);
        let at = entry.at.as_microsecond();
        let place = integer(line.offset);
        let needs = entry.objects.iter().map(|object| 1 << permission_code(object.mode.permission()));
        let needs = needs.fold(0, |all, bit: i64| all | bit);
        batch.record(seq, [at, place, event, principal, target, database, kind, decision, needs]);
        match entry.event.as_str() {
            "statement_start" => {
                let hour = at.div_euclid(HOUR_US);
                let statement =
                    TouchKey { hour, principal, target, database, object: 0, permission: 0, decision };
                self.start(line.seq, &entry, statement, batch);
            }
            "statement_end" => {
                let started = entry.statement.and_then(|statement| self.running.remove(&statement));
                match (started, entry.statement) {
                    (Some(start), _) => {
                        batch.endings.push([Cell::Integer(integer(start)), Cell::Integer(seq)])
                    }
                    (None, Some(statement)) => batch.late.push((statement, seq)),
                    (None, None) => {}
                }
            }
            // Nothing outlives the run that started it.
            "started" => self.running.clear(),
            _ => {
                let ids = [entry.session, entry.statement].into_iter().flatten();
                ids.for_each(|id| batch.link(id.as_bytes().to_vec(), seq));
            }
        }
        let mentioned = [&entry.grant, &entry.request].into_iter().flatten().map(Mention::name);
        let used = entry.grants.iter().map(String::as_str).filter(|name| Uuid::parse_str(name).is_ok());
        mentioned.chain(used).for_each(|name| batch.link(key(name), seq));
    }

    fn start(&mut self, seq: u64, entry: &Entry, statement: TouchKey, batch: &mut Batch) {
        if let Some(id) = entry.statement {
            batch.link(id.as_bytes().to_vec(), integer(seq));
            if entry.is_allowed() == Some(true) && self.running.len() < MOST_RUNNING {
                self.running.insert(id, seq);
            }
        }
        let mut touches: Vec<_> = entry
            .objects
            .iter()
            .map(|object| (self.words.id(&object.name), permission_code(object.mode.permission())))
            .collect();
        touches.sort_unstable();
        touches.dedup();
        for (object, permission) in &touches {
            batch.touches.push([*object, integer(seq), *permission].map(Cell::Integer));
        }
        batch.tally.count(statement, touches.into_iter());
        if let Some(sql) = entry.sql.as_deref().filter(|sql| !sql.is_empty()) {
            let sql = sql.get(..sql.floor_char_boundary(TEXT_BYTES)).unwrap_or_default();
            batch.texts.push([Cell::Integer(integer(seq)), Cell::Text(sql.to_owned())]);
        }
    }
}

/// Rows of one chunk.
#[derive(Debug)]
struct Batch {
    records: Insert,
    words: Insert,
    endings: Insert,
    touches: Insert,
    links: Insert,
    texts: Insert,
    tally: Tally,
    /// Ends of statements that began before this reading did.
    late: Vec<(Uuid, i64)>,
}

impl Batch {
    const fn insert(head: &'static str, columns: usize) -> Insert {
        Insert::new(head, columns, "")
    }

    fn new() -> Self {
        Self {
            records: Self::insert(
                "INSERT INTO record (seq, at, place, event, principal, target, database, kind, decision, needs) \
                 VALUES ",
                10,
            ),
            words: Self::insert("INSERT INTO word (id, text) VALUES ", 2),
            endings: Self::insert("INSERT OR REPLACE INTO ending (start, seq) VALUES ", 2),
            touches: Self::insert("INSERT INTO touch (object, seq, permission) VALUES ", 3),
            links: Self::insert("INSERT OR IGNORE INTO link (key, seq) VALUES ", 2),
            texts: Self::insert("INSERT INTO text (rowid, sql) VALUES ", 2),
            tally: Tally::default(),
            late: Vec::new(),
        }
    }

    fn record(&mut self, seq: i64, rest: [i64; 9]) {
        self.records.push([seq].into_iter().chain(rest).map(Cell::Integer));
    }

    fn link(&mut self, key: Vec<u8>, seq: i64) {
        self.links.push([Cell::Bytes(key), Cell::Integer(seq)]);
    }

    /// All or none, together with how far the log was read.
    async fn write(self, writer: &mut SqliteConnection, reading: &Reading) -> Result<(), sqlx::Error> {
        let mut open = writer.begin().await?;
        let Self { records, words, endings, touches, links, texts, tally, late } = self;
        for insert in [words, records, endings, touches, links, texts].into_iter().chain(tally.inserts()) {
            insert.run(&mut open).await?;
        }
        for (statement, seq) in late {
            sqlx::query(
                "INSERT OR REPLACE INTO ending (start, seq) \
                 SELECT link.seq, ?2 FROM link JOIN record ON record.seq = link.seq \
                 WHERE link.key = ?1 AND record.decision = 0",
            )
            .bind(statement.as_bytes().to_vec())
            .bind(seq)
            .execute(&mut *open)
            .await?;
        }
        let cursor = serde_json::to_string(reading.follower.cursor()).unwrap_or_default();
        sqlx::query("INSERT OR REPLACE INTO meta (name, value) VALUES ('cursor', ?)")
            .bind(cursor)
            .execute(&mut *open)
            .await?;
        open.commit().await
    }
}

/// A number of the log as the index has it: it does not reach 2^63.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The event of a line that is no record.
const UNREADABLE: &str = "unreadable";
const HOUR_US: i64 = 3_600_000_000;
/// Of a longer text, words are found that stand in its first bytes.
const TEXT_BYTES: usize = 16 << 10;
/// Statements that run at one time; ends of more are found by a look at the index.
const MOST_RUNNING: usize = 1 << 20;
