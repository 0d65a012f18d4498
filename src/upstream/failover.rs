//! A server that goes away, or takes no writes any more: its connections are given up together.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use prometheus::IntCounter;
use tokio::time::Instant;

/// The memory of failovers of one target and lane; read by every session after every statement, without a lock.
#[derive(Debug)]
pub(crate) struct Failover {
    begun_at: Instant,
    /// When connections were last given up, in microseconds from `begun_at` on; 0 is never.
    at: AtomicU64,
    /// Whether a connection of the lane took writes once: one that does not, then leads to the wrong server.
    wrote: AtomicBool,
    count: IntCounter,
}

impl Failover {
    pub(crate) fn new(count: IntCounter) -> Self {
        Self { begun_at: Instant::now(), at: AtomicU64::new(0), wrote: AtomicBool::new(false), count }
    }

    /// Gives up what is open now.
    pub(crate) fn note(&self) {
        let now = self.since_begun(Instant::now()).max(1);
        let last = self.at.swap(now, Ordering::Relaxed);
        // Many sessions find out at one time.
        if last == 0 || Duration::from_micros(now.saturating_sub(last)) > ONE_FAILOVER {
            self.count.inc();
        }
    }

    /// Whether a connection that was opened at `opened_at` was given up.
    pub(crate) fn is_stale(&self, opened_at: Instant) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != 0 && self.since_begun(opened_at) <= at
    }

    /// Whether it is so short a time ago that the new server may still be on its way.
    pub(crate) fn is_recent(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != 0 && self.begun_at.elapsed().saturating_sub(Duration::from_micros(at)) < ON_ITS_WAY
    }

    /// Whether a server that takes writes, or does not, is not the one that this lane led to.
    pub(crate) fn is_elsewhere(&self, takes_writes: bool) -> bool {
        if takes_writes {
            self.wrote.store(true, Ordering::Relaxed);
        }
        !takes_writes && self.wrote.load(Ordering::Relaxed)
    }

    fn since_begun(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun_at).as_micros()).unwrap_or(u64::MAX)
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
