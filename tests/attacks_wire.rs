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
    let answer = raw.until_ready();
    let bytes: usize = answer.iter().map(|message| message.body.len()).sum();
    assert_eq!(code(&answer), "42501");
    // What had left the gateway before lies in the sockets; what had not, does not come.
    assert!(bytes < 20_000_000, "{bytes} bytes");
    audit_is_whole(&lab);
}
