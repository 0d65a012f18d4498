//! Appends that go into one write, because they were made in the same turn of a thread.
//!
//! On a runtime of one thread everything that woke together runs one after the other. An append puts its records
//! into the thread's open batch and lets the others go first; whoever comes back first writes for all.

use std::{
    cell::{Cell, RefCell},
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    bodies::{Bodies, KEPT_BYTES},
    queue::{Desk, Outcome, Step},
    render::Body,
    writer::Written,
};

/// Appends that go into one write, and what becomes of it.
#[derive(Debug)]
pub(super) struct Batch(Mutex<State>);

#[derive(Debug)]
enum State {
    /// More may join.
    Open(Bodies),
    /// Somebody writes it; these wait for the answer.
    Left(Vec<Waker>),
    /// It is done.
    Answered(Outcome),
}

impl Batch {
    /// One that is left to the leader.
    pub(super) fn left() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Left(Vec::new()))))
    }

    /// Says what became of it, to all who wait.
    pub(super) fn answer(&self, outcome: Outcome) {
        let before = mem::replace(&mut *self.state(), State::Answered(outcome));
        if let State::Left(waiting) = before {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Nobody writes it any more: answers with an error, if there is no answer yet.
    pub(super) fn abandon(&self) {
        if !matches!(*self.state(), State::Answered(_)) {
            self.answer(Err(Arc::new(io::Error::other("the thread that wrote for others is gone"))));
        }
    }

    /// What became of it.
    pub(super) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Outcome> {
        match &mut *self.state() {
            State::Answered(outcome) => Poll::Ready(outcome.clone()),
            State::Left(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
            // closed: nobody asks before it is written.
            State::Open(_) => Poll::Ready(Err(Arc::new(io::Error::other("not written")))),
        }
    }

    /// Adds records, all or none; gives how many were there before. `None` if it is full, or written already.
    fn add(&self, records: &[impl Body]) -> Result<Option<usize>, serde_json::Error> {
        match &mut *self.state() {
            State::Open(bodies) if bodies.byte_count() < BATCH_BYTES => {
                let before = bodies.count();
                bodies.push_all(records)?;
                Ok(Some(before))
            }
            State::Open(_) | State::Left(_) | State::Answered(_) => Ok(None),
        }
    }

    /// Writes it if nobody has yet.
    fn flush(self: &Arc<Self>, desk: &Desk) {
        let bodies = match &mut *self.state() {
            State::Left(_) | State::Answered(_) => return,
            open @ State::Open(_) => match mem::replace(open, State::Left(Vec::new())) {
                State::Open(bodies) => bodies,
                State::Left(_) | State::Answered(_) => return,
            },
        };
        OPEN.with_borrow_mut(|open| open.take_if(|(_, batch)| Arc::ptr_eq(batch, self)));
        // A panic while it is written must not leave the others waiting.
        let written_by_us = Abandons(self);
        match desk.write(&bodies, || Arc::clone(self)) {
            Step::Done(outcome) => self.answer(outcome),
            Step::Wait(_) => mem::forget(written_by_us),
        }
        keep_spare(bodies);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock but the serialisation of a record, which adds all of it or none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Abandons a batch when it is dropped.
struct Abandons<'b>(&'b Batch);

impl Drop for Abandons<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Records in a batch of this thread. Dropped, they are written all the same.
#[must_use]
#[derive(Debug)]
pub(super) struct Place {
    desk: Arc<Desk>,
    batch: Arc<Batch>,
    /// Records of the batch before these.
    before: usize,
    count: usize,
    /// When the batch was begun, if it was for these.
    began: Option<Instant>,
    /// Whether the others had their turn.
    stood_back: bool,
}

impl Place {
    /// Puts records, all or none, into the batch of this thread; `None` where the others that want to write are on
    /// other threads.
    pub(super) fn take(desk: &Arc<Desk>, records: &[impl Body]) -> Result<Option<Self>, serde_json::Error> {
        let shares = |runtime: Handle| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        if !Handle::try_current().is_ok_and(shares) {
            return Ok(None);
        }
        OPEN.with_borrow_mut(|open| {
            let shared = open.as_ref().filter(|(theirs, _)| Arc::ptr_eq(theirs, desk));
            if let Some((_, batch)) = shared
                && let Some(before) = batch.add(records)?
            {
                return Ok(Some(Self::new(desk, batch, before, records.len(), None)));
            }
            let began = Instant::now();
            let mut bodies = with_spare();
            bodies.push_all(records)?;
            let batch = Arc::new(Batch(Mutex::new(State::Open(bodies))));
            // One that was there and is full, or another log's, is written by whoever has a place in it.
            let (_, batch) = open.insert((Arc::clone(desk), batch));
            Ok(Some(Self::new(desk, batch, 0, records.len(), Some(began))))
        })
    }

    fn new(
        desk: &Arc<Desk>,
        batch: &Arc<Batch>,
        before: usize,
        count: usize,
        began: Option<Instant>,
    ) -> Self {
        Self { desk: Arc::clone(desk), batch: Arc::clone(batch), before, count, began, stood_back: false }
    }

    /// When the batch was begun, if it was for these records: of those that share it, they wait longest.
    pub(super) const fn began(&self) -> Option<Instant> {
        self.began
    }
}

impl Future for Place {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        if !self.stood_back {
            self.stood_back = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.batch.flush(&self.desk);
        let (before, count) = (self.before as u64, self.count);
        let own = |written: Written| Written { first: written.first + before, count, ..written };
        self.batch.poll_answer(cx).map_ok(own)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.batch.flush(&self.desk);
    }
}

/// An empty buffer, with memory of an earlier one if there is any.
pub(super) fn with_spare() -> Bodies {
    let mut bodies = SPARE.take();
    bodies.clear();
    bodies
}

/// Keeps the memory of a buffer for the next.
pub(super) fn keep_spare(bodies: Bodies) {
    SPARE.set(bodies);
}

thread_local! {
    /// What this thread writes next, and to which log.
    static OPEN: RefCell<Option<(Arc<Desk>, Arc<Batch>)>> = const { RefCell::new(None) };
    static SPARE: Cell<Bodies> = Cell::new(Bodies::default());
}

/// A batch of more bytes takes no more.
const BATCH_BYTES: usize = KEPT_BYTES;
