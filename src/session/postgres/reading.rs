//! What the meaning of a text depends on beside its letters: sessions that share it read a text alike.

use std::sync::Arc;

use super::session::Session;
use crate::{
    model::{
        facts::{Facts, SessionEffect},
        name_context::{NameContext, SearchPath},
    },
    session::ties::Reason,
    upstream::postgres::{Settings as Values, StatementName},
};

/// How a session's texts are read now.
#[derive(Clone, Debug)]
pub(super) struct Reading(Arc<[u8]>);

impl Reading {
    /// Whether it is the same value as `other`, which it was cloned from.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What a statement is called where it is read so; `parse` is the text and the types of its Parse.
    pub(super) fn name_of(&self, parse: &[u8]) -> StatementName {
        StatementName::of(&[&self.0, parse])
    }
}

/// A reading, and what it was made of.
#[derive(Debug)]
pub(super) struct Read {
    settings: u64,
    context: Arc<NameContext>,
    own: bool,
    reading: Reading,
}

impl Session {
    /// How the session's texts are read now.
    ///
    /// INVARIANT: two sessions have the same reading only if their connections analyse a text alike, and analyse it alike
    /// again whenever the server does that anew. So what others cannot have too makes a reading the session's own.
    pub(super) fn reading(&mut self) -> Reading {
        let own = self.reads_on_its_own();
        let (settings, context) = (self.settings.version(), self.names.context());
        if let Some(read) = &self.read
            && read.settings == settings
            && read.own == own
            && Arc::ptr_eq(&read.context, context)
        {
            return read.reading.clone();
        }
        let session = self.desk.who.session.to_string();
        let bytes = spelled(context, self.settings.values(), own.then_some(&session));
        let reading = Reading(bytes.into());
        let context = Arc::clone(context);
        self.read = Some(Read { settings, context, own, reading: reading.clone() });
        reading
    }

    /// Whether texts may be read otherwise here than where another session has the same settings.
    fn reads_on_its_own(&self) -> bool {
        let context = self.names.context();
        let tied = [Reason::SearchPath, Reason::Temporary, Reason::Unknown];
        context.catalog.is_none()
            || !context.temporary.is_empty()
            || !context.made.is_empty()
            || context.search_path == SearchPath::Unknown
            || self.transaction.defined
            || self.settings.is_moving()
            || tied.into_iter().any(|reason| self.lanes.is_tied_by(reason))
    }
}

/// Whether a statement may change how texts are read, beside what names mean.
pub(super) fn is_moved_by(facts: &Facts) -> bool {
    facts.effects.iter().any(|effect| match effect {
        SessionEffect::Set { name, .. } => bears_on_reading(name),
        SessionEffect::ResetAll | SessionEffect::DiscardAll | SessionEffect::Define => true,
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
        | SessionEffect::CloseCursor(_) => false,
    })
}

/// Whether texts may be analysed or planned otherwise where a setting has another value.
///
/// Constants are read when a text is analysed (dates by `datestyle` and `timezone`, regular classes by `search_path`),
/// and a plan is kept that was made under other settings. Settings with a dot are for whoever asks when they run.
pub(super) fn bears_on_reading(setting: &str) -> bool {
    !setting.contains('.') && !READ_BY_NO_TEXT.contains(&setting)
}

const READ_BY_NO_TEXT: [&str; 8] = [
    "application_name",
    "client_min_messages",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "synchronous_commit",
    "transaction_timeout",
];

/// The version of the catalog, the settings, and the session if the reading is its own, each behind its length.
fn spelled(context: &NameContext, settings: &Values, session: Option<&String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    };
    let version = context.catalog.as_ref().map_or(0, |catalog| catalog.version);
    add(&version.to_be_bytes());
    add(session.map_or(&[], |session| session.as_bytes()));
    for (name, value) in settings.iter().filter(|(name, _)| bears_on_reading(name)) {
        add(name.as_bytes());
        add(&[u8::from(value.is_some())]);
        add(value.as_deref().unwrap_or_default().as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Catalog;

    fn context(version: u64) -> NameContext {
        NameContext {
            database: "hr".into(),
            server_version: 15,
            search_path: SearchPath::Known([].into()),
            accounts: [].into(),
            temporary: Arc::default(),
            made: Arc::default(),
            catalog: Some(Arc::new(Catalog { version, ..Catalog::default() })),
            mysql: None,
        }
    }

    fn values(pairs: &[(&str, Option<&str>)]) -> Values {
        pairs.iter().map(|(name, value)| ((*name).into(), value.map(str::to_owned))).collect()
    }

    #[test]
    fn whatever_bears_on_a_text_makes_another_reading() {
        let zone = [("timezone", Some("UTC"))];
        let one = spelled(&context(1), &values(&zone), None);
        assert_eq!(one, spelled(&context(1), &values(&zone), None));
        for (version, settings, session) in [
            (2, &zone[..], None),
            (1, &[("timezone", Some("CET"))], None),
            (1, &[("timezone", None)], None),
            (1, &[], None),
            (1, &[("datestyle", Some("UTC"))], None),
            (1, &[("timezone", Some("UTC")), ("enable_seqscan", Some("off"))], None),
            (1, &zone, Some(&"one".to_owned())),
        ] {
            assert_ne!(one, spelled(&context(version), &values(settings), session), "{settings:?}");
        }
    }

    #[test]
    fn what_no_text_is_read_by_makes_no_other_reading() {
        let settings =
            [("statement_timeout", Some("7")), ("my.tenant", Some("x")), ("application_name", None)];
        assert_eq!(spelled(&context(1), &values(&settings), None), spelled(&context(1), &values(&[]), None));
    }
}
