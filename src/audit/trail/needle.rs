//! What stands in every line that is wanted: lines without it need not be read.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::filter::{Decided, Filter};

/// What stands in every line that is wanted, as the gateway writes it.
#[derive(Clone, Debug)]
pub(super) enum Needle {
    Written(Box<Finder<'static>>),
    /// In any case.
    Word(Regex),
}

impl Needle {
    /// Whichever of what `filter` wants is the rarest.
    pub(super) fn of(filter: &Filter) -> Option<Self> {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let is =
            |field: &str, value: Option<&str>| value.map(|value| format!("\"{field}\":{}", quoted(value)));
        let table = filter.table.as_deref().filter(|table| !table.contains('*'));
        let denied = filter.decision.filter(|it| *it == Decided::Deny).map(|_| "deny");
        let named = filter
            .reference
            .as_deref()
            .map(quoted)
            .or_else(|| filter.session.map(|session| quoted(&session.to_string())));
        let touched = || is("name", table).or_else(|| is("decision", denied));
        let said = || {
            // It may stand in several fields.
            let person = filter.principal.as_deref().map(|person| format!(":{}", quoted(person)));
            person
                .or_else(|| is("event", filter.event.as_deref()))
                .or_else(|| is("kind", filter.kind.as_deref()))
                .or_else(|| is("target", filter.target.as_deref()))
                .or_else(|| is("database", filter.database.as_deref()))
        };
        let written = |text: String| Self::Written(Box::new(Finder::new(text.as_bytes()).into_owned()));
        named.map(written).or_else(|| word(filter)).or_else(|| touched().or_else(said).map(written))
    }

    /// Where it stands first.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Written(text) => text.find(bytes),
            Self::Word(word) => word.find(bytes).map(|found| found.start()),
        }
    }
}

/// The longest part of the words that are wanted that has no other forms than those of ASCII: the lower case of some other
/// letters is or has an `i` or a `k`.
fn word(filter: &Filter) -> Option<Needle> {
    let words = filter.words();
    let is_other = |letter: char| !letter.is_ascii() || matches!(letter, 'i' | 'k' | '*');
    let longest = words.iter().flat_map(|word| word.split(is_other)).max_by_key(|part| part.len())?;
    if longest.len() < SHORTEST {
        return None;
    }
    // Letters, digits and `_`: nothing that has a meaning of its own.
    RegexBuilder::new(longest).case_insensitive(true).unicode(false).build().ok().map(Needle::Word)
}

/// Shorter ones are in nearly every line.
const SHORTEST: usize = 3;

#[cfg(test)]
mod unit {
    use super::*;

    fn finds(text: &str, line: &str) -> bool {
        let filter = Filter { text: Some(text.to_owned()), ..Filter::default() };
        Needle::of(&filter).is_none_or(|needle| needle.find(line.as_bytes()).is_some())
    }

    #[test]
    fn no_word_that_is_asked_for_is_passed_over() {
        for (text, line) in [
            ("salary", "\"SELECT 1 FROM Salary\""),
            ("SAL*", "\"select salary\""),
            ("kilo", "\"SELECT \u{212a}ilo\""),
            ("index", "\"\u{130}ndex\""),
            ("zo\u{eb} select", "\"SELECT 'ZO\u{cb}'\""),
        ] {
            assert!(finds(text, line), "{text} in {line}");
        }
        assert!(!finds("salary", "\"select 1 from employee\""));
        assert!(!finds("select salary", "\"select 1 from employee\""));
    }
}
