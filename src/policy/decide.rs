//! The verdict on facts.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    facts::Facts,
    grant::GrantName,
    permission::Permission,
    principal::Principal,
    target::{Lane, Place},
};

use super::{
    denial::Denial,
    index::Entry,
    need::{self, Need},
    permit::Permit,
    snapshot::Snapshot,
    view::View,
};

/// The verdict on one statement or batch.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// It may run, once, with this proof.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// Judges one statement.
///
/// Every access needs a live grant that the principal holds, directly or through a group, on the target, the
/// database and the object, whose permissions allow it under the environment's ceilings; every call that is
/// neither built in nor listed needs a database-wide `admin`; and every statement needs at least one live grant
/// on the place. Unknown and disabled principals and unknown targets are refused.
///
/// `principal` is looked up by name in `snapshot`: what counts is what the snapshot says of it.
pub fn decide(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &Facts,
    now: Timestamp,
) -> Decision {
    decide_all(snapshot, principal, place, &[facts], now)
}

/// Judges several facts that run as one: a statement and what it runs by name.
///
/// All of them must be allowed; the Permit has the highest of their lanes.
pub fn decide_all(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &[&Facts],
    now: Timestamp,
) -> Decision {
    let view = match View::open(snapshot, principal, place, now) {
        Ok(view) => view,
        Err(closed) => return Decision::Deny(Denial::closed(closed)),
    };
    let dialect = view.dialect();
    let mut support = Support::default();
    let mut lane = Lane::Read;
    let mut met = true;
    let mut rests_here = false;
    for facts in facts {
        if !facts.read_only {
            lane = lane.max(Lane::Write);
        }
        for need in need::needs(facts, dialect, |call| view.is_listed(call)) {
            if need.is_administrative() {
                lane = Lane::Admin;
            }
            if !need.is_met_by_presence() {
                met = met && support.rest_on(view.grant_for(&need));
                rests_here |= !need.is_elsewhere(dialect);
            }
        }
    }
    // Whatever is met here is met by a grant on the place; presence is asked for only where nothing else is, so
    // that the Permit names no grant that the statement does not need.
    if !rests_here {
        met = met && support.rest_on(view.grant_for(&Need::Presence));
    }
    if met {
        Decision::Allow(Permit::new(lane, support.names(), support.until, snapshot.version()))
    } else {
        Decision::Deny(Denial::missing_of(&view, facts))
    }
}

/// The strongest lane that the principal's live grants on the place allow; a transaction opens on it.
///
/// Without any grant, and for whoever would be refused anyway, it is the weakest.
pub fn highest_lane(snapshot: &Snapshot, principal: &Principal, place: &Place, now: Timestamp) -> Lane {
    // closed: who is not let in gets the weakest lane.
    let Ok(view) = View::open(snapshot, principal, place, now) else { return Lane::Read };
    if view.holds(Permission::Admin) {
        Lane::Admin
    } else if view.holds(Permission::Dml) || view.holds(Permission::Ddl) {
        Lane::Write
    } else {
        Lane::Read
    }
}

/// The grants that an allowing decision rests on, gathered without allocating while there is only one.
#[derive(Default)]
struct Support<'s> {
    first: Option<&'s Entry>,
    more: Vec<&'s Entry>,
    until: Option<Timestamp>,
}

impl<'s> Support<'s> {
    /// Takes the grant that meets a need; false if there is none.
    fn rest_on(&mut self, entry: Option<&'s Entry>) -> bool {
        let Some(entry) = entry else { return false };
        self.until = match (self.until, entry.over_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match self.first {
            None => self.first = Some(entry),
            Some(first) if std::ptr::eq(first, entry) => {}
            Some(_) if self.more.iter().any(|other| std::ptr::eq(*other, entry)) => {}
            Some(_) => self.more.push(entry),
        }
        true
    }

    fn names(&self) -> Arc<[GrantName]> {
        match self.first {
            None => Arc::from([]),
            Some(first) if self.more.is_empty() => Arc::clone(&first.alone),
            Some(first) => {
                std::iter::once(&first).chain(&self.more).map(|entry| entry.grant.id.clone()).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{facts::AccessMode, object::Object, refusal::Missing},
        policy::{
            Closed, SnapshotParts,
            fixture::{
                allowed, at, denied, facts, grant, hr, judge, policy, principal, reads, relation, shipped,
                snapshot, target, until,
            },
        },
    };

    const SELECT: &[Permission] = &[Permission::Select];
    const ADMIN: &[Permission] = &[Permission::Admin];

    fn nothing() -> std::sync::Arc<crate::policy::Policy> {
        policy("")
    }

    fn administers(object: Object) -> Facts {
        facts(&[(AccessMode::Administer, object)], &[], true)
    }

    #[test]
    fn a_table_grant_opens_its_table_and_not_the_next() {
        let snapshot = snapshot(&nothing(), vec![grant(1, SELECT, &["public.employee"])]);
        let permit = allowed(judge(&snapshot, &reads(&["public.employee"]), at(0)));
        assert_eq!(
            (permit.lane(), permit.grants().len(), permit.until(), permit.version()),
            (Lane::Read, 1, None, 7)
        );
        let denial = denied(judge(&snapshot, &reads(&["public.employee", "public.salary"]), at(0)));
        let missing = Missing { permission: Some(Permission::Select), object: relation("public.salary") };
        assert_eq!(denial.missing(), [missing]);
    }

    #[test]
    fn whoever_defines_anything_makes_temporary_relations_and_nobody_else_does() {
        let makes = facts(&[(AccessMode::Define, relation("pg_temp.scratch"))], &[], false);
        let definer = snapshot(&nothing(), vec![grant(1, &[Permission::Ddl], &["public.employee"])]);
        let _ = allowed(judge(&definer, &makes, at(0)));
        denied(judge(&definer, &reads(&["pg_temp.scratch"]), at(0)));
        let reader = snapshot(&nothing(), vec![grant(1, SELECT, &["public.employee"])]);
        denied(judge(&reader, &makes, at(0)));
    }

    #[test]
    fn the_permit_lasts_as_long_as_the_longest_grant_for_each_need() {
        let grants = vec![
            until(grant(1, SELECT, &["public.*"]), at(10)),
            until(grant(2, SELECT, &["public.employee"]), at(50)),
            until(grant(3, SELECT, &["public.salary"]), at(30)),
        ];
        let snapshot = snapshot(&nothing(), grants);
        let permit = allowed(judge(&snapshot, &reads(&["public.employee", "public.salary"]), at(0)));
        assert_eq!(permit.until(), Some(at(30)));
        assert_eq!(permit.grants().len(), 2);
        let permit = allowed(judge(&snapshot, &reads(&["public.employee"]), at(0)));
        assert_eq!(permit.until(), Some(at(50)));
    }

    #[test]
    fn a_statement_that_touches_nothing_still_needs_a_grant_on_the_place() {
        let show = facts(&[], &[], true);
        let denial = denied(judge(&snapshot(&nothing(), vec![]), &show, at(0)));
        assert_eq!(denial.missing(), [Missing { permission: None, object: Object::Database }]);
        let mut elsewhere = grant(1, SELECT, &["*"]);
        elsewhere.database = crate::model::object::Glob::new("other");
        denied(judge(&snapshot(&nothing(), vec![elsewhere]), &show, at(0)));
        let here = snapshot(&nothing(), vec![grant(1, SELECT, &["a.b"])]);
        let _ = allowed(judge(&here, &show, at(0)));
    }

    #[test]
    fn a_grant_of_which_the_ceiling_leaves_nothing_is_no_grant() {
        let policy = policy("ceilings: [ { environment: prod, forbid: [select] } ]");
        let show = facts(&[], &[], true);
        denied(judge(&snapshot(&policy, vec![grant(1, ADMIN, &["*"])]), &reads(&["a.b"]), at(0)));
        let _ = allowed(judge(&snapshot(&policy, vec![grant(1, SELECT, &["*"])]), &show, at(0)));
        let policy = self::policy("ceilings: [ { environment: prod, forbid: [admin] } ]");
        denied(judge(&snapshot(&policy, vec![grant(1, ADMIN, &["*"])]), &show, at(0)));
    }

    #[test]
    fn forbidding_export_leaves_the_select_in_it_and_forbidding_select_forbids_both() {
        let grants = || vec![grant(1, &[Permission::Export], &["*"])];
        let exports = facts(&[(AccessMode::Export, relation("a.b"))], &[], true);
        let forbids = |what: &str| {
            snapshot(&policy(&format!("ceilings: [ {{ environment: prod, forbid: [{what}] }} ]")), grants())
        };
        denied(judge(&forbids("export"), &exports, at(0)));
        let _ = allowed(judge(&forbids("export"), &reads(&["a.b"]), at(0)));
        denied(judge(&forbids("select"), &exports, at(0)));
        denied(judge(&forbids("select"), &reads(&["a.b"]), at(0)));
        let _ = allowed(judge(&forbids("dml"), &exports, at(0)));
    }

    #[test]
    fn an_exception_of_one_ceiling_does_not_lift_another() {
        let text = |second: &str| {
            format!(
                "groups: {{ dba: {{}} }}
principals: {{ dana: {{ groups: [dba] }} }}
ceilings:
  - {{ environment: prod, forbid: [admin], except: {{ groups: [dba] }} }}
{second}"
            )
        };
        let grants = || vec![grant(1, ADMIN, &["*"])];
        let role = administers(Object::Server { what: "role".into() });
        let one = snapshot(&policy(&text("")), grants());
        assert_eq!(allowed(judge(&one, &role, at(0))).lane(), Lane::Admin);
        let two = snapshot(&policy(&text("  - { environment: \"*\", forbid: [admin] }")), grants());
        denied(judge(&two, &role, at(0)));
    }

    #[test]
    fn a_ceiling_holds_in_its_environment_only() {
        let policy = policy("ceilings: [ { environment: test, forbid: [select] } ]");
        let _ = allowed(judge(&snapshot(&policy, vec![grant(1, SELECT, &["*"])]), &reads(&["a.b"]), at(0)));
    }

    #[test]
    fn a_listed_routine_is_matched_as_it_is_spelled() {
        let policy =
            policy("routines: [ { target: hr, allow: [f, public.g] }, { target: shop, allow: [h] } ]");
        let snapshot = snapshot(&policy, vec![grant(1, SELECT, &["*"])]);
        for (call, is_allowed) in [
            ("f", true),
            ("public.f", false),
            ("other.f", false),
            ("public.g", true),
            ("g", false),
            ("h", false),
        ] {
            match judge(&snapshot, &facts(&[], &[call], true), at(0)) {
                Decision::Allow(permit) => assert!(is_allowed && permit.lane() == Lane::Read, "{call}"),
                Decision::Deny(denial) => {
                    let object = Object::Routine { name: call.into() };
                    let missing = Missing { permission: Some(Permission::Admin), object };
                    assert!(!is_allowed && denial.missing() == [missing], "{call}");
                }
            }
        }
    }

    #[test]
    fn leave_for_one_statement_lets_its_holder_in_and_opens_nothing_there() {
        let snapshot = snapshot(&nothing(), vec![until(grant(1, &[], &[]), at(10))]);
        let harmless = facts(&[(AccessMode::Use, Object::Database)], &[], true);
        assert_eq!(allowed(judge(&snapshot, &harmless, at(9))).lane(), Lane::Read);
        denied(judge(&snapshot, &harmless, at(10)));
        denied(judge(&snapshot, &facts(&[(AccessMode::Explain, relation("a.b"))], &[], true), at(0)));
        let elsewhere = Place { database: "hr_test".into(), ..hr() };
        denied(decide(&snapshot, &principal("dana", &[]), &elsewhere, &harmless, at(0)));
        assert_eq!(highest_lane(&snapshot, &principal("dana", &[]), &hr(), at(0)), Lane::Read);
        let refusal =
            denied(judge(&snapshot, &reads(&["a.b"]), at(0))).refusal(&principal("dana", &[]), &hr());
        assert!(refusal.detail.unwrap().contains("dana holds no grant on hr/hr_prod"));
    }

    #[test]
    fn a_call_that_needs_admin_needs_it_database_wide_and_runs_on_the_admin_lane() {
        let call = facts(&[], &["public.f"], true);
        denied(judge(&snapshot(&nothing(), vec![grant(1, ADMIN, &["public.*", "*.*"])]), &call, at(0)));
        let permit = allowed(judge(&snapshot(&nothing(), vec![grant(1, ADMIN, &["*"])]), &call, at(0)));
        assert_eq!(permit.lane(), Lane::Admin);
    }

    #[test]
    fn the_database_itself_is_defined_only_by_a_database_wide_grant() {
        let define = facts(&[(AccessMode::Define, Object::Database)], &[], false);
        let with = |objects: &[&str]| snapshot(&nothing(), vec![grant(1, &[Permission::Ddl], objects)]);
        denied(judge(&with(&["public.*"]), &define, at(0)));
        let _ = allowed(judge(&with(&["*"]), &define, at(0)));
    }

    #[test]
    fn whoever_changes_rows_somewhere_may_notify() {
        let notify = facts(&[(AccessMode::Write, Object::Database)], &[], true);
        let with = |permission| snapshot(&nothing(), vec![grant(1, &[permission], &["public.employee"])]);
        let _ = allowed(judge(&with(Permission::Dml), &notify, at(0)));
        denied(judge(&with(Permission::Select), &notify, at(0)));
    }

    #[test]
    fn another_database_needs_a_database_wide_grant_on_it() {
        let other = administers(Object::OtherDatabase { name: "hr_test".into() });
        let on = |database: &str, objects: &[&str]| {
            let mut there = grant(1, ADMIN, objects);
            there.database = crate::model::object::Glob::new(database);
            snapshot(&nothing(), vec![there, grant(2, SELECT, &["*"])])
        };
        let permit = allowed(judge(&on("hr_test", &["*"]), &other, at(0)));
        assert_eq!(permit.grants().len(), 2, "the grant there, and one on the place");
        denied(judge(&on("hr_test", &["*.*"]), &other, at(0)));
        denied(judge(&on("hr_prod", &["*"]), &other, at(0)));
        let only_there = snapshot(&nothing(), {
            let mut there = grant(1, ADMIN, &["*"]);
            there.database = crate::model::object::Glob::new("hr_test");
            vec![there]
        });
        denied(judge(&only_there, &other, at(0)));
    }

    #[test]
    fn the_lane_is_the_weakest_that_will_do() {
        let all = [Permission::Dml, Permission::Ddl, Permission::Admin, Permission::Select];
        let snapshot = snapshot(&nothing(), vec![grant(1, &all, &["*"])]);
        let write = facts(&[(AccessMode::Write, relation("a.b"))], &[], false);
        let sequence = facts(&[(AccessMode::Write, relation("a.b"))], &[], true);
        for (facts, lane) in [
            (&reads(&["a.b"]), Lane::Read),
            (&sequence, Lane::Read),
            (&write, Lane::Write),
            (&administers(relation("pg_catalog.pg_authid")), Lane::Admin),
        ] {
            assert_eq!(allowed(judge(&snapshot, facts, at(0))).lane(), lane);
        }
        let both = decide_all(&snapshot, &principal("dana", &[]), &hr(), &[&write, &reads(&["a.b"])], at(0));
        assert_eq!(allowed(both).lane(), Lane::Write);
        assert_eq!(highest_lane(&snapshot, &principal("dana", &[]), &hr(), at(0)), Lane::Admin);
    }

    #[test]
    fn the_highest_lane_is_under_the_ceiling_and_ends_with_the_grant() {
        let lane = |policy: &str, permissions: &[Permission], second| {
            let snapshot =
                snapshot(&self::policy(policy), vec![until(grant(1, permissions, &["public.a"]), at(10))]);
            highest_lane(&snapshot, &principal("dana", &[]), &hr(), at(second))
        };
        assert_eq!(lane("", &[Permission::Ddl], 9), Lane::Write);
        assert_eq!(lane("", &[Permission::Ddl], 10), Lane::Read);
        assert_eq!(lane("", &[Permission::Export], 9), Lane::Read);
        assert_eq!(lane("", ADMIN, 9), Lane::Admin);
        let ceiling = "ceilings: [ { environment: prod, forbid: [admin] } ]";
        assert_eq!(lane(ceiling, ADMIN, 9), Lane::Read);
        assert_eq!(lane(ceiling, &[Permission::Admin, Permission::Select], 9), Lane::Read);
        assert_eq!(lane(ceiling, &[Permission::Admin, Permission::Dml], 9), Lane::Write);
    }

    #[test]
    fn all_facts_of_a_batch_must_be_allowed() {
        let snapshot = snapshot(&nothing(), vec![grant(1, SELECT, &["a.b"])]);
        let (good, bad) = (reads(&["a.b"]), reads(&["a.c"]));
        denied(decide_all(&snapshot, &principal("dana", &[]), &hr(), &[&good, &bad], at(0)));
        denied(decide_all(&snapshot, &principal("nobody", &[]), &hr(), &[], at(0)));
    }

    #[test]
    fn the_snapshot_says_who_somebody_is_and_not_an_old_copy() {
        let statement = facts(&[(AccessMode::Explain, relation("a.b"))], &[], true);
        let snapshot = Snapshot::build(SnapshotParts {
            policy: shipped(),
            principals: vec![
                principal("former", &[]),
                crate::model::principal::Principal { disabled: true, ..principal("sam", &[]) },
            ],
            targets: vec![target("hr", "prod")],
            ..SnapshotParts::default()
        });
        let by =
            |principal: &Principal, place: &Place| decide(&snapshot, principal, place, &statement, at(0));
        let _ = allowed(by(&principal("dana", &[]), &hr()));
        assert_eq!(denied(by(&principal("former", &["developers"]), &hr())).missing().len(), 1);
        assert_eq!(denied(by(&principal("sam", &[]), &hr())).shut(), Some(Closed::Disabled));
        assert_eq!(
            denied(by(&principal("eve", &["developers"]), &hr())).shut(),
            Some(Closed::UnknownPrincipal)
        );
        let nowhere = Place { target: "hr2".into(), database: "hr_prod".into() };
        assert_eq!(denied(by(&principal("dana", &[]), &nowhere)).shut(), Some(Closed::UnknownTarget));
    }
}
