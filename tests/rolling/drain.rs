//! A gateway that is told to stop: who may finish, who is told what, and what is on record.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidegate::wire::mysql::capability::Capabilities;

use crate::support::{
    Lab, Server, eventually,
    mysql_wire::MysqlWire,
    replicas::{ready, signal},
    wire::{self, Raw, query},
};

/// One gateway before PostgreSQL, and somebody who may do everything there.
fn stopping(shutdown: &str) -> Option<Lab> {
    Lab::gateway(&json!({ "plaintext": true, "shutdown": format!("shutdown: {{ {shutdown} }}") }))
}

/// Every statement that was let run has its end on record; gives outcome and SQLSTATE by text.
fn ends(lab: &Lab) -> BTreeMap<String, (String, Option<String>)> {
    let records = lab.audit();
    assert_eq!(records.last().unwrap()["event"], "stopped");
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    let mut over = BTreeMap::new();
    for record in &records {
        let text = |name: &str| record[name].as_str();
        assert!(record["gateway"].as_str().is_some_and(|name| !name.is_empty()), "{record}");
        match text("event").unwrap() {
            "statement_start" if text("decision") == Some("allow") => {
                open.insert(text("statement").unwrap(), text("sql").unwrap());
            }
            "statement_end" => {
                let sql = open.remove(text("statement").unwrap()).unwrap();
                let end = (text("outcome").unwrap().to_owned(), text("sqlstate").map(str::to_owned));
                over.insert(sql.to_owned(), end);
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    over
}

fn session_ends(lab: &Lab) -> Vec<String> {
    let records: Vec<Value> = lab.audit();
    let ended = records.iter().filter(|record| record["event"] == "session_end");
    ended.map(|record| record["reason"].as_str().unwrap().to_owned()).collect()
}

fn ok(raw: &mut Raw, sql: &str) {
    raw.send(&query(sql));
    let answer = raw.until_ready();
    assert!(!wire::tags(&answer).contains('E'), "{sql}: {}", wire::error(&answer).shown());
}

#[test]
fn idle_sessions_end_at_once_and_transactions_when_they_are_over() {
    let lab = crate::lab!(stopping("drain_s: 15"));
    let full = lab.add_full();
    let (mut idle, mut busy, mut open) = (Raw::login(&full), Raw::login(&full), Raw::login(&full));
    ok(&mut open, "BEGIN");
    ok(&mut open, "UPDATE employee SET first_name = 'Drained' WHERE employee_no = 1");
    busy.send(&query("SELECT pg_sleep(1), 'busy'"));
    eventually("it runs", Duration::from_secs(5), || lab.superuser(Server::Postgres.running()) != "0");
    let told_at = Instant::now();
    thread::scope(|scope| {
        let stopped = scope.spawn(|| lab.stop_gateway("SIGTERM"));
        let last = idle.rest_of_connection();
        assert_eq!(wire::error(&last).field('C').unwrap(), "57P01");
        assert!(told_at.elapsed() < Duration::from_millis(800), "{:?}", told_at.elapsed());
        let last = busy.rest_of_connection();
        assert_eq!(wire::tags(&last), "TDCZE", "its statement goes on to its end");
        thread::sleep(Duration::from_millis(500));
        ok(&mut open, "UPDATE employee SET last_name = 'Drained' WHERE employee_no = 1");
        open.send(&query("COMMIT"));
        let last = open.rest_of_connection();
        assert_eq!(wire::tags(&last), "CZE", "{last:?}");
        assert_eq!(wire::error(&last).field('S').unwrap(), "FATAL");
        assert_eq!(stopped.join().unwrap(), 0);
    });
    assert!(told_at.elapsed() < Duration::from_secs(10), "it did not wait for the whole drain");
    assert_eq!(
        lab.superuser("SELECT first_name || ' ' || last_name FROM employee WHERE employee_no = 1"),
        "Drained Drained"
    );
    let over = ends(&lab);
    assert_eq!(over["COMMIT"], ("completed".to_owned(), None));
    assert_eq!(session_ends(&lab), ["the gateway is stopping"; 3]);
}

#[test]
fn when_the_time_is_over_what_runs_is_stopped_and_told_why() {
    let lab = crate::lab!(stopping("drain_s: 1"));
    let full = lab.add_full();
    let [mut runs, mut open, mut alone] = [(); 3].map(|()| Raw::login(&full));
    for raw in [&mut runs, &mut open] {
        ok(raw, "BEGIN");
        ok(raw, "SELECT 1");
    }
    ok(&mut open, "UPDATE employee SET first_name = 'Lost' WHERE employee_no = 2");
    runs.send(&query("SELECT count(pg_sleep(0.01)), 'in a transaction' FROM employee"));
    alone.send(&query("SELECT count(pg_sleep(0.01)), 'alone' FROM employee"));
    eventually("both run", Duration::from_secs(5), || lab.superuser(Server::Postgres.running()) == "2");
    let told_at = Instant::now();
    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    assert!((1..5).contains(&told_at.elapsed().as_secs()), "{:?}", told_at.elapsed());
    for raw in [&mut runs, &mut alone] {
        let last = raw.rest_of_connection();
        assert_eq!(wire::tags(&last), "TEZE", "{last:?}");
        let error = wire::error(&last);
        assert_eq!((error.field('S').unwrap(), error.field('C').unwrap()), ("ERROR".into(), "57P01".into()));
        assert_eq!(error.field('M').unwrap(), "stopped while running: the gateway is stopping");
    }
    let last = open.rest_of_connection();
    let error = wire::error(&last);
    assert_eq!((wire::tags(&last).as_str(), error.field('C').unwrap()), ("E", "57P01".into()));
    assert_eq!(error.field('M').unwrap(), "the gateway stopped before the transaction was over");
    assert_ne!(lab.superuser("SELECT first_name FROM employee WHERE employee_no = 2"), "Lost");
    assert_eq!(lab.superuser(Server::Postgres.running()), "0", "nothing runs on behind its back");
    let over = ends(&lab);
    let stopped = over.iter().filter(|(sql, _)| sql.contains("pg_sleep"));
    for (sql, end) in stopped {
        assert_eq!(*end, ("revoked".to_owned(), Some("57P01".to_owned())), "{sql}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once_and_loses_no_record() {
    let lab = crate::lab!(stopping("drain_s: 600, delay_s: 600"));
    let full = lab.add_full();
    let mut runs = Raw::login(&full);
    ok(&mut runs, "BEGIN");
    runs.send(&query("SELECT count(pg_sleep(0.01)) FROM employee"));
    eventually("it runs", Duration::from_secs(5), || lab.superuser(Server::Postgres.running()) != "0");
    let pid = lab.gateway_pid();
    signal("-TERM", &[pid]);
    eventually("it is not ready any more", Duration::from_secs(5), || ready(lab.api_port()) == 503);
    let again_at = Instant::now();
    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    assert!(again_at.elapsed() < Duration::from_secs(5), "{:?}", again_at.elapsed());
    assert_eq!(wire::error(&runs.rest_of_connection()).field('C').unwrap(), "57P01");
    assert_eq!(ends(&lab).len(), 2);
}

#[test]
fn before_it_stops_it_says_that_it_is_not_ready_and_serves_on() {
    let lab = crate::lab!(stopping("delay_s: 2, drain_s: 5"));
    let full = lab.add_full();
    let mut before = Raw::login(&full);
    signal("-TERM", &[lab.gateway_pid()]);
    eventually("it is not ready any more", Duration::from_secs(1), || ready(lab.api_port()) == 503);
    assert!(lab.get("/readyz").contains("\"stopping\":true"));
    ok(&mut before, "SELECT 1");
    let mut late = Raw::login(&full);
    ok(&mut late, "SELECT 1");
    for raw in [&mut before, &mut late] {
        assert_eq!(wire::error(&raw.rest_of_connection()).field('C').unwrap(), "57P01");
    }
    eventually("it is gone", Duration::from_secs(5), || ready(lab.api_port()) == 0);
}

#[test]
fn whoever_logs_in_while_it_stops_is_told_so_and_the_port_is_free_for_the_next() {
    let lab = crate::lab!(stopping("drain_s: 15, shares_ports: true"));
    let full = lab.add_full();
    let mut open = Raw::login(&full);
    ok(&mut open, "BEGIN");
    // Connected and not logged in.
    let mut early = Raw::open(lab.port());
    thread::scope(|scope| {
        let stopped = scope.spawn(|| lab.stop_gateway("SIGTERM"));
        eventually("nobody is accepted", Duration::from_secs(3), || {
            std::net::TcpStream::connect(("127.0.0.1", lab.port())).is_err()
        });
        std::net::TcpListener::bind(("127.0.0.1", lab.port())).unwrap();
        early.log_in(&full);
        assert_eq!(wire::error(&early.rest_of_connection()).field('C').unwrap(), "57P01");
        ok(&mut open, "SELECT 1");
        open.send(&query("ROLLBACK"));
        assert_eq!(wire::tags(&open.rest_of_connection()), "CZE");
        assert_eq!(stopped.join().unwrap(), 0);
    });
    ends(&lab);
}

#[test]
fn mariadb_sessions_are_drained_alike() {
    mysql_sessions_are_drained_alike(Server::Mariadb);
}

#[test]
fn mysql_9_sessions_are_drained_alike() {
    mysql_sessions_are_drained_alike(Server::Mysql);
}

fn mysql_sessions_are_drained_alike(server: Server) {
    let settings = json!({ "plaintext": true, "shutdown": "shutdown: { drain_s: 2 }" });
    let lab = crate::lab!(Lab::with_gateway(server, &settings));
    let full = lab.add_full();
    let [mut idle, mut open, mut runs] = [(); 3].map(|()| MysqlWire::connect(&full, Capabilities::NONE));
    for wire in [&mut open, &mut runs] {
        assert_eq!(wire.run("BEGIN"), 0);
    }
    assert_eq!(open.run("UPDATE employee SET first_name = 'Drained' WHERE employee_no = 1"), 0);
    runs.command(0x03, b"SELECT SUM(SLEEP(0.01)) FROM employee");
    eventually("it runs", Duration::from_secs(5), || lab.superuser(server.running()) != "0");
    thread::scope(|scope| {
        let stopped = scope.spawn(|| lab.stop_gateway("SIGTERM"));
        assert_eq!(idle.outcome(), 1053);
        assert!(idle.packet().is_none());
        assert_eq!(open.run("COMMIT"), 0);
        assert_eq!(open.outcome(), 1053);
        assert_eq!(runs.rows().unwrap_err(), 1053, "its statement is stopped, and told why");
        assert_eq!(runs.outcome(), 1053);
        assert_eq!(stopped.join().unwrap(), 0);
    });
    assert_eq!(lab.superuser("SELECT first_name FROM employee WHERE employee_no = 1"), "Drained");
    assert_eq!(lab.superuser(server.running()), "0", "nothing runs on behind its back");
    ends(&lab);
}
