//! The door: search, tell, count, and keep the index up to date.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::setpriority_process;
use tokio::sync::{Mutex, oneshot};

use super::{
    feed::{Feed, FeedError},
    filter::{Direction, Filter},
    index::{Index, cursor},
    live::Live,
    search::{FoundRecord, Page},
    seek::Seek,
    stats::{self, Stats, StatsQuery},
    story::{self, Story},
};
use crate::audit::{AuditError, follow::FollowError};

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
        let Ok(mut place) = tokio::time::timeout(for_at_most, inner.feed.lock()).await else {
            // Somebody else brings it on.
            return Ok(Progress { indexed: inner.indexed.load(Ordering::Relaxed), is_complete: false });
        };
        if !inner.index.is_kept() {
            let mut reader = self.reader().await?;
            let next = cursor(&mut reader).await?.next;
            inner.indexed.store(next, Ordering::Relaxed);
            return Ok(Progress { indexed: next, is_complete: true });
        }
        let mut feed = match place.take() {
            Some(feed) => feed,
            None => Feed::open(&inner.log, &inner.index).await?,
        };
        loop {
            feed = match feed.step(&inner.log).await {
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

    /// Keeps the index up to date until it is dropped: on a thread of its own, which runs when nothing else wants to.
    pub async fn keep_up(&self) {
        let (alive, mut over) = oneshot::channel::<()>();
        let trail = self.clone();
        let follow = move || {
            if let Err(error) = setpriority_process(None, LEAST_PRIORITY) {
                tracing::warn!(%error, "the audit log's index is made as eagerly as all else");
            }
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "the audit log is not indexed"),
            };
            runtime.block_on(async {
                tokio::select! {
                    () = trail.follow() => {}
                    _ = &mut over => {}
                }
            });
        };
        match std::thread::Builder::new().name("audit-index".to_owned()).spawn(follow) {
            Ok(_thread) => std::future::pending::<()>().await,
            Err(error) => {
                tracing::error!(%error, "the audit log's index has no thread of its own");
                self.follow().await;
            }
        }
        drop(alive);
    }

    async fn follow(&self) {
        loop {
            match self.catch_up(TURN).await {
                // Whoever searches has a turn.
                Ok(progress) if !progress.is_complete => tokio::task::yield_now().await,
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the audit log is not indexed");
                    tokio::time::sleep(AFTER_ERROR).await;
                }
            }
        }
    }

    /// Records that `filter` wants, the newest first. After two seconds it gives what it has, and where to go on.
    ///
    /// # Errors
    /// `Filter` for a limit out of bounds, `Index`, `Read`.
    pub async fn search(&self, filter: &Filter) -> Result<Page, AuditError> {
        let limit = bounded("limit", filter.limit, 50, 500)? as usize;
        let mut seek = self.seek().await?;
        let (mut records, stopped) = seek.find(filter, Direction::Newest, limit + 1).await?;
        // The one beyond the page, if it is there, comes again as the first of the next.
        let is_beyond = records.len() > limit;
        records.truncate(limit);
        let next = if is_beyond { records.last().map(|last| last.found.seq) } else { stopped };
        Ok(Page { records, next, unindexed: seek.rest.unread })
    }

    /// Records that `filter` wants, the oldest first, `limit` at most, and behind which record there may be more: it gives
    /// what it has after a while. What the index is too far behind for is not passed over: it waits for the index.
    ///
    /// # Errors
    /// `Index`, `Read`; `Behind` if the index does not come on.
    pub async fn find_part(
        &self,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<FoundRecord>, Option<u64>), AuditError> {
        let mut waited = 0;
        loop {
            let mut seek = self.seek().await?;
            let (found, stopped) = seek.find(filter, Direction::Oldest, limit).await?;
            if stopped.is_some() || seek.rest.unread == 0 {
                return Ok((found, stopped));
            }
            let last = seek.rest.next.checked_sub(1);
            if last > filter.after {
                return Ok((found, last));
            }
            if waited >= MOST_WAITS {
                return Err(AuditError::Behind { records: seek.rest.unread });
            }
            drop(seek);
            waited += 1;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The story of a record by its number, or of what has this identifier; `None` if this log has no such thing.
    ///
    /// # Errors
    /// `Index`, `Read`.
    pub async fn story(&self, id: &str) -> Result<Option<Story>, AuditError> {
        story::story(&mut self.seek().await?, id).await
    }

    /// Who touched what.
    ///
    /// # Errors
    /// `Filter` for a limit out of bounds, `Index`.
    pub async fn stats(&self, query: &StatsQuery) -> Result<Stats, AuditError> {
        let limit = bounded("limit", query.limit, 100, 1000)?;
        stats::stats(&mut self.seek().await?, query, limit).await
    }

    /// Records as they are written: behind record `after`, or from now on.
    ///
    /// # Errors
    /// `Read`.
    pub async fn live(&self, after: Option<u64>, filter: Filter) -> Result<Live, AuditError> {
        Live::begin(self.0.log.clone(), after, filter).await
    }

    /// A look into the log. What the index lacks is read from the log, up to a bound; behind that, the index is brought on
    /// first, if that takes a moment only.
    async fn seek(&self) -> Result<Seek, AuditError> {
        let begin = || Seek::begin(&self.0.index.readers, self.0.log.clone(), BUDGET);
        let seek = begin().await?;
        if seek.rest.unread == 0 && !seek.rest.is_foreign {
            return Ok(seek);
        }
        drop(seek);
        self.catch_up(PATIENCE).await?;
        begin().await
    }

    #[cfg(test)]
    pub(super) fn readers(&self) -> &sqlx::SqlitePool {
        &self.0.index.readers
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

/// What is taken in at one go while an index is made anew.
const TURN: Duration = Duration::from_millis(200);
/// What is newer than the index is read from the log: it need not hurry.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Looks at an index that does not come on.
const MOST_WAITS: u32 = 30;
const AFTER_ERROR: Duration = Duration::from_secs(5);
/// How long somebody who asks waits for an index that is far behind.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long one search may take.
const BUDGET: Duration = Duration::from_secs(2);
/// Of the scheduler: a thread that has it, and those that it starts, get what others leave.
const LEAST_PRIORITY: i32 = 19;
