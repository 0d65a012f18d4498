//! Counts by file and hour, kept so that sums over millions of statements are there at once, and go with their file.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::bulk::{Cell, Insert};

/// Counts by what they are of.
pub(super) type Counts = HashMap<TouchKey, i64, RandomState>;

/// Who touched what, how, in which hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TouchKey {
    /// Number of the first record of the file that says so.
    pub(super) segment: i64,
    /// Hours since 1970.
    pub(super) hour: i64,
    pub(super) principal: i64,
    pub(super) target: i64,
    pub(super) database: i64,
    pub(super) object: i64,
    pub(super) permission: i64,
    pub(super) decision: i64,
}

/// Counts of some statements.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) touches: Counts,
    pub(super) statements: Counts,
}

impl Tally {
    /// Counts a statement once, and each of its touches.
    pub(super) fn count(&mut self, statement: TouchKey, touches: impl Iterator<Item = (i64, i64)>) {
        *self.statements.entry(statement).or_default() += 1;
        for (object, permission) in touches {
            *self.touches.entry(TouchKey { object, permission, ..statement }).or_default() += 1;
        }
    }

    /// Adds those of others.
    pub(super) fn add(&mut self, other: Self) {
        for (sums, counts) in [(&mut self.touches, other.touches), (&mut self.statements, other.statements)] {
            counts.into_iter().for_each(|(key, count)| *sums.entry(key).or_default() += count);
        }
    }

    /// As rows, in the order of their tables.
    pub(super) fn inserts(self) -> [Insert; 3] {
        let mut totals = Insert::new(
            "INSERT INTO total (segment, principal, target, database, object, permission, decision, count) VALUES ",
            8,
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        );
        let mut sums = Counts::default();
        for (key, count) in &self.touches {
            *sums.entry(TouchKey { hour: 0, ..*key }).or_default() += count;
        }
        for (key, count) in sorted(sums) {
            let TouchKey { segment, principal, target, database, object, permission, decision, .. } = key;
            let row = [segment, principal, target, database, object, permission, decision, count];
            totals.push(row.map(Cell::Integer));
        }
        let mut touches = Insert::new(
            "INSERT INTO tally (segment, hour, principal, target, database, object, permission, decision, count) \
             VALUES ",
            9,
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        );
        for (key, count) in sorted(self.touches) {
            let TouchKey { segment, hour, principal, target, database, object, permission, decision } = key;
            let row = [segment, hour, principal, target, database, object, permission, decision, count];
            touches.push(row.map(Cell::Integer));
        }
        let mut statements = Insert::new(
            "INSERT INTO hourly (segment, hour, principal, target, database, decision, count) VALUES ",
            7,
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        );
        for (key, count) in sorted(self.statements) {
            let TouchKey { segment, hour, principal, target, database, decision, .. } = key;
            statements.push([segment, hour, principal, target, database, decision, count].map(Cell::Integer));
        }
        [totals, touches, statements]
    }
}

fn sorted(counts: Counts) -> Vec<(TouchKey, i64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}
