//! Records as they are written.

use std::{path::PathBuf, time::Duration};

use super::{entry::Entry, files::StoredRecord, filter::Filter, sieve::Sieve};
use crate::audit::{
    AuditError,
    follow::{Cursor, FollowError, Follower},
};

/// Records as they are written, of those that a filter wants.
#[derive(Debug)]
pub struct Live {
    follower: Option<Follower>,
    sieve: Sieve,
    /// Whether records behind the asked one were gone already.
    missed: bool,
}

/// What was written since the last look.
#[derive(Debug, Default)]
pub struct LivePart {
    /// Those that are wanted, in order.
    pub records: Vec<StoredRecord>,
    /// Records that are gone, and were not looked at.
    pub missed: bool,
    /// Whether the log had no more at that moment.
    pub is_end: bool,
}

impl Live {
    /// Begins behind record `after`, or behind what the log has now.
    pub(super) async fn begin(log: PathBuf, after: Option<u64>, filter: Filter) -> Result<Self, AuditError> {
        let begun = tokio::task::spawn_blocking(move || match after {
            None => Follower::at_end(&log),
            Some(after) => {
                let mut follower = Follower::new(&log, Cursor::START);
                follower.seek(after.saturating_add(1))?;
                Ok(follower)
            }
        });
        let follower = begun.await.map_err(|_| AuditError::gone())?.map_err(AuditError::from)?;
        let missed = after.is_some_and(|after| follower.cursor().next > after.saturating_add(1));
        Ok(Self { follower: Some(follower), sieve: Sieve::new(filter), missed })
    }

    /// What was written since the last look; waits for the next record for `patience` at most.
    ///
    /// # Errors
    /// `Read`. It can be looked again.
    pub async fn next(&mut self, patience: Duration) -> Result<LivePart, AuditError> {
        let begun = tokio::time::Instant::now();
        loop {
            let part = self.look().await?;
            if part.missed || !part.is_end || begun.elapsed() >= patience {
                return Ok(part);
            }
            tokio::time::sleep(LOOK_EVERY.min(patience)).await;
        }
    }

    async fn look(&mut self) -> Result<LivePart, AuditError> {
        if std::mem::take(&mut self.missed) {
            return Ok(LivePart { missed: true, ..LivePart::default() });
        }
        let Some(mut follower) = self.follower.take() else { return Err(AuditError::gone()) };
        let sieve = self.sieve.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let read = follower.read(LOOK_BYTES);
            let part = match read {
                Ok(chunk) => Ok(LivePart {
                    records: chunk
                        .lines()
                        .filter(|line| is_wanted(&sieve, line.bytes))
                        .map(|line| StoredRecord::of(line.seq, line.bytes))
                        .collect(),
                    missed: false,
                    is_end: chunk.is_empty(),
                }),
                Err(FollowError::Gap { .. } | FollowError::Replaced) => {
                    Ok(LivePart { missed: true, ..LivePart::default() })
                }
                Err(FollowError::Diverged { at }) => {
                    follower.seek(at).map(|()| LivePart { missed: true, ..LivePart::default() })
                }
                Err(error) => Err(error),
            };
            (follower, part)
        });
        let (follower, part) = looking.await.map_err(|_| AuditError::gone())?;
        self.follower = Some(follower);
        part.map_err(AuditError::from)
    }
}

fn is_wanted(sieve: &Sieve, line: &[u8]) -> bool {
    // What cannot be read is shown: somebody who looks on should see that.
    Entry::read(line).map_or(true, |entry| sieve.takes(&entry))
}

const LOOK_BYTES: usize = 1 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(200);
