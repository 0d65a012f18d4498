//! How often a login may fail, by name and by address.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

/// Failures that are forgiven at once, and how soon one is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Failures in a row that do not hold anybody up; at least 1.
    pub failures: u32,
    /// Milliseconds after which one failure is forgotten; at least 1.
    pub forget_after_ms: u32,
}

/// The bounds of a [`Throttle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// For one name, wherever the attempts come from.
    pub name: Allowance,
    /// For one address (IPv6: one /64), whatever names it tries.
    pub address: Allowance,
    /// Names and addresses remembered, each; when it is reached, those with the fewest failures are forgotten.
    pub remembered: usize,
}

impl Default for ThrottleLimits {
    /// 10 failures a name and one more every 3 seconds; 50 an address and one more a second; 65,536 remembered.
    fn default() -> Self {
        Self {
            name: Allowance { failures: 10, forget_after_ms: 3000 },
            address: Allowance { failures: 50, forget_after_ms: 1000 },
            remembered: 65_536,
        }
    }
}

/// Counts failed logins and holds up whoever fails too often. Success neither counts nor forgives.
///
/// Ask before the work and once more before the answer: attempts made side by side then learn no more than attempts
/// made one after the other.
#[derive(Debug)]
pub struct Throttle {
    names: Mutex<Failures<String>>,
    addresses: Mutex<Failures<IpAddr>>,
    /// Who was held up since somebody last asked.
    held_up: Mutex<BTreeSet<(String, IpAddr)>>,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(limits: &ThrottleLimits) -> Self {
        Self {
            names: Mutex::new(Failures::new(limits.name, limits.remembered)),
            addresses: Mutex::new(Failures::new(limits.address, limits.remembered)),
            held_up: Mutex::default(),
        }
    }

    /// Whether an attempt on `name` from `address` is held up now.
    pub fn holds_up(&self, name: &str, address: IpAddr, now: Timestamp) -> bool {
        // A panic elsewhere leaves counts that are still counts.
        let name = beginning(name);
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let holds_up = names.is_over(name, now) || addresses.is_over(&network(address), now);
        drop((names, addresses));
        if holds_up {
            let mut held_up = self.held_up.lock().unwrap_or_else(PoisonError::into_inner);
            if held_up.len() < MOST_HELD_UP {
                held_up.insert((name.to_owned(), address));
            }
        }
        holds_up
    }

    /// Who was held up since this was last asked: names and addresses, the first thousand.
    pub fn take_held_up(&self) -> BTreeSet<(String, IpAddr)> {
        std::mem::take(&mut *self.held_up.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a failed attempt on `name` from `address`.
    pub fn failed(&self, name: &str, address: IpAddr, now: Timestamp) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.count(beginning(name).to_owned(), now);
        drop(names);
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).count(network(address), now);
    }
}

/// Names and addresses of those held up that are kept until somebody asks.
const MOST_HELD_UP: usize = 1000;
/// Of a name, so much is remembered; longer ones that begin alike count as one.
const MOST_LETTERS: usize = 100;

fn beginning(name: &str) -> &str {
    let end = name.char_indices().nth(MOST_LETTERS).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or_default()
}

/// One holder of an IPv6 address usually holds the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// For each key the instant at which its last failure is forgotten: n failures ahead of now are n × `forget_after_ms`.
#[derive(Debug)]
struct Failures<K> {
    allowance: Allowance,
    remembered: usize,
    forgotten_at: HashMap<K, i64>,
}

impl<K: Eq + Hash> Failures<K> {
    fn new(allowance: Allowance, remembered: usize) -> Self {
        Self { allowance, remembered: remembered.max(1), forgotten_at: HashMap::new() }
    }

    fn is_over<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Timestamp) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        let ahead_ms = self.forgotten_at.get(key).map_or(0, |at| at - now.as_millisecond());
        let most_ms = i64::from(self.allowance.failures.max(1)) * self.step_ms();
        // More than the most there can be: the clock was set back, and what was counted says nothing any more.
        (most_ms - self.step_ms() + 1..=most_ms).contains(&ahead_ms)
    }

    fn count(&mut self, key: K, now: Timestamp) {
        let (now_ms, step_ms) = (now.as_millisecond(), self.step_ms());
        // Failures beyond the allowance do not pile up: else one attacker could lock a name for days.
        let most = now_ms + i64::from(self.allowance.failures.max(1)) * step_ms;
        if self.forgotten_at.len() >= self.remembered && !self.forgotten_at.contains_key(&key) {
            self.make_room(now_ms);
        }
        let at = self.forgotten_at.entry(key).or_insert(now_ms);
        *at = ((*at).max(now_ms) + step_ms).min(most);
    }

    /// Forgets at least half: first those that are over, then those with the fewest failures.
    fn make_room(&mut self, now_ms: i64) {
        let mut ends = self.forgotten_at.values().copied().collect::<Vec<_>>();
        let middle = ends.len() / 2;
        // Called when something is remembered, so there is a middle.
        let median = if ends.is_empty() { now_ms } else { *ends.select_nth_unstable(middle).1 };
        let keep_after = median.max(now_ms);
        self.forgotten_at.retain(|_, at| *at > keep_after);
    }

    fn step_ms(&self) -> i64 {
        i64::from(self.allowance.forget_after_ms.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn throttle(name: u32, address: u32) -> Throttle {
        Throttle::new(&ThrottleLimits {
            name: Allowance { failures: name, forget_after_ms: 1000 },
            address: Allowance { failures: address, forget_after_ms: 1000 },
            remembered: 8,
        })
    }

    #[test]
    fn a_name_is_held_up_after_its_allowance_until_one_failure_is_forgotten() {
        let throttle = throttle(3, 100);
        for _ in 0..3 {
            assert!(!throttle.holds_up("dana", HERE, at(0)));
            throttle.failed("dana", HERE, at(0));
        }
        assert!(throttle.holds_up("dana", HERE, at(0)));
        assert!(throttle.holds_up("dana", HERE, at(999)));
        assert!(!throttle.holds_up("dana", HERE, at(1000)));
        assert!(!throttle.holds_up("erin", HERE, at(0)));
    }

    #[test]
    fn an_address_is_held_up_whatever_names_it_tries() {
        let throttle = throttle(100, 3);
        for name in ["a", "b", "c"] {
            throttle.failed(name, HERE, at(0));
        }
        assert!(throttle.holds_up("d", HERE, at(0)));
        assert!(!throttle.holds_up("d", [127, 0, 0, 2].into(), at(0)));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_a_mapped_address_as_ipv4() {
        let throttle = throttle(100, 1);
        throttle.failed("a", "2001:db8::1".parse().unwrap(), at(0));
        assert!(throttle.holds_up("b", "2001:db8::2".parse().unwrap(), at(0)));
        assert!(!throttle.holds_up("b", "2001:db8:0:1::1".parse().unwrap(), at(0)));
        throttle.failed("a", HERE, at(0));
        assert!(throttle.holds_up("b", "::ffff:127.0.0.1".parse().unwrap(), at(0)));
    }

    #[test]
    fn a_flood_of_failures_holds_a_name_up_no_longer_than_a_few_do() {
        let throttle = throttle(3, 10_000);
        for _ in 0..1000 {
            throttle.failed("dana", HERE, at(0));
        }
        assert!(!throttle.holds_up("dana", HERE, at(1000)));
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nobody_up() {
        let throttle = throttle(2, 100);
        for _ in 0..2 {
            throttle.failed("dana", HERE, at(3_600_000));
        }
        assert!(throttle.holds_up("dana", HERE, at(3_600_000)));
        assert!(!throttle.holds_up("dana", HERE, at(0)));
        for _ in 0..2 {
            throttle.failed("dana", HERE, at(0));
        }
        assert!(throttle.holds_up("dana", HERE, at(0)));
        assert!(!throttle.holds_up("dana", HERE, at(1000)));
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_remembered() {
        let throttle = throttle(3, 10_000);
        for _ in 0..3 {
            throttle.failed("dana", HERE, at(0));
        }
        for number in 0..1000 {
            throttle.failed(&format!("name{number}"), HERE, at(0));
        }
        assert!(throttle.names.lock().unwrap().forgotten_at.len() <= 8);
        assert!(throttle.holds_up("dana", HERE, at(0)));
    }
}
