//! What ties a session to the one connection that it is on.

use crate::{
    metrics::{Pinned, TargetMetrics},
    model::facts::{Facts, SessionEffect, Tie, TransactionEffect},
};

pub(super) use crate::metrics::PinReason as Reason;

/// Everything that ties one session, and whether it may have been given up.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// Each reason once; counted for as long as it stands here.
    reasons: Vec<Pinned>,
    /// Something may have been given up since the server was asked last.
    doubtful: bool,
}

impl Ties {
    /// The session is tied by `reason`.
    pub(super) fn add(&mut self, reason: Reason, metrics: &TargetMetrics) {
        if !self.has(reason) {
            self.reasons.push(metrics.pins.pin(reason));
        }
    }

    /// Whether it is tied by `reason`.
    pub(super) fn has(&self, reason: Reason) -> bool {
        self.reasons.iter().any(|pinned| pinned.reason() == reason)
    }

    /// Whether nothing ties it.
    pub(super) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Something may have been given up.
    pub(super) const fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Whether nothing may tie it any longer, once somebody has looked.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful && self.reasons.iter().all(|pinned| can_be_given_up(pinned.reason()))
    }

    /// Only what `still_ties` ties it.
    pub(super) fn keep(&mut self, still_ties: impl Fn(Reason) -> bool) {
        self.doubtful = false;
        self.reasons.retain(|pinned| still_ties(pinned.reason()));
    }
}

/// Why a session stays with the connection on which `facts` have run; empty if it need not.
pub(super) fn reasons(facts: &Facts) -> impl Iterator<Item = Reason> {
    let modes = matches!(facts.transaction, TransactionEffect::SetModes { session: true, .. });
    let modes = modes.then_some(Reason::TransactionModes);
    modes.into_iter().chain(facts.effects.iter().filter_map(reason))
}

/// Whether something of `facts` stays with the one connection that it ran on, and cannot be made again elsewhere.
pub(super) fn pins(facts: &Facts) -> bool {
    reasons(facts).next().is_some()
}

fn reason(effect: &SessionEffect) -> Option<Reason> {
    Some(match effect {
        SessionEffect::Pin | SessionEffect::ContextUnknown => Reason::Unknown,
        SessionEffect::Ties(Tie::AdvisoryLock | Tie::NamedLock(_)) => Reason::Lock,
        SessionEffect::Ties(Tie::Channel) => Reason::Listen,
        SessionEffect::Ties(Tie::Temporary) | SessionEffect::CreateTemporary(_) => Reason::Temporary,
        SessionEffect::Ties(Tie::UserVariable) => Reason::UserVariable,
        SessionEffect::Prepare { .. } => Reason::Prepared,
        SessionEffect::DeclareCursor { hold: true, .. } => Reason::Cursor,
        SessionEffect::DeclareCursor { hold: false, .. }
        | SessionEffect::Releases(_)
        | SessionEffect::Set { .. }
        | SessionEffect::ResetAll
        | SessionEffect::DiscardAll
        | SessionEffect::DiscardTemporary
        | SessionEffect::DropRelation(_)
        | SessionEffect::Deallocate(_)
        | SessionEffect::CloseCursor(_)
        | SessionEffect::Define
        | SessionEffect::UseDatabase(_)
        | SessionEffect::Vacates(_)
        | SessionEffect::LockTables
        | SessionEffect::UnlockTables
        | SessionEffect::ReadsDiagnostics
        | SessionEffect::ShowsApplication
        | SessionEffect::ShowsPrivileges
        | SessionEffect::ShowsReadOnly => return None,
    })
}

/// Whether something that tied the session may be gone after `facts`.
pub(super) fn may_release(facts: &Facts) -> bool {
    let ends = matches!(
        facts.transaction,
        TransactionEffect::Commit { .. }
            | TransactionEffect::Rollback { .. }
            | TransactionEffect::RollbackTo(_)
    );
    ends || facts.effects.iter().any(|effect| match effect {
        SessionEffect::Releases(_)
        | SessionEffect::Ties(Tie::Temporary)
        | SessionEffect::DiscardTemporary
        | SessionEffect::DropRelation(_)
        | SessionEffect::Deallocate(_)
        | SessionEffect::CloseCursor(_) => true,
        SessionEffect::Pin
        | SessionEffect::ContextUnknown
        | SessionEffect::Ties(Tie::AdvisoryLock | Tie::Channel | Tie::NamedLock(_) | Tie::UserVariable)
        | SessionEffect::CreateTemporary(_)
        | SessionEffect::Prepare { .. }
        | SessionEffect::Vacates(_)
        | SessionEffect::DeclareCursor { .. }
        | SessionEffect::Set { .. }
        | SessionEffect::ResetAll
        | SessionEffect::DiscardAll
        | SessionEffect::Define
        | SessionEffect::UseDatabase(_)
        | SessionEffect::LockTables
        | SessionEffect::UnlockTables
        | SessionEffect::ReadsDiagnostics
        | SessionEffect::ShowsApplication
        | SessionEffect::ShowsPrivileges
        | SessionEffect::ShowsReadOnly => false,
    })
}

/// Whether it can be seen that nothing of this kind is left; the rest stays until the session begins anew.
const fn can_be_given_up(reason: Reason) -> bool {
    match reason {
        Reason::Cursor | Reason::Listen | Reason::Lock | Reason::Prepared | Reason::Temporary => true,
        Reason::SearchPath | Reason::TransactionModes | Reason::Unknown | Reason::UserVariable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_may_be_given_up_is_looked_at_only_if_nothing_else_ties() {
        let metrics = Metrics::new("0").unwrap().target(&"hr".into());
        let mut ties = Ties::default();
        ties.add(Reason::Lock, &metrics);
        assert!(!ties.is_doubtful());
        ties.doubt();
        assert!(ties.is_doubtful());
        ties.add(Reason::UserVariable, &metrics);
        assert!(!ties.is_doubtful());
        ties.keep(|reason| reason == Reason::UserVariable);
        assert!(!ties.has(Reason::Lock) && !ties.is_empty());
    }

    #[test]
    fn a_reason_is_counted_once_for_as_long_as_it_ties() {
        let metrics = Metrics::new("0").unwrap();
        let target = metrics.target(&"hr".into());
        let mut ties = Ties::default();
        ties.add(Reason::Lock, &target);
        ties.add(Reason::Lock, &target);
        let shown = |word: &str| metrics.render().unwrap().contains(word);
        assert!(shown("tidegate_sessions_pinned{reason=\"lock\",target=\"hr\"} 1"));
        drop(ties);
        assert!(shown("tidegate_sessions_pinned{reason=\"lock\",target=\"hr\"} 0"));
        assert!(shown("tidegate_pins_total{reason=\"lock\",target=\"hr\"} 1"));
    }
}
