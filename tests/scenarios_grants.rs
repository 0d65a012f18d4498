//! What people may do changes while they are connected: grants arrive, end and are revoked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use support::{Lab, refused, sqlstate, wire};

const SLOW: &str = "SELECT count(pg_sleep(0.01)) FROM employee";

#[test]
fn a_refusal_names_permission_and_table_and_says_how_to_ask() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    let out = dana.psql("SELECT * FROM salary; EXPLAIN SELECT * FROM salary;");
    assert!(out.contains("ERROR:  42501: permission denied: select on public.salary"), "{out}");
    assert!(out.contains("DETAIL:  ") && out.contains("dana"), "{out}");
    assert!(out.contains("HINT:  "), "{out}");
    // The nearest thing that must pass: its plan.
    assert!(out.contains("Seq Scan on salary"), "{out}");
}

#[test]
fn somebody_without_any_grant_does_not_get_in_and_with_one_does() {
    let lab = lab!(Lab::usual());
    let omar = lab.add("omar");
    let out = omar.psql("SELECT 1");
    assert!(out.contains("permission denied: any grant on the database") && out.contains("HINT:"), "{out}");
    let grant = lab.grant("omar", "explain", &[], 60);
    for sql in
        ["SELECT 1", "SHOW server_version", "EXPLAIN SELECT * FROM employee", "SELECT count(*) FROM pg_class"]
    {
        let out = omar.psql(sql);
        assert!(!out.contains("ERROR") && !out.contains("FATAL"), "{sql}: {out}");
    }
    let mut open = wire::Raw::login(&omar);
    lab.revoke(&grant);
    for sql in ["SELECT 1", "BEGIN", "SHOW server_version", "EXPLAIN SELECT * FROM employee"] {
        open.send(&wire::query(sql));
        let answer = open.until_ready();
        assert_eq!(wire::error(&answer).field('C').unwrap(), "42501", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_reaches_the_open_session_and_only_its_table() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana").connect().await.unwrap();
    assert_eq!(refused(dana.simple_query("SELECT * FROM employee").await), "42501");
    lab.grant("dana", "select", &["public.employee"], 60);
    let rows = dana.query("SELECT employee_no FROM employee", &[]).await.unwrap();
    assert_eq!(rows.len(), 3000);
    for sql in [
        "SELECT * FROM salary",
        "SELECT * FROM current_salary",
        "SELECT 1 FROM employee WHERE EXISTS (SELECT FROM salary)",
        "UPDATE employee SET email = email",
        "DELETE FROM employee",
        "SELECT * FROM employee FOR UPDATE",
        "COPY employee TO STDOUT",
        "DROP TABLE employee",
        "SELECT query_to_xml('SELECT * FROM salary', true, false, '')",
    ] {
        assert_eq!(refused(dana.simple_query(sql).await), "42501", "{sql}");
    }
    dana.simple_query("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_ends_the_running_statement_at_once() {
    let lab = lab!(Lab::usual());
    let login = lab.add("dana");
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    let dana = login.connect().await.unwrap();
    let running = dana.simple_query(SLOW);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut running).await.is_err(), "it is not slow");
    lab.revoke(&grant);
    let revoked_at = Instant::now();
    let error = refused(running.await);
    assert!(["57014", "42501"].contains(&error.as_str()), "{error}");
    assert!(revoked_at.elapsed() < Duration::from_secs(1), "{:?}", revoked_at.elapsed());
    assert_eq!(refused(dana.simple_query("SELECT 1 FROM employee").await), "42501");
    // The session itself goes on.
    dana.simple_query("EXPLAIN SELECT 1 FROM employee").await.unwrap();
    upstream_is_idle(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_cancels_what_is_running() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana").connect().await.unwrap();
    lab.grant("dana", "select", &["public.employee"], 2);
    let begin = Instant::now();
    let error = refused(dana.simple_query(SLOW).await);
    assert!(["57014", "42501"].contains(&error.as_str()), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(refused(dana.simple_query("SELECT 1 FROM employee").await), "42501");
    upstream_is_idle(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_out_ends_with_its_grant() {
    let lab = lab!(Lab::usual());
    let login = lab.add("dana");
    let grant = lab.grant("dana", "export", &["public.employee"], 600);
    let mut raw = wire::Raw::login(&login);
    raw.send(&wire::query("COPY (SELECT e.employee_no, pg_sleep(0.01) FROM employee e) TO STDOUT"));
    assert_eq!(raw.message().tag, 'H');
    lab.revoke(&grant);
    let rest = raw.until_ready();
    assert!(["57014", "42501"].contains(&wire::error(&rest).field('C').unwrap().as_str()));
    assert_eq!(rest.last().unwrap().body, b"I");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_in_a_transaction_refuses_the_next_statement_and_aborts_it() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana").connect().await.unwrap();
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    dana.simple_query("BEGIN").await.unwrap();
    dana.simple_query("SELECT 1 FROM employee LIMIT 1").await.unwrap();
    lab.revoke(&grant);
    assert_eq!(refused(dana.simple_query("SELECT 1 FROM employee LIMIT 1").await), "42501");
    assert_eq!(refused(dana.simple_query("SELECT 1").await), "25P02");
    dana.simple_query("ROLLBACK").await.unwrap();
    dana.simple_query("SELECT 1").await.unwrap();
}

#[test]
fn a_refusal_in_a_transaction_aborts_it_as_an_error_would() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    lab.grant("dana", "select,dml", &["public.department"], 600);
    let out = dana.psql(
        "BEGIN;
         INSERT INTO department VALUES ('d900', 'Lost');
         SELECT * FROM salary;
         SELECT 'not reached';
         COMMIT;
         SELECT 'found ' || count(*) FROM department WHERE department_no = 'd900';
         BEGIN;
         INSERT INTO department VALUES ('d901', 'Kept');
         SAVEPOINT s;
         SELECT * FROM salary;
         ROLLBACK TO s;
         COMMIT;
         SELECT 'kept ' || count(*) FROM department WHERE department_no = 'd901';",
    );
    assert!(out.contains("42501") && out.contains("25P02"), "{out}");
    assert!(!out.contains("not reached"), "{out}");
    assert!(out.contains("found 0"), "{out}");
    assert!(out.contains("kept 1"), "{out}");
}

#[test]
fn a_batch_runs_only_if_all_of_it_is_allowed() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    lab.grant("dana", "select,dml", &["public.department"], 600);
    let out = dana.psql("INSERT INTO department VALUES ('d902', 'x') \\; SELECT * FROM salary;");
    assert!(out.contains("42501"), "{out}");
    assert_eq!(lab.superuser("SELECT count(*) FROM department WHERE department_no = 'd902'"), "0");
    let out = dana.psql("INSERT INTO department VALUES ('d902', 'x') \\; SELECT count(*) FROM department;");
    assert!(out.contains("10"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_statement_is_judged_when_it_runs() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana").connect().await.unwrap();
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    let statement = dana.prepare("SELECT email FROM employee WHERE employee_no = $1").await.unwrap();
    assert_eq!(dana.query(&statement, &[&1_i32]).await.unwrap().len(), 1);
    lab.revoke(&grant);
    assert_eq!(refused(dana.query(&statement, &[&1_i32]).await), "42501");
    lab.grant("dana", "select", &["public.employee"], 600);
    assert_eq!(dana.query(&statement, &[&1_i32]).await.unwrap().len(), 1);
}

#[test]
fn sql_level_prepared_statements_and_cursors_are_judged_by_what_they_run() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    lab.grant("dana", "select", &["public.employee"], 600);
    let out = dana.psql(
        "PREPARE allowed AS SELECT 'via prepare ' || count(*) FROM employee; EXECUTE allowed;
         PREPARE denied AS SELECT * FROM salary; EXECUTE denied;
         BEGIN; DECLARE c CURSOR FOR SELECT 'via cursor ' || count(*) FROM employee; FETCH c; COMMIT;
         BEGIN; DECLARE d CURSOR FOR SELECT * FROM salary; ROLLBACK;",
    );
    assert!(out.contains("via prepare 3000") && out.contains("via cursor 3000"), "{out}");
    assert!(out.matches("42501").count() >= 2, "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_portal_is_judged_again_when_it_goes_on() {
    let lab = lab!(Lab::usual());
    let login = lab.add("dana");
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    let mut raw = wire::Raw::login(&login);
    raw.send(&wire::query("BEGIN"));
    raw.until_ready();
    let sql = "SELECT employee_no FROM employee ORDER BY 1";
    raw.send(&[wire::parse("", sql), wire::bind("p", "", &[]), wire::execute("p", 2), wire::sync()].concat());
    assert_eq!(wire::tags(&raw.until_ready()), "12DDsZ");
    raw.send(&[wire::execute("p", 2), wire::sync()].concat());
    assert_eq!(wire::tags(&raw.until_ready()), "DDsZ");
    lab.revoke(&grant);
    raw.send(&[wire::execute("p", 2), wire::sync()].concat());
    let answer = raw.until_ready();
    assert_eq!(wire::error(&answer).field('C').unwrap(), "42501");
    assert_eq!(answer.last().unwrap().body, b"E");
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_needs_export_out_and_dml_in() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    lab.grant("dana", "select", &["public.department"], 600);
    let out = dana.psql("COPY department TO STDOUT; COPY department FROM STDIN; SELECT 'in step';");
    assert_eq!(out.matches("42501").count(), 2, "{out}");
    assert!(out.contains("in step"), "{out}");
    lab.grant("dana", "export,dml", &["public.department"], 600);
    let out = dana.psql("COPY department FROM STDIN;\nd903\tCopied\n\\.\nCOPY department TO STDOUT;");
    assert!(out.contains("d903\tCopied"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_ends_a_session() {
    let lab = lab!(Lab::usual());
    let login = lab.add("dana");
    lab.grant("dana", "select", &["public.employee"], 600);
    let dana = login.connect().await.unwrap();
    let running = dana.simple_query(SLOW);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(400), &mut running).await.is_err());
    let started = lab.audit().into_iter().rfind(|record| record["event"] == "login").unwrap();
    let session = started["session"].as_str().unwrap().to_owned();
    assert!(lab.admin(&["session", "list"]).contains("dana"));
    lab.admin(&["session", "terminate", &session]);
    assert_eq!(refused(running.await), "57P01");
    assert!(dana.simple_query("SELECT 1").await.is_err());
    upstream_is_idle(&lab);
    // Who was ended may come back: their account was not disabled.
    login.connect().await.unwrap().simple_query("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_person_is_out_and_an_enabled_one_in_again() {
    let lab = lab!(Lab::usual());
    let login = lab.add("dana");
    let dana = login.connect().await.unwrap();
    dana.simple_query("SELECT 1").await.unwrap();
    lab.admin(&["user", "disable", "dana"]);
    assert!(dana.simple_query("SELECT 1").await.is_err());
    assert_eq!(login.connect().await.map(|_| ()).map_err(|e| sqlstate(&e)), Err("28P01".to_owned()));
    lab.admin(&["user", "enable", "dana"]);
    login.connect().await.unwrap().simple_query("SELECT 1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_session_is_left_for_the_next() {
    // One connection a lane: whoever comes next gets the same one.
    let lab = lab!(Lab::gateway(&serde_json::json!({ "plaintext": true, "pool": 1 })));
    let first = lab.add_full();
    lab.grant("dana", "select,dml,ddl", &[], 600);
    let second = lab.add("dana");
    let out = first.psql(
        "SET application_name = 'left behind'; SET search_path = pg_catalog; SET statement_timeout = '1ms';
         RESET statement_timeout; SET work_mem = '9MB';
         PREPARE leftover AS SELECT 1;
         CREATE TEMPORARY TABLE leftover (n int);
         SELECT pg_advisory_lock(7);
         LISTEN leftover;
         BEGIN; INSERT INTO public.department VALUES ('d904', 'Open transaction');",
    );
    assert!(!out.contains("ERROR"), "{out}");
    let out = second.psql(
        "SHOW search_path; SHOW work_mem; EXECUTE leftover; SELECT * FROM leftover;
         SELECT 'channels ' || count(*) FROM pg_listening_channels();
         SELECT 'rows ' || count(*) FROM department WHERE department_no = 'd904';",
    );
    assert!(!out.contains("left behind") && !out.contains("9MB"), "{out}");
    assert!(out.contains("\"$user\", public"), "{out}");
    assert!(out.contains("26000"), "the prepared statement is still there: {out}");
    assert!(out.contains("42P01") || out.contains("42501"), "the temporary table is still there: {out}");
    assert!(out.contains("channels 0") && out.contains("rows 0"), "{out}");
    assert_eq!(lab.superuser("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

#[test]
fn what_was_judged_read_only_cannot_write_whatever_the_session_set() {
    let lab = lab!(Lab::usual());
    // The hole in the analysis that must not matter: a routine that policy calls harmless, and that writes.
    lab.superuser(
        "CREATE TABLE touched (at timestamptz);
         CREATE FUNCTION writes_out_of_sight() RETURNS text LANGUAGE sql SECURITY DEFINER VOLATILE
         AS $$ INSERT INTO public.touched VALUES (now()); SELECT 'it wrote'::text $$",
    );
    let dana = lab.add("dana");
    lab.grant("dana", "select", &[], 600);
    let mut wrote = Vec::new();
    for before in [
        "",
        "SET default_transaction_read_only = off;",
        "SET SESSION default_transaction_read_only TO off;",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;",
        "SELECT set_config('default_transaction_read_only', 'off', false);",
        "RESET default_transaction_read_only;",
        "RESET ALL;",
        "DISCARD ALL;",
        "SET default_transaction_read_only TO DEFAULT;",
        "BEGIN;",
        "BEGIN READ WRITE;",
        "BEGIN; SET TRANSACTION READ WRITE;",
        "BEGIN; SET LOCAL transaction_read_only = off;",
        "BEGIN; SELECT set_config('transaction_read_only', 'off', true);",
        "BEGIN; COMMIT AND CHAIN;",
        "PREPARE p AS SELECT public.writes_out_of_sight(); SET default_transaction_read_only = off; EXECUTE p;",
        "SET default_transaction_read_only = off; \\; SET application_name = 'x';",
    ] {
        let out = dana.psql(&format!("{before} SELECT public.writes_out_of_sight(); COMMIT;"));
        if out.contains("it wrote") {
            wrote.push(before);
        }
    }
    assert!(wrote.is_empty(), "these lift the lock of the read lane: {wrote:#?}");
    assert_eq!(lab.superuser("SELECT count(*) FROM touched"), "0");
    // Who may write does, through the same function.
    let full = lab.add_full();
    let out = full.psql("BEGIN; SELECT public.writes_out_of_sight(); COMMIT;");
    assert!(out.contains("it wrote"), "{out}");
    assert_eq!(lab.superuser("SELECT count(*) FROM touched"), "1");
}

#[test]
fn the_log_has_every_statement_with_its_decision() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    dana.psql("SELECT email FROM employee WHERE employee_no = 3; SELECT amount FROM salary;");
    let records = lab.audit();
    let of = |text: &str| {
        records
            .iter()
            .find(|r| r["event"] == "statement_start" && r["sql"].as_str().unwrap().contains(text))
            .unwrap()
    };
    let allowed = of("FROM employee");
    assert_eq!(allowed["principal"], "dana");
    assert_eq!(allowed["decision"], "allow");
    assert!(allowed["grants"].to_string().contains(&grant), "{allowed}");
    let end = records
        .iter()
        .find(|r| r["event"] == "statement_end" && r["statement"] == allowed["statement"])
        .unwrap();
    assert_eq!(end["rows"], 1);
    assert_eq!(end["outcome"], "completed");
    let denied = of("FROM salary");
    assert_eq!((&denied["decision"], &denied["sqlstate"]), (&"deny".into(), &"42501".into()));
    let (out, code) = lab.cli(&["audit", "verify", lab.path("data/audit.jsonl").to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn a_log_that_was_tampered_with_does_not_verify() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    dana.psql("SELECT 1; SELECT 2; SELECT 3;");
    let copy = lab.path("copy.jsonl");
    let text = std::fs::read_to_string(lab.path("data/audit.jsonl")).unwrap();
    let verify = |text: &str| {
        std::fs::write(&copy, text).unwrap();
        lab.cli(&["audit", "verify", copy.to_str().unwrap()])
    };
    assert_eq!(verify(&text).1, 0);
    let (out, code) = verify(&text.replacen("SELECT 2", "SELECT 9", 1));
    assert_ne!(code, 0, "{out}");
    let without_one =
        text.lines().enumerate().filter(|(n, _)| *n != 3).map(|(_, l)| format!("{l}\n")).collect::<String>();
    assert_ne!(verify(&without_one).1, 0);
}

#[test]
fn the_metrics_count_statements_and_hold_no_sql() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    dana.psql("SELECT 'do not show me'; SELECT * FROM salary;");
    let metrics = lab.metrics();
    assert!(metrics.contains("tidegate_"), "{metrics}");
    assert!(metrics.contains("allow") && metrics.contains("deny"), "{metrics}");
    assert!(!metrics.contains("do not show me"), "{metrics}");
}

/// Nothing goes on running in the database for somebody who is no longer there to see it.
fn upstream_is_idle(lab: &Lab) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename LIKE 'tidegate%'";
    support::eventually("the database is idle", Duration::from_secs(5), || lab.superuser(sql) == "0");
}
