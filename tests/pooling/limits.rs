//! What policy lets somebody take up, and for how long.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate::wire::mysql::{capability::Capabilities, error::ServerError};

use super::{postgres::ask, runtime};
use crate::support::{Lab, Server, eventually, mysql_wire::MysqlWire, sqlstate};

/// Puts limits in force, also in the sessions that are open.
fn limit(lab: &Lab, entries: &str) {
    let reloads = || {
        let text = lab.metrics();
        let line = text.lines().find(|line| line.starts_with("tidegate_policy_reloads_total{result=\"ok\"}"));
        line.unwrap().rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let before = reloads();
    std::fs::write(lab.path("policies/limits.yaml"), format!("limits:\n{entries}\n")).unwrap();
    lab.hangup();
    eventually("the limits are in force", Duration::from_secs(10), || reloads() > before);
}

#[test]
fn a_statement_stops_when_policy_says_also_where_it_runs_already() {
    let lab = crate::lab!(Lab::usual());
    let full = lab.add_full();
    runtime().block_on(async {
        let (client, other) = (full.connect().await.unwrap(), full.connect().await.unwrap());
        let begin = Instant::now();
        let running = tokio::spawn(async move { other.simple_query("SELECT pg_sleep(60)").await });
        tokio::task::block_in_place(|| limit(&lab, "- { target: hr, statement_timeout: 1s }"));
        assert_eq!(sqlstate(&running.await.unwrap().unwrap_err()), "57014");
        let error = client.simple_query("SELECT pg_sleep(60)").await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "57014");
        assert_eq!(error.message(), "canceling statement due to statement timeout");
        let detail = "Policy lets a statement of full at target \"hr\" run for 1 s.";
        assert_eq!(error.detail(), Some(detail));
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
        assert_eq!(ask(&client, "SELECT pg_sleep(0.2), 7").await, " /1");
    });
    let ends: Vec<_> = lab.audit().into_iter().filter(|record| record["sqlstate"] == "57014").collect();
    assert_eq!(ends.len(), 2, "{ends:#?}");
    assert!(ends.iter().all(|end| end["outcome"] == "failed"), "{ends:#?}");
}

#[test]
fn an_idle_transaction_ends_when_policy_says_and_one_that_works_does_not() {
    let lab = crate::lab!(Lab::usual());
    let full = lab.add_full();
    limit(&lab, "- { target: hr, idle_in_transaction_timeout: 2s, transaction_timeout: 5s }");
    let waits = |seconds: &str| format!("BEGIN;\n\\! sleep {seconds}\nSELECT 'still here';");
    let (ended, lasted) = (full.psql(&waits("4")), full.psql(&waits("1")));
    assert!(ended.contains("25P03: terminating connection due to idle-in-transaction timeout"), "{ended}");
    assert!(ended.contains("wait for its next statement for 2 s"), "{ended}");
    assert!(lasted.contains("still here"), "{lasted}");
    let steps = "\\! sleep 1.5\nSELECT 1;\n".repeat(5);
    let long = full.psql(&format!("BEGIN;\n{steps}"));
    assert!(long.contains("25P04: terminating connection due to transaction timeout"), "{long}");
    let outside = full.psql(&format!("{steps}SELECT 'still here';"));
    assert!(outside.contains("still here"), "{outside}");
}

#[test]
fn mysql_statements_and_transactions_end_when_policy_says() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = Lab::of(server) else { continue };
        let full = lab.add_full();
        limit(&lab, "- { target: \"hr_m*\", statement_timeout: 2s, idle_in_transaction_timeout: 1s }");
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.query("SELECT SLEEP(60)").unwrap_err(), 3024, "{server:?}");
        assert_eq!(wire.query("SELECT SLEEP(0.1)").unwrap(), [b"\x010"], "{server:?}");
        assert_eq!(wire.run("BEGIN"), 0);
        let said = ServerError::read(&wire.payload()).unwrap();
        assert_eq!(said.errno, 4031, "{server:?}: {said:?}");
        assert!(wire.packet().is_none());
    }
}

#[test]
fn sessions_and_connections_are_bounded_for_each_principal() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 4, "wait": 400 })));
    let (full, omar) = (lab.add_full(), lab.add("omar"));
    lab.grant("omar", "select", &[], 3600);
    limit(
        &lab,
        "- { to: { principal: omar }, target: hr, sessions: 2 }\n\
         - { to: { principal: full }, target: hr, connections_percent: 25 }",
    );
    runtime().block_on(async {
        let _one = omar.connect().await.unwrap();
        let two = omar.connect().await.unwrap();
        let refused = omar.connect().await.unwrap_err();
        assert_eq!(sqlstate(&refused), "53300");
        let said = refused.as_db_error().unwrap().message().to_owned();
        assert!(said.contains("as many sessions open at target \"hr\" as policy allows (2)"), "{said}");
        drop(two);
        let begin = Instant::now();
        while omar.connect().await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(5), "its place is not free");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (first, second) = (full.connect().await.unwrap(), full.connect().await.unwrap());
        assert_eq!(ask(&first, "BEGIN").await, "/0");
        // A quarter of four is one.
        assert_eq!(ask(&second, "BEGIN").await, "53300");
        assert_eq!(ask(&first, "COMMIT").await, "/0");
        assert_eq!(ask(&second, "BEGIN").await, "/0");
    });
}
