//! Counts by the hour, kept beside the records so that sums over millions of them are there at once.

use std::collections::HashMap;

use super::bulk::{Cell, Insert};

/// Who touched what, how, in which hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TouchKey {
    /// Hours since 1970.
    pub(super) hour: i64,
    pub(super) principal: i64,
    pub(super) target: i64,
    pub(super) database: i64,
    pub(super) object: i64,
    pub(super) permission: i64,
    pub(super) decision: i64,
}

/// Counts of one batch.
#[derive(Debug, Default)]
pub(super) struct Tally {
    touches: HashMap<TouchKey, i64>,
    statements: HashMap<TouchKey, i64>,
}

impl Tally {
    /// Counts a statement once, and each of its touches.
    pub(super) fn count(&mut self, statement: TouchKey, touches: impl Iterator<Item = (i64, i64)>) {
        *self.statements.entry(statement).or_default() += 1;
        for (object, permission) in touches {
            *self.touches.entry(TouchKey { object, permission, ..statement }).or_default() += 1;
        }
    }

    /// As rows.
    pub(super) fn inserts(self) -> [Insert; 2] {
        let mut touches = Insert::new(
            "INSERT INTO tally (hour, principal, target, database, object, permission, decision, count) VALUES ",
            8,
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        );
        for (key, count) in self.touches {
            let TouchKey { hour, principal, target, database, object, permission, decision } = key;
            let row = [hour, principal, target, database, object, permission, decision, count];
            touches.push(row.map(Cell::Integer));
        }
        let mut statements = Insert::new(
            "INSERT INTO hourly (hour, principal, target, database, decision, count) VALUES ",
            6,
            " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        );
        for (key, count) in self.statements {
            let TouchKey { hour, principal, target, database, decision, .. } = key;
            statements.push([hour, principal, target, database, decision, count].map(Cell::Integer));
        }
        [touches, statements]
    }
}
