//! The door: open a log and append to it.

use std::{
    fmt,
    future::poll_fn,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    batch::{Batch, Place, keep_spare, with_spare},
    bodies::Bodies,
    chain::Origin,
    error::AuditError,
    keeper::{Keeper, Synced},
    queue::{Desk, Outcome, Step},
    receipt::{Receipt, Receipts},
    render::Body,
    rotation::{Rotation, Rotator},
    tail::{self, Opened},
    texts::Texts,
    writer::{Writer, Written},
};
use crate::{
    metrics::AuditMetrics,
    model::{
        ids::GatewayName,
        record::{Durability, Record},
    },
    net::Clock,
};

/// Where a log lies and when a record counts as kept.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The file; made if it does not exist, with access for its owner only.
    pub path: PathBuf,
    /// Which gateway writes it; part of every line.
    pub gateway: GatewayName,
    /// When a record counts as kept.
    pub durability: Durability,
    /// When the file gives way to the next, and how long full ones are kept.
    pub rotation: Rotation,
}

/// The last record of a log at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Its number.
    pub seq: u64,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
    /// Its time.
    pub at: Timestamp,
}

/// An open audit log, held against other processes. Cheap to clone; closed when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct AuditLog {
    shared: Arc<Shared>,
    texts: Arc<Texts>,
}

struct Shared {
    desk: Arc<Desk>,
    durability: Durability,
    synced: watch::Receiver<Synced>,
    writable: Arc<AtomicBool>,
    metrics: AuditMetrics,
    calls: Option<SyncSender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl AuditLog {
    /// Opens the log, or begins one, and goes on with its chain.
    ///
    /// Bytes after the last whole line (a process was killed while it wrote) are moved to a file beside the log,
    /// and the log says so.
    ///
    /// # Errors
    /// `Locked` if another process has it; `Open` if it cannot be opened or created; `Tail` if its last lines do
    /// not verify; `Read`; `Unwritable` if its first record cannot be written.
    pub fn open(settings: &AuditSettings, clock: Clock, metrics: &AuditMetrics) -> Result<Self, AuditError> {
        let rotator = Rotator::new(&settings.path, settings.rotation.clone(), clock.clone(), metrics.clone());
        let opened = Opened { rotator: Some(rotator), ..tail::open(&settings.path, &clock)? };
        let origin =
            Origin::new(&settings.gateway).map_err(|source| AuditError::Unserializable { source })?;
        Self::start(opened, origin, settings.durability, clock, metrics)
    }

    pub(super) fn start(
        opened: Opened,
        origin: Origin,
        durability: Durability,
        clock: Clock,
        metrics: &AuditMetrics,
    ) -> Result<Self, AuditError> {
        let unwritable = |error| AuditError::Unwritable { source: Arc::new(error) };
        let writable = Arc::new(AtomicBool::new(true));
        let Opened { medium, head, first, rotator } = opened;
        let mut writer =
            Writer::new(Arc::clone(&medium), origin, clock, metrics.clone(), Arc::clone(&writable), head);
        if first.count() > 0 {
            let _own = writer.write([&first, &Bodies::default()]).map_err(unwritable)?;
            medium.sync().map_err(unwritable)?;
        }
        let desk = Arc::new(Desk::new(writer));
        let (calls, called) = sync_channel(1);
        let (sender, synced) = watch::channel(Synced::default());
        let keeper =
            Keeper { desk: Arc::clone(&desk), durability, synced: sender, metrics: metrics.clone(), rotator };
        let keeper = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || keeper.run(&called))
            .map_err(unwritable)?;
        let metrics = metrics.clone();
        let (calls, keeper) = (Some(calls), Some(keeper));
        let shared = Shared { desk, durability, synced, writable, metrics, calls, keeper };
        Ok(Self { shared: Arc::new(shared), texts: Arc::new(Texts::FULL) })
    }

    /// The same log, with what its records are to keep of texts.
    #[must_use]
    pub fn keeping(self, texts: Texts) -> Self {
        Self { texts: Arc::new(texts), ..self }
    }

    /// What records are to keep of texts; whoever makes a record asks.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Appends records in order, all or none, next to each other; one receipt a record.
    ///
    /// The receipts come when the records are as safe as configured. On a runtime of one thread, appends that are made
    /// in the same turn share a write: the task stands back once. A future that is dropped may still have appended.
    ///
    /// # Errors
    /// `Unwritable` if the log cannot be written now; nothing was kept. It tries again at each append, and by
    /// itself once a second. `Unserializable` if a record has no form as JSON.
    pub async fn append(&self, records: &[Record<'_>]) -> Result<Receipts, AuditError> {
        let written = self.write(records).await?;
        Ok(Receipts::new(written.first..written.next()))
    }

    /// Appends one record; like [`AuditLog::append`].
    ///
    /// # Errors
    /// As of [`AuditLog::append`].
    pub async fn append_one(&self, record: &Record<'_>) -> Result<Receipt, AuditError> {
        let written = self.write(std::slice::from_ref(record)).await?;
        Ok(Receipt::new(written.first))
    }

    /// Whether the last append was kept, or the log has recovered since.
    pub fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Relaxed)
    }

    /// Number, hash and time of the last record, once the disk has it and all before; `None` of an empty log. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// `Unwritable` if the log cannot be synced.
    pub fn last_on_disk(&self) -> Result<Option<LastRecord>, AuditError> {
        let lead = self.shared.desk.lead();
        let (head, medium) = (lead.writer.head(), lead.writer.medium());
        drop(lead);
        self.shared.desk.clear_up();
        medium.sync().map_err(|source| AuditError::Unwritable { source: Arc::new(source) })?;
        let hash = String::from_utf8_lossy(&head.hash).into_owned();
        Ok(head.next.checked_sub(1).map(|seq| LastRecord { seq, hash, at: head.at }))
    }

    #[cfg(test)]
    pub(super) fn desk(&self) -> &Desk {
        &self.shared.desk
    }

    async fn write(&self, records: &[impl Body]) -> Result<Written, AuditError> {
        if records.is_empty() {
            return Ok(Written { first: 0, count: 0, epoch: 0 });
        }
        let unserializable = |source| AuditError::Unserializable { source };
        let (began, written) = match Place::take(&self.shared.desk, records).map_err(unserializable)? {
            Some(place) => (place.began(), place.await),
            None => {
                let began = Instant::now();
                let written = match self.shared.begin(records).map_err(unserializable)? {
                    Step::Done(outcome) => outcome,
                    Step::Wait(batch) => poll_fn(|cx| batch.poll_answer(cx)).await,
                };
                (Some(began), written)
            }
        };
        let kept = match self.shared.durability {
            Durability::Process => written,
            Durability::Disk => self.shared.on_disk(written).await,
        };
        if let Some(began) = began {
            self.shared.metrics.append_seconds.observe(began.elapsed().as_secs_f64());
        }
        kept.map_err(|source| AuditError::Unwritable { source })
    }
}

impl Shared {
    /// Formats the records and writes them, or leaves them to whoever writes.
    fn begin(&self, records: &[impl Body]) -> Result<Step, serde_json::Error> {
        let mut bodies = with_spare();
        bodies.push_all(records)?;
        let step = self.desk.write(&bodies, Batch::left);
        keep_spare(bodies);
        Ok(step)
    }

    /// Waits until the disk has what was written.
    async fn on_disk(&self, outcome: Outcome) -> Outcome {
        let written = outcome?;
        if let Some(calls) = &self.calls {
            // Full: the thread is called already and has not looked yet.
            let _called = calls.try_send(());
        }
        let mut synced = self.synced.clone();
        let now = synced
            .wait_for(|synced| synced.epoch != written.epoch || synced.next >= written.next())
            .await
            .map_err(|_| Arc::new(keeper_gone()))?;
        if now.epoch == written.epoch {
            Ok(written)
        } else {
            // closed: the disk may have had it before, but what came after was taken back.
            Err(now.error.clone().unwrap_or_else(|| Arc::new(keeper_gone())))
        }
    }
}

impl Drop for Shared {
    /// Ends the thread, so that the file is free for the next who opens it.
    fn drop(&mut self) {
        self.calls = None;
        if let Some(keeper) = self.keeper.take() {
            // It panicked: there is nobody left to tell.
            let _ended = keeper.join();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("durability", &self.durability).finish_non_exhaustive()
    }
}

fn keeper_gone() -> io::Error {
    io::Error::other("the thread that syncs the log is gone")
}
