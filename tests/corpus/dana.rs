//! One person, and what follows from what a corpus finds for her.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        grant::{Grant, GrantName, Holder},
        ids::{DatabaseName, Ident, TargetName},
        name_context::NameContext,
        object::{Glob, ObjectPattern},
        permission::Permission,
        principal::{Credentials, Principal},
        target::{Place, Target},
        window::Window,
    },
    policy::{Decision, Policy, RoutineRule, Snapshot, SnapshotParts, decide},
    sql::{Limits, analyze},
};

use super::{case::Case, expect::Want};

/// A permission, the database it is held on (`None` is every one), and the objects.
pub(crate) type Held = (Permission, Option<String>, ObjectPattern);

/// What is wrong with what was found in a case, if anything is.
pub(crate) fn problems(case: &Case, found: &Result<Vec<Facts>, Unanalyzable>) -> Vec<String> {
    let told = |problem: String| format!("{}: {}\n    {problem}", case.place, case.sql);
    match found {
        Err(error) => {
            let refusal = |want: &Want| want.problem_of_refusal(error);
            let problem = refusal(&case.wants[0]);
            let fits = case.wants.iter().any(|want| refusal(want).is_none());
            problem.filter(|_| !fits).map(told).into_iter().collect()
        }
        Ok(facts) if facts.len() != case.wants.len() => {
            vec![told(format!("wanted {} statements, found {}", case.wants.len(), facts.len()))]
        }
        Ok(facts) => {
            let pairs = case.wants.iter().zip(facts);
            pairs.filter_map(|(want, facts)| want.problem(facts)).map(told).collect()
        }
    }
}

pub(crate) fn read(dialect: Dialect, sql: &str, context: &NameContext) -> Result<Vec<Facts>, Unanalyzable> {
    analyze(sql, dialect, context, &Limits::default())
}

/// A world in which dana holds one grant for each of `held`; `routines` are allowed to everybody.
pub(crate) fn snapshot(dialect: Dialect, routines: &[&str], held: &[Held], window: Window) -> Snapshot {
    let grant = |(at, (permission, database, objects)): (usize, &Held)| Grant {
        id: GrantName::Standing(format!("corpus/{at}")),
        holder: Holder::Principal("dana".into()),
        target: Glob::new("*"),
        database: Glob::new(database.as_deref().unwrap_or("*")),
        objects: vec![objects.clone()],
        permissions: [*permission].into_iter().collect(),
        window,
        reason: "corpus".to_owned(),
        revoked_at: None,
    };
    let allow = routines.iter().map(|name| Ident::from(*name)).collect();
    let routines = RoutineRule { target: Glob::new("*"), allow };
    Snapshot::build(SnapshotParts {
        version: 1,
        policy: Arc::new(Policy { routines: vec![routines], ..Policy::default() }),
        principals: vec![Principal {
            name: "dana".into(),
            groups: Vec::new(),
            attributes: BTreeMap::new(),
            disabled: false,
            credentials: Arc::new(Credentials::default()),
        }],
        grants: held.iter().enumerate().map(grant).collect(),
        targets: vec![Target {
            name: "hr".into(),
            dialect,
            environment: "prod".into(),
            labels: BTreeMap::new(),
        }],
    })
}

pub(crate) fn allowed(snapshot: &Snapshot, facts: &Facts) -> bool {
    let place = Place { target: TargetName::from("hr"), database: DatabaseName::from("hr_prod") };
    let dana = snapshot.principal("dana").unwrap().clone();
    match decide(snapshot, &dana, &place, facts, now()) {
        Decision::Allow(_) => true,
        Decision::Deny(_) => false,
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// What clients send and is refused on purpose: a part of the text, and why.
pub(crate) struct Exceptions(Vec<(String, String)>);

impl Exceptions {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.map(|line| line.split_once('\t').unwrap()).map(|(a, b)| (a.into(), b.into())).collect())
    }

    /// Why `sql` is refused, if `is_it` finds one of the parts in it.
    pub(crate) fn reason(&self, is_it: impl Fn(&str) -> bool) -> Option<&str> {
        self.0.iter().find(|(part, _)| is_it(part)).map(|(_, reason)| reason.as_str())
    }
}
