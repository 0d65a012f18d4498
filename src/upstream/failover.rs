//! A server that goes away, or takes no writes any more: its connections are given up together.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus::IntCounter;
use tokio::time::Instant;

/// The memory of failovers of one target and lane.
#[derive(Debug)]
pub(crate) struct Failover {
    /// When connections were last given up.
    at: Mutex<Option<Instant>>,
    /// Whether a connection of the lane took writes once: one that does not, then leads to the wrong server.
    wrote: AtomicBool,
    count: IntCounter,
}

impl Failover {
    pub(crate) const fn new(count: IntCounter) -> Self {
        Self { at: Mutex::new(None), wrote: AtomicBool::new(false), count }
    }

    /// Gives up what is open now.
    pub(crate) fn note(&self) {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        // Many sessions find out at one time.
        if at.is_none_or(|at| at.elapsed() > ONE_FAILOVER) {
            self.count.inc();
        }
        *at = Some(Instant::now());
    }

    /// Whether a connection that was opened at `opened_at` was given up.
    pub(crate) fn is_stale(&self, opened_at: Instant) -> bool {
        self.at().is_some_and(|at| opened_at <= at)
    }

    /// Whether it is so short a time ago that the new server may still be on its way.
    pub(crate) fn is_recent(&self) -> bool {
        self.at().is_some_and(|at| at.elapsed() < ON_ITS_WAY)
    }

    /// Whether a server that takes writes, or does not, is not the one that this lane led to.
    pub(crate) fn is_elsewhere(&self, takes_writes: bool) -> bool {
        if takes_writes {
            self.wrote.store(true, Ordering::Relaxed);
        }
        !takes_writes && self.wrote.load(Ordering::Relaxed)
    }

    fn at(&self) -> Option<Instant> {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ONE_FAILOVER: Duration = Duration::from_secs(1);
/// Aurora takes half a minute for it, RDS up to two.
const ON_ITS_WAY: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn failover() -> Failover {
        Failover::new(IntCounter::new("failovers", "failovers").unwrap())
    }

    #[test]
    fn what_was_open_is_given_up_and_what_is_opened_afterwards_is_not() {
        let failover = failover();
        let before = Instant::now();
        assert!(!failover.is_stale(before) && !failover.is_recent());
        failover.note();
        failover.note();
        assert!(failover.is_stale(before) && failover.is_recent());
        assert!(!failover.is_stale(Instant::now() + Duration::from_millis(1)));
        assert_eq!(failover.count.get(), 1, "two sessions that find out at once are one failover");
    }

    #[test]
    fn a_server_without_writes_is_the_wrong_one_only_where_there_were_writes_before() {
        let failover = failover();
        assert!(!failover.is_elsewhere(false), "a target may be a standby and nothing else");
        assert!(!failover.is_elsewhere(true));
        assert!(failover.is_elsewhere(false));
        assert!(!failover.is_elsewhere(true));
    }
}
