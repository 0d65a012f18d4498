//! The same statement again, while nothing has changed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{facts::Facts, ids::PrincipalName, principal::Principal, target::Place};

use super::{
    decide::{Decision, decide},
    permit::Permit,
    snapshot::Snapshot,
};

/// The statement of a session that was let through last. A driver has one statement judged several times on its way
/// (to prepare, to bind, to run it), and many times over.
#[derive(Debug, Default)]
pub struct Recent(Option<Allowed>);

/// What was decided, on what, and since when it holds.
#[derive(Debug)]
struct Allowed {
    facts: Arc<Facts>,
    principal: PrincipalName,
    place: Place,
    since: Timestamp,
    permit: Permit,
}

impl Recent {
    /// Judges one statement as [`decide`] does.
    ///
    /// What was allowed last is allowed again for the same principal, place and facts, on the same snapshot, from the
    /// instant at which it was judged up to the end of the grants that it rests on. It goes on resting on those,
    /// although one that began since may last longer.
    pub fn decide(
        &mut self,
        snapshot: &Snapshot,
        principal: &Principal,
        place: &Place,
        facts: &Arc<Facts>,
        now: Timestamp,
    ) -> Decision {
        if let Some(permit) = self.again(snapshot, principal, place, facts, now) {
            return Decision::Allow(permit);
        }
        let decision = decide(snapshot, principal, place, facts, now);
        self.0 = match &decision {
            Decision::Allow(permit) => Some(Allowed {
                facts: Arc::clone(facts),
                principal: principal.name.clone(),
                place: place.clone(),
                since: now,
                permit: permit.another(),
            }),
            Decision::Deny(_) => None,
        };
        decision
    }

    fn again(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        place: &Place,
        facts: &Arc<Facts>,
        now: Timestamp,
    ) -> Option<Permit> {
        let Allowed { facts: judged, principal: who, place: place_then, since, permit } = self.0.as_ref()?;
        let holds = Arc::ptr_eq(judged, facts)
            && permit.version() == snapshot.version()
            && *since <= now
            && permit.until().is_none_or(|until| now < until)
            && *who == principal.name
            && place_then == place;
        holds.then(|| permit.another())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{facts::AccessMode, permission::Permission},
        policy::{
            SnapshotParts,
            fixture::{at, facts, grant, hr, policy, principal, relation, target},
        },
    };

    fn snapshot(version: u64, people: &[&str], objects: &[&str]) -> Snapshot {
        Snapshot::build(SnapshotParts {
            version,
            policy: policy("{}"),
            principals: people.iter().map(|name| principal(name, &[])).collect(),
            grants: vec![grant(1, &[Permission::Select], objects)],
            targets: vec![target("hr", "prod")],
        })
    }

    /// Has dana's SELECT on employee let through, and then judged in other circumstances.
    fn then(judge: impl FnOnce(&mut Recent, &Arc<Facts>) -> Decision) -> bool {
        let facts = Arc::new(facts(&[(AccessMode::Read, relation("public.employee"))], &[], true));
        let mut recent = Recent::default();
        let granted = snapshot(1, &["dana", "sam"], &["public.employee"]);
        let first = recent.decide(&granted, &principal("dana", &[]), &hr(), &facts, at(0));
        assert!(matches!(first, Decision::Allow(_)));
        matches!(judge(&mut recent, &facts), Decision::Allow(_))
    }

    #[test]
    fn it_is_judged_anew_for_another_snapshot_person_place_or_statement() {
        let granted = snapshot(1, &["dana", "sam"], &["public.employee"]);
        let dana = principal("dana", &[]);
        assert!(then(|recent, facts| recent.decide(&granted, &dana, &hr(), facts, at(1))));
        let taken = snapshot(2, &["dana"], &["public.salary"]);
        assert!(!then(|recent, facts| recent.decide(&taken, &dana, &hr(), facts, at(1))));
        let sam = principal("sam", &[]);
        assert!(!then(|recent, facts| recent.decide(&granted, &sam, &hr(), facts, at(1))));
        let elsewhere = Place { database: "other".into(), ..hr() };
        assert!(!then(|recent, facts| recent.decide(&granted, &dana, &elsewhere, facts, at(1))));
        let other = Arc::new(facts(&[(AccessMode::Read, relation("public.salary"))], &[], true));
        assert!(!then(|recent, _| recent.decide(&granted, &dana, &hr(), &other, at(1))));
    }
}
