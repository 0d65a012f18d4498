//! Leave to ask the database what a requested statement would cost, for those who have to decide on it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    facts::{AccessMode, Facts, StatementKind, TransactionEffect},
    grant::GrantName,
    permission::Permission,
    principal::Principal,
    target::{Lane, Place},
};

use super::{permit::Permit, snapshot::Snapshot, view::View};

/// Leave for the gateway itself to have a statement planned that `requester` asks for, by `flow`, which wants that.
///
/// `facts` are those of the EXPLAIN, and must be nothing but a plan: it is shown to nobody, only how many rows it
/// reckons with and at what cost, but planning runs what it can fold, so that routines which policy does not list are
/// refused, and so is whatever only an administrator may look at. `changes` says that the statement, if it ran, would
/// change something: such a plan asks for an account that may.
pub fn decide_estimate(
    snapshot: &Snapshot,
    requester: &Principal,
    place: &Place,
    flow: &str,
    facts: &Facts,
    changes: bool,
    now: Timestamp,
) -> Option<Permit> {
    let view = View::open(snapshot, requester, place, now).ok()?;
    let is_plan = facts.kind == StatementKind::Explain
        && facts.transaction == TransactionEffect::None
        && facts.runs.is_none()
        && (facts.read_only || changes);
    let shows_nothing_more = facts.accesses.iter().all(|access| match access.mode {
        AccessMode::Use | AccessMode::Explain | AccessMode::Read => true,
        AccessMode::Export | AccessMode::Write | AccessMode::Define | AccessMode::Administer => false,
    });
    let calls_nothing_unknown = facts.calls.iter().all(|call| view.is_listed(call));
    let is_forbidden = view.forbidden.contains(Permission::Explain);
    if !is_plan || !shows_nothing_more || !calls_nothing_unknown || is_forbidden {
        return None;
    }
    let lane = if changes { Lane::Write } else { Lane::Read };
    let by = Arc::from([GrantName::Standing(format!("estimate:{flow}"))]);
    Some(Permit::new(lane, by, None, snapshot.version()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{at, facts, hr, policy, principal, relation, snapshot};

    fn plan() -> Facts {
        Facts { kind: StatementKind::Explain, ..facts(&[(AccessMode::Explain, relation("a.b"))], &[], true) }
    }

    fn asks(rules: &str, facts: &Facts) -> Option<Lane> {
        let snapshot = snapshot(&policy(rules), Vec::new());
        decide_estimate(&snapshot, &principal("dana", &[]), &hr(), "reads", facts, false, at(0))
            .map(|permit| permit.lane())
    }

    #[test]
    fn a_plan_may_be_asked_for_without_a_grant() {
        assert_eq!(asks("", &plan()), Some(Lane::Read));
        let snapshot = snapshot(&policy(""), Vec::new());
        let dana = principal("dana", &[]);
        let permit = decide_estimate(&snapshot, &dana, &hr(), "writes", &plan(), true, at(0)).unwrap();
        assert_eq!(permit.lane(), Lane::Write);
        assert_eq!(permit.grants(), [GrantName::Standing("estimate:writes".to_owned())]);
    }

    #[test]
    fn what_is_more_than_a_plan_is_not_asked_for() {
        let runs = Facts { kind: StatementKind::ExplainAnalyze, ..plan() };
        let select = Facts { kind: StatementKind::Select, ..plan() };
        let writes = Facts { read_only: false, ..plan() };
        let secret = facts(&[(AccessMode::Administer, relation("pg_catalog.pg_authid"))], &[], true);
        let secret = Facts { kind: StatementKind::Explain, ..secret };
        let calls = facts(&[(AccessMode::Explain, relation("a.b"))], &["f"], true);
        let calls = Facts { kind: StatementKind::Explain, ..calls };
        for facts in [runs, select, writes, secret, calls.clone()] {
            assert_eq!(asks("", &facts), None, "{facts:?}");
        }
        assert_eq!(asks("routines: [ { target: hr, allow: [f] } ]", &calls), Some(Lane::Read));
        assert_eq!(asks("ceilings: [ { environment: prod, forbid: [explain] } ]", &plan()), None);
    }

    #[test]
    fn for_somebody_who_is_not_known_nothing_is_asked() {
        let snapshot = snapshot(&policy(""), Vec::new());
        let eve = principal("eve", &[]);
        assert!(decide_estimate(&snapshot, &eve, &hr(), "reads", &plan(), false, at(0)).is_none());
    }
}
