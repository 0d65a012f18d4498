//! A writer that goes away, or takes no writes any more: who waited goes on with the new one, and nothing runs twice.
//!
//! Two real PostgreSQL servers with streaming replication and a promotion; for MySQL's kind a server that is made
//! read-only under its open connections. The names that lead elsewhere are ports here.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use crate::{
    lab,
    support::{Lab, Login, Server, shell::Shell, sqlstate},
};
use serde_json::json;

/// What one client was told of each of its statements.
#[derive(Default)]
struct Told {
    done: Vec<i32>,
    failed: Vec<(i32, String)>,
    slowest: Duration,
}

/// Inserts numbers, each once, until `until`; what fails is not tried again.
async fn insert(login: Login, first: i32, until: Instant) -> Told {
    let mut told = Told::default();
    let mut client = login.connect().await.unwrap();
    for number in first.. {
        let begin = Instant::now();
        if begin >= until {
            break;
        }
        if client.is_closed() {
            match login.connect().await {
                Ok(again) => client = again,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            continue;
        }
        match client.simple_query(&format!("INSERT INTO failover VALUES ({number})")).await {
            Ok(_) => {
                told.done.push(number);
                told.slowest = told.slowest.max(begin.elapsed());
            }
            Err(error) => told.failed.push((number, sqlstate(&error))),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_loses_nothing_that_was_confirmed_and_runs_nothing_twice() {
    let lab = lab!(Lab::with_gateway(
        Server::Postgres,
        &json!({ "plaintext": true, "standby": true, "failover_wait": 6000 })
    ));
    let full = lab.add_full();
    let out = full.psql("CREATE TABLE failover (number int)");
    assert!(!out.contains("ERROR"), "{out}");
    assert!(full.psql("SELECT count(*) FROM employee").contains("3000"));
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'tidegate_read'";
    let on_standby = lab.order(&json!({ "do": "sql", "server": "standby", "sql": sessions }));
    assert_ne!(on_standby["out"].as_str().unwrap().trim(), "0", "the read lane goes to the reader");
    assert_eq!(lab.superuser(sessions), "0", "and nowhere else");

    let until = Instant::now() + Duration::from_secs(8);
    let clients: Vec<_> =
        (0..4).map(|client| tokio::spawn(insert(full.clone(), client * 1_000_000, until))).collect();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let gone = Duration::from_millis(700);
    lab.stop_server("SIGQUIT");
    tokio::time::sleep(gone).await;
    lab.order(&json!({ "do": "fail_over" }));
    let mut all = Told::default();
    for client in clients {
        let told = client.await.unwrap();
        assert!(told.done.len() > 20, "{} done, failed: {:?}", told.done.len(), told.failed);
        // One statement was on its way when the server went; none failed that had not been sent.
        assert!(told.failed.len() <= 1, "{:?}", told.failed);
        all.done.extend(told.done);
        all.failed.extend(told.failed);
        all.slowest = all.slowest.max(told.slowest);
    }
    assert!(all.slowest >= gone, "somebody waited for the new writer: {:?}", all.slowest);
    for (_, code) in &all.failed {
        assert!(["57P01", "57P02", "08006"].contains(&code.as_str()), "{:?}", all.failed);
    }
    let kept = "SELECT number, count(*) FROM failover GROUP BY 1";
    let kept = lab.order(&json!({ "do": "sql", "server": "standby", "sql": kept }));
    let kept: BTreeMap<i32, u32> = kept["out"]
        .as_str()
        .unwrap()
        .lines()
        .map(|line| {
            let (number, count) = line.split_once('|').unwrap();
            (number.parse().unwrap(), count.parse().unwrap())
        })
        .collect();
    assert!(kept.values().all(|count| *count == 1), "something ran twice");
    assert!(all.done.iter().all(|number| kept.contains_key(number)), "something that was confirmed is gone");
    let in_doubt = kept.keys().filter(|number| !all.done.contains(number)).count();
    assert!(in_doubt <= all.failed.len());
    let metrics = lab.metrics();
    // Of whoever may do everything, changes go to the highest lane.
    assert!(!metrics.contains("tidegate_pool_failovers_total{lane=\"admin\",target=\"hr\"} 0"), "{metrics}");
}

#[test]
fn a_server_that_takes_no_writes_any_more_is_left_and_the_next_statement_waits_for_one_that_does() {
    for server in [Server::Mariadb, Server::Mysql] {
        let lab = lab!(Lab::with_gateway(server, &json!({ "plaintext": true, "failover_wait": 5000 })));
        let mut session = Shell::open(&lab.add_full());
        let update = "UPDATE employee SET email = email WHERE employee_no = 1;";
        assert!(!session.ask(update).contains("ERROR"), "{server:?}");
        lab.superuser("SET GLOBAL read_only = 1");
        let refused = session.ask(update);
        assert!(refused.contains("ERROR 1290"), "{server:?}: {refused}");
        std::thread::sleep(Duration::from_millis(200));
        session.start(update);
        std::thread::sleep(Duration::from_millis(700));
        lab.superuser("SET GLOBAL read_only = 0");
        let out = session.finish();
        assert!(!out.contains("ERROR"), "{server:?}: {out}");
        // The read lane did not care, and the target was never away for it.
        assert!(session.ask("SELECT COUNT(*) FROM employee;").contains("3000"));
        let family = "tidegate_pool_failovers_total{lane=\"write\"";
        let metrics = lab.metrics();
        let line = metrics.lines().find(|line| line.starts_with(family)).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
        let log = fs::read_to_string(lab.path("tidegate.log")).unwrap();
        assert!(log.contains("leads its write lane to a server that takes no writes"), "{log}");
    }
}
