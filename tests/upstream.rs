//! Connections to real servers: login, reset, pool, cancel, catalog.
//!
//! `TIDEGATE_TEST_PG_URL=postgres://user:password@host:port/database` names a superuser on a PostgreSQL,
//! `TIDEGATE_TEST_MARIADB_URL` and `TIDEGATE_TEST_MYSQL_URL` (`mysql://…`) one on the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{env, fmt::Write as _, sync::Arc, time::Duration};

use tidegate::{
    audit::{AuditLog, AuditSettings, Receipt, Rotation},
    metrics::Metrics,
    model::{
        dialect::Dialect,
        facts::{Access, AccessMode, Facts, StatementKind, TransactionEffect},
        grant::{Grant, GrantName, Holder},
        object::{Glob, Object},
        permission::{Permission, PermissionSet},
        principal::Principal,
        record::{Durability, Record},
        secret::Secret,
        target::{Lane, Place, Target},
        window::Window,
    },
    policy::{Decision, Permit, Snapshot, SnapshotParts, decide},
    upstream::{
        Account, Accounts, Attribution, Credential, Endpoint, HomeState, Lease, PoolSettings, Pools,
        Progress, ProtocolMessage, SettingValue, Setup, TargetSettings, TargetTls, UpstreamError,
    },
};

/// Where the tests' server is.
#[derive(Clone)]
struct Server {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
}

/// The server, or `None` with a word on it; in CI its absence is a failure.
fn server() -> Option<Server> {
    let Ok(url) = env::var("TIDEGATE_TEST_PG_URL") else {
        assert!(env::var("CI").is_err(), "TIDEGATE_TEST_PG_URL must be set in CI");
        println!("skipped: TIDEGATE_TEST_PG_URL is not set");
        return None;
    };
    Some(Server::at(&url))
}

impl Server {
    fn at(url: &str) -> Self {
        let rest = url.split_once("://").unwrap().1;
        let (login, place) = rest.rsplit_once('@').unwrap();
        let (user, password) = login.split_once(':').unwrap();
        let (address, database) = place.split_once('/').unwrap();
        let (host, port) = address.rsplit_once(':').unwrap();
        Self {
            host: host.to_owned(),
            port: port.parse().unwrap(),
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.split('?').next().unwrap().to_owned(),
        }
    }

    fn settings(&self) -> TargetSettings {
        TargetSettings {
            attribution: Attribution::Off,
            name: "hr".into(),
            dialect: Dialect::Postgres,
            endpoint: Endpoint { host: self.host.as_str().into(), port: self.port },
            tls: TargetTls::Disable,
            reader: None,
            accounts: Accounts {
                read: Account {
                    user: self.user.as_str().into(),
                    credential: Credential::Password(Secret::new(self.password.clone())),
                },
                write: None,
                admin: None,
            },
            databases: None,
            pool: PoolSettings { wait_timeout: Duration::from_secs(10), ..PoolSettings::default() },
        }
    }

    fn pools(&self) -> Pools {
        pools(self.settings())
    }

    async fn lease(&self, pools: &Pools, lane: Lane) -> Lease {
        pools.lease(&"hr".into(), &self.database.as_str().into(), lane, &"dana".into()).await.unwrap()
    }
}

fn pools(settings: TargetSettings) -> Pools {
    Pools::new([settings], &Metrics::new("test").unwrap())
}

/// A permit of a lane, from a real decision.
fn permit(lane: Lane) -> Permit {
    let mut permissions = PermissionSet::EMPTY;
    Permission::ALL.into_iter().for_each(|permission| permissions.insert(permission));
    let principal = Principal {
        name: "dana".into(),
        groups: Vec::new(),
        attributes: Default::default(),
        disabled: false,
        credentials: Default::default(),
    };
    let snapshot = Snapshot::build(SnapshotParts {
        version: 1,
        principals: vec![principal.clone()],
        grants: vec![Grant {
            id: GrantName::Standing("test".to_owned()),
            holder: Holder::Principal("dana".into()),
            target: Glob::new("*"),
            database: Glob::new("*"),
            objects: vec!["*".parse().unwrap()],
            permissions,
            window: Window::STANDING,
            reason: "test".to_owned(),
            revoked_at: None,
        }],
        targets: vec![Target {
            name: "hr".into(),
            dialect: Dialect::Postgres,
            environment: "test".into(),
            labels: Default::default(),
        }],
        ..SnapshotParts::default()
    });
    let (mode, object) = match lane {
        Lane::Read | Lane::Write => (AccessMode::Use, Object::Database),
        Lane::Admin => (AccessMode::Administer, Object::Database),
    };
    let facts = Facts {
        kind: StatementKind::Select,
        command: "SELECT",
        span: 0..0,
        accesses: vec![Access { object, mode }],
        shown_by_errors: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: lane == Lane::Read,
        fingerprint: 0,
        sent: None,
    };
    let place = Place { target: "hr".into(), database: "any".into() };
    match decide(&snapshot, &principal, &place, &facts, jiff::Timestamp::now()) {
        Decision::Allow(permit) => {
            assert_eq!(permit.lane(), lane);
            permit
        }
        Decision::Deny(denial) => panic!("{denial:?}"),
    }
}

async fn receipt() -> Receipt {
    let folder = tempfile::tempdir().unwrap();
    let settings = AuditSettings {
        path: folder.path().join("audit.jsonl"),
        gateway: "one".into(),
        durability: Durability::Process,
        rotation: Rotation::NEVER,
    };
    let clock = tidegate::net::Clock::System;
    let log = AuditLog::open(&settings, clock, &Metrics::new("test").unwrap().audit).unwrap();
    log.append_one(&Record::Stopped).await.unwrap()
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag];
    message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn query(text: &str) -> Vec<u8> {
    framed(b'Q', format!("{text}\0").as_bytes())
}

/// What a query was answered with, up to `ready` times ReadyForQuery.
#[derive(Debug, Default)]
struct Answer {
    /// First column of each row; NULL is "NULL".
    rows: Vec<String>,
    /// SQLSTATEs.
    errors: Vec<String>,
    status: u8,
}

async fn answer(lease: &mut Lease, mut ready: usize) -> Answer {
    let mut answer = Answer::default();
    loop {
        while let Some(length) =
            lease.buffer_mut().get(1..5).map(|it| u32::from_be_bytes(it.try_into().unwrap()))
        {
            let length = length as usize + 1;
            if lease.buffer_mut().len() < length {
                break;
            }
            let message = lease.buffer_mut().split_to(length);
            match message[0] {
                b'D' => {
                    let cell = i32::from_be_bytes(message[7..11].try_into().unwrap());
                    answer.rows.push(match usize::try_from(cell) {
                        Ok(cell) => String::from_utf8(message[11..11 + cell].to_vec()).unwrap(),
                        Err(_) => "NULL".to_owned(),
                    });
                }
                b'E' => {
                    let text = String::from_utf8_lossy(&message[5..]).into_owned();
                    answer
                        .errors
                        .push(text.split('\0').find_map(|it| it.strip_prefix('C')).unwrap().to_owned());
                }
                b'Z' => {
                    answer.status = message[5];
                    ready -= 1;
                    if ready == 0 {
                        return answer;
                    }
                }
                _ => {}
            }
        }
        match lease.drive().await.unwrap() {
            Progress::Received(0) => panic!("closed after {answer:?}"),
            Progress::Received(_) | Progress::Sent => {}
        }
    }
}

async fn run(lease: &mut Lease, text: &str) -> Answer {
    lease.send_statement(&query(text), &permit(lease.lane()), &receipt().await).unwrap();
    answer(lease, 1).await
}

async fn one(lease: &mut Lease, text: &str) -> String {
    let answer = run(lease, text).await;
    assert!(answer.errors.is_empty(), "{text}: {answer:?}");
    answer.rows.first().cloned().unwrap_or_default()
}

/// The whole chain of causes, as a person would read it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        write!(text, ": {cause}").unwrap();
        next = cause.source();
    }
    text
}

async fn refusal(settings: TargetSettings, database: &str) -> (UpstreamError, String) {
    let error =
        pools(settings).lease(&"hr".into(), &database.into(), Lane::Read, &"dana".into()).await.unwrap_err();
    let text = causes(&error);
    assert!(!text.contains("hunter2"), "{text}");
    (error, text)
}

#[path = "upstream/catalog.rs"]
mod catalog;
#[path = "upstream/lease.rs"]
mod lease;
#[path = "upstream/login.rs"]
mod login;
#[path = "upstream/mysql.rs"]
mod mysql;
#[path = "upstream/own.rs"]
mod own;
#[path = "upstream/pool.rs"]
mod pool;
#[path = "upstream/reset.rs"]
mod reset;
#[path = "upstream/statements.rs"]
mod statements;
