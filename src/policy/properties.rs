//! What holds for every policy, grant and statement.

use std::sync::Arc;

use proptest::prelude::*;

use crate::model::{
    dialect::Dialect,
    facts::{Access, AccessMode, Facts},
    grant::{Grant, Holder},
    object::{Glob, Object},
    permission::{Permission, PermissionSet},
    window::Window,
};

use super::{
    Decision, Policy, Recent, Snapshot,
    fixture::{at, denied, facts, grant, hr, judge, policy, principal, relation, snapshot},
    highest_lane,
};

const MODES: [AccessMode; 7] = [
    AccessMode::Use,
    AccessMode::Explain,
    AccessMode::Read,
    AccessMode::Export,
    AccessMode::Write,
    AccessMode::Define,
    AccessMode::Administer,
];

fn any_objects() -> impl Strategy<Value = Object> {
    prop_oneof![
        Just(relation("public.employee")),
        Just(relation("public.salary")),
        Just(relation("audit.log")),
        Just(Object::Schema { name: "public".into() }),
        Just(Object::Unresolved { name: "employee".into() }),
        Just(Object::Database),
        Just(Object::Server { what: "role".into() }),
        Just(Object::OtherDatabase { name: "hr_test".into() }),
    ]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let accesses = prop::collection::vec((prop::sample::select(&MODES[..]), any_objects()), 0..4);
    let calls = prop::collection::vec(prop::sample::select(&["f", "public.f", "g"][..]), 0..2);
    (accesses, calls, any::<bool>())
        .prop_map(|(accesses, calls, read_only)| facts(&accesses, &calls, read_only))
}

fn any_grant() -> impl Strategy<Value = Grant> {
    (
        1..1000_u128,
        prop::collection::vec(prop::sample::select(&Permission::ALL[..]), 1..4),
        prop::collection::vec(prop::sample::select(&["*", "public.*", "public.employee", "*.log"][..]), 1..3),
        prop::sample::select(&["hr", "*", "h*", "s*", "shop"][..]),
        prop::sample::select(&["hr_prod", "*", "hr_*", "other"][..]),
        prop::sample::select(&["dana", "sam", "@developers", "@strangers"][..]),
        (-20..20_i64, prop::option::of(-20..20_i64), prop::option::weighted(0.2, -20..20_i64)),
    )
        .prop_map(|(number, permissions, objects, target, database, holder, (start, end, revoked))| {
            let mut grant = grant(number, &permissions, &objects);
            grant.target = Glob::new(target);
            grant.database = Glob::new(database);
            grant.holder = match holder.strip_prefix('@') {
                Some(group) => Holder::Group(group.into()),
                None => Holder::Principal(holder.into()),
            };
            grant.window = Window { starts_at: at(start), ends_at: end.map(at) };
            grant.revoked_at = revoked.map(at);
            grant
        })
}

fn any_policy() -> impl Strategy<Value = Arc<Policy>> {
    let forbid = prop::collection::vec(prop::sample::select(&Permission::ALL[..]), 1..3);
    let ceilings = prop::collection::vec(
        (forbid, prop::sample::select(&["prod", "test", "*"][..]), any::<bool>()),
        0..3,
    );
    ceilings.prop_map(|ceilings| {
        let mut text = "groups: { developers: {}, strangers: {} }
principals: { dana: { groups: [developers] } }
routines: [ { target: hr, allow: [f] } ]
ceilings:\n"
            .to_owned();
        for (forbid, environment, excepts) in ceilings {
            let forbid = forbid.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ");
            let except = if excepts { "developers" } else { "strangers" };
            text.push_str(&format!(
                "  - {{ environment: \"{environment}\", forbid: [{forbid}], except: {{ groups: [{except}] }} }}\n"
            ));
        }
        if text.ends_with("ceilings:\n") {
            text = text.replace("ceilings:\n", "");
        }
        policy(&text)
    })
}

fn any_grants() -> impl Strategy<Value = Vec<Grant>> {
    prop::collection::vec(any_grant(), 0..8)
}

fn is_allowed(snapshot: &Snapshot, facts: &Facts, second: i64) -> bool {
    matches!(judge(snapshot, facts, at(second)), Decision::Allow(_))
}

/// The rules, word by word, over all grants: what the index is held against.
fn brute_force(policy: &Policy, grants: &[Grant], facts: &Facts, second: i64) -> bool {
    let forbids = |permission: Permission| {
        policy.ceilings.iter().any(|ceiling| {
            ceiling.environment.matches("prod")
                && !ceiling.except.contains("developers")
                && permission.implied().iter().any(|implied| ceiling.forbid.contains(implied))
        })
    };
    let live: Vec<_> = grants
        .iter()
        .filter(|grant| grant.is_live(at(second)) && grant.target.matches("hr"))
        .filter(|grant| match &grant.holder {
            Holder::Principal(name) => &**name == "dana",
            Holder::Group(name) => &**name == "developers",
        })
        .collect();
    let gives = |permission, object: &Object, database: &str| {
        !forbids(permission)
            && live.iter().any(|grant| {
                grant.permissions.allows(permission)
                    && grant.database.matches(database)
                    && grant.objects.iter().any(|pattern| match object {
                        Object::Database => permission == Permission::Dml || pattern.to_string() == "*",
                        object => pattern.matches(object, Dialect::Postgres),
                    })
            })
    };
    let present = live.iter().any(|grant| {
        grant.database.matches("hr_prod")
            && Permission::ALL.into_iter().any(|held| grant.permissions.allows(held) && !forbids(held))
    });
    let accesses = facts.accesses.iter().all(|Access { object, mode }| match (object, mode.permission()) {
        (Object::OtherDatabase { name }, permission) => {
            gives(permission.unwrap_or(Permission::Admin), object, name)
        }
        (_, None) => true,
        (object, Some(permission)) => gives(permission, object, "hr_prod"),
    });
    let calls = facts.calls.iter().all(|call| {
        &*call.name == "f"
            || gives(Permission::Admin, &Object::Routine { name: call.name.clone() }, "hr_prod")
    });
    present && accesses && calls
}

fn removed(set: PermissionSet, gone: Permission) -> PermissionSet {
    set.iter().filter(|held| !held.implied().contains(gone)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_decides_as_the_rules_over_all_grants(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let snapshot = snapshot(&policy, grants.clone());
        prop_assert_eq!(is_allowed(&snapshot, &facts, now), brute_force(&policy, &grants, &facts, now));
    }

    #[test]
    fn what_was_allowed_last_is_judged_as_anew(
        policy in any_policy(), grants in any_grants(), both in [any_facts(), any_facts()],
        steps in prop::collection::vec((-25..25_i64, 0..2_usize), 1..12),
    ) {
        let snapshot = snapshot(&policy, grants);
        let both = both.map(Arc::new);
        let mut recent = Recent::default();
        for (now, which) in steps {
            let again = recent.decide(&snapshot, &principal("dana", &[]), &hr(), &both[which], at(now));
            prop_assert_eq!(matches!(again, Decision::Allow(_)), is_allowed(&snapshot, &both[which], now));
        }
    }

    #[test]
    fn more_grants_never_allow_less(
        policy in any_policy(), grants in any_grants(), more in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let few = is_allowed(&snapshot(&policy, grants.clone()), &facts, now);
        let many = is_allowed(&snapshot(&policy, [grants, more].concat()), &facts, now);
        prop_assert!(many || !few);
    }

    #[test]
    fn grants_that_are_over_revoked_or_not_begun_allow_nothing(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let dead: Vec<_> = grants.into_iter().filter(|grant| !grant.is_live(at(now))).collect();
        prop_assert!(!is_allowed(&snapshot(&policy, dead), &facts, now));
    }

    #[test]
    fn without_a_needed_permission_nothing_runs(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64, which in 0..4_usize,
    ) {
        if let Some(needed) = facts.accesses.get(which).and_then(|access| access.mode.permission()) {
            let poorer: Vec<_> = grants.into_iter().map(|mut grant| {
                grant.permissions = removed(grant.permissions, needed);
                grant
            }).collect();
            let denial = denied(judge(&snapshot(&policy, poorer), &facts, at(now)));
            prop_assert!(denial.missing().iter().any(|missing| missing.permission == Some(needed)));
        }
    }

    #[test]
    fn ceilings_are_never_exceeded(
        grants in any_grants(), facts in any_facts(), now in -25..25_i64, forbidden in prop::sample::select(&Permission::ALL[..]),
    ) {
        let policy = policy(&format!(
            "groups: {{ developers: {{}}, dba: {{}} }}
principals: {{ dana: {{ groups: [developers] }} }}
ceilings: [ {{ environment: prod, forbid: [{forbidden}], except: {{ groups: [dba] }} }} ]"
        ));
        if is_allowed(&snapshot(&policy, grants), &facts, now) {
            for mode in facts.accesses.iter().filter_map(|access| access.mode.permission()) {
                prop_assert!(!mode.implied().contains(forbidden));
            }
        }
    }

    #[test]
    fn a_permit_holds_to_its_end_and_ends_with_a_grant(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let snapshot = snapshot(&policy, grants.clone());
        if let Decision::Allow(permit) = judge(&snapshot, &facts, at(now)) {
            let end = permit.until().map_or(30, |until| until.as_second() - at(0).as_second());
            prop_assert!(now < end);
            for second in now..end {
                prop_assert!(is_allowed(&snapshot, &facts, second), "until {end}, denied at {second}");
            }
            let ends = grants.iter().any(|grant| grant.over_at() == permit.until());
            prop_assert!(permit.until().is_none() || ends);
            // Without grants that begin later, the end is exact.
            let begun: Vec<_> = grants.into_iter().filter(|grant| grant.window.starts_at <= at(now)).collect();
            let begun = self::snapshot(&policy, begun);
            prop_assert_eq!(is_allowed(&begun, &facts, end), permit.until().is_none());
        }
    }

    #[test]
    fn a_permit_names_live_grants_that_suffice_alone(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let mut grants = grants;
        for (number, grant) in grants.iter_mut().enumerate() {
            *grant = Grant { id: self::grant(number as u128, &[], &[]).id, ..grant.clone() };
        }
        if let Decision::Allow(permit) = judge(&snapshot(&policy, grants.clone()), &facts, at(now)) {
            grants.retain(|grant| permit.grants().contains(&grant.id));
            prop_assert_eq!(grants.len(), permit.grants().len());
            prop_assert!(grants.iter().all(|grant| grant.is_live(at(now))));
            prop_assert!(is_allowed(&snapshot(&policy, grants), &facts, now));
        }
    }

    #[test]
    fn the_highest_lane_is_no_lower_than_what_is_allowed_needs(
        policy in any_policy(), grants in any_grants(), facts in any_facts(), now in -25..25_i64,
    ) {
        let here = facts.accesses.iter().all(|access| !matches!(access.object, Object::OtherDatabase { .. }));
        let snapshot = snapshot(&policy, grants);
        if let Decision::Allow(permit) = judge(&snapshot, &facts, at(now)) {
            let highest =
                highest_lane(&snapshot, &super::fixture::principal("dana", &[]), &hr(), at(now));
            let writes = facts.accesses.iter().any(|access| {
                matches!(access.mode, AccessMode::Write | AccessMode::Define | AccessMode::Administer)
            });
            // A statement that is not read-only for no access of its own (CALL of a listed routine) may need more.
            prop_assert!(!here || !writes || permit.lane() <= highest);
        }
    }
}
