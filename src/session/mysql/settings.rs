//! The settings that a session has made, in the order in which they are made again on another connection.

use crate::{
    model::{
        facts::{Facts, SessionEffect},
        ids::Ident,
    },
    upstream::mysql::{SettingValue, Setup},
};

/// What the session has set.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    values: Vec<(Ident, Option<String>)>,
    /// Character set and collation of the login: what is set first, and where a reset goes back to.
    names: Option<(Ident, Option<Ident>)>,
    /// Rises with every change.
    version: u64,
}

impl Settings {
    /// Those of a login with a character set, and a collation where it is not the set's default.
    pub(super) fn of_login(names: Option<(Ident, Option<Ident>)>) -> Self {
        Self { values: Vec::new(), version: u64::from(names.is_some()), names }
    }

    /// Rises with every change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> usize {
        self.values.iter().map(|(name, value)| name.len() + value.as_deref().map_or(0, str::len)).sum()
    }

    /// As it was after the login.
    pub(super) fn reset(&mut self) {
        self.values.clear();
        self.version += 1;
    }

    /// A variable took a value, as SET takes it; `None` is its default.
    pub(super) fn set(&mut self, name: &Ident, value: Option<String>) {
        // The last to be set is the last to be set again: one may depend on another.
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.clone(), value));
        self.version += 1;
    }

    /// A statement succeeded.
    pub(super) fn apply(&mut self, facts: &Facts) {
        for effect in &facts.effects {
            if let SessionEffect::Set { name, value, local: false } = effect {
                self.set(name, value.clone());
            }
        }
    }

    /// Whether the session has its transactions read-only.
    pub(super) fn read_only(&self) -> bool {
        let mode = |name: &str| matches!(name, "transaction_read_only" | "tx_read_only");
        self.values.iter().any(|(name, value)| mode(name) && value.as_deref() == Some("1"))
    }

    /// What makes them on a connection that has none of them.
    pub(super) fn setups(&self) -> impl Iterator<Item = Setup<'_>> {
        let names = self.names.iter();
        let names = names.map(|(charset, collation)| Setup::Names { charset, collation: collation.as_ref() });
        names.chain(self.values.iter().filter_map(|(name, value)| setup(name, value.as_deref())))
    }
}

/// Whether a value can be set again elsewhere.
pub(super) fn can_be_made_again(value: Option<&str>) -> bool {
    value.is_none_or(|value| read(value).is_some())
}

fn setup<'a>(name: &'a Ident, value: Option<&'a str>) -> Option<Setup<'a>> {
    let value = match value {
        // Without a value of its own it follows the character set, which was set before it.
        None if &**name == "collation_connection" => return None,
        None => SettingValue::Default,
        Some(value) => read(value)?,
    };
    Some(Setup::Set { name, value })
}

/// A value in the spelling that SET takes.
fn read(value: &str) -> Option<SettingValue<'_>> {
    let unquoted = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
        .or_else(|| value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')));
    if let Some(text) = unquoted {
        return (!text.contains(['\'', '"', '\\'])).then_some(SettingValue::Literal(text));
    }
    if let Ok(number) = value.replace(' ', "").parse() {
        return Some(SettingValue::Number(number));
    }
    if value.eq_ignore_ascii_case("null") {
        return Some(SettingValue::Null);
    }
    let word = value.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    let named = value.bytes().next().is_some_and(|letter| letter.is_ascii_alphabetic());
    (word && named).then_some(SettingValue::Literal(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(settings: &Settings) -> Vec<String> {
        settings.setups().map(|setup| format!("{setup:?}")).collect()
    }

    #[test]
    fn the_last_to_be_set_is_the_last_to_be_made_again() {
        let mut settings = Settings::default();
        settings.set(&"character_set_connection".into(), Some("utf8mb4".into()));
        settings.set(&"collation_connection".into(), Some("utf8mb4_bin".into()));
        settings.set(&"character_set_connection".into(), Some("latin1".into()));
        let made = made(&settings);
        assert!(made[0].contains("collation_connection") && made[1].contains("latin1"), "{made:?}");
    }

    #[test]
    fn the_collation_of_the_login_is_set_first_and_a_reset_goes_back_to_it() {
        let mut settings = Settings::of_login(Some(("utf8mb4".into(), Some("utf8mb4_bin".into()))));
        settings.set(&"character_set_results".into(), Some("latin1".into()));
        let before = made(&settings);
        assert!(before.len() == 2 && before[0].contains("utf8mb4_bin"), "{before:?}");
        settings.reset();
        assert_eq!(made(&settings), before[..1]);
    }

    #[test]
    fn a_collation_that_follows_its_character_set_is_not_set_to_the_servers_own() {
        let mut settings = Settings::default();
        settings.set(&"collation_connection".into(), None);
        assert!(made(&settings).is_empty());
        settings.set(&"time_zone".into(), None);
        assert!(made(&settings)[0].contains("Default"));
    }

    #[test]
    fn what_is_no_plain_value_is_not_made_again() {
        for value in ["'+00:00'", "1", "-1", "ON", "NULL", "\"x\""] {
            assert!(can_be_made_again(Some(value)), "{value}");
        }
        for value in ["1.5", "'a''b'", "concat('a')", "'a' 'b'", ""] {
            assert!(!can_be_made_again(Some(value)), "{value}");
        }
    }
}
