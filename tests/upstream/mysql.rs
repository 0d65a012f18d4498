//! Connections to a real MySQL and a real MariaDB.

use bytes::BytesMut;
use tidegate::{
    model::name_context::MysqlFlavor,
    upstream::{
        Mysql,
        mysql::{Home, Setup, State},
    },
    wire::mysql::{
        capability::Capabilities,
        command::write,
        execute::Attributes,
        packet::take_packet,
        response::{Completion, Event, Expect, Response, Step},
        status::Status,
    },
};

use super::*;

type MyLease = Lease<Mysql>;

/// A server of one of the two kinds.
#[derive(Clone)]
struct MyServer {
    flavor: MysqlFlavor,
    at: Server,
}

/// The servers that are there; in CI both have to be.
fn servers() -> Vec<MyServer> {
    let of = |(flavor, name): (MysqlFlavor, &str)| {
        let Ok(url) = env::var(name) else {
            assert!(env::var("CI").is_err(), "{name} must be set in CI");
            println!("skipped: {name} is not set");
            return None;
        };
        Some(MyServer { flavor, at: Server::at(&url) })
    };
    let all = [
        (MysqlFlavor::Mariadb, "TIDEGATE_TEST_MARIADB_URL"),
        (MysqlFlavor::Mysql, "TIDEGATE_TEST_MYSQL_URL"),
    ];
    all.into_iter().filter_map(of).collect()
}

/// What a modern client asks for.
fn modern() -> Capabilities {
    Capabilities::MULTI_STATEMENTS
        .with(Capabilities::MULTI_RESULTS)
        .with(Capabilities::PS_MULTI_RESULTS)
        .with(Capabilities::DEPRECATE_EOF)
        .with(Capabilities::SESSION_TRACK)
        .with(Capabilities::QUERY_ATTRIBUTES)
        .with(Capabilities::LONG_FLAG)
}

/// What an old one asks for.
const OLD: Capabilities = Capabilities::LONG_FLAG;

fn home(database: &str) -> Home {
    Home { shape: modern(), database: (!database.is_empty()).then(|| database.into()) }
}

impl MyServer {
    fn is_mysql(&self) -> bool {
        self.flavor == MysqlFlavor::Mysql
    }

    fn settings(&self) -> TargetSettings {
        TargetSettings { dialect: Dialect::Mysql, ..self.at.settings() }
    }

    /// A pool of one connection, so that the next lease gets the same one, or a new one in its place.
    fn single(&self) -> Pools {
        single(self.settings())
    }

    /// In the server's first database.
    async fn lease(&self, pools: &Pools, lane: Lane) -> MyLease {
        lend(pools, &home(&self.at.database), lane).await
    }

    /// Runs statements as its superuser.
    async fn sql(&self, texts: &[&str]) {
        let mut lease = self.lease(&pools(self.settings()), Lane::Admin).await;
        for text in texts {
            let answer = run(&mut lease, text).await;
            assert!(answer.errors.is_empty(), "{text}: {answer:?}");
        }
    }
}

fn single(mut settings: TargetSettings) -> Pools {
    settings.pool.max_connections = 1;
    pools(settings)
}

async fn lend(pools: &Pools, home: &Home, lane: Lane) -> MyLease {
    pools.lease_mysql(&"hr".into(), home, lane, &"dana".into()).await.unwrap()
}

async fn refusal(settings: TargetSettings, database: &str) -> (UpstreamError, String) {
    let error = pools(settings)
        .lease_mysql(&"hr".into(), &home(database), Lane::Read, &"dana".into())
        .await
        .unwrap_err();
    let text = causes(&error);
    assert!(!text.contains("hunter2"), "{text}");
    (error, text)
}

/// What a command was answered with.
#[derive(Clone, Debug, Default)]
struct Answer {
    /// First column of each row; NULL is "NULL".
    rows: Vec<String>,
    /// Numbers of errors.
    errors: Vec<u16>,
    status: Status,
    /// The number of what was prepared.
    statement: u32,
}

fn query(lease: &MyLease, text: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    write::query(&mut out, text.as_bytes(), Attributes::default(), lease.capabilities());
    out.to_vec()
}

async fn answer(lease: &mut MyLease, expect: Expect, next: u8) -> Answer {
    let shape = lease.capabilities();
    let mut response = Response::new(expect, shape, next, next, 16 << 20);
    let (mut answer, mut whole) = (Answer::default(), BytesMut::new());
    loop {
        let bytes = match response.step(lease.buffer_mut()).unwrap() {
            Step::Over => break,
            Step::Wait => {
                if lease.drive().await.unwrap() == Progress::Received(0) {
                    panic!("closed after {answer:?}");
                }
                continue;
            }
            Step::Pass(bytes) => bytes,
            Step::Packet { bytes, event } => {
                match event {
                    Event::Complete(Completion { status, .. }) => answer.status = status,
                    Event::Failed(error) => answer.errors.push(error.errno),
                    Event::LocalInfile { answer: number } => {
                        lease
                            .send_protocol(tidegate::upstream::MysqlMessage::NoFile { answer: number })
                            .unwrap();
                    }
                    Event::Prepared(prepared) => answer.statement = prepared.statement,
                    Event::ResultSet { .. } | Event::Statistics => {}
                }
                bytes
            }
        };
        whole.unsplit(lease.buffer_mut().split_to(bytes));
    }
    if expect == Expect::Query {
        answer.rows = first_column(whole, shape);
    }
    answer
}

/// The first column of the rows of every result in a reply.
fn first_column(mut whole: BytesMut, shape: Capabilities) -> Vec<String> {
    let mut rows = Vec::new();
    while let Some(first) = take_packet(&mut whole, usize::MAX).unwrap() {
        if matches!(first.payload()[0], 0 | 0xff | 0xfb) {
            continue;
        }
        let definitions = usize::from(first.payload()[0]);
        for _ in 0..definitions + usize::from(!shape.has(Capabilities::DEPRECATE_EOF)) {
            take_packet(&mut whole, usize::MAX).unwrap().unwrap();
        }
        loop {
            let row = take_packet(&mut whole, usize::MAX).unwrap().unwrap().into_payload();
            match row[0] {
                0xfe | 0xff => break,
                0xfb => rows.push("NULL".to_owned()),
                short if short < 0xfb => {
                    rows.push(String::from_utf8(row[1..=usize::from(short)].to_vec()).unwrap());
                }
                _ => rows.push(format!("{} bytes", row.len())),
            }
        }
    }
    rows
}

async fn run(lease: &mut MyLease, text: &str) -> Answer {
    let message = query(lease, text);
    let next = lease.send_statement(&message, &permit(lease.lane()), &receipt().await).unwrap();
    answer(lease, Expect::Query, next).await
}

async fn one(lease: &mut MyLease, text: &str) -> String {
    let answer = run(lease, text).await;
    assert!(answer.errors.is_empty(), "{text}: {answer:?}");
    answer.rows.first().cloned().unwrap_or_default()
}

/// The name of a table of this test's own.
fn unique(what: &str) -> String {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{what}_{}_{next}", std::process::id())
}

#[path = "mysql/lease.rs"]
mod lease;
#[path = "mysql/login.rs"]
mod login;
#[path = "mysql/own.rs"]
mod own;
#[path = "mysql/pool.rs"]
mod pool;
#[path = "mysql/reset.rs"]
mod reset;
#[path = "mysql/setup.rs"]
mod setup;
