//! What an append costs: the record's two lines are paid for every statement.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::{
    audit::{AuditLog, AuditSettings, Rotation, verify},
    metrics::Metrics,
    model::{
        facts::{Access, AccessMode, StatementKind},
        grant::GrantName,
        ids::{DatabaseName, PrincipalName, SessionId, StatementId, TargetName},
        object::Object,
        record::{
            Actor, DecisionRecord, Durability, Fingerprint, Outcome, Record, StatementEnd, StatementStart,
            Touched,
        },
        target::Lane,
    },
    net::Clock,
};
use uuid::Uuid;

struct Names {
    principal: PrincipalName,
    target: TargetName,
    database: DatabaseName,
    grants: Vec<GrantName>,
    access: Access,
}

impl Names {
    fn new() -> Self {
        Self {
            principal: "dana".into(),
            target: "hr".into(),
            database: "hr_prod".into(),
            grants: vec![GrantName::Standing("standing:developers/0".to_owned())],
            access: Access {
                object: Object::Relation { schema: "public".into(), name: "pgbench_accounts".into() },
                mode: AccessMode::Read,
            },
        }
    }

    fn actor(&self) -> Actor<'_> {
        Actor {
            session: SessionId::new(Uuid::from_u128(0x0193_5f2e_0000_7000_8000_0000_0000_0001)),
            principal: &self.principal,
            client: "10.1.2.3:40404".parse().unwrap(),
            application: "pgbench",
            target: &self.target,
            database: &self.database,
        }
    }
}

fn start<'a>(names: &'a Names, actor: &'a Actor<'a>) -> Record<'a> {
    Record::StatementStart(StatementStart {
        statement: StatementId::new(Uuid::from_u128(0x0193_5f2e_0000_7000_8000_0000_0000_0002)),
        actor,
        sql: "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;",
        fingerprint: Some(Fingerprint(0x1234_5678_9abc_def0)),
        kind: Some(StatementKind::Select),
        objects: vec![Touched(&names.access)],
        decision: DecisionRecord::Allow { lane: Lane::Read, grants: &names.grants },
        trace_id: None,
    })
}

fn end(actor: &Actor<'_>) -> Record<'static> {
    Record::StatementEnd(StatementEnd {
        statement: StatementId::new(Uuid::from_u128(0x0193_5f2e_0000_7000_8000_0000_0000_0002)),
        session: actor.session,
        outcome: Outcome::Completed,
        rows: Some(1),
        bytes: 24,
        duration_us: 210,
        sqlstate: None,
        upstream_pid: Some(4711),
    })
}

fn open(folder: &tempfile::TempDir, durability: Durability) -> AuditLog {
    let settings = AuditSettings {
        path: folder.path().join("audit.jsonl"),
        gateway: "one".into(),
        durability,
        rotation: Rotation::NEVER,
    };
    AuditLog::open(&settings, Clock::System, &Metrics::new("bench").unwrap().audit).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Time for `rounds` statements (start and end) shared by `threads`.
fn shared(durability: Durability, threads: usize, rounds: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, durability);
    let ready = Arc::new(Barrier::new(threads + 1));
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (log, ready) = (log.clone(), Arc::clone(&ready));
            std::thread::spawn(move || {
                let names = Names::new();
                let actor = names.actor();
                runtime().block_on(async {
                    ready.wait();
                    for _ in 0..rounds.div_ceil(threads as u64) {
                        let _receipt = log.append_one(&start(&names, &actor)).await.unwrap();
                        let _receipt = log.append_one(&end(&actor)).await.unwrap();
                    }
                });
            })
        })
        .collect();
    ready.wait();
    let started = Instant::now();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    started.elapsed()
}

fn statements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1)).sample_size(20);
    for threads in [1, 2, 4] {
        group.bench_function(format!("statement, process, {threads} threads"), |bencher| {
            bencher.iter_custom(|rounds| shared(Durability::Process, threads, rounds));
        });
    }
    for threads in [1, 16] {
        group.bench_function(format!("statement, disk, {threads} threads"), |bencher| {
            bencher.iter_custom(|rounds| shared(Durability::Disk, threads, rounds));
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder, Durability::Process);
    let names = Names::new();
    let actor = names.actor();
    runtime().block_on(async {
        for _ in 0..5_000 {
            let _receipts = log.append(&[start(&names, &actor), end(&actor)]).await.unwrap();
        }
    });
    let bytes = std::fs::read(folder.path().join("audit.jsonl")).unwrap();
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
    group.bench_function("verify", |bencher| bencher.iter(|| verify(bytes.as_slice()).unwrap()));
    group.finish();
}

criterion_group!(benches, statements, reading);
criterion_main!(benches);
