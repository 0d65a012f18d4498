//! From what is wanted to the records: the blocks that may have them, read until there is enough.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::{
    block::{Block, COLUMNS},
    feed::integer,
    files::{Files, StoredRecord},
    filter::{Direction, Filter},
    index::cursor,
    plan::{Plan, numbers},
    rest::Rest,
    scan::{Bounds, Hit, Scan, Wanted, ends, scan},
    search::FoundRecord,
};
use crate::audit::AuditError;

/// One look into a log, with its index as it is now.
pub(super) struct Seek {
    on: sqlx::pool::PoolConnection<Sqlite>,
    /// Back after every use.
    files: Option<Files>,
    pub(super) rest: Rest,
    until: Instant,
}

impl Seek {
    /// Opens the index and the log, for `budget`.
    pub(super) async fn begin(
        readers: &SqlitePool,
        log: PathBuf,
        budget: Duration,
    ) -> Result<Self, AuditError> {
        let mut on = readers.acquire().await.map_err(AuditError::index)?;
        let cursor = cursor(&mut on).await?;
        let read = tokio::task::spawn_blocking(move || {
            let files = Files::open(&log).map_err(|source| AuditError::Read { source })?;
            Ok::<_, AuditError>((files, Rest::read(&log, cursor)?))
        });
        let (files, rest) = read.await.map_err(|_| AuditError::gone())??;
        Ok(Self { on, files: Some(files), rest, until: Instant::now() + budget })
    }

    /// Up to `most` records that are wanted, and behind which record it ended where it ended early.
    pub(super) async fn find(
        &mut self,
        filter: &Filter,
        direction: Direction,
        most: usize,
    ) -> Result<(Vec<FoundRecord>, Option<u64>), AuditError> {
        let plan = Plan::make(&mut self.on, filter).await.map_err(AuditError::index)?;
        let wanted = Wanted::new(filter);
        let (hits, stopped) = self.hits(&plan, &wanted, direction, most).await?;
        Ok((self.with_ends(hits).await?, stopped))
    }

    /// The records that name these, without statements, oldest first; so many of each at most.
    pub(super) async fn named(
        &mut self,
        names: &BTreeSet<String>,
        most: usize,
    ) -> Result<Vec<StoredRecord>, AuditError> {
        let mut found = Vec::new();
        for name in names {
            let plan = Plan::naming(name);
            let (hits, _) = self.hits(&plan, &Wanted::naming(name), Direction::Oldest, most).await?;
            found.extend(hits.into_iter().map(|hit| hit.found));
        }
        found.sort_by_key(|it| it.seq);
        found.dedup_by_key(|it| it.seq);
        Ok(found)
    }

    /// The record of this number, whatever it is.
    pub(super) async fn numbered(&mut self, seq: u64) -> Result<Vec<FoundRecord>, AuditError> {
        let wanted = Wanted::numbered(seq);
        let (hits, _) = self.hits(&Plan::ANY, &wanted, Direction::Oldest, 1).await?;
        self.with_ends(hits).await
    }

    /// What of the rest has to be said: the lines of each of its blocks, in order.
    pub(super) async fn each_of_rest<T: Send + 'static>(
        &mut self,
        mut state: T,
        mut look: impl FnMut(&mut T, &Block, &[u8]) + Send + 'static,
    ) -> Result<T, AuditError> {
        let blocks = self.rest.blocks.clone();
        self.with_files(move |files| {
            for block in &blocks {
                let bytes = files.read(block)?;
                look(&mut state, block, &bytes);
            }
            Ok(state)
        })
        .await
    }

    /// Number of the first record of the oldest file that is there.
    pub(super) fn oldest(&self) -> u64 {
        self.files.as_ref().map_or(0, Files::oldest)
    }

    /// The index, to be asked for what it counts.
    pub(super) fn index(&mut self) -> &mut SqliteConnection {
        &mut self.on
    }

    async fn hits(
        &mut self,
        plan: &Plan,
        wanted: &Wanted,
        direction: Direction,
        most: usize,
    ) -> Result<(Vec<Hit>, Option<u64>), AuditError> {
        let mut hits = Vec::new();
        let (least, behind) = wanted.range();
        let mut rest = self.rest.blocks.clone();
        rest.retain(|block| block.first < behind && block.next() > least);
        if direction == Direction::Newest {
            rest.reverse();
            if let Some(stopped) = self.look(rest.clone(), wanted, direction, most, &mut hits).await? {
                return Ok((hits, Some(stopped)));
            }
        }
        let begin = match direction {
            Direction::Newest => behind,
            Direction::Oldest => least,
        };
        let mut from = (!plan.is_nowhere).then_some(begin);
        while let Some(at) = from {
            let window = plan.window(&mut self.on, (least, behind), at, direction);
            let (blocks, next) = window.await.map_err(AuditError::index)?;
            if let Some(stopped) = self.look(blocks, wanted, direction, most, &mut hits).await? {
                return Ok((hits, Some(stopped)));
            }
            from = next;
        }
        if direction == Direction::Oldest
            && let Some(stopped) = self.look(rest, wanted, direction, most, &mut hits).await?
        {
            return Ok((hits, Some(stopped)));
        }
        Ok((hits, None))
    }

    /// Looks through blocks a few at a time, so that nobody is waited for who has gone away. Where it stopped, if it did.
    async fn look(
        &mut self,
        blocks: Vec<Block>,
        wanted: &Wanted,
        direction: Direction,
        most: usize,
        hits: &mut Vec<Hit>,
    ) -> Result<Option<u64>, AuditError> {
        for part in blocks.chunks(BLOCKS_AT_ONCE) {
            let (part, wanted) = (part.to_vec(), wanted.clone());
            let bounds = Bounds { direction, most: most - hits.len(), until: self.until };
            let Scan { hits: found, last, is_all } =
                self.with_files(move |files| scan(files, &part, &wanted, bounds)).await?;
            hits.extend(found);
            if hits.len() >= most {
                return Ok(hits.last().map(|last| last.found.seq));
            }
            if !is_all || Instant::now() >= self.until {
                return Ok(last.map(|block| match direction {
                    Direction::Newest => block.first,
                    Direction::Oldest => block.next().saturating_sub(1),
                }));
            }
        }
        Ok(None)
    }

    /// Fills in the ends that lie in other blocks than their statements.
    async fn with_ends(&mut self, hits: Vec<Hit>) -> Result<Vec<FoundRecord>, AuditError> {
        let mut wanted: HashSet<Uuid> = HashSet::new();
        let mut following = BTreeSet::new();
        for (statement, next) in hits.iter().filter_map(|hit| hit.unended) {
            wanted.insert(statement);
            following.insert(next);
        }
        let mut found = HashMap::new();
        for look in [Look::Following, Look::Late, Look::Rest] {
            if wanted.is_empty() {
                break;
            }
            let blocks = match look {
                Look::Following => self.blocks(&following).await?,
                Look::Late => {
                    let late = late(&mut self.on, &wanted).await.map_err(AuditError::index)?;
                    self.blocks(&late).await?
                }
                Look::Rest => self.rest.blocks.clone(),
            };
            let of = wanted.clone();
            let ended = self.with_files(move |files| {
                let mut all = Vec::new();
                for block in &blocks {
                    all.extend(ends(&files.read(block)?, &of));
                }
                Ok(all)
            });
            for (statement, end) in ended.await? {
                wanted.remove(&statement);
                found.insert(statement, end);
            }
        }
        let complete = |hit: Hit| {
            let later = hit.unended.and_then(|(statement, _)| found.remove(&statement));
            FoundRecord { found: hit.found, end: hit.end.or(later) }
        };
        Ok(hits.into_iter().map(complete).collect())
    }

    /// The blocks that begin with these records.
    async fn blocks(&mut self, first: &BTreeSet<u64>) -> Result<Vec<Block>, AuditError> {
        let mut found: Vec<Block> =
            self.rest.blocks.iter().filter(|block| first.contains(&block.first)).cloned().collect();
        if !first.is_empty() {
            let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM block WHERE id IN ("));
            let mut list = query.separated(", ");
            first.iter().for_each(|first| {
                list.push_bind(integer(*first));
            });
            query.push(")");
            let rows = query.build().fetch_all(&mut *self.on).await.map_err(AuditError::index)?;
            for row in &rows {
                found.push(Block::of_row(row).map_err(AuditError::index)?);
            }
        }
        Ok(found)
    }

    async fn with_files<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&mut Files) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, AuditError> {
        let mut files = self.files.take().ok_or_else(AuditError::gone)?;
        let reading = tokio::task::spawn_blocking(move || {
            let read = read(&mut files);
            (files, read)
        });
        let (files, read) = reading.await.map_err(|_| AuditError::gone())?;
        self.files = Some(files);
        read.map_err(|source| AuditError::Read { source })
    }
}

/// Where an end may lie.
#[derive(Clone, Copy)]
enum Look {
    /// In the block behind its statement's.
    Following,
    /// Further away: the index says where.
    Late,
    /// In what the index does not have.
    Rest,
}

/// The blocks of ends that lie far from their statements.
async fn late(on: &mut SqliteConnection, of: &HashSet<Uuid>) -> Result<BTreeSet<u64>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT block FROM ending WHERE statement IN (");
    let mut list = query.separated(", ");
    of.iter().for_each(|id| {
        list.push_bind(id.as_bytes().to_vec());
    });
    query.push(")");
    let rows: Vec<(i64,)> = query.build_query_as().fetch_all(on).await?;
    Ok(numbers(rows))
}

/// Blocks that are read before somebody is looked for who still waits.
const BLOCKS_AT_ONCE: usize = 16;
