//! What the database says of statements that failed, kept from whoever may not read the rows that it can show.

use std::collections::BTreeSet;

use super::desk::Desk;
use crate::{
    model::{facts::Facts, object::Object},
    policy::{self, Decision},
};

/// In place of the database's own words.
pub(super) const MESSAGE: &str = "the database's message is not shown, because it may hold values of rows";
/// What would show them.
pub(super) const HINT: &str = "It is shown to whoever may select from all that the statement is about.";

impl Desk {
    /// Whether the session may read, at this moment, all rows that errors and warnings about statements can show.
    pub(super) fn may_read_errors<'f>(&self, does: impl IntoIterator<Item = &'f Facts>) -> bool {
        self.may_read(does.into_iter().flat_map(|facts| &facts.shown_by_errors))
    }

    /// Whether the session may read, at this moment, all of these relations.
    pub(super) fn may_read<'o>(&self, relations: impl IntoIterator<Item = &'o Object>) -> bool {
        let shown: BTreeSet<_> = relations.into_iter().collect();
        if shown.is_empty() {
            return true;
        }
        let reading = policy::reading(shown);
        let snapshot = self.gate.snapshot.load();
        let decision = policy::decide(&snapshot, &self.who.principal, &self.place, &reading, self.now());
        matches!(decision, Decision::Allow(_))
    }
}
