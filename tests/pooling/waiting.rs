//! A session that waits for a connection still hears what ends it.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate::wire::mysql::{capability::Capabilities, error::ServerError};

use crate::support::{
    Lab, Server, eventually,
    mysql_wire::MysqlWire,
    wire::{Raw, error, query, tags},
};

/// One connection, for which sessions wait longer than any test.
fn narrow(server: Server) -> Option<Lab> {
    Lab::with_gateway(server, &json!({ "plaintext": true, "pool": 1, "wait": 120_000 }))
}

fn are(lab: &Lab, gauge: &str, count: u32) -> bool {
    let text = lab.metrics();
    let lines = text.lines().filter(|line| line.starts_with(gauge));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()).sum::<u32>() == count
}

fn wait_until(lab: &Lab, waiting: u32, sessions: u32) {
    eventually("as many wait, and are there, as should", Duration::from_secs(10), || {
        are(lab, "tidegate_pool_waiting{", waiting) && are(lab, "tidegate_sessions{", sessions)
    });
}

/// Has the administrator end the session that waits.
fn end_the_one_that_waits(lab: &Lab) {
    let listed: serde_json::Value = serde_json::from_str(&lab.admin(&["session", "list", "--json"])).unwrap();
    let sessions = listed["sessions"].as_array().unwrap();
    let waits = sessions.iter().find(|it| it["state"] == "active").unwrap_or_else(|| panic!("{listed}"));
    lab.admin(&["session", "terminate", waits["id"].as_str().unwrap()]);
}

#[test]
fn a_client_that_goes_away_cancels_or_is_ended_waits_no_longer() {
    let lab = crate::lab!(narrow(Server::Postgres));
    let full = lab.add_full();
    let mut holds = Raw::login(&full);
    holds.send(&query("BEGIN; SELECT 1"));
    holds.until_ready();
    let begin = Instant::now();

    let mut gone = Raw::login(&full);
    gone.send(&query("BEGIN; CREATE TABLE never_made (a int); COMMIT"));
    wait_until(&lab, 1, 2);
    drop(gone);
    wait_until(&lab, 0, 1);

    let mut cancels = Raw::login(&full);
    cancels.send(&query("BEGIN; CREATE TABLE never_made (a int); COMMIT"));
    wait_until(&lab, 1, 2);
    Raw::cancel(lab.port(), &cancels.key);
    let answer = cancels.until_ready();
    assert_eq!((tags(&answer).as_str(), error(&answer).field('C').unwrap().as_str()), ("EZ", "57014"));
    wait_until(&lab, 0, 2);
    // It goes on, and waits again.
    cancels.send(&query("BEGIN; CREATE TABLE never_made (a int); COMMIT"));
    wait_until(&lab, 1, 2);
    end_the_one_that_waits(&lab);
    let last = cancels.rest_of_connection();
    assert_eq!((tags(&last).as_str(), error(&last).field('C').unwrap().as_str()), ("E", "57P01"));
    assert_eq!(error(&last).field('S').unwrap(), "FATAL");
    wait_until(&lab, 0, 1);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());

    // Whoever stopped waiting has left nothing behind: the connection goes to the next who asks.
    let mut next = Raw::login(&full);
    next.send(&query("BEGIN; SELECT to_regclass('never_made') IS NULL; COMMIT"));
    holds.send(&query("COMMIT"));
    holds.until_ready();
    let answer = next.until_ready();
    assert_eq!(tags(&answer), "CTDCCZ");
    assert!(answer[2].body.ends_with(b"t"));
}

#[test]
fn a_mysql_client_that_goes_away_is_killed_or_ended_waits_no_longer() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = narrow(server) else { continue };
        let full = lab.add_full();
        let connect = || MysqlWire::connect(&full, Capabilities::NONE);
        // A login takes a connection of the reading lane, and whoever is in a transaction keeps what they have.
        let mut holds = connect();
        let (mut gone, mut killed, mut other) = (connect(), connect(), connect());
        assert_eq!(holds.run("BEGIN"), 0);
        assert_eq!(holds.query("SELECT 1").unwrap(), [b"\x011"]);
        // Like every transaction, on the strongest lane.
        let begin = b"BEGIN";

        gone.command(0x03, begin);
        wait_until(&lab, 1, 4);
        drop(gone);
        wait_until(&lab, 0, 3);

        killed.command(0x03, begin);
        wait_until(&lab, 1, 3);
        assert_eq!(other.run(&format!("KILL QUERY {}", killed.number)), 0, "{server:?}");
        assert_eq!(killed.outcome(), 1317, "{server:?}");
        wait_until(&lab, 0, 3);
        drop(other);
        wait_until(&lab, 0, 2);
        killed.command(0x03, begin);
        wait_until(&lab, 1, 2);
        end_the_one_that_waits(&lab);
        let said = ServerError::read(&killed.payload()).unwrap();
        assert_eq!(said.errno, 1053, "{server:?}: {said:?}");
        assert!(killed.packet().is_none());
        wait_until(&lab, 0, 1);

        let mut next = MysqlWire::connect(&full, Capabilities::NONE);
        next.command(0x03, begin);
        wait_until(&lab, 1, 2);
        assert_eq!(holds.run("COMMIT"), 0);
        assert_eq!(next.outcome(), 0, "{server:?}");
        assert_eq!(next.query("SELECT 7").unwrap(), [b"\x017"], "{server:?}");
    }
}
