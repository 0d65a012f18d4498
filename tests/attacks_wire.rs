//! Attacks on the data plane: sessions that try to run what was not judged, to keep what has ended, to lose a
//! record, to hang, or to find what somebody else has left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    Lab, Login, eventually,
    wire::{Message, Raw, bind, close, error, execute, flush, message, parse, query, run, sync, tags},
};

/// Tables of the attacks: one to write, and a schema whose names hide those of `public`.
const WORLD: &str = "CREATE TABLE public.note (n int); GRANT ALL ON public.note TO tidegate_write, tidegate_admin; \
     GRANT SELECT ON public.note TO tidegate_read; \
     CREATE SCHEMA hidden; CREATE TABLE hidden.note (n int); INSERT INTO hidden.note VALUES (666); \
     GRANT USAGE ON SCHEMA hidden TO PUBLIC; GRANT SELECT ON hidden.note TO PUBLIC";

fn world(settings: &serde_json::Value) -> Option<Lab> {
    let lab = Lab::gateway(settings)?;
    lab.superuser(WORLD);
    Some(lab)
}

fn usual() -> Option<Lab> {
    world(&json!({ "plaintext": true }))
}

/// Dana, who may read and write one table.
fn dana(lab: &Lab) -> Login {
    let login = lab.add("dana");
    lab.grant("dana", "select,dml", &["public.note"], 600);
    login
}

/// Every statement that was let through has exactly one end, and nothing else has one.
fn audit_is_whole(lab: &Lab) {
    let problems = || {
        let mut ends = BTreeMap::<String, (u32, u32)>::new();
        for record in lab.audit() {
            let id = record["statement"].to_string();
            let allowed = record["decision"] == "allow" || record["decision"]["decision"] == "allow";
            match record["event"].as_str() {
                Some("statement_start") => ends.entry(id).or_default().0 += u32::from(allowed),
                Some("statement_end") => ends.entry(id).or_default().1 += 1,
                _ => {}
            }
        }
        let wrong: Vec<_> = ends.into_iter().filter(|(_, (starts, ends))| starts != ends).collect();
        wrong
    };
    let begin = Instant::now();
    while !problems().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(5), "starts and ends: {:?}", problems());
        sleep(Duration::from_millis(20));
    }
}

fn column(messages: &[Message]) -> Vec<String> {
    let rows = messages.iter().filter(|message| message.tag == 'D');
    rows.map(|row| String::from_utf8_lossy(row.body.get(6..).unwrap_or_default()).into_owned()).collect()
}

fn ask(raw: &mut Raw, sql: &str) -> Vec<Message> {
    raw.send(&query(sql));
    raw.until_ready()
}

fn status(messages: &[Message]) -> char {
    char::from(messages.last().unwrap().body[0])
}

fn code(messages: &[Message]) -> String {
    error(messages).field('C').unwrap()
}

fn notes(lab: &Lab) -> String {
    lab.superuser("SELECT count(*) FROM public.note").lines().last().unwrap_or_default().trim().to_owned()
}

#[test]
fn a_path_that_a_savepoint_took_back_is_not_made_again_on_another_connection() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    ask(&mut raw, "BEGIN");
    ask(&mut raw, "SAVEPOINT s");
    ask(&mut raw, "SET search_path TO hidden");
    ask(&mut raw, "ROLLBACK TO s");
    ask(&mut raw, "COMMIT");
    // On the other lane.
    let seen = ask(&mut raw, "SELECT n FROM note");
    assert!(column(&seen).is_empty(), "rows of hidden.note: {:?}", column(&seen));
    audit_is_whole(&lab);
}

#[test]
fn a_setting_of_a_block_that_failed_is_not_made_again_on_another_connection() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    ask(&mut raw, "SET TimeZone TO 'UTC'");
    assert_eq!(code(&ask(&mut raw, "SET TimeZone TO 'Asia/Tokyo'; SELECT 1/0")), "22012");
    assert_eq!(column(&ask(&mut raw, "SHOW TimeZone")), ["UTC"]);
    ask(&mut raw, "BEGIN");
    assert_eq!(column(&ask(&mut raw, "SHOW TimeZone")), ["UTC"]);
    audit_is_whole(&lab);
}

#[test]
fn what_a_name_means_is_known_before_it_is_bound_in_another_block() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    // The server's unnamed statement is the first one; the second is skipped behind an error.
    raw.send(&[parse("", "SELECT 'first'"), sync()].concat());
    raw.until_ready();
    raw.send(
        &[
            parse("fails", "SELECT nope"),
            parse("", "SELECT 'second'"),
            sync(),
            bind("", "", &[]),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    raw.until_ready();
    let ran = column(&raw.until_ready());
    let log: Vec<String> = lab
        .audit()
        .iter()
        .filter(|r| r["event"] == "statement_start" && r["sql"].as_str().unwrap().starts_with("SELECT '"))
        .map(|r| r["sql"].to_string())
        .collect();
    for row in &ran {
        assert!(log.last().is_some_and(|sql| sql.contains(row)), "{row} ran, and the log says {log:?}");
    }
    audit_is_whole(&lab);
}

#[test]
fn a_statement_whose_close_was_skipped_is_still_that_statement() {
    let lab = lab!(usual());
    let login = dana(&lab);
    for (mut raw, gate) in [(Raw::login(&lab.directly()), false), (Raw::login(&login), true)] {
        raw.send(&[parse("s", "SELECT 'first'"), sync()].concat());
        raw.until_ready();
        raw.send(
            &[
                parse("fails", "SELECT nope"),
                close('S', "s"),
                sync(),
                parse("s", "SELECT 'second'"),
                sync(),
                bind("", "s", &[]),
                execute("", 0),
                sync(),
            ]
            .concat(),
        );
        let answers: Vec<_> = (0..3).map(|_| raw.until_ready()).collect();
        assert_eq!(code(&answers[1]), "42P05", "through the gateway: {gate}");
        assert_eq!(column(&answers[2]), ["first"], "through the gateway: {gate}");
    }
    let logged = |text: &str| lab.audit().iter().filter(|r| r["sql"] == format!("SELECT '{text}'")).count();
    assert_eq!(logged("second"), 1, "as refused or not at all, but not as run");
    audit_is_whole(&lab);
}

#[test]
fn a_session_that_says_read_only_stays_so() {
    let lab = lab!(usual());
    let login = dana(&lab);
    for words in
        ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET default_transaction_read_only TO on"]
    {
        let mut raw = Raw::login(&login);
        assert!(!tags(&ask(&mut raw, words)).contains('E'));
        ask(&mut raw, "SELECT 1");
        assert_eq!(column(&ask(&mut raw, "SHOW default_transaction_read_only")), ["on"], "{words}");
        ask(&mut raw, "SELECT n FROM note");
        let written = ask(&mut raw, "INSERT INTO note VALUES (1)");
        assert_eq!(tags(&written), "EZ", "{words}");
        assert_eq!(code(&written), "25006", "{words}");
        // Other modes say nothing of it, and what it said it may take back.
        ask(&mut raw, "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE");
        assert_eq!(code(&ask(&mut raw, "INSERT INTO note VALUES (1)")), "25006", "{words}");
        ask(&mut raw, "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE");
        assert_eq!(tags(&ask(&mut raw, "INSERT INTO note VALUES (1)")), "CZ", "{words}");
    }
    audit_is_whole(&lab);
}

#[test]
fn a_grant_that_ended_while_a_connection_was_waited_for_is_over() {
    let lab = lab!(world(&json!({ "plaintext": true, "pool": 1 })));
    let full = lab.add_full();
    let dana = lab.add("dana");
    let grant = lab.grant("dana", "select", &["public.note"], 600);
    lab.superuser("INSERT INTO note VALUES (7)");
    let mut holding = Raw::login(&full);
    let mut raw = Raw::login(&dana);
    // Reads of both are on the one connection of the read lane.
    holding.send(&query("SELECT pg_sleep(2) FROM note"));
    sleep(Duration::from_millis(300));
    raw.send(&query("SELECT n FROM note"));
    sleep(Duration::from_millis(200));
    lab.revoke(&grant);
    holding.until_ready();
    drop(holding);
    let answer = raw.until_ready();
    assert_eq!(code(&answer), "42501", "{}", tags(&answer));
    assert!(column(&answer).is_empty());
    audit_is_whole(&lab);
}

#[test]
fn deallocate_in_a_batch_is_told_to_the_other_lane_once() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    // On the read lane, then on the write lane as well.
    raw.send(&[parse("s", "SELECT 1"), bind("", "s", &[]), execute("", 0), sync()].concat());
    raw.until_ready();
    ask(&mut raw, "BEGIN");
    raw.send(&[bind("", "s", &[]), execute("", 0), sync()].concat());
    assert_eq!(tags(&raw.until_ready()), "2DCZ");
    ask(&mut raw, "COMMIT");
    // Refused: the statement stays.
    assert_eq!(code(&ask(&mut raw, "DEALLOCATE s; SELECT * FROM salary")), "42501");
    raw.send(&[bind("", "s", &[]), execute("", 0), sync()].concat());
    assert_eq!(tags(&raw.until_ready()), "2DCZ");
    ask(&mut raw, "BEGIN");
    assert_eq!(tags(&ask(&mut raw, "DEALLOCATE s; SELECT 1")), "CTDCZ");
    ask(&mut raw, "COMMIT");
    assert_eq!(tags(&ask(&mut raw, "SELECT n FROM note")), "TCZ");
    audit_is_whole(&lab);
}

#[test]
fn a_sync_before_copy_data_is_ignored_as_the_server_does() {
    let lab = lab!(usual());
    let login = dana(&lab);
    let copy = [message('d', b"1\n"), message('c', b"")].concat();
    let cases = [
        ("simple", [query("COPY note FROM STDIN"), sync(), copy.clone(), query("SELECT 1")].concat(), 2),
        (
            "extended",
            [run("COPY note FROM STDIN"), sync(), copy.clone(), sync(), query("SELECT 1")].concat(),
            2,
        ),
        ("twice", [run("COPY note FROM STDIN"), sync(), sync(), copy, sync(), query("SELECT 1")].concat(), 2),
        (
            "refused by the server",
            [run("COPY nowhere.at_all FROM STDIN"), sync(), query("SELECT 1")].concat(),
            2,
        ),
        (
            "a wrong row",
            [
                run("COPY note FROM STDIN"),
                message('d', b"x\n"),
                message('d', b"2\n"),
                message('c', b""),
                sync(),
                query("SELECT 1"),
            ]
            .concat(),
            2,
        ),
    ];
    for (name, bytes, syncs) in cases {
        let mut raw = Raw::login(&login);
        raw.send(&bytes);
        let answers: Vec<String> = (0..syncs).map(|_| tags(&raw.until_ready())).collect();
        assert_eq!(answers.last().unwrap(), "TDCZ", "{name}: {answers:?}");
        assert_eq!(tags(&ask(&mut raw, "SELECT 1")), "TDCZ", "{name}");
    }
    assert_eq!(notes(&lab), "3");
    // The COPY of a Query leaves nothing open behind it: the next statement may go to another lane.
    let mut raw = Raw::login(&lab.add_full());
    raw.send(&[query("COPY note FROM STDIN"), message('d', b"1\n"), message('c', b"")].concat());
    assert_eq!(tags(&raw.until_ready()), "GCZ");
    assert_eq!(tags(&ask(&mut raw, "CREATE ROLE somebody")), "CZ");
    audit_is_whole(&lab);
}

#[test]
fn another_message_while_copy_data_is_awaited_ends_the_session_as_the_server_does() {
    let lab = lab!(usual());
    let login = dana(&lab);
    for begin in [query("COPY note FROM STDIN"), run("COPY note FROM STDIN")] {
        for wrong in [query("SELECT 1"), [run("SELECT 1"), sync()].concat(), message('F', &[0; 10])] {
            let mut raw = Raw::login(&login);
            raw.send(&[begin.clone(), wrong].concat());
            let answer = raw.rest_of_connection();
            assert_eq!(code(&answer), "08P01", "{}", tags(&answer));
        }
    }
    assert_eq!(notes(&lab), "0");
    audit_is_whole(&lab);
}

#[test]
fn an_earlier_answer_does_not_wipe_what_a_later_transaction_wrote() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.note"], 600);
    let writing = lab.grant("dana", "dml", &["public.note"], 600);
    let mut raw = Raw::login(&login);
    let insert = "INSERT INTO note VALUES (1)";
    // All in one write: the answer to the first block comes when the transaction has been written to.
    ask(&mut raw, insert);
    raw.send(&[run(insert), sync(), run("BEGIN"), run(insert), sync()].concat());
    raw.until_ready();
    assert_eq!(status(&raw.until_ready()), 'T');
    lab.revoke(&writing);
    sleep(Duration::from_millis(300));
    let end = ask(&mut raw, "COMMIT");
    assert!(!tags(&end).starts_with('C') || end.iter().any(|m| m.body.starts_with(b"ROLLBACK")), "{end:?}");
    assert_eq!(notes(&lab), "2");
    audit_is_whole(&lab);
}

#[test]
fn a_long_pipeline_of_many_syncs_arrives_whole() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    const BLOCKS: usize = 3000;
    let mut writer = raw.clone_stream();
    let sending = std::thread::spawn(move || {
        let block = [run("SELECT 1"), sync()].concat();
        let bytes = block.repeat(BLOCKS);
        for piece in bytes.chunks(1013) {
            writer.send(piece);
        }
    });
    for block in 0..BLOCKS {
        let answer = raw.until_ready();
        assert_eq!(
            tags(&answer),
            "12TDCZ",
            "block {block}: {:?}",
            answer.iter().map(Message::shown).collect::<Vec<_>>()
        );
    }
    sending.join().unwrap();
    audit_is_whole(&lab);
}

#[test]
fn a_portal_of_the_next_block_survives_the_answer_to_the_last() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    for _ in 0..20 {
        raw.send(&[run("SELECT pg_sleep(0.02)"), sync(), parse("", "SELECT 2"), bind("p", "", &[])].concat());
        assert_eq!(tags(&raw.until_ready()), "12TDCZ");
        raw.send(&[execute("p", 0), sync()].concat());
        assert_eq!(tags(&raw.until_ready()), "12DCZ");
    }
    audit_is_whole(&lab);
}

#[test]
fn an_idle_session_does_not_hear_of_a_connection_that_was_not_its_own() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    ask(&mut raw, "SELECT 1");
    lab.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'tidegate%'");
    sleep(Duration::from_millis(200));
    assert_eq!(tags(&ask(&mut raw, "SELECT 1")), "TDCZ");
    // Both lanes, of which the one not in use is not looked at.
    ask(&mut raw, "INSERT INTO note VALUES (1)");
    ask(&mut raw, "SELECT n FROM note");
    lab.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'tidegate%'");
    sleep(Duration::from_millis(200));
    assert_eq!(tags(&ask(&mut raw, "INSERT INTO note VALUES (1)")), "CZ");
    assert_eq!(tags(&ask(&mut raw, "SELECT 1")), "TDCZ");
    audit_is_whole(&lab);
}

#[test]
fn a_session_that_is_tied_to_a_lost_connection_is_told_once() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    ask(&mut raw, "LISTEN news");
    lab.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'tidegate%'");
    let answer = raw.rest_of_connection();
    assert_eq!(tags(&answer), "E");
    assert_eq!(code(&answer), "57P01");
    audit_is_whole(&lab);
}

#[test]
fn what_an_open_block_wrote_is_not_made_to_last_by_a_sync_after_the_grant() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.note"], 600);
    let writing = lab.grant("dana", "dml", &["public.note"], 600);
    let mut raw = Raw::login(&login);
    raw.send(&[run("INSERT INTO note VALUES (1)"), flush()].concat());
    let before: String = (0..4).map(|_| raw.message().tag).collect();
    assert_eq!(before, "12nC");
    lab.revoke(&writing);
    sleep(Duration::from_millis(300));
    raw.send(&sync());
    let answer = raw.until_ready();
    assert_eq!(notes(&lab), "0", "{}", tags(&answer));
    assert_eq!(code(&answer), "42501");
    assert_eq!(status(&answer), 'I');
    assert_eq!(tags(&ask(&mut raw, "SELECT n FROM note")), "TCZ");
    audit_is_whole(&lab);
}

#[test]
fn what_a_batch_wrote_does_not_outlive_its_grant_behind_a_harmless_statement() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.note"], 600);
    let writing = lab.grant("dana", "dml", &["public.note"], 600);
    let mut raw = Raw::login(&login);
    raw.send(&query("INSERT INTO note VALUES (1); SELECT pg_sleep(2)"));
    sleep(Duration::from_millis(300));
    lab.revoke(&writing);
    let answer = raw.until_ready();
    assert_eq!(notes(&lab), "0", "{}", tags(&answer));
    assert_eq!(code(&answer), "42501");
    audit_is_whole(&lab);
}

#[test]
fn a_savepoint_does_not_bring_back_what_lost_its_grant() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.note"], 600);
    let writing = lab.grant("dana", "dml", &["public.note"], 600);
    let mut raw = Raw::login(&login);
    ask(&mut raw, "BEGIN; INSERT INTO note VALUES (1); SAVEPOINT s");
    lab.revoke(&writing);
    sleep(Duration::from_millis(300));
    raw.send(&[query("ROLLBACK TO s"), query("COMMIT")].concat());
    raw.until_ready();
    let end = raw.until_ready();
    assert!(!end.iter().any(|message| message.body.starts_with(b"COMMIT")), "{end:?}");
    assert_eq!(notes(&lab), "0");
    ask(&mut raw, "ROLLBACK");
    assert_eq!(tags(&ask(&mut raw, "SELECT n FROM note")), "TCZ");
    audit_is_whole(&lab);
}

#[test]
fn an_empty_query_ends_a_block_as_the_server_does() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    raw.send(&[run("INSERT INTO note VALUES (1)"), query("")].concat());
    assert_eq!(tags(&raw.until_ready()), "12nCIZ");
    assert_eq!(notes(&lab), "1");
    audit_is_whole(&lab);
}

fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_transaction_whose_grant_is_over_does_not_keep_the_gateway_busy() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.note"], 600);
    lab.grant("dana", "dml", &["public.note"], 2);
    let open = |and: &[u8]| {
        let mut raw = Raw::login(&login);
        raw.send(&query("BEGIN; INSERT INTO note VALUES (1)"));
        assert_eq!(status(&raw.until_ready()), 'T');
        raw.send(and);
        raw
    };
    let mut failed = open(&query("SELECT 1/0"));
    let mut busy = open(&query("SELECT pg_sleep(5)"));
    let mut block = open(&[run("SELECT 1"), flush()].concat());
    sleep(Duration::from_secs(3));
    let before = cpu_ticks(lab.gateway_pid());
    sleep(Duration::from_secs(1));
    let spent = cpu_ticks(lab.gateway_pid()) - before;
    assert!(spent < 4, "{spent} of 100 ticks in one second of doing nothing");
    assert_eq!(code(&failed.until_ready()), "22012");
    busy.until_ready();
    block.send(&sync());
    block.until_ready();
    for raw in [&mut failed, &mut busy, &mut block] {
        let end = ask(raw, "COMMIT");
        assert!(!end.iter().any(|message| message.body.starts_with(b"COMMIT")), "{end:?}");
    }
    assert_eq!(notes(&lab), "0");
    audit_is_whole(&lab);
}

#[test]
fn rows_stop_with_the_grant_however_slowly_they_are_read() {
    let lab = lab!(usual());
    let login = lab.add("dana");
    let reading = lab.grant("dana", "select", &["public.note"], 600);
    lab.superuser("INSERT INTO note VALUES (1)");
    let mut raw = Raw::login(&login);
    // 200 MB, of which nobody reads anything yet.
    raw.send(&query("SELECT repeat('x', 10000) FROM generate_series(1, 20000), note"));
    sleep(Duration::from_millis(700));
    lab.revoke(&reading);
    // Even if nobody ever reads, the upstream is free.
    eventually("the upstream is free", Duration::from_secs(8), || {
        lab.superuser("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%repeat(%' AND state = 'active' AND usename LIKE 'tidegate%'")
            .ends_with('0')
    });
    let answer = raw.rest_of_connection();
    let bytes: usize = answer.iter().map(|message| message.body.len()).sum();
    // What had left the gateway before lies in the sockets; what had not, does not come.
    assert!(bytes < 20_000_000, "{bytes} bytes");
    audit_is_whole(&lab);
}

#[test]
fn notifications_are_not_lost_between_reads_and_writes() {
    let lab = lab!(usual());
    let login = dana(&lab);
    let mut raw = Raw::login(&login);
    ask(&mut raw, "LISTEN news");
    let mut speaker = Raw::login(&lab.directly());
    const TOLD: usize = 400;
    let telling = std::thread::spawn(move || {
        for number in 0..TOLD {
            ask(&mut speaker, &format!("NOTIFY news, '{number}'"));
        }
    });
    let mut heard = 0;
    let mut count =
        |messages: &[Message]| heard += messages.iter().filter(|message| message.tag == 'A').count();
    while !telling.is_finished() {
        count(&ask(&mut raw, "SELECT count(*) FROM note"));
        count(&ask(&mut raw, "INSERT INTO note VALUES (1)"));
    }
    telling.join().unwrap();
    count(&ask(&mut raw, "SELECT 1"));
    count(&ask(&mut raw, "SELECT 1"));
    assert_eq!(heard, TOLD);
    audit_is_whole(&lab);
}

#[test]
fn every_start_has_one_end_however_the_session_ends() {
    let lab = lab!(usual());
    let full = lab.add_full();
    let dana = dana(&lab);
    lab.superuser("INSERT INTO note SELECT 1 FROM generate_series(1, 1000)");
    let slow = "SELECT pg_sleep(0.05) FROM note";
    let starts: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("a query", query(slow)),
        ("a batch", query(&format!("INSERT INTO note VALUES (1); {slow}; SELECT 1"))),
        ("a transaction", query("BEGIN; INSERT INTO note VALUES (1)")),
        ("an open block", [run("INSERT INTO note VALUES (1)"), flush()].concat()),
        (
            "a pipeline",
            [run("SELECT 1"), sync(), run(slow), run("SELECT 2"), sync(), run("SELECT 3")].concat(),
        ),
        ("a copy in", [query("COPY note FROM STDIN"), message('d', b"1\n")].concat()),
        ("a copy in by blocks", [run("COPY note FROM STDIN"), message('d', b"1\n")].concat()),
        ("a copy out", query(&format!("COPY ({slow}) TO STDOUT"))),
        ("waiting for a lock", query("UPDATE note SET n = 2")),
    ];
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'tidegate%'";
    for (name, bytes) in starts {
        for end in ["close", "goodbye", "terminate", "kill", "cut"] {
            let mut locking = Raw::login(&full);
            if name == "waiting for a lock" {
                ask(&mut locking, "BEGIN; LOCK TABLE note IN EXCLUSIVE MODE");
            }
            let login = if name == "a copy out" { &full } else { &dana };
            let mut raw = Raw::login(login);
            raw.send(&bytes);
            sleep(Duration::from_millis(120));
            match end {
                "close" => drop(raw),
                "goodbye" => raw.send(&message('X', b"")),
                "terminate" => {
                    let sessions = lab.admin(&["session", "list"]);
                    for line in sessions.lines().filter(|line| line.contains(&login.user)) {
                        lab.cli(&["session", "terminate", line.split_whitespace().next().unwrap()]);
                    }
                    let last = raw.rest_of_connection();
                    assert_eq!(last.last().unwrap().tag, 'E', "{name}, {end}");
                }
                "kill" => {
                    lab.superuser(kill);
                }
                _ => {
                    raw.send(&[b'Q', 0, 0]);
                    raw.shutdown();
                }
            }
            drop(locking);
        }
    }
    eventually("nothing runs on", Duration::from_secs(10), || {
        lab.superuser(
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND usename LIKE 'tidegate%'",
        )
        .ends_with('0')
    });
    audit_is_whole(&lab);
    let lost_or_done = ["completed", "failed", "lost", "not_run", "revoked", "cancelled"];
    for record in lab.audit().iter().filter(|record| record["event"] == "statement_end") {
        assert!(lost_or_done.contains(&record["outcome"].as_str().unwrap()), "{record}");
    }
    assert_eq!(notes(&lab), "1000", "something unfinished was made to last");
}

#[test]
fn a_client_that_never_reads_costs_little() {
    let lab = lab!(usual());
    let login = dana(&lab);
    let process = lab.gateway_pid();
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    ask(&mut Raw::login(&login), "SELECT 1");
    let before = resident();
    let mut raw = Raw::login(&login);
    let mut sender = raw.clone_stream();
    const BLOCKS: usize = 1500;
    let sending = std::thread::spawn(move || {
        sender.send(&parse("", "SELECT repeat('x', 10000), $1::text"));
        let one = [bind("", "", &[&"y".repeat(5000)]), execute("", 0)].concat();
        for _ in 0..BLOCKS {
            sender.send(&one);
        }
        sender.send(&sync());
    });
    sleep(Duration::from_millis(1500));
    let grown = resident().saturating_sub(before);
    assert!(grown < 30_000, "{grown} KiB for one client that does not read");
    let answer = raw.until_ready();
    sending.join().unwrap();
    assert_eq!(answer.iter().filter(|message| message.tag == 'D').count(), BLOCKS);
    audit_is_whole(&lab);
}

#[test]
fn what_is_executed_by_name_moves_names_as_if_it_were_sent_itself() {
    let lab = lab!(usual());
    let dana = dana(&lab);
    for moves in ["SET search_path = hidden", "SELECT set_config('search_path', 'hidden', false)"] {
        // In three messages, and in one text.
        for asks in [&["EXECUTE moves", "SELECT n FROM note"][..], &["EXECUTE moves; SELECT n FROM note"]] {
            let mut raw = Raw::login(&dana);
            raw.send(&[parse("moves", moves), sync()].concat());
            assert_eq!(tags(&raw.until_ready()), "1Z", "{moves}");
            let mut last = Vec::new();
            for text in asks {
                raw.send(&query(text));
                last = raw.until_ready();
            }
            let refused = error(&last);
            assert_eq!(refused.field('C').unwrap(), "42501", "{moves}: {asks:?}");
            assert!(refused.field('M').unwrap().contains("hidden.note"), "{refused:?}");
        }
    }
    audit_is_whole(&lab);
}

#[test]
fn statements_that_execute_one_another_end_somewhere() {
    let lab = lab!(usual());
    let mut raw = Raw::login(&dana(&lab));
    raw.send(&[parse("s0", "SELECT 1"), sync()].concat());
    assert_eq!(tags(&raw.until_ready()), "1Z");
    let mut refused = None;
    for number in 1..100 {
        let text = format!("EXECUTE s{}", number - 1);
        raw.send(&[parse(&format!("s{number}"), &text), sync()].concat());
        let answer = raw.until_ready();
        if tags(&answer).contains('E') {
            refused = Some((number, error(&answer).field('C').unwrap().to_owned()));
            break;
        }
    }
    let (number, code) = refused.unwrap();
    assert!(number > 3, "{number}");
    assert_eq!(code, "54000");
    raw.send(&query("SELECT 1"));
    assert_eq!(tags(&raw.until_ready()), "TDCZ");
    audit_is_whole(&lab);
}
