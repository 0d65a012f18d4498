//! Time that policy bounds: statements that run too long, transactions that wait or last too long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{conversation::Conversation, desk::Desk, records::strongest, who::Doing};
use crate::{
    model::{
        facts::Facts,
        refusal::{Refusal, RefusalCode},
    },
    policy::Bounds,
    upstream::Asker,
};

/// How long the open transaction has been open, and waited.
#[derive(Debug, Default)]
pub(super) struct Watch {
    opened_at: Option<Instant>,
    idle_since: Option<Instant>,
}

impl Watch {
    /// Notes what the session does now; `moved` says that bytes came since the last time.
    pub(super) fn note(&mut self, doing: Doing, moved: bool) {
        match doing {
            Doing::Idle => *self = Self::default(),
            Doing::Active => self.idle_since = None,
            Doing::InTransaction => {
                let now = Instant::now();
                self.opened_at.get_or_insert(now);
                if moved {
                    self.idle_since = None;
                }
                self.idle_since.get_or_insert(now);
            }
        }
    }

    /// How long until one of the bounds is reached; `None` if none is.
    pub(super) fn left(&self, bounds: &Bounds) -> Option<Duration> {
        self.waits(bounds).map(|(at, bound, _)| bound.saturating_sub(at.elapsed())).min()
    }

    /// What the session ends with, if a bound is reached.
    pub(super) fn overdue(&self, desk: &Desk) -> Option<Refusal> {
        self.opened_at?;
        let bounds = desk.bounds();
        let (_, bound, code) = self.waits(&bounds).find(|(at, bound, _)| at.elapsed() >= *bound)?;
        Some(overdue(desk, code, bound))
    }

    /// Whether a transaction is open.
    pub(super) const fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }

    fn waits(&self, bounds: &Bounds) -> impl Iterator<Item = (Instant, Duration, RefusalCode)> {
        let idle = self.idle_since.zip(bounds.idle_in_transaction);
        let open = self.opened_at.zip(bounds.transaction);
        let idle = idle.map(|(at, bound)| (at, bound, RefusalCode::IdleInTransaction));
        idle.into_iter().chain(open.map(|(at, bound)| (at, bound, RefusalCode::TransactionTimeout)))
    }
}

/// Tells statements to stop that have run for as long as policy lets them.
pub(super) fn stop_what_takes_too_long<C: Conversation>(session: &mut C) {
    let now = Instant::now();
    let (desk, running) = session.under_way();
    let mut late = false;
    // What waits behind the first does not run yet.
    for one in running.take(1) {
        let Some(end) = one.deadline.filter(|end| *end <= now && one.revoked.is_none()) else { continue };
        one.revoked = Some(takes_too_long(desk, end.duration_since(one.started)));
        late = true;
    }
    if late {
        desk.stopping_since.get_or_insert(now);
        session.cancel_running();
    }
}

impl Desk {
    /// What policy bounds for the session, now.
    pub(super) fn bounds(&self) -> Bounds {
        self.gate.snapshot.peek().bounds(&self.who.principal.name, &self.place.target)
    }

    /// When a statement has run for as long as policy lets it.
    pub(super) fn deadline(&self, does: &[Arc<Facts>], started: Instant) -> Option<Instant> {
        let snapshot = self.gate.snapshot.peek();
        let (principal, target) = (&self.who.principal.name, &self.place.target);
        let bound = snapshot.statement_bound(principal, target, strongest(does));
        bound.and_then(|bound| started.checked_add(bound))
    }

    /// The session as one that asks for a connection.
    pub(super) fn asker(&self) -> Asker {
        let Bounds { connections, connections_percent, .. } = self.bounds();
        Asker { principal: self.who.principal.name.clone(), connections, connections_percent }
    }
}

fn takes_too_long(desk: &Desk, bound: Duration) -> Refusal {
    let message = "canceling statement due to statement timeout";
    Refusal::new(RefusalCode::StatementTimeout, message)
        .with_detail(allowed(desk, "a statement", "run", bound))
        .with_hint("Ask for less at a time, or ask the gateway's administrator for a longer limit.")
}

fn overdue(desk: &Desk, code: RefusalCode, bound: Duration) -> Refusal {
    let (message, detail) = if code == RefusalCode::IdleInTransaction {
        (
            "terminating connection due to idle-in-transaction timeout",
            allowed(desk, "a transaction", "wait for its next statement", bound),
        )
    } else {
        (
            "terminating connection due to transaction timeout",
            allowed(desk, "a transaction", "be open", bound),
        )
    };
    Refusal::new(code, message)
        .with_detail(detail)
        .with_hint("Connect again; what the transaction did is rolled back.")
}

fn allowed(desk: &Desk, what: &str, does: &str, bound: Duration) -> String {
    let (principal, target) = (&desk.who.principal.name, &desk.place.target);
    let bound = bound.as_secs();
    format!("Policy lets {what} of {principal} at target \"{target}\" {does} for {bound} s.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(idle: u64, open: u64) -> Bounds {
        Bounds {
            idle_in_transaction: Some(Duration::from_secs(idle)),
            transaction: Some(Duration::from_secs(open)),
            ..Bounds::default()
        }
    }

    #[test]
    fn a_statement_ends_the_wait_of_a_transaction_and_not_its_time() {
        let mut watch = Watch::default();
        watch.note(Doing::InTransaction, true);
        assert!(watch.left(&bounds(10, 100)).unwrap() <= Duration::from_secs(10));
        watch.note(Doing::Active, true);
        let left = watch.left(&bounds(10, 100)).unwrap();
        assert!(left > Duration::from_secs(10) && left <= Duration::from_secs(100));
    }

    #[test]
    fn without_a_transaction_nothing_waits() {
        let mut watch = Watch::default();
        watch.note(Doing::InTransaction, true);
        watch.note(Doing::Idle, true);
        assert!(!watch.is_open() && watch.left(&bounds(0, 0)).is_none());
        watch.note(Doing::Active, true);
        assert_eq!(watch.left(&bounds(0, 0)), None);
    }
}
