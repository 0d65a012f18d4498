//! People, places and facts for the tests of this folder.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{
    dialect::Dialect,
    facts::{Access, AccessMode, Call, Facts, StatementKind, TransactionEffect},
    grant::{Grant, GrantName, Holder},
    ids::GrantId,
    object::{Glob, Object},
    permission::Permission,
    principal::{Credentials, Principal},
    target::{Place, Target},
    window::Window,
};

use super::{Decision, Denial, Permit, Policy, PolicyFile, Snapshot, SnapshotParts, decide, parse};

pub(super) const PEOPLE: &str = include_str!("../../policies/people.yaml");
pub(super) const ACCESS: &str = include_str!("../../policies/access.yaml");

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_268_800 + second).unwrap()
}

pub(super) fn file(path: &str, text: &str) -> PolicyFile {
    PolicyFile { path: path.to_owned(), text: text.to_owned() }
}

pub(super) fn policy(text: &str) -> Arc<Policy> {
    Arc::new(parse(&[file("policy.yaml", text)]).unwrap())
}

pub(super) fn shipped() -> Arc<Policy> {
    Arc::new(parse(&[file("people.yaml", PEOPLE), file("access.yaml", ACCESS)]).unwrap())
}

pub(super) fn principal(name: &str, groups: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        attributes: [].into(),
        disabled: false,
        credentials: Arc::new(Credentials::default()),
    }
}

pub(super) fn target(name: &str, environment: &str) -> Target {
    Target {
        name: name.into(),
        dialect: Dialect::Postgres,
        environment: environment.into(),
        labels: [].into(),
    }
}

pub(super) fn hr() -> Place {
    Place { target: "hr".into(), database: "hr_prod".into() }
}

/// A standing grant of `permissions` on `objects` to dana, at hr/hr_prod.
pub(super) fn grant(number: u128, permissions: &[Permission], objects: &[&str]) -> Grant {
    Grant {
        id: GrantName::Granted(GrantId::new(Uuid::from_u128(number))),
        holder: Holder::Principal("dana".into()),
        target: Glob::new("hr"),
        database: Glob::new("hr_prod"),
        objects: objects.iter().map(|object| object.parse().unwrap()).collect(),
        permissions: permissions.iter().copied().collect(),
        window: Window::STANDING,
        reason: "INC-42".to_owned(),
        revoked_at: None,
    }
}

pub(super) fn until(mut grant: Grant, end: Timestamp) -> Grant {
    grant.window.ends_at = Some(end);
    grant
}

pub(super) fn snapshot(policy: &Arc<Policy>, grants: Vec<Grant>) -> Snapshot {
    Snapshot::build(SnapshotParts {
        version: 7,
        policy: Arc::clone(policy),
        principals: vec![principal("dana", &[])],
        grants,
        targets: vec![target("hr", "prod"), target("shop", "test")],
    })
}

pub(super) fn relation(name: &str) -> Object {
    let (schema, name) = name.split_once('.').unwrap();
    Object::Relation { schema: schema.into(), name: name.into() }
}

pub(super) fn facts(accesses: &[(AccessMode, Object)], calls: &[&str], read_only: bool) -> Facts {
    let mut accesses: Vec<_> =
        accesses.iter().map(|(mode, object)| Access { object: object.clone(), mode: *mode }).collect();
    accesses.sort();
    Facts {
        kind: StatementKind::Select,
        command: "SELECT",
        span: 0..1,
        accesses,
        shown_by_errors: Vec::new(),
        calls: calls.iter().map(|name| Call { name: (*name).into() }).collect(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only,
        fingerprint: 1,
        sent: None,
    }
}

pub(super) fn reads(names: &[&str]) -> Facts {
    let accesses: Vec<_> = names.iter().map(|name| (AccessMode::Read, relation(name))).collect();
    facts(&accesses, &[], true)
}

pub(super) fn judge(snapshot: &Snapshot, facts: &Facts, now: Timestamp) -> Decision {
    decide(snapshot, &principal("dana", &[]), &hr(), facts, now)
}

pub(super) fn allowed(decision: Decision) -> Permit {
    match decision {
        Decision::Allow(permit) => permit,
        Decision::Deny(denial) => panic!("denied: {denial:?}"),
    }
}

pub(super) fn denied(decision: Decision) -> Denial {
    match decision {
        Decision::Allow(permit) => panic!("allowed: {permit:?}"),
        Decision::Deny(denial) => denial,
    }
}
