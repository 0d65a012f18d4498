//! Exact messages: what the gateway answers, in which order, to clients that pipeline, stumble or attack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use support::{
    Lab,
    wire::{
        self, Raw, bind, close, describe, error, execute, flush, message, parse, query, run, startup, sync,
        tags,
    },
};

/// Exchanges that are the same with and without the gateway: name, bytes, how many ReadyForQuery follow.
fn exchanges() -> Vec<(&'static str, Vec<u8>, usize)> {
    let employee = "SELECT employee_no FROM employee ORDER BY 1 LIMIT 5";
    vec![
        ("one simple query", query("SELECT 1"), 1),
        ("several statements in one query", query("SELECT 1; SELECT 2; SELECT 'x'"), 1),
        ("an empty query", query(""), 1),
        ("only semicolons", query(" ; ; "), 1),
        ("an error in the middle of a query", query("SELECT 1; SELECT 1/0; SELECT 2"), 1),
        ("a syntax error", query("SELECT 1 +"), 1),
        ("one extended query", [run("SELECT 1"), sync()].concat(), 1),
        ("an empty extended query", [run(""), sync()].concat(), 1),
        ("many in one sync", [run("SELECT 1"), run("SELECT 2"), run("SELECT 3"), sync()].concat(), 1),
        (
            "three syncs in one write",
            [run("SELECT 1"), sync(), run("SELECT 2"), sync(), run("SELECT 3"), sync()].concat(),
            3,
        ),
        (
            "an error and what follows is skipped",
            [run("SELECT 1"), run("SELECT 1/0"), run("SELECT 2"), sync(), run("SELECT 3"), sync()].concat(),
            2,
        ),
        (
            "a parse error and what follows is skipped",
            [run("SELECT nope"), run("SELECT 2"), sync(), run("SELECT 3"), sync()].concat(),
            2,
        ),
        ("a syntax error in Parse", [parse("", "SELEC 1"), sync(), query("SELECT 1")].concat(), 2),
        ("syncs alone", [sync(), sync(), sync()].concat(), 3),
        ("a simple query behind extended ones", [run("SELECT 1"), sync(), query("SELECT 2")].concat(), 2),
        (
            "a named statement, described, run twice, closed",
            [
                parse("s", "SELECT $1::int + 1"),
                describe('S', "s"),
                bind("", "s", &["1"]),
                execute("", 0),
                bind("", "s", &["2"]),
                execute("", 0),
                close('S', "s"),
                sync(),
            ]
            .concat(),
            1,
        ),
        ("a statement that does not exist", [bind("", "nowhere", &[]), execute("", 0), sync()].concat(), 1),
        ("a portal that does not exist", [execute("nowhere", 0), sync()].concat(), 1),
        (
            "describing what does not exist",
            [describe('S', "nowhere"), sync(), describe('P', "nowhere"), sync()].concat(),
            2,
        ),
        ("closing what does not exist", [close('S', "nowhere"), close('P', "nowhere"), sync()].concat(), 1),
        (
            "a name that is taken",
            [parse("t", "SELECT 1"), parse("t", "SELECT 2"), sync(), close('S', "t"), sync()].concat(),
            2,
        ),
        (
            "a statement that failed leaves no name",
            [
                parse("u", "SELECT nope"),
                sync(),
                parse("u", "SELECT 1"),
                bind("", "u", &[]),
                execute("", 0),
                close('S', "u"),
                sync(),
            ]
            .concat(),
            2,
        ),
        (
            "the wrong number of parameters",
            [parse("", "SELECT $1::int"), bind("", "", &[]), execute("", 0), sync()].concat(),
            1,
        ),
        (
            "a bad parameter",
            [parse("", "SELECT $1::int"), bind("", "", &["x"]), execute("", 0), sync()].concat(),
            1,
        ),
        (
            "row limits and a suspended portal",
            [
                parse("", employee),
                bind("p", "", &[]),
                describe('P', "p"),
                execute("p", 2),
                execute("p", 2),
                execute("p", 2),
                close('P', "p"),
                sync(),
            ]
            .concat(),
            1,
        ),
        (
            "two portals, turn by turn, in a transaction",
            [
                query("BEGIN"),
                parse("", employee),
                bind("a", "", &[]),
                bind("b", "", &[]),
                execute("a", 1),
                execute("b", 2),
                execute("a", 3),
                sync(),
                query("COMMIT"),
            ]
            .concat(),
            3,
        ),
        (
            "a portal is gone with its transaction",
            [
                query("BEGIN"),
                parse("", employee),
                bind("gone", "", &[]),
                execute("gone", 1),
                sync(),
                query("COMMIT"),
                execute("gone", 1),
                sync(),
            ]
            .concat(),
            4,
        ),
        (
            "a failed transaction, pipelined",
            [query("BEGIN"), run("SELECT 1/0"), sync(), run("SELECT 1"), sync(), query("COMMIT")].concat(),
            4,
        ),
        (
            "begin and commit by extended queries",
            [run("BEGIN"), run("SELECT 1"), run("COMMIT"), sync()].concat(),
            1,
        ),
        ("notices", query("DROP TABLE IF EXISTS nowhere"), 1),
        (
            "settings are reported",
            [
                query("SET TimeZone = 'Asia/Tokyo'"),
                query("SET application_name = 'x'"),
                query("RESET TimeZone"),
            ]
            .concat(),
            3,
        ),
        (
            "settings of a transaction are reported back",
            query("BEGIN; SET LOCAL DateStyle = 'German'; ROLLBACK"),
            1,
        ),
        ("copy out", query("COPY (SELECT * FROM department ORDER BY 1) TO STDOUT"), 1),
        ("copy out between others", query("SELECT 1; COPY (VALUES (1), (2)) TO STDOUT; SELECT 2"), 1),
        (
            "copy out by extended query",
            [run("COPY (VALUES (1), (2)) TO STDOUT"), run("SELECT 1"), sync()].concat(),
            1,
        ),
        (
            "copy in",
            [
                query("CREATE TEMPORARY TABLE c (n int)"),
                query("COPY c FROM STDIN"),
                message('d', b"1\n2\n"),
                message('d', b"3\n"),
                message('c', b""),
                query("SELECT count(*) FROM c"),
            ]
            .concat(),
            3,
        ),
        (
            "copy in by extended query",
            [
                parse("", "COPY c FROM STDIN"),
                bind("", "", &[]),
                execute("", 0),
                message('d', b"4\n"),
                message('c', b""),
                sync(),
                query("SELECT count(*) FROM c"),
            ]
            .concat(),
            2,
        ),
        (
            "copy in that the client gives up",
            [
                query("COPY c FROM STDIN"),
                message('d', b"5\n"),
                message('f', b"no\0"),
                query("SELECT count(*) FROM c"),
            ]
            .concat(),
            2,
        ),
        (
            "copy in with a mistake",
            [
                query("COPY c FROM STDIN"),
                message('d', b"x\n"),
                message('d', b"6\n"),
                message('c', b""),
                query("SELECT count(*) FROM c"),
            ]
            .concat(),
            2,
        ),
        (
            "copy in with Flush and Sync in it",
            [
                query("COPY c FROM STDIN"),
                flush(),
                message('d', b"7\n"),
                sync(),
                message('c', b""),
                query("SELECT count(*) FROM c"),
            ]
            .concat(),
            2,
        ),
        (
            "copy data nobody asked for",
            [message('d', b"1\n"), message('c', b""), query("SELECT 1")].concat(),
            1,
        ),
        (
            "a prepared statement of SQL, run by protocol",
            [
                query("PREPARE q AS SELECT 42"),
                bind("", "q", &[]),
                execute("", 0),
                sync(),
                query("DEALLOCATE q"),
            ]
            .concat(),
            3,
        ),
        (
            "discard all forgets statements",
            [parse("d", "SELECT 1"), sync(), query("DISCARD ALL"), bind("", "d", &[]), sync()].concat(),
            3,
        ),
        ("a multi-statement Parse", [parse("", "SELECT 1; SELECT 2"), sync()].concat(), 1),
        ("rows of every width", query("SELECT n, repeat('x', n) FROM generate_series(0, 300, 50) n"), 1),
    ]
}

#[test]
fn exact_exchanges_are_the_same_with_and_without_the_gateway() {
    let lab = lab!(Lab::usual());
    let mut direct = Raw::login(&lab.directly());
    let full = lab.add_full();
    let mut gate = Raw::login(&full);
    let mut differing = Vec::new();
    for (name, bytes, syncs) in exchanges() {
        let wanted = direct.exchange(&bytes, syncs);
        let got = gate.exchange(&bytes, syncs);
        if wanted != got {
            differing.push(format!("{name}:\n  directly {wanted:#?}\n  through the gateway {got:#?}"));
            // Whatever went wrong, the next exchange begins on fresh sessions.
            (direct, gate) = (Raw::login(&lab.directly()), Raw::login(&full));
            for session in [&mut direct, &mut gate] {
                session.exchange(&query("CREATE TEMPORARY TABLE c (n int)"), 1);
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} of {} differ:\n{}",
        differing.len(),
        exchanges().len(),
        differing.join("\n")
    );
}

#[test]
fn exact_exchanges_are_the_same_on_every_run() {
    let lab = lab!(Lab::direct());
    let mut sessions = [Raw::login(&lab.directly()), Raw::login(&lab.directly())];
    for (name, bytes, syncs) in exchanges() {
        let [first, second] = sessions.each_mut().map(|session| session.exchange(&bytes, syncs));
        assert_eq!(first, second, "{name}");
        assert!(
            first.iter().all(|answer| answer.last().is_some_and(|last| last.starts_with('Z'))),
            "{name}: {first:?}"
        );
    }
    for mut session in sessions {
        assert_eq!(session.exchange(&query("SELECT 'in step'"), 1)[0].len(), 4);
    }
}

#[test]
fn exchanges_cut_into_single_bytes_are_the_same() {
    let lab = lab!(Lab::usual());
    let mut gate = Raw::login(&lab.add_full());
    let bytes =
        [run("SELECT 1"), run("SELECT 1/0"), sync(), query("SELECT 2"), run("SELECT 3"), sync()].concat();
    let whole = gate.exchange(&bytes, 3);
    for byte in &bytes {
        gate.send(&[*byte]);
    }
    let cut: Vec<Vec<String>> =
        (0..3).map(|_| gate.until_ready().iter().map(wire::Message::shown).collect()).collect();
    assert_eq!(whole, cut);
}

#[test]
fn a_refusal_stands_in_its_place_in_a_pipeline() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    lab.grant("dana", "select", &["public.employee"], 600);
    let mut raw = Raw::login(&dana);
    let ok = "SELECT count(*) FROM employee";
    let no = "SELECT count(*) FROM salary";
    // Allowed, refused, skipped; then, after the Sync, allowed again.
    raw.send(&[run(ok), run(no), run(ok), sync(), run(ok), sync()].concat());
    let first = raw.until_ready();
    assert_eq!(tags(&first), "12TDCEZ");
    assert_eq!(error(&first).field('C').unwrap(), "42501");
    assert_eq!(first.last().unwrap().body, b"I");
    assert_eq!(tags(&raw.until_ready()), "12TDCZ");
    // Every statement in a Sync of its own.
    raw.send(&[run(no), sync(), run(ok), sync(), run(no), sync(), run(ok), sync()].concat());
    let answers: Vec<String> = (0..4).map(|_| tags(&raw.until_ready())).collect();
    assert_eq!(answers, ["EZ", "12TDCZ", "EZ", "12TDCZ"]);
    // By simple queries, all in one write.
    raw.send(&[query(ok), query(no), query(ok)].concat());
    let answers: Vec<String> = (0..3).map(|_| tags(&raw.until_ready())).collect();
    assert_eq!(answers, ["TDCZ", "EZ", "TDCZ"]);
    // In a transaction that is opened in the same write.
    raw.send(&[query("BEGIN"), run(no), sync(), run(ok), sync(), query("ROLLBACK"), query(ok)].concat());
    let answers: Vec<Vec<wire::Message>> = (0..5).map(|_| raw.until_ready()).collect();
    assert_eq!(
        answers.iter().map(|answer| tags(answer)).collect::<Vec<_>>(),
        ["CZ", "EZ", "EZ", "CZ", "TDCZ"]
    );
    assert_eq!(error(&answers[2]).field('C').unwrap(), "25P02");
}

#[test]
fn a_refused_parse_leaves_no_statement_behind() {
    let lab = lab!(Lab::usual());
    let mut raw = Raw::login(&lab.add("dana"));
    raw.send(&[parse("s", "SELECT * FROM salary"), sync()].concat());
    raw.until_ready();
    raw.send(&[bind("", "s", &[]), execute("", 0), sync()].concat());
    let answer = raw.until_ready();
    assert!(
        ["26000", "42501"].contains(&error(&answer).field('C').unwrap().as_str()),
        "{}",
        error(&answer).shown()
    );
    assert!(!tags(&answer).contains('D'));
}

#[test]
fn flush_brings_answers_before_the_sync() {
    let lab = lab!(Lab::usual());
    let mut raw = Raw::login(&lab.add_full());
    raw.send(&[run("SELECT 1"), flush()].concat());
    let before: String = (0..5).map(|_| raw.message().tag).collect();
    assert_eq!(before, "12TDC");
    raw.send(&sync());
    assert_eq!(tags(&raw.until_ready()), "Z");
}

#[test]
fn what_is_never_let_through_is_refused_and_the_session_goes_on() {
    let lab = lab!(Lab::usual());
    let mut raw = Raw::login(&lab.add_full());
    // FunctionCall of int4pl.
    raw.send(&message('F', &[&177_u32.to_be_bytes()[..], &[0, 0, 0, 0, 0, 0]].concat()));
    let answer = raw.until_ready();
    assert_eq!(error(&answer).field('C').unwrap(), "0A000");
    raw.send(&query("SELECT 1"));
    assert_eq!(tags(&raw.until_ready()), "TDCZ");
}

#[test]
fn replication_connections_are_refused() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    for value in ["database", "true", "on", "1"] {
        let mut raw = Raw::open(lab.port());
        raw.send(&startup(&[("user", &full.user), ("database", support::DATABASE), ("replication", value)]));
        let answer = raw.rest_of_connection();
        assert!(tags(&answer).contains('E'), "{value}: {}", tags(&answer));
        assert!(!tags(&answer).contains('Z'), "{value}");
    }
}

#[test]
fn malformed_messages_end_the_session_with_one_clear_error() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let cases: [(&str, Vec<u8>); 6] = [
        ("an unknown tag", message('!', b"")),
        ("a length below four", vec![b'Q', 0, 0, 0, 3]),
        ("a query without its zero", message('Q', b"SELECT 1")),
        ("a query with something behind its zero", message('Q', b"SELECT 1\0SELECT 2\0")),
        ("a Bind that ends too early", message('B', b"\0\0\0\x05")),
        ("a negative length", vec![b'Q', 0xff, 0xff, 0xff, 0xff]),
    ];
    for (name, bytes) in cases {
        let mut raw = Raw::login(&full);
        raw.send(&bytes);
        raw.shutdown();
        let answer = raw.rest_of_connection();
        let code = error(&answer).field('C').unwrap();
        assert!(["08P01", "54000"].contains(&code.as_str()), "{name}: {code}");
        assert_eq!(tags(&answer).matches('E').count(), 1, "{name}: {}", tags(&answer));
        assert!(!tags(&answer).contains('D'), "{name}");
    }
    // The gateway itself does not mind.
    Raw::login(&full);
}

#[test]
fn garbage_before_the_login_is_no_way_in() {
    let lab = lab!(Lab::usual());
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xff; 64], &[0, 0, 0, 8, 0, 9, 0, 0], b"\0\0\0\x04"]
    {
        let mut raw = Raw::open(lab.port());
        raw.send_as_far_as_possible(bytes);
        raw.shutdown();
        let answer = raw.rest_of_connection();
        assert!(!tags(&answer).contains('R'), "{bytes:?}: {}", tags(&answer));
    }
}

#[test]
fn plain_text_pushed_ahead_of_the_tls_handshake_is_rejected() {
    let lab = lab!(Lab::usual());
    let mut raw = Raw::open(lab.port());
    let request = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    raw.send(&[&request[..], &startup(&[("user", "full")])].concat());
    // Either it is closed at once, or TLS was begun and dies of the plain text: never a login.
    let answer: Vec<u8> = std::iter::from_fn(|| raw.byte()).collect();
    assert!(!answer.starts_with(b"R"), "{answer:?}");
    assert!(!answer.contains(&b'R'), "{answer:?}");
}

#[test]
fn gss_is_answered_no_and_tls_yes() {
    let lab = lab!(Lab::usual());
    let mut raw = Raw::open(lab.port());
    raw.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]);
    assert_eq!(raw.byte(), Some(b'N'));
    raw.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
    assert_eq!(raw.byte(), Some(b'S'));
}

#[test]
fn without_tls_nobody_gets_in_unless_the_listener_says_so() {
    let lab = lab!(Lab::gateway(&json!({})));
    let full = lab.add_full();
    let mut raw = Raw::open(lab.port());
    raw.send(&startup(&[("user", &full.user), ("database", support::DATABASE)]));
    let answer = raw.rest_of_connection();
    assert_eq!(tags(&answer), "E", "a login in plain text was begun");
    assert!(error(&answer).shown().to_lowercase().contains("tls"), "{}", error(&answer).shown());
    let out = full.psql("SELECT 'with TLS'");
    assert!(out.contains("with TLS"), "{out}");
}

#[test]
fn a_statement_over_the_limit_is_refused_and_the_session_goes_on() {
    let lab =
        lab!(Lab::gateway(&json!({ "plaintext": true, "limits": "limits: { statement_bytes: 10000 }" })));
    let mut raw = Raw::login(&lab.add_full());
    for bytes in [
        query(&format!("SELECT '{}'", "x".repeat(10_000))),
        [run(&format!("SELECT '{}'", "x".repeat(10_000))), sync()].concat(),
    ] {
        raw.send(&bytes);
        let answer = raw.until_ready();
        let refusal = error(&answer);
        assert_eq!(refusal.field('C').unwrap(), "54000");
        assert!(refusal.field('M').unwrap().contains("10000"), "{}", refusal.shown());
        assert_eq!(answer.last().unwrap().tag, 'Z');
    }
    raw.send(&query(&format!("SELECT length('{}')", "x".repeat(9_000))));
    assert_eq!(tags(&raw.until_ready()), "TDCZ");
}

/// The most memory that a process has had, in KiB.
fn most_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_text_far_over_the_limit_is_refused_by_its_header_and_never_kept() {
    let lab =
        lab!(Lab::gateway(&json!({ "plaintext": true, "limits": "limits: { statement_bytes: 10000 }" })));
    let mut raw = Raw::login(&lab.add_full());
    let before = most_memory(lab.gateway_pid());
    let text = format!("SELECT 'tell-tale', '{}'", "x".repeat(60_000_000));
    for (bytes, sent_ahead) in [
        (query(&text), true),
        ([parse("long", &text), bind("", "long", &[]), execute("", 0), sync()].concat(), false),
        // In its place: behind what was sent before it, in a transaction that it fails.
        ([query("BEGIN; SELECT 1"), query(&text)].concat(), false),
    ] {
        let mut sender = raw.clone_stream();
        let (start, rest) = bytes.split_at(5_000);
        sender.send(start);
        if sent_ahead {
            assert_eq!(tags(&raw.until_ready()), "EZ", "before the rest is there");
        }
        sender.send(rest);
        if !sent_ahead {
            let mut answer = raw.until_ready();
            if tags(&answer) != "EZ" {
                assert_eq!(tags(&answer), "CTDCZ");
                answer = raw.until_ready();
                assert_eq!(answer[1].body, b"E", "the transaction has failed");
            }
            assert_eq!(error(&answer).field('C').unwrap(), "54000", "{}", tags(&answer));
        }
        raw.send(&query("ROLLBACK"));
        assert!(tags(&raw.until_ready()).ends_with("CZ"));
    }
    raw.send(&[run("SELECT 1"), sync()].concat());
    assert_eq!(tags(&raw.until_ready()), "12TDCZ");
    let grown = most_memory(lab.gateway_pid()).saturating_sub(before);
    assert!(grown < 30_000, "{grown} KiB");
    let refused = |record: &&serde_json::Value| {
        let sql = record["sql"].as_str().unwrap_or_default();
        sql.starts_with("SELECT 'tell-tale'") && sql.len() <= 1024 && record["sqlstate"] == "54000"
    };
    assert_eq!(lab.audit().iter().filter(refused).count(), 3);
}

#[test]
fn a_message_over_the_limit_is_not_read() {
    let lab =
        lab!(Lab::gateway(&json!({ "plaintext": true, "limits": "limits: { message_bytes: 2000000 }" })));
    let mut raw = Raw::login(&lab.add_full());
    raw.send(&[&b"Q"[..], &500_000_000_u32.to_be_bytes()].concat());
    let answer = raw.rest_of_connection();
    assert!(
        ["54000", "08P01"].contains(&error(&answer).field('C').unwrap().as_str()),
        "{}",
        error(&answer).shown()
    );
}

#[test]
fn a_client_that_says_nothing_before_the_login_is_let_go() {
    let lab =
        lab!(Lab::gateway(&json!({ "plaintext": true, "limits": "limits: { login_timeout_ms: 300 }" })));
    let mut raw = Raw::open(lab.port());
    let begin = std::time::Instant::now();
    raw.rest_of_connection();
    assert!(begin.elapsed() < std::time::Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn cancel_works_by_the_gateways_own_key_only() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let mut raw = Raw::login(&full);
    let cancel = |key: &[u8]| Raw::cancel(lab.port(), key);
    let slow = "SELECT count(pg_sleep(0.01)) FROM employee";
    let mut wrong = raw.key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    raw.send(&query(slow));
    cancel(&wrong);
    let key = raw.key.clone();
    let begin = std::time::Instant::now();
    std::thread::sleep(std::time::Duration::from_millis(300));
    cancel(&key);
    let answer = raw.until_ready();
    assert_eq!(error(&answer).field('C').unwrap(), "57014");
    assert!(begin.elapsed() >= std::time::Duration::from_millis(300), "the wrong key cancelled it");
    raw.send(&query("SELECT 1"));
    assert_eq!(tags(&raw.until_ready()), "TDCZ");
}

#[test]
fn the_protocol_version_is_negotiated() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let mut bytes =
        startup(&[("user", &full.user), ("database", support::DATABASE), ("_pq_.unheard_of", "1")]);
    bytes[4..8].copy_from_slice(&(196_608_u32 + 99).to_be_bytes());
    let mut raw = Raw::open(lab.port());
    raw.send(&bytes);
    let answer = raw.message();
    assert_eq!(answer.tag, 'v', "{}", answer.shown());
    assert!(String::from_utf8_lossy(&answer.body).contains("_pq_.unheard_of"), "{}", answer.shown());
    assert_eq!(raw.message().tag, 'R');
}
