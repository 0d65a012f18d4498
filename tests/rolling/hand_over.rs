//! A cancel that arrives while its connection goes from one session to another.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tidegate::wire::mysql::capability::Capabilities;

use crate::support::{
    Lab, Server,
    mysql_wire::MysqlWire,
    wire::{self, Raw, query},
};

/// How long connections are passed to and fro.
const LONG: Duration = Duration::from_secs(4);

/// Of many lengths, so that requests to cancel arrive before, at and behind the end of what they are for.
fn pauses() -> impl Iterator<Item = Duration> {
    (0_u64..).map(|turn| Duration::from_micros(turn * 7919 % 5000))
}

#[test]
fn a_cancel_never_stops_a_statement_of_the_session_that_has_the_connection_next() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    let (full, dana) = (lab.add_full(), lab.add("dana"));
    lab.grant("dana", "select", &[], 600);
    let mut own = Raw::login(&full);
    let key = own.key.clone();
    let (is_over, stopped, ran) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let is_on = || !is_over.load(Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            while is_on() {
                own.send(&query("SELECT pg_sleep(0.002)"));
                let answer = own.until_ready();
                if wire::tags(&answer).contains('E') {
                    assert_eq!(wire::error(&answer).field('C').unwrap(), "57014");
                    stopped.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            for pause in pauses().take_while(|_| is_on()) {
                Raw::cancel(lab.port(), &key);
                thread::sleep(pause);
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut theirs = Raw::login(&dana);
                while is_on() {
                    theirs.send(&query("SELECT pg_sleep(0.001) FROM generate_series(1, 2)"));
                    let answer = theirs.until_ready();
                    assert_eq!(wire::tags(&answer), "TDDCZ", "{answer:?}");
                    ran.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(LONG);
        wait_for_more(&stopped, 5);
        is_over.store(true, Ordering::Relaxed);
    });
    let (stopped, ran) = (stopped.into_inner(), ran.into_inner());
    println!("{stopped} of one's own were stopped while {ran} of others ran");
    assert!(stopped > 5 && ran > 20, "{stopped} {ran}");
}

#[test]
fn a_kill_never_stops_a_statement_of_the_session_that_has_the_connection_next() {
    for server in [Server::Mariadb, Server::Mysql] {
        let lab = crate::lab!(Lab::with_gateway(server, &json!({ "plaintext": true, "pool": 1 })));
        let (full, dana) = (lab.add_full(), lab.add("dana"));
        lab.grant("dana", "select", &[], 600);
        let mut own = MysqlWire::connect(&full, Capabilities::NONE);
        let mut killer = MysqlWire::connect(&full, Capabilities::NONE);
        let number = own.number;
        let (is_over, stopped, ran) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let is_on = || !is_over.load(Ordering::Relaxed);
        let begin = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                while is_on() {
                    match own.query("SELECT SLEEP(0.004)") {
                        Ok(rows) if rows == [[1, b'0']] => {}
                        Ok(_) | Err(1317) => drop(stopped.fetch_add(1, Ordering::Relaxed)),
                        Err(other) => panic!("{other}"),
                    }
                }
            });
            scope.spawn(|| {
                for pause in pauses().take_while(|_| is_on()) {
                    assert_eq!(killer.run(&format!("KILL QUERY {number}")), 0);
                    thread::sleep(pause);
                }
            });
            scope.spawn(|| {
                let mut theirs = MysqlWire::connect(&dana, Capabilities::NONE);
                while is_on() {
                    assert_eq!(theirs.query("SELECT SLEEP(0.002)"), Ok(vec![vec![1, b'0']]));
                    ran.fetch_add(1, Ordering::Relaxed);
                }
            });
            thread::sleep(LONG.saturating_sub(begin.elapsed()));
            wait_for_more(&stopped, 2);
            is_over.store(true, Ordering::Relaxed);
        });
        let (stopped, ran) = (stopped.into_inner(), ran.into_inner());
        println!("{server:?}: {stopped} of one's own were stopped while {ran} of others ran");
        assert!(stopped > 2 && ran > 20, "{stopped} {ran}");
    }
}

/// Waits until there are more than `few`, on a slow machine for longer, and gives up in time for the assertion to say so.
fn wait_for_more(count: &AtomicUsize, few: usize) {
    let begin = Instant::now();
    while count.load(Ordering::Relaxed) <= few && begin.elapsed() < 10 * LONG {
        thread::sleep(Duration::from_millis(20));
    }
}
