//! What comes back when a transaction, or a savepoint in it, is rolled back.

use crate::model::ids::Ident;

/// What was in force when the open transaction, and each savepoint in it, began; empty outside of one.
#[derive(Clone, Debug)]
pub(super) struct Savepoints<T> {
    /// `None` is the transaction itself, the first.
    saved: Vec<(Option<Ident>, T)>,
}

impl<T> Default for Savepoints<T> {
    fn default() -> Self {
        Self { saved: Vec::new() }
    }
}

impl<T> Savepoints<T> {
    /// Whether a transaction is open.
    pub(super) const fn is_open(&self) -> bool {
        !self.saved.is_empty()
    }

    /// How many savepoints there are, the transaction itself included.
    pub(super) const fn len(&self) -> usize {
        self.saved.len()
    }

    /// A transaction begins, if none is open.
    pub(super) fn begin(&mut self, now: impl FnOnce() -> T) {
        if self.saved.is_empty() {
            self.saved.push((None, now()));
        }
    }

    /// A savepoint is made in the open transaction, or with one.
    pub(super) fn save(&mut self, name: &Ident, now: impl Fn() -> T) {
        self.begin(&now);
        self.saved.push((Some(name.clone()), now()));
    }

    /// A savepoint, and those behind it, are no more.
    pub(super) fn release(&mut self, name: &Ident) {
        if let Some(at) = self.position(name) {
            self.saved.truncate(at);
        }
    }

    /// Gives what was in force at a savepoint, which stays; those behind it are no more.
    pub(super) fn roll_back_to(&mut self, name: &Ident) -> Option<&T> {
        let at = self.position(name)?;
        self.saved.truncate(at + 1);
        self.saved.last().map(|(_, saved)| saved)
    }

    /// The transaction is over; gives what was in force before it.
    pub(super) fn end(&mut self) -> Option<T> {
        std::mem::take(&mut self.saved).into_iter().next().map(|(_, saved)| saved)
    }

    /// Nothing comes back any longer.
    pub(super) fn clear(&mut self) {
        self.saved.clear();
    }

    /// All that may come back, to change.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.saved.iter_mut().map(|(_, saved)| saved)
    }

    fn position(&self, name: &Ident) -> Option<usize> {
        self.saved.iter().rposition(|(savepoint, _)| savepoint.as_ref() == Some(name))
    }
}
