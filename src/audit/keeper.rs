//! The log's own thread: syncs for all who wait, and tries again while the log cannot be written.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{queue::Desk, rotation::Rotator};
use crate::{metrics::AuditMetrics, model::record::Durability};

/// What the disk has.
#[derive(Clone, Debug, Default)]
pub(super) struct Synced {
    /// The writer's epoch. An append of an earlier one has been taken back.
    pub(super) epoch: u64,
    /// The number after the last record that the disk has.
    pub(super) next: u64,
    /// Why the epoch before ended.
    pub(super) error: Option<Arc<io::Error>>,
}

/// What the thread works on.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) desk: Arc<Desk>,
    pub(super) durability: Durability,
    pub(super) synced: watch::Sender<Synced>,
    pub(super) metrics: AuditMetrics,
    /// `None` where there are no files.
    pub(super) rotator: Option<Rotator>,
}

impl Keeper {
    /// Works until the other end of `calls` is dropped.
    pub(super) fn run(mut self, calls: &Receiver<()>) {
        loop {
            let called = calls.recv_timeout(RETRY_EVERY);
            match self.durability {
                Durability::Disk => self.sync(),
                Durability::Process => {}
            }
            if self.rotator.as_mut().is_some_and(|rotator| rotator.tend(&self.desk)) {
                // Who waits for the disk waits for a file that is whole and synced now.
                self.tell(None);
            }
            match called {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.desk.lead().writer.recover();
                    self.desk.clear_up();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Brings to the disk what is written, in one go for all who wait.
    fn sync(&self) {
        let unsynced = self.desk.lead().writer.unsynced();
        self.desk.clear_up();
        let Some((head, medium)) = unsynced else { return };
        let outcome = medium.sync();
        let mut lead = self.desk.lead();
        let error = match outcome {
            Ok(()) => {
                lead.writer.synced(head);
                None
            }
            Err(error) => {
                // Of pages that failed once, a later sync says nothing: the lines go, none has a receipt.
                lead.writer.take_back(&error);
                Some(Arc::new(error))
            }
        };
        drop(lead);
        self.tell(error);
    }

    /// Tells those who wait what the disk has.
    fn tell(&self, error: Option<Arc<io::Error>>) {
        let lead = self.desk.lead();
        let (epoch, next) = lead.writer.durable();
        let lag = lead.writer.lag();
        drop(lead);
        self.desk.clear_up();
        self.metrics.lag_records.set(i64::try_from(lag).unwrap_or(i64::MAX));
        self.synced.send_modify(|synced| {
            let error = error.or_else(|| synced.error.take());
            *synced = Synced { epoch, next, error };
        });
    }
}

/// Between two tries while the log cannot be written.
const RETRY_EVERY: Duration = Duration::from_secs(1);
