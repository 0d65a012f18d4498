//! The one place that writes lines: chain, write, and repair when a write fails.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;

use super::{
    bodies::{Bodies, KEPT_BYTES},
    chain::{Head, Origin, OwnRecord},
    medium::Medium,
};
use crate::{metrics::AuditMetrics, net::Clock};

/// Writes lines. Used under a lock, by one thread at a time.
pub(super) struct Writer {
    medium: Arc<dyn Medium>,
    origin: Origin,
    clock: Clock,
    metrics: AuditMetrics,
    writable: Arc<AtomicBool>,
    /// End of the last whole line that counts. Moves only after a write succeeded.
    head: Head,
    /// End of the last line that the disk has; under durability `process`, of the log when it was opened.
    durable: Head,
    /// Rises when lines that were written are taken back.
    epoch: u64,
    trouble: Option<Trouble>,
    out: Vec<u8>,
    checked_second: i64,
}

/// Why the log cannot be written, and since when.
#[derive(Debug)]
struct Trouble {
    since: Timestamp,
    refused: u64,
    /// Whether bytes of ours lie after the head and must go first.
    damaged: bool,
}

/// Which lines an append became.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// Number of its first record.
    pub(super) first: u64,
    /// How many records.
    pub(super) count: usize,
    /// Holds only while the writer's epoch is this one.
    pub(super) epoch: u64,
}

impl Written {
    /// The number after its last record.
    pub(super) const fn next(&self) -> u64 {
        self.first + self.count as u64
    }
}

impl Writer {
    pub(super) fn new(
        medium: Arc<dyn Medium>,
        origin: Origin,
        clock: Clock,
        metrics: AuditMetrics,
        writable: Arc<AtomicBool>,
        head: Head,
    ) -> Self {
        metrics.unhealthy.set(0);
        let (out, durable) = (Vec::new(), head);
        Self {
            medium,
            origin,
            clock,
            metrics,
            writable,
            head,
            durable,
            epoch: 0,
            trouble: None,
            out,
            checked_second: 0,
        }
    }

    /// Writes all bodies in order in one write, all or nothing. The numbers given are consecutive.
    pub(super) fn write(&mut self, batches: [&Bodies; 2]) -> Result<Written, io::Error> {
        let count = batches.iter().map(|bodies| bodies.count()).sum();
        let now = self.clock.now();
        match self.try_write(batches, now) {
            Ok((head, first)) => {
                self.metrics.records.inc_by(head.next - self.head.next);
                self.metrics.bytes.inc_by(head.end - self.head.end);
                self.head = head;
                self.recovered();
                Ok(Written { first, count, epoch: self.epoch })
            }
            Err(error) => {
                self.metrics.refused.inc_by(count as u64);
                self.fail(&error, now, count as u64);
                Err(error)
            }
        }
    }

    fn try_write(&mut self, batches: [&Bodies; 2], now: Timestamp) -> io::Result<(Head, u64)> {
        self.make_whole(now)?;
        let mut head = self.head;
        let moment = head.moment(now);
        self.out.clear();
        if let Some(trouble) = &self.trouble {
            let record =
                OwnRecord::Recovered { unwritable_since: trouble.since, refused_records: trouble.refused };
            let mut bodies = Bodies::default();
            bodies.push(&record)?;
            for body in bodies.iter() {
                head.chain(&self.origin, body, &moment, &mut self.out);
            }
        }
        let first = head.next;
        for body in batches.iter().flat_map(|bodies| bodies.iter()) {
            head.chain(&self.origin, body, &moment, &mut self.out);
        }
        if moment.is_back() {
            self.metrics.clock_steps.inc();
        }
        let written = self.medium.append(&self.out);
        self.out.clear();
        self.out.shrink_to(KEPT_BYTES);
        if let Err(error) = written {
            // Part of a line may be there. It goes now if it can, so that a reader never sees it, or before the
            // next write.
            let damaged = self.medium.truncate(self.head.end).is_err();
            self.trouble_since(now).damaged = damaged;
            return Err(error);
        }
        Ok((head, first))
    }

    /// Removes what an earlier failure left, and looks once a second whether the file is still the log.
    fn make_whole(&mut self, now: Timestamp) -> io::Result<()> {
        if let Some(trouble) = &mut self.trouble {
            if trouble.damaged {
                self.medium.truncate(self.head.end)?;
                trouble.damaged = false;
            }
            self.medium.check(self.head.end)?;
        } else if self.checked_second != now.as_second() {
            self.medium.check(self.head.end)?;
            self.checked_second = now.as_second();
        }
        Ok(())
    }

    /// Tries to leave trouble by writing a record that says so.
    pub(super) fn recover(&mut self) {
        if self.trouble.is_some() {
            let none = Bodies::default();
            // The failure is in the log of the process and in the metrics already.
            let _still_failing = self.write([&none, &none]);
        }
    }

    /// Takes back all lines that the disk does not have, after it said that it could not take them.
    ///
    /// None of them has a receipt: under durability `disk` a receipt waits for the disk.
    pub(super) fn take_back(&mut self, error: &io::Error) {
        let now = self.clock.now();
        let lost = self.head.next - self.durable.next;
        self.metrics.refused.inc_by(lost);
        self.head = self.durable;
        self.epoch += 1;
        self.fail(error, now, lost);
        self.trouble_since(now).damaged = self.medium.truncate(self.head.end).is_err();
    }

    /// After a panic while it was in use: what it wrote last may lie after the head.
    pub(super) fn distrust(&mut self) {
        let now = self.clock.now();
        self.fail(&io::Error::other("a thread panicked while it wrote"), now, 0);
        self.trouble_since(now).damaged = true;
    }

    fn fail(&mut self, error: &io::Error, now: Timestamp, refused: u64) {
        if self.writable.swap(false, Ordering::Relaxed) {
            tracing::error!(%error, "audit log cannot be written, statements are refused until it can");
        }
        self.metrics.unhealthy.set(1);
        self.trouble_since(now).refused += refused;
    }

    fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            self.writable.store(true, Ordering::Relaxed);
            self.metrics.unhealthy.set(0);
            tracing::warn!(refused = trouble.refused, since = %trouble.since, "audit log can be written again");
        }
    }

    fn trouble_since(&mut self, now: Timestamp) -> &mut Trouble {
        self.trouble.get_or_insert(Trouble { since: now, refused: 0, damaged: false })
    }

    /// End of the last whole line.
    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// Which gateway writes it.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the lines lie.
    pub(super) fn medium(&self) -> Arc<dyn Medium> {
        Arc::clone(&self.medium)
    }

    /// Whether the log cannot be written.
    pub(super) const fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Goes on in another file, whose first line the disk has, as it has all of the file before.
    pub(super) fn move_to(&mut self, medium: Arc<dyn Medium>, head: Head) {
        self.metrics.records.inc_by(head.next - self.head.next);
        self.metrics.bytes.inc_by(head.end);
        (self.medium, self.head, self.durable) = (medium, head, head);
    }

    /// What is written, the epoch, and where; `None` when the disk has all of it.
    pub(super) fn unsynced(&self) -> Option<(Head, Arc<dyn Medium>)> {
        (self.head.next != self.durable.next).then(|| (self.head, Arc::clone(&self.medium)))
    }

    /// The disk has everything up to `head`.
    pub(super) fn synced(&mut self, head: Head) {
        self.durable = head;
    }

    /// Records written that the disk does not have.
    pub(super) const fn lag(&self) -> u64 {
        self.head.next - self.durable.next
    }

    /// The epoch, and the number after the last line that the disk has.
    pub(super) const fn durable(&self) -> (u64, u64) {
        (self.epoch, self.durable.next)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("head", &self.head)
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}
