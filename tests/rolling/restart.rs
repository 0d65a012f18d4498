//! Two gateways restarted in turn, or killed, while clients write through a balancer.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, MySqlConnection,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tokio::task::{JoinHandle, block_in_place};

use super::{
    account::{Attempt, Logs, Tally},
    balancer::Balancer,
};
use crate::support::{Login, Server, eventually, replicas::Replicas, sqlstate};

const CLIENTS: u64 = 8;

/// A client of either kind: each call is one statement.
enum Client {
    Mysql(MySqlConnection),
    Postgres(tokio_postgres::Client),
}

impl Client {
    async fn connect(login: &Login) -> Option<Self> {
        if login.server == Server::Postgres {
            return login.connect().await.ok().map(Self::Postgres);
        }
        let options = MySqlConnectOptions::new()
            .host("127.0.0.1")
            .port(login.port)
            .username(&login.user)
            .password(&login.password)
            .database(crate::support::DATABASE)
            .ssl_mode(MySqlSslMode::VerifyCa)
            .ssl_ca(&login.ca);
        MySqlConnection::connect_with(&options).await.ok().map(Self::Mysql)
    }

    /// Runs a statement, `prepared` by the protocol for it.
    async fn run(&mut self, sql: &str, prepared: bool) -> Result<(), String> {
        match self {
            Self::Postgres(client) if prepared => {
                client.execute(sql, &[]).await.map(|_| ()).map_err(|error| sqlstate(&error))
            }
            Self::Postgres(client) => {
                client.simple_query(sql).await.map(|_| ()).map_err(|error| sqlstate(&error))
            }
            Self::Mysql(connection) => {
                let sql = AssertSqlSafe(sql.to_owned());
                let done = if prepared {
                    connection.execute(sqlx::query(sql)).await
                } else {
                    connection.execute(sqlx::raw_sql(sql)).await
                };
                done.map(|_| ()).map_err(|error| error.to_string())
            }
        }
    }

    /// Puts rows in: one by itself, several in a transaction.
    async fn put_in(&mut self, rows: &[u64], prepared: bool) -> Result<(), String> {
        let insert = |row: &u64| format!("INSERT INTO ledger (id) VALUES ({row})");
        if let [row] = rows {
            return self.run(&insert(row), prepared).await;
        }
        self.run("BEGIN", false).await?;
        for row in rows {
            self.run(&insert(row), prepared).await?;
        }
        self.run("COMMIT", false).await
    }
}

/// Writes without end, connecting again after every error; gives each attempt.
fn writer(login: Login, number: u64, is_over: Arc<AtomicBool>) -> JoinHandle<Vec<Attempt>> {
    tokio::spawn(async move {
        let (mut attempts, mut next) = (Vec::new(), number * 1_000_000);
        while !is_over.load(Ordering::Relaxed) {
            let Some(mut client) = Client::connect(&login).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            while !is_over.load(Ordering::Relaxed) {
                let count = if next % 4 == 0 { 2 } else { 1 };
                let rows: Vec<u64> = (next..next + count).collect();
                next += count;
                let told = client.put_in(&rows, next % 3 == 0).await;
                let failed = told.is_err();
                attempts.push(Attempt { rows, told });
                if failed {
                    break;
                }
            }
        }
        attempts
    })
}

/// Two gateways under load, `trouble` in the middle of it; the accounts are settled when it is over.
async fn under_load(
    server: Server,
    shutdown: &str,
    trouble: impl FnOnce(&mut Replicas),
) -> Option<(Tally, usize)> {
    let mut it = Replicas::before(server, &json!({ "shutdown": shutdown }))?;
    let grants = match server {
        Server::Postgres => "GRANT SELECT, INSERT ON ledger TO tidegate_read, tidegate_write, tidegate_admin",
        Server::Mariadb | Server::Mysql => "SELECT 1",
    };
    it.lab.superuser(&format!("CREATE TABLE ledger (id BIGINT PRIMARY KEY); {grants};"));
    let full = it.lab.add_full();
    let balancer =
        Balancer::before([(it.lab.port(), it.lab.api_port()), (it.other.port, it.other.api_port)]).await;
    let login = Login { port: balancer.port, ..full };
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (1..=CLIENTS).map(|number| writer(login.clone(), number, Arc::clone(&is_over))).collect();
    let paths = ["data/audit.jsonl", "other/audit.jsonl"].map(|name| it.lab.path(name));
    let writes = |path| fs::read_to_string(path).unwrap().matches("INSERT INTO ledger").count();
    block_in_place(|| {
        eventually("both gateways are busy", Duration::from_secs(30), || {
            paths.iter().all(|path| writes(path) > 50)
        });
        trouble(&mut it);
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    is_over.store(true, Ordering::Relaxed);
    let mut attempts = Vec::new();
    for writer in writers {
        attempts.extend(writer.await.unwrap());
    }
    // What is still under way at the database when its client is gone comes to its end.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rows = it.lab.superuser("SELECT id FROM ledger ORDER BY id;");
    let table: BTreeSet<u64> = rows.lines().map(|row| row.trim().parse().unwrap()).collect();
    let logs = Logs::read(&paths);
    assert_eq!(logs.gateways().into_iter().collect::<Vec<_>>(), ["one", "two"]);
    let tally = logs.settle(&attempts, &table);
    println!("{server:?}: {} attempts: {tally:?}", attempts.len());
    for path in paths {
        let (out, code) = it.lab.cli(&["audit", "verify", path.to_str().unwrap()]);
        assert_eq!(code, 0, "{out}");
    }
    Some((tally, logs.open()))
}

async fn each_restarted_in_turn(server: Server) {
    let restarted = under_load(server, "shutdown: { delay_s: 1, drain_s: 10 }", |it| {
        let begin = Instant::now();
        assert_eq!(it.lab.stop_gateway("SIGTERM"), 0);
        it.lab.start_gateway();
        it.other.stop();
        it.other.run();
        println!("both restarted in {:?}", begin.elapsed());
    });
    let Some((tally, open)) = restarted.await else { return };
    assert!(tally.done > 100, "{tally:?}");
    assert_eq!((tally.open, open), (0, 0), "every statement that was sent is reported");
    assert_eq!(tally.unheard, 0, "nothing took effect without its client being told: {tally:?}");
}

async fn one_killed(server: Server) {
    let killed = under_load(server, "shutdown: { drain_s: 10 }", |it| {
        assert_eq!(it.lab.stop_gateway("SIGKILL"), -9);
        it.lab.start_gateway();
    });
    let Some((tally, open)) = killed.await else { return };
    assert!(tally.done > 100, "{tally:?}");
    // At most what each client had under way.
    assert!(tally.open + open <= 2 * CLIENTS as usize, "{tally:?} {open}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing_and_reports_everything() {
    each_restarted_in_turn(Server::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_before_mariadb_loses_nothing_and_reports_everything() {
    each_restarted_in_turn(Server::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_loses_nothing_that_was_acknowledged_and_ran_nothing_unrecorded() {
    one_killed(Server::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_before_mariadb_loses_nothing_that_was_acknowledged() {
    one_killed(Server::Mariadb).await;
}
