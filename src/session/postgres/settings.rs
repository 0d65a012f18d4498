//! The settings that a session has made, so that they can be made again on another upstream connection.

use std::sync::Arc;

use super::{reading, savepoints::Savepoints};
use crate::{
    model::{
        facts::{Facts, SessionEffect, TransactionEffect},
        ids::Ident,
    },
    upstream::postgres::Settings as Values,
};

/// What the session has set, outside and inside of the open transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    values: Arc<Values>,
    /// What the client asked for in its startup message: what RESET goes back to.
    initial: Arc<Values>,
    /// The values to go back to if the transaction, or a savepoint in it, is rolled back.
    saved: Savepoints<Arc<Values>>,
    /// Rises with every change that lasts.
    version: u64,
    /// The open transaction has set something by which texts are read, be it for itself alone.
    moving: bool,
}

impl Settings {
    /// What the client asked for in its startup message.
    pub(super) fn of_startup(values: impl IntoIterator<Item = (Ident, String)>) -> Self {
        let initial: Values = values.into_iter().map(|(name, value)| (name, Some(value))).collect();
        let initial = Arc::new(initial);
        let version = u64::from(!initial.is_empty());
        Self { values: Arc::clone(&initial), initial, version, ..Self::default() }
    }

    /// Rises with every change that lasts.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Whether the open transaction has set something by which texts are read: what is in force is not what lasts.
    pub(super) const fn is_moving(&self) -> bool {
        self.moving
    }

    /// Every setting that was made.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Ident, Option<&str>)> {
        self.values.iter().map(|(name, value)| (name, value.as_deref()))
    }

    /// All of them.
    pub(super) const fn values(&self) -> &Arc<Values> {
        &self.values
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.map_or(0, str::len)).sum()
    }

    /// Whether RESET on a connection leaves something to be set again.
    pub(super) fn has_initial(&self) -> bool {
        !self.initial.is_empty()
    }

    /// The value that the client asked for in its startup message.
    pub(super) fn initial(&self, name: &str) -> Option<&str> {
        self.initial.get(name)?.as_deref()
    }

    /// A statement succeeded. What it sets lasts only when [`Self::end`] says so: a transaction is always open while
    /// statements run, be it that of one Query or up to one Sync.
    pub(super) fn apply(&mut self, facts: &Facts) {
        match &facts.transaction {
            TransactionEffect::Savepoint(name) => self.saved.save(name, || Arc::clone(&self.values)),
            TransactionEffect::Release(name) => self.saved.release(name),
            TransactionEffect::RollbackTo(name) => {
                let values = self.saved.roll_back_to(name).cloned();
                self.restore(values);
            }
            TransactionEffect::None
            | TransactionEffect::Begin { .. }
            | TransactionEffect::Commit { .. }
            | TransactionEffect::Rollback { .. }
            | TransactionEffect::SetModes { .. } => {}
        }
        self.moving |= reading::is_moved_by(facts);
        for effect in &facts.effects {
            match effect {
                SessionEffect::Set { local: true, .. } => {}
                SessionEffect::Set { name, value, local: false } => {
                    let value = value.clone().or_else(|| self.initial.get(name).cloned().flatten());
                    self.change(|values| {
                        values.insert(name.clone(), value);
                    });
                }
                SessionEffect::ResetAll | SessionEffect::DiscardAll => {
                    let initial = (*self.initial).clone();
                    self.change(|values| *values = initial);
                    if matches!(effect, SessionEffect::DiscardAll) {
                        // The server commits it at once; an error behind it takes nothing of it back.
                        self.saved.clear();
                    }
                }
                SessionEffect::ContextUnknown
                | SessionEffect::Pin
                | SessionEffect::Vacates(_)
                | SessionEffect::Ties(_)
                | SessionEffect::Releases(_)
                | SessionEffect::UseDatabase(_)
                | SessionEffect::LockTables
                | SessionEffect::UnlockTables
                | SessionEffect::ShowsApplication
                | SessionEffect::ShowsPrivileges
                | SessionEffect::ShowsReadOnly
                | SessionEffect::ReadsDiagnostics
                | SessionEffect::DiscardTemporary
                | SessionEffect::CreateTemporary(_)
                | SessionEffect::DropRelation(_)
                | SessionEffect::Prepare { .. }
                | SessionEffect::Deallocate(_)
                | SessionEffect::DeclareCursor { .. }
                | SessionEffect::CloseCursor(_)
                | SessionEffect::Define => {}
            }
        }
    }

    /// A transaction is over.
    pub(super) fn end(&mut self, committed: bool) {
        self.moving = false;
        let before = self.saved.end();
        if !committed {
            self.restore(before);
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Values)) {
        self.saved.begin(|| Arc::clone(&self.values));
        change(Arc::make_mut(&mut self.values));
        self.version += 1;
    }

    fn restore(&mut self, values: Option<Arc<Values>>) {
        if let Some(values) = values
            && values != self.values
        {
            self.values = values;
            self.version += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::StatementKind;

    fn set(name: &str, value: &str) -> Facts {
        Facts {
            kind: StatementKind::Set,
            command: "SET",
            span: 0..0,
            accesses: Vec::new(),
            shown_by_errors: Vec::new(),
            calls: Vec::new(),
            transaction: TransactionEffect::None,
            effects: vec![SessionEffect::Set { name: name.into(), value: Some(value.into()), local: false }],
            runs: None,
            read_only: true,
            fingerprint: 0,
            sent: None,
        }
    }

    fn effect(transaction: TransactionEffect) -> Facts {
        Facts { effects: Vec::new(), transaction, ..set("", "") }
    }

    fn zone(settings: &Settings) -> Option<&str> {
        settings.iter().find(|(name, _)| &***name == "timezone")?.1
    }

    #[test]
    fn what_was_set_in_a_transaction_goes_with_it() {
        let mut settings = Settings::default();
        settings.apply(&set("timezone", "UTC"));
        settings.end(true);
        settings.apply(&set("timezone", "CET"));
        settings.end(false);
        assert_eq!(zone(&settings), Some("UTC"));
        settings.apply(&set("timezone", "CET"));
        settings.end(true);
        assert_eq!(zone(&settings), Some("CET"));
    }

    #[test]
    fn what_was_set_behind_a_savepoint_goes_with_it() {
        let mut settings = Settings::default();
        settings.apply(&set("timezone", "UTC"));
        for name in ["a", "b"] {
            settings.apply(&effect(TransactionEffect::Savepoint(name.into())));
            settings.apply(&set("timezone", name));
        }
        settings.apply(&effect(TransactionEffect::RollbackTo("b".into())));
        assert_eq!(zone(&settings), Some("a"));
        settings.apply(&effect(TransactionEffect::Release("b".into())));
        settings.apply(&effect(TransactionEffect::RollbackTo("a".into())));
        assert_eq!(zone(&settings), Some("UTC"));
        settings.end(true);
        assert_eq!(zone(&settings), Some("UTC"));
    }

    #[test]
    fn what_is_set_moves_the_reading_until_the_transaction_ends() {
        let mut settings = Settings::default();
        settings.apply(&set("my.own", "x"));
        assert!(!settings.is_moving(), "no text is read by it");
        let mut local = set("timezone", "CET");
        local.effects =
            vec![SessionEffect::Set { name: "timezone".into(), value: Some("CET".into()), local: true }];
        for (facts, committed) in [(&local, true), (&set("timezone", "UTC"), false)] {
            settings.apply(facts);
            assert!(settings.is_moving());
            settings.end(committed);
            assert!(!settings.is_moving());
        }
    }

    #[test]
    fn every_lasting_change_has_a_version_of_its_own() {
        let mut settings = Settings::default();
        let before = settings.version();
        settings.apply(&set("timezone", "UTC"));
        let set = settings.version();
        settings.end(false);
        assert!(before < set && set < settings.version());
    }
}
