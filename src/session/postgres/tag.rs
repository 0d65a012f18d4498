//! What the connection in use calls itself: the person whose statements run, but the client's own name where a statement
//! looks.

use std::{borrow::Cow, sync::Arc};

use super::session::Session;
use crate::{
    model::{
        facts::{Facts, SessionEffect},
        ids::Ident,
        principal::SIGNED,
    },
    upstream::{SettingValue, Setup},
    wire::postgres::{backend::TransactionStatus, ledger::Owed},
};

impl Session {
    /// Has the connection in use say whose statements come next. It goes out with them; only while nothing is owed.
    ///
    /// In a transaction that was said at its beginning; it is said again behind a statement that looked, or that changed
    /// the name.
    pub(super) fn sign<'d>(&mut self, does: impl IntoIterator<Item = &'d Arc<Facts>>) {
        if !self.is_settled() || self.block.sent {
            return;
        }
        if self.transaction.status == TransactionStatus::Failed {
            return;
        }
        // A name that reads like one of the gateway's is never said for a client.
        let own = does.into_iter().any(|facts| looks(facts)).then(|| self.own_name());
        let name: Arc<str> = match own.filter(|own| !own.starts_with(SIGNED)) {
            Some(own) => own.into(),
            None => match self.signed_name() {
                Some(name) => name,
                None => return,
            },
        };
        // A rollback takes back what a transaction was called.
        let lasts = self.transaction.status == TransactionStatus::Idle;
        let Some(borrowed) = self.lanes.active_mut() else { return };
        if borrowed.lease.tag().is_some_and(|tag| *tag == name) {
            return;
        }
        let lane = borrowed.lease.lane();
        let (setting, value) = (Ident::from(APPLICATION_NAME), SettingValue::Literal(&name));
        if borrowed.lease.send_setup(Setup::Set { name: &setting, value }).is_err() {
            // Nothing was sent: the database shows what it showed before.
            return;
        }
        borrowed.lease.keep_tag(lasts.then(|| Arc::clone(&name)));
        self.ledger.push(Owed::Tag);
        // It went as a Query.
        self.held.forget_unnamed(lane);
    }

    /// A judged text, with the comment that says whose it is where that is how the database is told.
    ///
    /// It stands behind the text, so that errors point where they would without it, and on a line of its own, so that no
    /// comment in the text swallows it.
    pub(super) fn with_comment<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        match self.desk.signature.comment() {
            None => text,
            Some(comment) => format!("{text}\n{comment}").into(),
        }
    }

    /// What connections are called while the session works on them; made anew when its settings have changed.
    fn signed_name(&mut self) -> Option<Arc<str>> {
        let version = self.settings.version();
        if let Some((_, name)) = self.signed_name.as_ref().filter(|(known, _)| *known == version) {
            return Some(Arc::clone(name));
        }
        let name: Arc<str> = self.desk.signature.application(&self.own_name())?.into();
        self.signed_name = Some((version, Arc::clone(&name)));
        Some(name)
    }

    /// What the client calls itself.
    fn own_name(&self) -> String {
        let set = self.settings.iter().find(|(name, _)| &***name == APPLICATION_NAME);
        let own = set.and_then(|(_, value)| value).or_else(|| self.settings.initial(APPLICATION_NAME));
        own.unwrap_or_default().to_owned()
    }

    /// What a client is told of `application_name`, of which the upstream has said that it is `value`; `None` is nothing.
    pub(super) fn own_application(&mut self, value: &str) -> Option<String> {
        if matches!(self.ledger.front_mut(), Some(Owed::Tag)) {
            // The gateway's own doing.
            return None;
        }
        if value == OWN_APPLICATION {
            return Some(self.settings.initial(APPLICATION_NAME).unwrap_or_default().to_owned());
        }
        Some(if self.desk.signature.is_in(value) { self.own_name() } else { value.to_owned() })
    }

    /// A statement succeeded: it may have changed what the connection is called.
    pub(super) fn note_application(&mut self, facts: &Facts) {
        let changes = |effect: &SessionEffect| match effect {
            SessionEffect::Set { name, .. } => &**name == APPLICATION_NAME,
            SessionEffect::ResetAll
            | SessionEffect::DiscardAll
            | SessionEffect::ContextUnknown
            | SessionEffect::Pin => true,
            _ => false,
        };
        if facts.effects.iter().any(changes)
            && let Some(lease) = self.lanes.active_lease_mut()
        {
            lease.keep_tag(None);
        }
    }
}

fn looks(facts: &Facts) -> bool {
    facts.effects.contains(&SessionEffect::ShowsApplication)
}

/// Which setting it is.
pub(super) const APPLICATION_NAME: &str = "application_name";
/// What upstream connections are called before a session names them.
const OWN_APPLICATION: &str = "tidegate";
