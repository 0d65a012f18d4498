//! Who a session is to the database: the principal and the session, in few letters.

use super::who::Who;
use crate::{model::principal::SIGNED, upstream::Attribution};

/// How the database is told whose statements it runs.
#[derive(Clone, Debug)]
pub(super) enum Signature {
    /// By the connection's `application_name`, which begins with this.
    Application(Box<str>),
    /// By this comment in each text.
    Comment(Box<str>),
    /// Not at all.
    Nothing,
}

impl Signature {
    /// That of a session.
    pub(super) fn of(who: &Who, how: Attribution) -> Self {
        match how {
            Attribution::ApplicationName => Self::Application(words(who).into()),
            Attribution::Comment => Self::Comment(format!("/* {} */", words(who)).into()),
            Attribution::Off => Self::Nothing,
        }
    }

    /// What the connection is to be called while a client works on it that calls itself `own`.
    pub(super) fn application(&self, own: &str) -> Option<String> {
        let Self::Application(words) = self else { return None };
        let mut name = words.to_string();
        // The server shows other letters as question marks.
        let own = own.chars().map(|letter| if matches!(letter, ' '..='~') { letter } else { '?' });
        let room = LONGEST_NAME_BYTES.saturating_sub(name.len() + 1);
        let own: String = own.take(room).collect();
        if !own.is_empty() {
            name.push(' ');
            name.push_str(&own);
        }
        Some(name)
    }

    /// Whether a name is one that was given by [`Self::application`].
    pub(super) fn is_in(&self, name: &str) -> bool {
        let Self::Application(words) = self else { return false };
        name.strip_prefix(&**words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    }

    /// Whether it is told by what the connection calls itself.
    pub(super) const fn is_application(&self) -> bool {
        matches!(self, Self::Application(_))
    }

    /// The comment to send with each text.
    pub(super) const fn comment(&self) -> Option<&str> {
        match self {
            Self::Comment(comment) => Some(comment),
            Self::Application(_) | Self::Nothing => None,
        }
    }
}

/// "tidegate:dana:3f9a1c22b7de": the last part of the session's identifier.
///
/// INVARIANT: no letter of it ends a comment, and none is read as anything else.
fn words(who: &Who) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '@') { letter } else { '_' }
    };
    let name: String = who.principal.name.chars().map(plain).take(NAME_LETTERS).collect();
    let session = who.session.uuid().simple().to_string();
    let session = session.get(SESSION_AT..).unwrap_or_default();
    format!("{SIGNED}{name}:{session}")
}

/// NAMEDATALEN of the server, less the end of the text.
const LONGEST_NAME_BYTES: usize = 63;
/// Letters of the principal's name, so that something is left for the client's.
const NAME_LETTERS: usize = 24;
/// Where the last group of a UUID begins, in digits.
const SESSION_AT: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn application(words: &str) -> Signature {
        Signature::Application(words.into())
    }

    #[test]
    fn the_clients_own_name_stands_behind_within_the_servers_bound() {
        let signature = application("tidegate:dana:3f9a1c22b7de");
        assert_eq!(signature.application("psql").unwrap(), "tidegate:dana:3f9a1c22b7de psql");
        assert_eq!(signature.application("").unwrap(), "tidegate:dana:3f9a1c22b7de");
        assert_eq!(signature.application(&"x".repeat(100)).unwrap().len(), 63);
        assert_eq!(signature.application("caf\u{e9}\n").unwrap(), "tidegate:dana:3f9a1c22b7de caf??");
    }

    #[test]
    fn a_name_is_known_again_by_its_beginning() {
        let signature = application("tidegate:dana:3f9a1c22b7de");
        assert!(
            signature.is_in("tidegate:dana:3f9a1c22b7de")
                && signature.is_in("tidegate:dana:3f9a1c22b7de psql")
        );
        assert!(!signature.is_in("tidegate:dana:3f9a1c22b7dex") && !signature.is_in("psql"));
        assert!(!Signature::Nothing.is_in("psql"));
    }
}
