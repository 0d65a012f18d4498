//! The door: search, tell, count, and keep the index up to date.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{
    feed::{Feed, FeedError},
    filter::{Direction, Filter},
    index::{Index, cursor, is_outlived},
    lines::{Lines, StoredRecord},
    live::Live,
    search::{FoundRecord, Page, Spot, places},
    stats::{Stats, StatsQuery, hours, touches},
    story::{self, Story, grants_of, request_of},
};
use crate::audit::{
    AuditError,
    follow::{FollowError, Follower},
    segments::segments,
};

/// A log as it is read. Cheap to clone; all clones are the same one.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    log: PathBuf,
    index: Index,
    feed: Mutex<Option<Feed>>,
    /// Number of the next record that the index takes in.
    indexed: AtomicU64,
}

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records of the log that the index has, or that were removed from the log before.
    pub indexed: u64,
    /// Whether it has all that the log had at that moment.
    pub is_complete: bool,
}

impl Trail {
    /// Opens the log's index; makes it anew where it is missing, broken or of another form. If another process keeps it
    /// up to date, it is only read.
    ///
    /// # Errors
    /// `Open` and `Index` if that cannot be done.
    pub async fn open(log: &Path, index: &Path) -> Result<Self, AuditError> {
        let index = Index::open(index).await?;
        let (feed, indexed) = (Mutex::new(None), AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { log: log.to_owned(), index, feed, indexed })))
    }

    /// The file that the log is written to.
    pub fn log(&self) -> &Path {
        &self.0.log
    }

    /// Takes in what the log has and the index has not, for so long at most.
    ///
    /// # Errors
    /// `Index`, `Read`. The next call begins anew where the index ends.
    pub async fn catch_up(&self, for_at_most: Duration) -> Result<Progress, AuditError> {
        let inner = &*self.0;
        let started = Instant::now();
        let mut place = inner.feed.lock().await;
        if !inner.index.is_kept() {
            let mut reader = self.reader().await?;
            let next = cursor(&mut reader).await?.next;
            inner.indexed.store(next, Ordering::Relaxed);
            return Ok(Progress { indexed: next, is_complete: true });
        }
        let mut feed = match place.take() {
            Some(feed) => feed,
            None => self.begin_feed().await?,
        };
        loop {
            feed = match feed.step().await {
                Ok((feed, is_more)) => {
                    inner.indexed.store(feed.next(), Ordering::Relaxed);
                    if !is_more || started.elapsed() >= for_at_most {
                        let progress = Progress { indexed: feed.next(), is_complete: !is_more };
                        *place = Some(feed);
                        return Ok(progress);
                    }
                    feed
                }
                Err(FeedError::Follow(error @ (FollowError::Replaced | FollowError::Diverged { .. }))) => {
                    tracing::error!(%error, "the audit log is not what the index was made from: made anew");
                    inner.index.clear().await?;
                    Feed::open(&inner.log, &inner.index).await?
                }
                Err(FeedError::Follow(error)) => return Err(error.into()),
                Err(FeedError::Audit(error)) => return Err(error),
            };
        }
    }

    /// Goes on where the index ends; one that is mostly of what the log has no more is made anew first.
    async fn begin_feed(&self) -> Result<Feed, AuditError> {
        let inner = &*self.0;
        let oldest = segments(&inner.log).ok().and_then(|all| all.first().map(|it| it.first));
        let mut reader = self.reader().await?;
        let is_outlived = match oldest {
            Some(oldest) => is_outlived(&mut reader, oldest).await?,
            None => false,
        };
        drop(reader);
        if is_outlived {
            inner.index.clear().await?;
        }
        Feed::open(&inner.log, &inner.index).await
    }

    /// Keeps the index up to date until it is dropped.
    pub async fn keep_up(&self) {
        loop {
            match self.catch_up(TURN).await {
                // Others have their turn: an index that is made anew must not slow the gate down.
                Ok(progress) if !progress.is_complete => tokio::time::sleep(BREATH).await,
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the audit log is not indexed");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Records that `filter` wants, the newest first.
    ///
    /// # Errors
    /// `Filter` for a limit out of bounds, `Index`, `Read`.
    pub async fn search(&self, filter: &Filter) -> Result<Page, AuditError> {
        let limit = bounded("limit", filter.limit, 50, 500)?;
        let unindexed = self.freshen().await?;
        let (mut records, more) = self.find_part(filter, Direction::Newest, limit + 1).await?;
        // The one beyond the page, if it is there, comes again as the first of the next.
        let is_beyond = records.len() as i64 > limit;
        records.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let shown = records.last().map(|last| last.found.seq);
        let next = more.and_then(|more| if is_beyond { shown } else { Some(more) });
        Ok(Page { records, next, unindexed })
    }

    /// Records that `filter` wants, in this order, `limit` at most.
    ///
    /// # Errors
    /// `Index`, `Read`.
    pub async fn find(
        &self,
        filter: &Filter,
        direction: Direction,
        limit: i64,
    ) -> Result<Vec<FoundRecord>, AuditError> {
        Ok(self.find_part(filter, direction, limit).await?.0)
    }

    /// As [`Self::find`], and behind which record there may be more: what the log keeps no longer is passed over, and is
    /// not the end.
    ///
    /// # Errors
    /// `Index`, `Read`.
    pub async fn find_part(
        &self,
        filter: &Filter,
        direction: Direction,
        limit: i64,
    ) -> Result<(Vec<FoundRecord>, Option<u64>), AuditError> {
        let mut reader = self.reader().await?;
        let found = places(&mut reader, filter, direction, limit).await.map_err(AuditError::index)?;
        drop(reader);
        let last = found.last().filter(|_| found.len() as i64 >= limit).map(|((seq, _), _)| *seq);
        let records = self
            .with_lines(move |lines| {
                let mut records = Vec::with_capacity(found.len());
                for ((seq, place), end) in found {
                    let Some(found) = lines.read(seq, place)? else { continue };
                    let end = match end {
                        Some((seq, place)) => lines.read(seq, place)?,
                        None => None,
                    };
                    records.push(FoundRecord { found, end });
                }
                Ok(records)
            })
            .await?;
        Ok((records, last))
    }

    /// The story of a record by its number, or of what has this identifier; `None` if this log has no such thing.
    ///
    /// # Errors
    /// `Index`, `Read`.
    pub async fn story(&self, id: &str) -> Result<Option<Story>, AuditError> {
        self.freshen().await?;
        let Some(mut record) = self.first_of(id).await? else { return Ok(None) };
        if record.text("event") == Some("statement_end")
            && let Some(statement) = record.text("statement").map(str::to_owned)
            && let Some(start) = self.first_of(&statement).await?
        {
            record = start;
        }
        let mut reader = self.reader().await?;
        let end = story::ended(&mut reader, record.seq).await.map_err(AuditError::index)?;
        drop(reader);
        let end = self.read(end.into_iter().collect()).await?.pop();
        let session = match record.text("session").map(str::to_owned) {
            Some(session) => self.named(&BTreeSet::from([session])).await?,
            None => Vec::new(),
        };
        let mut wanted = grants_of(&record);
        let mut asked: BTreeSet<String> = request_of(&record).into_iter().collect();
        let mut grants = self.named(&wanted).await?;
        asked.extend(grants.iter().filter_map(request_of));
        let requests = self.named(&asked).await?;
        wanted.extend(requests.iter().flat_map(grants_of));
        if grants.is_empty() {
            grants = self.named(&wanted).await?;
        }
        let of_requests: BTreeSet<u64> = requests.iter().map(|it| it.seq).collect();
        grants.retain(|it| !of_requests.contains(&it.seq));
        Ok(Some(Story { record, end, session, grants, requests }))
    }

    /// Who touched what.
    ///
    /// # Errors
    /// `Filter` for a limit out of bounds, `Index`.
    pub async fn stats(&self, query: &StatsQuery) -> Result<Stats, AuditError> {
        let limit = bounded("limit", query.limit, 100, 1000)?;
        let unindexed = self.freshen().await?;
        let mut reader = self.reader().await?;
        let touches = touches(&mut reader, query, limit).await.map_err(AuditError::index)?;
        let hours = hours(&mut reader, query).await.map_err(AuditError::index)?;
        Ok(Stats { touches, hours, unindexed })
    }

    /// Records as they are written: behind record `after`, or from now on.
    ///
    /// # Errors
    /// `Read`.
    pub async fn live(&self, after: Option<u64>, filter: Filter) -> Result<Live, AuditError> {
        Live::begin(self.0.log.clone(), after, filter).await
    }

    /// Brings the index up to date if that takes a moment only; how many records it still lacks.
    async fn freshen(&self) -> Result<u64, AuditError> {
        let progress = self.catch_up(PATIENCE).await?;
        if progress.is_complete {
            return Ok(0);
        }
        let log = self.0.log.clone();
        let end = tokio::task::spawn_blocking(move || Follower::at_end(&log)).await;
        let end = end.map_err(|_| AuditError::gone())??;
        Ok(end.cursor().next.saturating_sub(progress.indexed))
    }

    async fn first_of(&self, id: &str) -> Result<Option<StoredRecord>, AuditError> {
        let mut reader = self.reader().await?;
        let spot = match id.parse() {
            Ok(seq) => story::numbered(&mut reader, seq).await,
            Err(_) => story::first_named(&mut reader, id).await,
        };
        drop(reader);
        Ok(self.read(spot.map_err(AuditError::index)?.into_iter().collect()).await?.pop())
    }

    /// The records that name these, without statements, oldest first.
    async fn named(&self, names: &BTreeSet<String>) -> Result<Vec<StoredRecord>, AuditError> {
        let mut reader = self.reader().await?;
        let mut spots = BTreeSet::new();
        for name in names {
            spots.extend(story::named(&mut reader, name).await.map_err(AuditError::index)?);
        }
        drop(reader);
        self.read(spots.into_iter().collect()).await
    }

    async fn read(&self, spots: Vec<Spot>) -> Result<Vec<StoredRecord>, AuditError> {
        if spots.is_empty() {
            return Ok(Vec::new());
        }
        self.with_lines(move |lines| {
            let read = |(seq, place)| lines.read(seq, place).transpose();
            spots.into_iter().filter_map(read).collect()
        })
        .await
    }

    async fn with_lines<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Lines) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, AuditError> {
        let log = self.0.log.clone();
        let reading = tokio::task::spawn_blocking(move || read(&mut Lines::open(&log)?));
        reading.await.map_err(|_| AuditError::gone())?.map_err(|source| AuditError::Read { source })
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, AuditError> {
        self.0.index.readers.acquire().await.map_err(AuditError::index)
    }
}

fn bounded(field: &'static str, written: Option<u32>, otherwise: i64, most: i64) -> Result<i64, AuditError> {
    let value = written.map_or(otherwise, i64::from);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(AuditError::Filter { field, problem: format!("from 1 to {most}") })
}

/// What is taken in at one go while an index is made anew, and the rest after it.
const TURN: Duration = Duration::from_millis(200);
const BREATH: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_millis(250);
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How long somebody who asks waits for the index to have all.
const PATIENCE: Duration = Duration::from_millis(500);
