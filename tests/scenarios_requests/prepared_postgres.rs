//! Statements that were approved to run once, by extended messages: as drivers send them.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::{
    approving::{Approving, email},
    lab,
    support::{
        eventually, refused, root, run_within, text,
        wire::{Raw, bind, describe, error, execute, flush, parse, query, run, sync, tags},
    },
};

const SQL: &str = "UPDATE public.employee SET email = 'new@example.com' WHERE employee_no = 7";

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_prepares_runs_what_was_approved_once_and_nothing_like_it() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let dana = approving.login.connect().await.unwrap();
    let sam = lab.add("sam");
    lab.grant("sam", "explain", &[], 600);
    let sam = sam.connect().await.unwrap();
    assert_eq!(refused(dana.execute(SQL, &[]).await), "42501", "not approved yet");
    approving.approve_in("hr_dev", SQL);
    assert_eq!(refused(dana.execute(SQL, &[]).await), "42501", "approved for another database");
    let grant = approving.approve(SQL);

    for other in [SQL.replace('7', "8"), SQL.replace("new@", "old@")] {
        assert_eq!(refused(dana.execute(&*other, &[]).await), "42501", "{other}");
    }
    assert_eq!(refused(sam.execute(SQL, &[]).await), "42501", "another person");
    let values = dana.execute(&*SQL.replace('7', "$1"), &[&7_i32]).await.unwrap_err();
    let values = values.as_db_error().unwrap();
    assert_eq!(values.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    assert!(values.hint().unwrap().contains("without parameters"), "{values:?}");
    dana.simple_query("BEGIN").await.unwrap();
    let inside = dana.execute(SQL, &[]).await.unwrap_err();
    assert!(inside.as_db_error().unwrap().hint().unwrap().contains("outside a transaction"), "{inside:?}");
    dana.simple_query("ROLLBACK").await.unwrap();
    assert_eq!(approving.used(), 0);

    let statement = dana.prepare(SQL).await.unwrap();
    assert_eq!(approving.used(), 0, "preparing runs nothing");
    assert_eq!(dana.execute(&statement, &[]).await.unwrap(), 1);
    assert!(email(&lab).contains("new@example.com"));
    assert_eq!(refused(dana.execute(&statement, &[]).await), "42501", "once");
    assert_eq!(refused(dana.execute(SQL, &[]).await), "42501", "once");
    assert_eq!((approving.used(), approving.run_on(&grant)), (1, vec![SQL.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sessions_that_execute_at_once_one_runs() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let (one, other) = (approving.login.connect().await.unwrap(), approving.login.connect().await.unwrap());
    for _ in 0..5 {
        approving.approve(SQL);
        let (first, second) = tokio::join!(one.prepare(SQL), other.prepare(SQL));
        let (first, second) = (first.unwrap(), second.unwrap());
        let (first, second) = tokio::join!(one.execute(&first, &[]), other.execute(&second, &[]));
        let outcomes = [first.is_ok(), second.is_ok()];
        assert!(outcomes == [true, false] || outcomes == [false, true], "{outcomes:?}");
    }
    assert_eq!(approving.used(), 5);
}

#[test]
fn what_was_approved_is_described_bound_and_executed_in_one_pipeline() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let reads = "SELECT employee_no FROM public.salary ORDER BY 1 LIMIT 3";
    let grant = approving.approve(reads);
    let mut dana = Raw::login(&approving.login);
    dana.send(&[parse("s", reads), describe('S', "s"), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "1tTZ");
    assert_eq!(approving.used(), 0);
    dana.send(&[run(reads), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "12TDDDCZ");
    dana.send(&[bind("", "s", &[]), execute("", 0), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501");
    dana.send(&[describe('S', "s"), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501", "not even its columns");
    dana.send(&query("SHOW server_version"));
    assert_eq!(tags(&dana.until_ready()), "TDCZ", "the session goes on");
    assert_eq!(approving.run_on(&grant), [reads]);
}

#[test]
fn rows_that_are_fetched_in_pieces_are_one_run() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let reads = "SELECT employee_no FROM public.salary ORDER BY 1 LIMIT 5";
    let grant = approving.approve(reads);
    let mut dana = Raw::login(&approving.login);
    dana.send(&[parse("", reads), bind("p", "", &[]), execute("p", 2), execute("p", 2), flush()].concat());
    let pieces: Vec<_> = (0..8).map(|_| dana.message()).collect();
    assert_eq!(tags(&pieces), "12DDsDDs");
    dana.send(&[execute("p", 2), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "DCZ");
    assert_eq!(approving.used(), 1);
    assert_eq!(approving.run_on(&grant).len(), 3, "each piece is on record");
    dana.send(&[run(reads), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501");

    let grant = approving.approve(reads);
    dana.send(&[parse("", reads), bind("p", "", &[]), execute("p", 2), flush()].concat());
    let piece: Vec<_> = (0..5).map(|_| dana.message()).collect();
    assert_eq!(tags(&piece), "12DDs");
    lab.revoke(&grant);
    dana.send(&[execute("p", 2), sync()].concat());
    let more = dana.until_ready();
    assert_eq!((tags(&more).as_str(), error(&more).field('C').unwrap().as_str()), ("EZ", "42501"));
}

#[test]
fn nothing_else_runs_beside_what_was_approved() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let mut dana = Raw::login(&approving.login);
    let plan = "EXPLAIN SELECT 1 FROM public.employee";
    approving.approve(SQL);
    // Behind something else: refused, and not used up.
    dana.send(&[run(plan), run(SQL), sync()].concat());
    let behind = dana.until_ready();
    assert_eq!(error(&behind).field('C').unwrap(), "42501");
    assert!(error(&behind).field('H').unwrap().contains("by itself"), "{behind:?}");
    assert_eq!(approving.used(), 0);
    dana.send(&[run(plan), flush(), query(SQL)].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501", "a Query in the same block");
    assert_eq!(approving.used(), 0);
    // In front of something else: the block fails, and nothing of it lasts.
    dana.send(&[run(SQL), run(plan), sync()].concat());
    let front = dana.until_ready();
    assert_eq!(error(&front).field('C').unwrap(), "0A000");
    assert!(!email(&lab).contains("new@example.com"));
    approving.approve(SQL);
    dana.send(&[run(SQL), flush(), query(plan)].concat());
    let front = dana.until_ready();
    assert_eq!(error(&front).field('C').unwrap(), "0A000");
    assert!(!email(&lab).contains("new@example.com"));
    assert_eq!(approving.used(), 2);
    approving.approve(SQL);
    dana.send(&[run(SQL), sync(), run(plan), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "12nCZ");
    assert!(tags(&dana.until_ready()).starts_with("12TD"));
    assert!(email(&lab).contains("new@example.com"));
}

#[test]
fn leave_is_used_up_when_the_database_begins_with_the_statement_and_not_before() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let mut dana = Raw::login(&approving.login);
    let unknown = "SELECT no_such_column FROM public.salary";
    approving.approve(unknown);
    dana.send(&[run(unknown), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42703");
    assert_eq!(approving.used(), 0, "it was parsed, and no more");
    let fails = "SELECT 1 / 0 FROM public.salary";
    approving.approve(fails);
    dana.send(&[parse("", fails), describe('S', ""), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "1tTZ");
    assert_eq!(approving.used(), 0);
    dana.send(&[bind("", "", &[]), execute("", 0), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "22012");
    assert_eq!(approving.used(), 1, "planning it failed");
    // Whoever goes away between the two has used it up.
    approving.approve(SQL);
    dana.send(&[parse("", SQL), bind("", "", &[]), flush()].concat());
    assert_eq!(tags(&[dana.message(), dana.message()]), "12");
    drop(dana);
    let mut again = Raw::login(&approving.login);
    again.send(&[run(SQL), sync()].concat());
    assert_eq!(error(&again.until_ready()).field('C').unwrap(), "42501");
    assert_eq!(approving.used(), 2);
    assert!(!email(&lab).contains("new@example.com"));
}

#[test]
fn what_is_revoked_before_its_block_ends_does_not_last() {
    let lab = lab!(lab());
    let approving = Approving::new(&lab);
    let mut dana = Raw::login(&approving.login);
    let grant = approving.approve(SQL);
    dana.send(&[run(SQL), flush()].concat());
    assert_eq!(tags(&(0..4).map(|_| dana.message()).collect::<Vec<_>>()), "12nC");
    lab.revoke(&grant);
    dana.send(&sync());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501");
    assert!(!email(&lab).contains("new@example.com"));

    let grant = approving.approve(SQL);
    dana.send(&[parse("s", SQL), sync()].concat());
    assert_eq!(tags(&dana.until_ready()), "1Z");
    lab.revoke(&grant);
    dana.send(&[bind("", "s", &[]), execute("", 0), sync()].concat());
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501", "revoked before it was used");

    let slow = "SELECT pg_sleep(60), count(*) FROM public.salary";
    let grant = approving.approve(slow);
    dana.send(&[run(slow), sync()].concat());
    eventually("it runs", Duration::from_secs(20), || !approving.run_on(&grant).is_empty());
    lab.revoke(&grant);
    assert_eq!(error(&dana.until_ready()).field('C').unwrap(), "42501");
}

#[test]
fn pgjdbc_runs_an_approved_statement_once() {
    const PGJDBC: &str = "/usr/share/java/postgresql.jar";
    let arguments =
        ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", PGJDBC, "tests/clients/PgjdbcOnce.java"];
    driver_runs_once("java", &arguments, PGJDBC);
}

#[test]
fn asyncpg_runs_an_approved_statement_once() {
    const PYTHON: &str = ".cache/python/bin/python";
    driver_runs_once(PYTHON, &["tests/clients/asyncpg_once.py"], PYTHON);
}

#[test]
fn node_postgres_runs_an_approved_statement_once() {
    driver_runs_once("node", &["tests/clients/node_postgres_once.js"], ".cache/node/node_modules/pg");
}

/// Has a driver run a statement that changes something and one that reads, twice each, as it prepares them by itself.
fn driver_runs_once(program: &str, arguments: &[&str], needs: &str) {
    let lab = lab!(lab());
    if !root().join(needs).exists() {
        return eprintln!("skipped: {needs} is not there");
    }
    let approving = Approving::new(&lab);
    let reads = "SELECT count(*) AS count FROM public.salary WHERE employee_no = 7";
    approving.approve(SQL);
    approving.approve(reads);
    let program =
        if program.contains('/') { root().join(program).display().to_string() } else { program.into() };
    let mut command = approving.login.command(&program);
    let output = run_within(command.args(arguments).args([SQL, reads]), Duration::from_secs(120));
    let said = text(&output);
    assert_eq!(said.lines().collect::<Vec<_>>(), ["changed 1", "42501", "read 3", "42501"], "{said}");
    assert_eq!(approving.used(), 2);
}
