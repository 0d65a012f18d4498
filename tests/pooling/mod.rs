//! Scripts that many clients run at once: the same for each number, whatever the server.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

mod attribution;
mod limits;
pub mod mysql;
pub mod postgres;
mod statements;
mod ties;
mod waiting;

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Numbers that look random and are the same for a seed.
#[derive(Debug)]
pub struct Numbers(u64);

impl Numbers {
    pub fn of(seed: usize) -> Self {
        Self(seed as u64 + 1)
    }

    /// A number below `end`.
    ///
    /// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (SplitMix64).
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    /// One of them.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A number from the environment, or the one that a run of all tests has time for.
pub fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Where what came is not what was to come, one line for each step that differs; `differs` knows the steps before.
pub fn compare<S: std::fmt::Debug>(
    differs: &mut BTreeMap<String, String>,
    client: usize,
    script: &[S],
    expected: &[String],
    found: &[String],
) {
    assert_eq!(expected.len(), found.len(), "client {client}");
    for (at, step) in script.iter().enumerate().filter(|(at, _)| expected[*at] != found[*at]) {
        let begin = at.saturating_sub(6);
        let before: Vec<_> = script[begin..at].iter().zip(&found[begin..at]).collect();
        differs.entry(format!("{step:?}")).or_insert_with(|| {
            format!(
                "client {client}, step {at}\n  expected {}\n  found    {}\n  after    {before:?}",
                expected[at], found[at]
            )
        });
    }
}
