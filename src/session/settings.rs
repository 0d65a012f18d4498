//! The settings that a session has made, so that they can be made again on another upstream connection.

use std::collections::BTreeMap;

use crate::model::{
    facts::{Facts, SessionEffect},
    ids::Ident,
};

/// Values of settings; `None` stands for the default.
type Values = BTreeMap<Ident, Option<String>>;

/// What the session has set, outside and inside of the open transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    values: Values,
    /// What the client asked for in its startup message: what RESET goes back to.
    initial: Values,
    /// The values to go back to if the transaction is rolled back.
    saved: Option<Values>,
    /// Rises with every change that lasts.
    version: u64,
}

impl Settings {
    /// What the client asked for in its startup message.
    pub(super) fn of_startup(values: impl IntoIterator<Item = (Ident, String)>) -> Self {
        let initial: Values = values.into_iter().map(|(name, value)| (name, Some(value))).collect();
        let version = u64::from(!initial.is_empty());
        Self { values: initial.clone(), initial, version, ..Self::default() }
    }

    /// Rises with every change that lasts.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Every setting that was made.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Ident, Option<&str>)> {
        self.values.iter().map(|(name, value)| (name, value.as_deref()))
    }

    /// Whether RESET on a connection leaves something to be set again.
    pub(super) fn has_initial(&self) -> bool {
        !self.initial.is_empty()
    }

    /// The value that the client asked for in its startup message.
    pub(super) fn initial(&self, name: &str) -> Option<&str> {
        self.initial.get(name)?.as_deref()
    }

    /// A statement succeeded.
    pub(super) fn apply(&mut self, facts: &Facts, in_transaction: bool) {
        for effect in &facts.effects {
            match effect {
                SessionEffect::Set { local: true, .. } => {}
                SessionEffect::Set { name, value, local: false } => {
                    let value = value.clone().or_else(|| self.initial.get(name).cloned().flatten());
                    self.change(in_transaction, |values| {
                        values.insert(name.clone(), value);
                    });
                }
                SessionEffect::ResetAll | SessionEffect::DiscardAll => {
                    let initial = self.initial.clone();
                    self.change(in_transaction, |values| *values = initial);
                }
                SessionEffect::ContextUnknown
                | SessionEffect::Pin
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
        if let Some(saved) = self.saved.take()
            && !committed
        {
            self.values = saved;
            self.version += 1;
        }
    }

    fn change(&mut self, in_transaction: bool, change: impl FnOnce(&mut Values)) {
        if in_transaction && self.saved.is_none() {
            self.saved = Some(self.values.clone());
        }
        change(&mut self.values);
        self.version += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{StatementKind, TransactionEffect};

    fn set(name: &str, value: &str) -> Facts {
        Facts {
            kind: StatementKind::Set,
            command: "SET",
            span: 0..0,
            accesses: Vec::new(),
            calls: Vec::new(),
            transaction: TransactionEffect::None,
            effects: vec![SessionEffect::Set { name: name.into(), value: Some(value.into()), local: false }],
            runs: None,
            read_only: true,
            fingerprint: 0,
        }
    }

    #[test]
    fn what_was_set_in_a_transaction_goes_with_it() {
        let mut settings = Settings::default();
        settings.apply(&set("timezone", "UTC"), false);
        settings.apply(&set("timezone", "CET"), true);
        settings.end(false);
        assert_eq!(settings.iter().collect::<Vec<_>>(), [(&"timezone".into(), Some("UTC"))]);
        settings.apply(&set("timezone", "CET"), true);
        settings.end(true);
        assert_eq!(settings.iter().collect::<Vec<_>>(), [(&"timezone".into(), Some("CET"))]);
    }

    #[test]
    fn every_lasting_change_has_a_version_of_its_own() {
        let mut settings = Settings::default();
        let before = settings.version();
        settings.apply(&set("timezone", "UTC"), true);
        let set = settings.version();
        settings.end(false);
        assert!(before < set && set < settings.version());
    }
}
