//! Cancel requests and KILL that come to another gateway than the session is at.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tidegate::{model::replica::replica_of, wire::mysql::capability::Capabilities};

use crate::support::{
    Login, Server, eventually,
    mysql_wire::MysqlWire,
    replicas::Replicas,
    wire::{self, Raw, query},
};

/// What is promised of a cancel by way of the store.
const SOON: Duration = Duration::from_secs(1);
const SLOW: &str = "SELECT count(pg_sleep(0.01)) FROM employee";

/// The SQLSTATE of what the session is told.
fn told(raw: &mut Raw) -> String {
    wire::error(&raw.until_ready()).field('C').unwrap()
}

#[test]
fn a_cancel_request_stops_the_statement_whichever_gateway_it_comes_to() {
    let it = crate::lab!(Replicas::start());
    let full = it.lab.add_full();
    let there = it.there(&full);
    for (login, other_port, minor, key_bytes) in [
        (&full, it.other.port, 0, 4),
        (&there, it.lab.port(), 0, 4),
        (&full, it.other.port, 2, 32),
        (&full, full.port, 2, 32),
    ] {
        let mut raw = log_in(login, minor);
        assert_eq!(raw.key.len(), 4 + key_bytes);
        raw.send(&query(SLOW));
        eventually("it runs", Duration::from_secs(10), || {
            it.lab.superuser(Server::Postgres.running()) != "0"
        });
        for at in 4..raw.key.len() {
            let mut wrong = raw.key.clone();
            wrong[at] ^= 1;
            Raw::cancel(other_port, &wrong);
        }
        Raw::cancel(other_port, &[&raw.key[..], &[0]].concat());
        thread::sleep(Duration::from_millis(200));
        assert_ne!(it.lab.superuser(Server::Postgres.running()), "0", "a wrong key stopped it");
        let asked_at = Instant::now();
        Raw::cancel(other_port, &raw.key);
        assert_eq!(told(&mut raw), "57014");
        assert!(asked_at.elapsed() < SOON, "{:?}", asked_at.elapsed());
        println!("stopped {:.1} ms after it was asked for", asked_at.elapsed().as_secs_f64() * 1000.0);
        raw.send(&query("SELECT 1"));
        assert_eq!(wire::tags(&raw.until_ready()), "TDCZ");
    }
}

/// Logs in as soon as the gateway has heard of the person.
fn log_in(login: &Login, minor: u8) -> Raw {
    eventually("the gateway has heard of them", Duration::from_secs(5), || {
        login.psql("SELECT 'in'") == "in\n"
    });
    Raw::login_speaking(login, minor)
}

#[test]
fn the_number_of_a_session_names_its_gateway_and_no_two_have_the_same() {
    let mut it = crate::lab!(Replicas::start());
    let full = it.lab.add_full();
    let number = |port: u16| {
        let raw = log_in(&Login { port, ..full.clone() }, 0);
        replica_of(i32::from_be_bytes(raw.key[..4].try_into().unwrap())).unwrap().number()
    };
    assert_eq!((number(it.lab.port()), number(it.other.port)), (1, 2));
    // In order, it gives its number back; killed, nobody has that until its lease is over.
    it.other.stop();
    it.other.run();
    assert_eq!(number(it.other.port), 2);
    it.other.kill();
    it.other.run();
    assert_eq!(number(it.other.port), 3);
}

#[test]
fn a_cancel_request_for_a_gateway_that_is_gone_or_never_was_changes_nothing_and_is_over_soon() {
    let mut it = crate::lab!(Replicas::start());
    let full = it.lab.add_full();
    let there = log_in(&it.there(&full), 0);
    it.other.kill();
    let mut here = Raw::login(&full);
    here.send(&query("SELECT pg_sleep(1)"));
    let number = |replica: i32| [((replica << 20) | 1).to_be_bytes(), [7; 4]].concat();
    for key in [there.key.clone(), number(9), number(1023), number(0), vec![0xff; 8], vec![0; 260]] {
        let asked_at = Instant::now();
        Raw::cancel(it.lab.port(), &key);
        assert!(asked_at.elapsed() < 2 * SOON, "{:?}", asked_at.elapsed());
    }
    assert_eq!(wire::tags(&here.until_ready()), "TDCZ");
    it.store.stop_server("SIGKILL");
    Raw::cancel(it.lab.port(), &there.key);
}

#[test]
fn mariadb_kill_reaches_one_s_own_session_at_another_gateway() {
    kill_reaches_one_s_own_session_at_another_gateway(Server::Mariadb);
}

#[test]
fn mysql_kill_reaches_one_s_own_session_at_another_gateway() {
    kill_reaches_one_s_own_session_at_another_gateway(Server::Mysql);
}

fn kill_reaches_one_s_own_session_at_another_gateway(server: Server) {
    let it = crate::lab!(Replicas::before(server, &json!({})));
    let [dana, omar] = ["dana", "omar"].map(|name| {
        let login = it.lab.add(name);
        it.lab.grant(name, "select", &["employee"], 600);
        login
    });
    let there = it.there(&dana);
    eventually("the other gateway has heard of it", Duration::from_secs(3), || {
        there.sql("SELECT 'rows', COUNT(*) FROM employee;").contains("3000")
    });
    let mut here = MysqlWire::connect(&dana, Capabilities::NONE);
    let number = here.number;
    here.command(0x03, b"SELECT SUM(SLEEP(0.01)) FROM employee");
    eventually("it runs", Duration::from_secs(10), || it.lab.superuser(server.running()) != "0");

    let mut others = MysqlWire::connect(&it.there(&omar), Capabilities::NONE);
    assert_eq!(others.run(&format!("KILL QUERY {number}")), 1227, "it is dana's");
    let mut own = MysqlWire::connect(&there, Capabilities::NONE);
    assert_eq!(own.run(&format!("KILL QUERY {}", number + 1)), 1227, "there is no such session");
    assert_ne!(it.lab.superuser(server.running()), "0", "somebody else stopped it");
    let asked_at = Instant::now();
    assert_eq!(own.run(&format!("KILL QUERY {number}")), 0);
    assert_eq!(here.rows().unwrap_err(), 1317);
    assert!(asked_at.elapsed() < SOON, "{:?}", asked_at.elapsed());
    assert_eq!(here.query("SELECT 1").unwrap().len(), 1);
    let killed = it.lab.path("other/audit.jsonl");
    let killed = std::fs::read_to_string(killed).unwrap();
    assert!(killed.contains(&format!("KILL QUERY {number}")), "it is on record where it was asked for");

    assert_eq!(own.run(&format!("KILL {number}")), 0);
    eventually("the session ends", Duration::from_secs(3), || here.packet().is_none());
}
