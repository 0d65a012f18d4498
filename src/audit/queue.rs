//! Who writes when several want to: one leads and writes for all.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering, fence},
    },
};

use super::{
    batch::Batch,
    bodies::Bodies,
    writer::{Writer, Written},
};

/// What becomes of an append.
pub(super) type Outcome = Result<Written, Arc<io::Error>>;

/// The writer, and the appends that wait for whoever has it.
#[derive(Debug)]
pub(super) struct Desk {
    lead: Mutex<Lead>,
    waiting: Mutex<Waiting>,
    /// Whether `waiting` holds anything; set under its lock, read without.
    any_waiting: AtomicBool,
}

/// What the leader holds.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) writer: Writer,
    spare: Waiting,
}

#[derive(Debug, Default)]
struct Waiting {
    bodies: Bodies,
    askers: Vec<Asker>,
}

/// Whoever left something to the leader. Dropped, it is told that the leader is gone, if it was told nothing else.
#[derive(Debug)]
struct Asker {
    count: usize,
    batch: Arc<Batch>,
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.batch.abandon();
    }
}

/// Whether an append is done or waits for the leader.
#[derive(Debug)]
pub(super) enum Step {
    /// It is done.
    Done(Outcome),
    /// The leader answers.
    Wait(Arc<Batch>),
}

impl Desk {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            lead: Mutex::new(Lead { writer, spare: Waiting::default() }),
            waiting: Mutex::new(Waiting::default()),
            any_waiting: AtomicBool::new(false),
        }
    }

    /// Writes `bodies`, at once if nobody writes, else by leaving them to whoever does; `batch` is told then.
    pub(super) fn write(&self, bodies: &Bodies, batch: impl FnOnce() -> Arc<Batch>) -> Step {
        for _ in 0..SPINS {
            if let Some(mut lead) = self.try_lead() {
                let outcome = self.serve(&mut lead, bodies);
                drop(lead);
                self.clear_up();
                return Step::Done(outcome);
            }
            std::hint::spin_loop();
        }
        let Some(batch) = self.leave(bodies, batch) else {
            // The leader is far behind. Waiting for it holds the memory that waits within bounds.
            let mut lead = self.lead();
            let outcome = self.serve(&mut lead, bodies);
            drop(lead);
            self.clear_up();
            return Step::Done(outcome);
        };
        self.clear_up();
        Step::Wait(batch)
    }

    /// Waits until nobody writes, and leads.
    pub(super) fn lead(&self) -> MutexGuard<'_, Lead> {
        self.lead.lock().unwrap_or_else(|poison| self.cleared(poison))
    }

    fn try_lead(&self) -> Option<MutexGuard<'_, Lead>> {
        match self.lead.try_lock() {
            Ok(lead) => Some(lead),
            Err(TryLockError::Poisoned(poison)) => Some(self.cleared(poison)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn cleared<'a>(&self, poison: PoisonError<MutexGuard<'a, Lead>>) -> MutexGuard<'a, Lead> {
        self.lead.clear_poison();
        let mut lead = poison.into_inner();
        lead.spare = Waiting::default();
        lead.writer.distrust();
        lead
    }

    /// Leaves `bodies` to the leader; `None` if too much waits already.
    fn leave(&self, bodies: &Bodies, batch: impl FnOnce() -> Arc<Batch>) -> Option<Arc<Batch>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.bodies.byte_count() > WAITING_BYTES {
            return None;
        }
        let batch = batch();
        waiting.bodies.extend(bodies);
        waiting.askers.push(Asker { count: bodies.count(), batch: Arc::clone(&batch) });
        self.any_waiting.store(true, Ordering::SeqCst);
        Some(batch)
    }

    /// Serves whoever waits, if nobody else does.
    ///
    /// INVARIANT: called after every release of the lead and after every `leave`. Of a thread that left something
    /// and a leader that goes, one sees the other: both fences stand between its own write and its look.
    pub(super) fn clear_up(&self) {
        loop {
            fence(Ordering::SeqCst);
            if !self.any_waiting.load(Ordering::SeqCst) {
                return;
            }
            let Some(mut lead) = self.try_lead() else { return };
            // What waits is answered one by one, and this append's own outcome is none of them.
            let _nothing = self.serve(&mut lead, &Bodies::default());
        }
    }

    /// Writes `own` and everything that waits in one write, and answers.
    fn serve(&self, lead: &mut Lead, own: &Bodies) -> Outcome {
        let Lead { writer, spare } = lead;
        if self.any_waiting.load(Ordering::SeqCst) {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *waiting, spare);
            self.any_waiting.store(false, Ordering::SeqCst);
        }
        if own.count() == 0 && spare.askers.is_empty() {
            return Ok(Written { first: 0, count: 0, epoch: 0 });
        }
        let outcome = writer.write([own, &spare.bodies]).map_err(Arc::new);
        let mut first = outcome.as_ref().map_or(0, |written| written.first + own.count() as u64);
        for asker in spare.askers.drain(..) {
            let theirs = outcome.clone().map(|written| Written { first, count: asker.count, ..written });
            first += asker.count as u64;
            // Who no longer listens has a record without a receipt, and runs nothing.
            asker.batch.answer(theirs);
        }
        spare.bodies.clear();
        outcome.map(|written| Written { count: own.count(), ..written })
    }
}

/// Tries for the lead before an append is left to the leader: about as long as one write takes.
const SPINS: usize = 64;

/// Bytes that may wait for the leader.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
