//! The open sessions: to find one by its cancel key or identifier, and to wake it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::{constant_time, rand};
use dashmap::DashMap;
use futures_util::task::AtomicWaker;

use super::who::Who;
use crate::model::{ids::SessionId, secret::Secret};

/// All open sessions, by identifier and by the process identifier of their cancel key.
#[derive(Debug, Default)]
pub struct Registry {
    by_process: DashMap<i32, Arc<Handle>>,
    by_session: DashMap<SessionId, i32>,
    next_process: AtomicI32,
}

/// One open session, seen from outside.
pub struct Handle {
    /// Whose it is; another's after a change of user.
    who: ArcSwap<Who>,
    process_id: i32,
    key: Secret<[u8; 4]>,
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
    pub(super) const fn key(&self) -> &[u8; 4] {
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
    /// Enters a session and gives it its cancel key.
    pub fn enter(&self, who: Arc<Who>) -> Arc<Handle> {
        loop {
            if let Some(handle) = self.enter_as(self.next_process(), Arc::clone(&who)) {
                return handle;
            }
        }
    }

    /// A process identifier that no open session has, for one that has to say it before it is entered.
    pub fn next_process(&self) -> i32 {
        loop {
            let process_id = self.next_process.fetch_add(1, Ordering::Relaxed).rem_euclid(i32::MAX - 1) + 1;
            if !self.by_process.contains_key(&process_id) {
                return process_id;
            }
        }
    }

    /// Enters a session under `process_id`; `None` if another one has it.
    pub fn enter_as(&self, process_id: i32, who: Arc<Who>) -> Option<Arc<Handle>> {
        let mut key = [0; 4];
        // Without randomness the key stays zero and is never accepted: cancel fails, nothing is opened.
        let keyed = rand::fill(&mut key).is_ok();
        let dashmap::Entry::Vacant(place) = self.by_process.entry(process_id) else { return None };
        let session = who.session;
        let handle = Arc::new(Handle {
            who: ArcSwap::new(who),
            process_id,
            key: Secret::new(if keyed { key } else { [0; 4] }),
            signals: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            published_at: ArcSwapOption::empty(),
        });
        place.insert(Arc::clone(&handle));
        self.by_session.insert(session, process_id);
        Some(handle)
    }

    /// A session goes on as somebody else's, or as a new one of the same principal.
    pub(super) fn change(&self, handle: &Handle, who: Arc<Who>) {
        self.by_session.insert(who.session, handle.process_id);
        let before = handle.who.swap(who);
        self.by_session.remove(&before.session);
    }

    /// Takes a session out.
    pub fn leave(&self, handle: &Handle) {
        self.by_session.remove(&handle.who().session);
        self.by_process.remove(&handle.process_id);
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
        self.by_process.iter().filter(|entry| &*entry.who().principal.name == principal).count()
    }

    /// All open sessions.
    pub fn list(&self) -> Vec<Arc<Who>> {
        self.by_process.iter().map(|entry| entry.who()).collect()
    }

    /// Passes on a CancelRequest; a wrong key does nothing, in the same time.
    pub fn cancel(&self, process_id: i32, key: &[u8]) {
        if let Some(handle) = self.by_process.get(&process_id) {
            let known = handle.key.expose();
            if known != &[0; 4] && constant_time::verify_slices_are_equal(known, key).is_ok() {
                handle.tell(Signals::CANCEL);
            }
        }
    }

    /// Whether the session of `process_id` is one of `principal`.
    pub(super) fn is_of(&self, process_id: i32, principal: &str) -> bool {
        self.by_process.get(&process_id).is_some_and(|handle| *handle.who().principal.name == *principal)
    }

    /// Cancels what the session of `process_id` runs, or ends it (`connection`), if it is one of `principal`; false if
    /// there is no such session.
    pub(super) fn kill(&self, process_id: i32, principal: &str, connection: bool) -> bool {
        let handle = self.by_process.get(&process_id);
        let own = handle.filter(|handle| *handle.who().principal.name == *principal);
        own.is_some_and(|handle| {
            handle.tell(if connection { Signals::TERMINATE } else { Signals::CANCEL });
            true
        })
    }

    /// Ends a session; false if there is none of that identifier.
    pub fn terminate(&self, session: SessionId) -> bool {
        let process_id = self.by_session.get(&session).map(|entry| *entry);
        let handle = process_id.and_then(|id| self.by_process.get(&id));
        handle.is_some_and(|handle| {
            handle.tell(Signals::TERMINATE);
            true
        })
    }

    /// Ends all sessions.
    pub fn terminate_all(&self) {
        self.by_process.iter().for_each(|handle| handle.tell(Signals::TERMINATE));
    }

    /// Ends each session as soon as nothing runs in it and no transaction is open.
    pub fn drain_all(&self) {
        self.by_process.iter().for_each(|handle| handle.tell(Signals::DRAIN));
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
