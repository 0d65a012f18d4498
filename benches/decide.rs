//! How long one decision takes with 1, 1,000 and 100,000 grants in the snapshot.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::{hint::black_box, sync::Arc};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Access, AccessMode, Facts, StatementKind, TransactionEffect},
        grant::{Grant, GrantName, Holder},
        ids::{GrantId, PrincipalName},
        object::{Glob, Object},
        permission::{Permission, PermissionSet},
        principal::Principal,
        target::{Place, Target},
        window::Window,
    },
    policy::{Decision, PolicyFile, Snapshot, SnapshotParts, decide, parse},
};
use uuid::Uuid;

const POLICY: &str = "
groups: { developers: {}, dba: {} }
principals: { dana: { groups: [developers] } }
standing:
  - { to: { group: developers }, target: \"*\", database: \"*\", objects: [\"*\"], permissions: [explain] }
ceilings:
  - { environment: prod, forbid: [admin], except: { groups: [dba] } }
";

fn now() -> Timestamp {
    Timestamp::from_second(1_767_268_800).unwrap()
}

fn grant(number: u128, holder: PrincipalName, table: &str) -> Grant {
    Grant {
        id: GrantName::Granted(GrantId::new(Uuid::from_u128(number))),
        holder: Holder::Principal(holder),
        target: Glob::new("hr"),
        database: Glob::new("hr_prod"),
        objects: vec![table.parse().unwrap()],
        permissions: [Permission::Select, Permission::Dml].into_iter().collect::<PermissionSet>(),
        window: Window { starts_at: Timestamp::MIN, ends_at: Timestamp::from_second(4_000_000_000).ok() },
        reason: "bench".to_owned(),
        revoked_at: None,
    }
}

/// `count` grants of other people, five of dana's that are live, and a hundred of hers that are over.
fn snapshot(count: u128) -> Snapshot {
    let file = PolicyFile { path: "policy.yaml".to_owned(), text: POLICY.to_owned() };
    let others =
        (1..count).map(|number| grant(number, format!("p{}", number % 5_000).into(), "public.employee"));
    let own = ["employee", "title", "department", "dept_emp", "dept_manager"];
    let own = own
        .iter()
        .zip(200_000..)
        .map(|(table, number)| grant(number, "dana".into(), &format!("public.{table}")));
    let over = (300_000..300_100).map(|number| Grant {
        window: Window { starts_at: Timestamp::MIN, ends_at: Some(now()) },
        ..grant(number, "dana".into(), "public.*")
    });
    Snapshot::build(SnapshotParts {
        version: 1,
        policy: Arc::new(parse(&[file]).unwrap()),
        principals: Vec::new(),
        grants: others
            .chain(own.take(count.min(5) as usize))
            .chain(over.take(count.min(100) as usize - 1))
            .collect(),
        targets: vec![Target {
            name: "hr".into(),
            dialect: Dialect::Postgres,
            environment: "prod".into(),
            labels: [].into(),
        }],
    })
}

fn reads(tables: &[&str]) -> Facts {
    Facts {
        kind: StatementKind::Select,
        command: "SELECT",
        span: 0..1,
        accesses: tables
            .iter()
            .map(|table| Access {
                object: Object::Relation { schema: "public".into(), name: (*table).into() },
                mode: AccessMode::Read,
            })
            .collect(),
        shown_by_errors: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: true,
        fingerprint: 1,
        sent: None,
    }
}

fn decisions(criterion: &mut Criterion) {
    let place = Place { target: "hr".into(), database: "hr_prod".into() };
    let (one, two, salary) = (reads(&["employee"]), reads(&["employee", "title"]), reads(&["salary"]));
    let mut group = criterion.benchmark_group("decide");
    for count in [1, 1_000, 100_000] {
        let snapshot = snapshot(count);
        let dana: Arc<Principal> = Arc::clone(snapshot.principal("dana").unwrap());
        let mut judge = |name: &str, facts: &Facts, allows: bool| {
            let decide = || decide(&snapshot, &dana, &place, black_box(facts), now());
            assert_eq!(matches!(decide(), Decision::Allow(_)), allows, "{name} with {count}");
            group.bench_function(BenchmarkId::new(name, count), |bencher| bencher.iter(decide));
        };
        judge("allow, one table", &one, true);
        if count > 1 {
            judge("allow, two tables by two grants", &two, true);
        }
        judge("deny", &salary, false);
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
