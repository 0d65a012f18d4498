//! The open sessions: to find one by its cancel key or identifier, and to wake it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use dashmap::DashMap;
use futures_util::task::AtomicWaker;

use super::{cancel_key::CancelKey, tally::Tally, who::Who};
use crate::{
    model::{
        errand::{Asked, Errand},
        ids::SessionId,
        replica::{Replica, session_number},
    },
    net::Published,
};

/// All open sessions, by identifier and by the process identifier of their cancel key.
#[derive(Debug)]
pub struct Registry {
    by_process: DashMap<i32, Arc<Handle>>,
    by_session: DashMap<SessionId, i32>,
    tally: Tally,
    /// Process identifiers given so far.
    given: AtomicU32,
    /// The number of this gateway, which is part of them.
    replica: Published<Option<Replica>>,
    /// Whoever enters from now on is to end.
    draining: AtomicBool,
}

/// One open session, seen from outside.
pub struct Handle {
    /// Whose it is; another's after a change of user.
    who: ArcSwap<Who>,
    process_id: i32,
    key: CancelKey,
    signals: AtomicU8,
    waker: AtomicWaker,
    /// When the snapshot that it was last told of was published.
    published_at: ArcSwapOption<Instant>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("session", &self.who().session).finish_non_exhaustive()
    }
}

/// What a session was told since it last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signals(u8);

impl Signals {
    const CANCEL: u8 = 1;
    const RECHECK: u8 = 2;
    const TERMINATE: u8 = 4;
    const DRAIN: u8 = 8;
    const STOP: u8 = 16;

    /// Its client asks to cancel what runs.
    pub(super) const fn cancel(self) -> bool {
        self.0 & Self::CANCEL != 0
    }

    /// The snapshot changed.
    pub(super) const fn recheck(self) -> bool {
        self.0 & Self::RECHECK != 0
    }

    /// It must end as soon as nothing runs and no transaction is open.
    pub(super) const fn drain(self) -> bool {
        self.0 & Self::DRAIN != 0
    }

    /// What runs must stop, and then it must end.
    pub(super) const fn stop(self) -> bool {
        self.0 & Self::STOP != 0
    }

    /// It must end.
    pub(super) const fn terminate(self) -> bool {
        self.0 & Self::TERMINATE != 0
    }
}

impl Handle {
    /// Whose it is.
    pub fn who(&self) -> Arc<Who> {
        self.who.load_full()
    }

    /// The process identifier that the client is given.
    pub const fn process_id(&self) -> i32 {
        self.process_id
    }

    /// The cancel key that the client is given.
    pub(super) fn key(&self) -> &[u8] {
        self.key.expose()
    }

    /// Waits until the session is told something.
    pub(super) fn poll_signals(&self, cx: &mut Context<'_>) -> Poll<Signals> {
        self.waker.register(cx.waker());
        match self.signals.swap(0, Ordering::AcqRel) {
            0 => Poll::Pending,
            signals => Poll::Ready(Signals(signals)),
        }
    }

    /// When the change that it was told of last was published.
    pub(super) fn published_at(&self) -> Option<Instant> {
        self.published_at.load().as_deref().copied()
    }

    fn tell(&self, signal: u8) {
        self.signals.fetch_or(signal, Ordering::AcqRel);
        self.waker.wake();
    }
}

impl Registry {
    /// One without sessions, at the gateway that has the number `replica`.
    pub fn new(replica: Published<Option<Replica>>) -> Self {
        Self {
            by_process: DashMap::new(),
            by_session: DashMap::new(),
            tally: Tally::default(),
            given: AtomicU32::new(0),
            replica,
            draining: AtomicBool::new(false),
        }
    }

    /// The number of this gateway among those on its store.
    pub(super) fn replica(&self) -> Option<Replica> {
        **self.replica.peek()
    }

    /// Enters a session with a cancel key of so many bytes.
    pub(super) fn enter(&self, who: &Arc<Who>, key_bytes: usize) -> Arc<Handle> {
        loop {
            let key = CancelKey::random(key_bytes);
            if let Some(handle) = self.enter_as(self.next_process(), Arc::clone(who), key) {
                return handle;
            }
        }
    }

    /// A process identifier that no open session has, for one that has to say it before it is entered.
    pub(super) fn next_process(&self) -> i32 {
        loop {
            let process_id = session_number(self.replica(), self.given.fetch_add(1, Ordering::Relaxed));
            if !self.by_process.contains_key(&process_id) {
                return process_id;
            }
        }
    }

    /// Enters a session under `process_id`; `None` if another one has it.
    pub(super) fn enter_as(&self, process_id: i32, who: Arc<Who>, key: CancelKey) -> Option<Arc<Handle>> {
        let dashmap::Entry::Vacant(place) = self.by_process.entry(process_id) else { return None };
        let session = who.session;
        self.tally.enter(&who.principal.name, &who.place.target);
        let handle = Arc::new(Handle {
            who: ArcSwap::new(who),
            process_id,
            key,
            signals: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            published_at: ArcSwapOption::empty(),
        });
        place.insert(Arc::clone(&handle));
        self.by_session.insert(session, process_id);
        // INVARIANT: looked at behind the insert: who drains sets it before looking who is there.
        if self.draining.load(Ordering::SeqCst) {
            handle.tell(Signals::DRAIN);
        }
        Some(handle)
    }

    /// A session goes on as somebody else's, or as a new one of the same principal.
    pub(super) fn change(&self, handle: &Handle, who: Arc<Who>) {
        self.by_session.insert(who.session, handle.process_id);
        self.tally.enter(&who.principal.name, &who.place.target);
        let before = handle.who.swap(who);
        self.tally.leave(&before.principal.name, &before.place.target);
        self.by_session.remove(&before.session);
    }

    /// Takes a session out.
    pub fn leave(&self, handle: &Handle) {
        let who = handle.who();
        self.by_session.remove(&who.session);
        if self.by_process.remove(&handle.process_id).is_some() {
            self.tally.leave(&who.principal.name, &who.place.target);
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_process.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_process.is_empty()
    }

    /// How many of them `principal` has.
    pub fn count_of(&self, principal: &str) -> usize {
        self.tally.of(principal)
    }

    /// How many of those are at `target`.
    pub fn count_at(&self, principal: &str, target: &str) -> usize {
        self.tally.at(principal, target)
    }

    /// All open sessions.
    pub fn list(&self) -> Vec<Arc<Who>> {
        self.by_process.iter().map(|entry| entry.who()).collect()
    }

    /// Passes on a CancelRequest; a wrong key does nothing, in the same time. Whether it was the right one.
    pub(super) fn cancel(&self, process_id: i32, key: &[u8]) -> bool {
        self.tell_if(process_id, Signals::CANCEL, |handle| handle.key.is(key))
    }

    /// Does what a client of another gateway asks; false if there is no such session.
    pub fn run(&self, errand: &Errand) -> bool {
        let process_id = errand.session;
        match &errand.what {
            Asked::Cancel { proof } => {
                self.tell_if(process_id, Signals::CANCEL, |handle| handle.key.is_proved(process_id, proof))
            }
            Asked::Find { principal } => self.is_of(process_id, principal),
            Asked::Kill { principal, connection } => self.kill(process_id, principal, *connection),
        }
    }

    /// Whether the session of `process_id` is one of `principal`.
    pub(super) fn is_of(&self, process_id: i32, principal: &str) -> bool {
        self.by_process.get(&process_id).is_some_and(|handle| *handle.who().principal.name == *principal)
    }

    /// Cancels what the session of `process_id` runs, or ends it (`connection`), if it is one of `principal`; false if
    /// there is no such session.
    pub(super) fn kill(&self, process_id: i32, principal: &str, connection: bool) -> bool {
        let signal = if connection { Signals::TERMINATE } else { Signals::CANCEL };
        self.tell_if(process_id, signal, |handle| *handle.who().principal.name == *principal)
    }

    /// Tells the session of `process_id`, if it `fits`; false if there is none that does.
    fn tell_if(&self, process_id: i32, signal: u8, fits: impl FnOnce(&Handle) -> bool) -> bool {
        let handle = self.by_process.get(&process_id).filter(|handle| fits(handle));
        handle.is_some_and(|handle| {
            handle.tell(signal);
            true
        })
    }

    /// Ends a session; false if there is none of that identifier.
    pub fn terminate(&self, session: SessionId) -> bool {
        let process_id = self.by_session.get(&session).map(|entry| *entry);
        process_id.is_some_and(|id| self.tell_if(id, Signals::TERMINATE, |_| true))
    }

    /// Ends all sessions.
    pub fn terminate_all(&self) {
        self.by_process.iter().for_each(|handle| handle.tell(Signals::TERMINATE));
    }

    /// Ends each session as soon as nothing runs in it and no transaction is open, also those that are still to come.
    pub fn drain_all(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.by_process.iter().for_each(|handle| handle.tell(Signals::DRAIN));
    }

    /// Stops what runs in each session, and ends it as soon as it has stopped.
    pub fn stop_all(&self) {
        self.by_process.iter().for_each(|handle| handle.tell(Signals::STOP));
    }

    /// Tells all sessions that the snapshot changed at `at`.
    pub fn recheck_all(&self, at: Instant) {
        let at = Arc::new(at);
        for handle in &self.by_process {
            handle.published_at.store(Some(Arc::clone(&at)));
            handle.tell(Signals::RECHECK);
        }
    }
}
