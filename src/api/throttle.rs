//! Slowing down whoever tries keys.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::control::Control;

/// Counts failures by address. A right key is never throttled: it has 256 random bits, so it is no guess, and
/// whoever shares an address with an attacker must still be able to act.
#[derive(Debug)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<IpAddr, Failures>>,
    /// How many a minute may bring.
    most: u32,
    /// Who tells of it.
    control: Option<Control>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::of(MAX_FAILURES)
    }
}

impl Throttle {
    /// One that takes `most` in a minute, of whatever it is that is counted.
    pub(super) fn of(most: u32) -> Self {
        Self { failures: Mutex::default(), most, control: None }
    }

    /// The usual one, that tells through `control` when somebody failed too often.
    pub(super) fn telling(control: Control) -> Self {
        Self { control: Some(control), ..Self::default() }
    }

    /// Notes a failure; whether there were too many in the last minute.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) -> bool {
        let from = network(from);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_ADDRESSES && !failures.contains_key(&from) {
            failures.retain(|_, it| now.duration_since(it.since) < WINDOW);
            if failures.len() >= MAX_ADDRESSES {
                return true;
            }
        }
        let entry = failures.entry(from).or_insert(Failures { since: now, count: 0 });
        if now.duration_since(entry.since) >= WINDOW {
            *entry = Failures { since: now, count: 0 };
        }
        entry.count = entry.count.saturating_add(1);
        let is_too_many = entry.count > self.most;
        drop(failures);
        if let Some(control) = self.control.as_ref().filter(|_| is_too_many) {
            control.notice_held_up(None, from);
        }
        is_too_many
    }

    /// Whether there were too many failures in the last minute, without noting one.
    pub(super) fn is_shut(&self, from: IpAddr, now: Instant) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |it: &Failures| now.duration_since(it.since) < WINDOW;
        match failures.get(&network(from)) {
            Some(it) => is_recent(it) && it.count >= self.most,
            // closed: who cannot be counted is not listened to
            None => failures.len() >= MAX_ADDRESSES && failures.values().all(is_recent),
        }
    }
}

/// Who holds one address of IPv6 usually holds its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

const MAX_FAILURES: u32 = 20;
const MAX_ADDRESSES: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twenty_first_failure_within_a_minute_is_too_many() {
        let throttle = Throttle::default();
        let (one, other) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let now = Instant::now();
        for _ in 0..20 {
            assert!(!throttle.failed(one, now));
        }
        assert!(throttle.is_shut(one, now) && !throttle.is_shut(other, now));
        assert!(throttle.failed(one, now));
        assert!(!throttle.is_shut(one, now + WINDOW));
        assert!(!throttle.failed(other, now));
        assert!(!throttle.failed(one, now + WINDOW));
    }
}
