//! The story, once for every kind of server: refused, granted, allowed in the same session, ended, written down.
//!
//! Told with the server's own command-line client. What only one kind of server has is in the other scenario files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Lab, Server, shell::Shell};

/// Makes a test of each scenario for each server.
macro_rules! on_every_server {
    ($($scenario:ident)*) => {
        on_every_server! { @ postgres Postgres $($scenario)* }
        on_every_server! { @ mariadb Mariadb $($scenario)* }
        on_every_server! { @ mysql Mysql $($scenario)* }
    };
    (@ $module:ident $server:ident $($scenario:ident)*) => {
        mod $module {
            use super::support::Server;
            $(
                #[test]
                fn $scenario() {
                    super::$scenario(Server::$server);
                }
            )*
        }
    };
}

on_every_server! {
    a_refusal_names_permission_and_table_and_says_how_to_ask
    somebody_without_any_grant_reads_nothing_and_with_one_does
    a_grant_reaches_the_open_session_and_only_its_table
    a_revoked_grant_ends_the_running_statement_at_once
    a_grant_that_ends_cancels_what_is_running
    a_refusal_in_a_transaction_is_an_error_like_any_other
    an_expiry_in_a_transaction_refuses_the_next_statement
    a_batch_runs_only_if_all_of_it_is_allowed
    a_prepared_statement_is_judged_when_it_runs
    who_reads_may_not_write_and_who_writes_may
    nothing_of_a_session_is_left_for_the_next
    what_was_judged_read_only_cannot_write_out_of_sight
    the_log_has_every_statement_with_its_decision
    a_log_that_hashes_literals_has_none_of_them
    an_administrator_ends_a_session
    a_disabled_person_is_out_and_an_enabled_one_in_again
}

fn a_refusal_names_permission_and_table_and_says_how_to_ask(server: Server) {
    let lab = lab!(Lab::of(server));
    let dana = lab.add("dana");
    let out = dana.sql("SELECT * FROM salary;");
    assert!(out.contains(server.refused()), "{out}");
    assert!(out.contains("select on") && out.contains("salary") && out.contains(server.target()), "{out}");
    assert!(out.contains("tidegate grant create"), "it does not say how to ask: {out}");
    // The nearest thing that must pass: its plan.
    let out = dana.sql("EXPLAIN SELECT * FROM salary;");
    assert!(out.contains("salary") && !out.contains(server.error()), "{out}");
}

fn somebody_without_any_grant_reads_nothing_and_with_one_does(server: Server) {
    let lab = lab!(Lab::of(server));
    let omar = lab.add("omar");
    for sql in ["SELECT 1;", "SELECT COUNT(*) FROM information_schema.tables;", "SELECT * FROM employee;"] {
        assert!(omar.sql(sql).contains("denied"), "{sql}: {}", omar.sql(sql));
    }
    lab.grant("omar", "explain", &[], 60);
    for sql in
        ["SELECT 1;", "EXPLAIN SELECT * FROM employee;", "SELECT COUNT(*) FROM information_schema.tables;"]
    {
        let out = omar.sql(sql);
        assert!(!out.contains(server.error()), "{sql}: {out}");
    }
    assert!(omar.sql("SELECT * FROM employee;").contains(server.refused()));
}

fn a_grant_reaches_the_open_session_and_only_its_table(server: Server) {
    let lab = lab!(Lab::of(server));
    let mut dana = Shell::open(&lab.add("dana"));
    let out = dana.ask("SELECT * FROM employee;");
    assert!(out.contains(server.refused()), "{out}");
    lab.grant("dana", "select", &[&server.table("employee")], 60);
    let out = dana.ask("SELECT email FROM employee;");
    assert_eq!(out.lines().count(), 3000, "{out}");
    for sql in [
        "SELECT * FROM salary;",
        "SELECT * FROM current_salary;",
        "SELECT 1 FROM employee WHERE EXISTS (SELECT 1 FROM salary);",
        "WITH s AS (SELECT * FROM salary) SELECT 1 FROM employee;",
        "SELECT email FROM employee UNION SELECT title FROM title;",
        "UPDATE employee SET email = email;",
        "DELETE FROM employee;",
        "INSERT INTO employee SELECT * FROM employee;",
        "SELECT * FROM employee FOR UPDATE;",
        "CREATE TABLE mine AS SELECT * FROM employee;",
        "DROP TABLE employee;",
        "TRUNCATE TABLE employee;",
    ] {
        let out = dana.ask(sql);
        assert!(out.contains(server.refused()), "{sql}: {out}");
    }
    assert_eq!(dana.ask("SELECT 'in step';").trim(), "in step");
}

fn a_revoked_grant_ends_the_running_statement_at_once(server: Server) {
    let lab = lab!(Lab::of(server));
    let login = lab.add("dana");
    let grant = lab.grant("dana", "select", &[&server.table("employee")], 600);
    let mut dana = Shell::open(&login);
    dana.start(server.slow());
    until_it_runs(&lab);
    lab.revoke(&grant);
    let revoked_at = Instant::now();
    let out = dana.finish();
    assert!(out.contains(server.error()), "{out}");
    assert!(revoked_at.elapsed() < Duration::from_secs(1), "{:?}", revoked_at.elapsed());
    assert!(dana.ask("SELECT 1 FROM employee;").contains(server.refused()));
    // The session itself goes on.
    let out = dana.ask("EXPLAIN SELECT 1 FROM employee;");
    assert!(!out.contains(server.error()), "{out}");
    until_it_is_idle(&lab);
}

fn a_grant_that_ends_cancels_what_is_running(server: Server) {
    let lab = lab!(Lab::of(server));
    let mut dana = Shell::open(&lab.add("dana"));
    lab.grant("dana", "select", &[&server.table("employee")], 3);
    let begin = Instant::now();
    let out = dana.ask(server.slow());
    assert!(out.contains(server.error()), "{out}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(dana.ask("SELECT 1 FROM employee;").contains(server.refused()));
    until_it_is_idle(&lab);
}

fn a_refusal_in_a_transaction_is_an_error_like_any_other(server: Server) {
    let lab = lab!(Lab::of(server));
    lab.grant("dana", "select,dml", &[&server.table("department")], 600);
    let mut dana = Shell::open(&lab.add("dana"));
    let out = dana.ask(
        "BEGIN;
         INSERT INTO department VALUES ('d900', 'First');
         SELECT * FROM salary;
         INSERT INTO department VALUES ('d901', 'Second');
         COMMIT;
         SELECT COUNT(*) FROM department WHERE department_no > 'd899';",
    );
    assert!(out.contains(server.refused()), "{out}");
    // PostgreSQL aborts a transaction by any error, MySQL by none.
    let kept = if server == Server::Postgres { "0" } else { "2" };
    assert_eq!(out.lines().last().unwrap(), kept, "{out}");
}

fn an_expiry_in_a_transaction_refuses_the_next_statement(server: Server) {
    let lab = lab!(Lab::of(server));
    let grant = lab.grant("dana", "select", &[&server.table("employee")], 600);
    let mut dana = Shell::open(&lab.add("dana"));
    let out = dana.ask("BEGIN; SELECT COUNT(*) FROM employee;");
    assert!(out.contains("3000"), "{out}");
    lab.revoke(&grant);
    assert!(dana.ask("SELECT COUNT(*) FROM employee;").contains(server.refused()));
    let out = dana.ask("ROLLBACK; SELECT 'usable';");
    assert!(out.contains("usable"), "{out}");
}

fn a_batch_runs_only_if_all_of_it_is_allowed(server: Server) {
    let lab = lab!(Lab::of(server));
    let dana = lab.add("dana");
    lab.grant("dana", "select,dml", &[&server.table("department")], 600);
    let insert = "INSERT INTO department VALUES ('d902', 'x')";
    let out = dana.sql(&server.batch(&[insert, "SELECT * FROM salary"]));
    assert!(out.contains(server.refused()), "{out}");
    assert_eq!(lab.superuser("SELECT COUNT(*) FROM department WHERE department_no = 'd902'"), "0");
    let out = dana.sql(&server.batch(&[insert, "SELECT COUNT(*) FROM department"]));
    assert!(out.contains("10"), "{out}");
}

fn a_prepared_statement_is_judged_when_it_runs(server: Server) {
    let lab = lab!(Lab::of(server));
    let login = lab.add("dana");
    let grant = lab.grant("dana", "select", &[&server.table("employee")], 600);
    let mut dana = Shell::open(&login);
    let out = dana.ask(match server {
        Server::Postgres => "PREPARE p AS SELECT COUNT(*) FROM employee; EXECUTE p;",
        Server::Mariadb | Server::Mysql => "PREPARE p FROM 'SELECT COUNT(*) FROM employee'; EXECUTE p;",
    });
    assert!(out.contains("3000"), "{out}");
    lab.revoke(&grant);
    let out = dana.ask("EXECUTE p;");
    assert!(out.contains(server.refused()), "{out}");
    lab.grant("dana", "select", &[&server.table("employee")], 600);
    let out = dana.ask("EXECUTE p;");
    assert!(out.contains("3000"), "{out}");
}

fn who_reads_may_not_write_and_who_writes_may(server: Server) {
    let lab = lab!(Lab::of(server));
    let mut dana = Shell::open(&lab.add("dana"));
    lab.grant("dana", "select", &[], 600);
    let changes = [
        "INSERT INTO department VALUES ('d910', 'Tides');",
        "UPDATE department SET name = 'Gates' WHERE department_no = 'd910';",
        "DELETE FROM department WHERE department_no = 'd910';",
    ];
    for sql in changes {
        assert!(dana.ask(sql).contains(server.refused()), "{sql}");
    }
    lab.grant("dana", "dml", &[&server.table("department")], 600);
    for sql in changes {
        let out = dana.ask(sql);
        assert!(!out.contains(server.error()), "{sql}: {out}");
    }
    // ddl is what the environment forbids to anybody but administrators, whatever is granted.
    lab.grant("dana", "ddl", &[], 600);
    assert!(dana.ask("CREATE TABLE mine (n int);").contains(server.refused()));
    let full = lab.add_full();
    let out = full.sql("CREATE TABLE mine (n int); DROP TABLE mine;");
    assert!(!out.contains(server.error()), "{out}");
}

fn nothing_of_a_session_is_left_for_the_next(server: Server) {
    // One connection a lane: whoever comes next gets the same one.
    let lab = lab!(Lab::with_gateway(server, &json!({ "plaintext": true, "pool": 1 })));
    let first = lab.add_full();
    lab.grant("dana", "select,dml,ddl", &[], 600);
    let second = lab.add("dana");
    let (leaves, looks) = match server {
        Server::Postgres => (
            "SET work_mem = '9MB'; PREPARE leftover AS SELECT 1; CREATE TEMPORARY TABLE leftover (n int);
             SELECT pg_advisory_lock(7) IS NULL; BEGIN; INSERT INTO department VALUES ('d904', 'Open transaction');",
            "SHOW work_mem; EXECUTE leftover; SELECT * FROM leftover;
             SELECT 'rows ' || count(*) FROM department WHERE department_no = 'd904';",
        ),
        Server::Mariadb | Server::Mysql => (
            "SET @leftover = '9MB', SESSION group_concat_max_len = 99, SESSION sql_mode = 'ANSI_QUOTES';
             PREPARE leftover FROM 'SELECT 1'; CREATE TEMPORARY TABLE leftover (n int); SELECT GET_LOCK('seven', 0);
             SET autocommit = 0; INSERT INTO department VALUES ('d904', 'Open transaction'); SELECT LAST_INSERT_ID(9);",
            "SELECT @leftover, @@group_concat_max_len = 99, @@sql_mode LIKE '%ANSI%', @@autocommit, LAST_INSERT_ID();
             EXECUTE leftover; SELECT * FROM leftover; SELECT 'free', IS_FREE_LOCK('seven');
             SELECT CONCAT('rows ', COUNT(*)) FROM department WHERE department_no = 'd904';",
        ),
    };
    let out = first.sql(leaves);
    assert!(!out.contains(server.error()), "{out}");
    // What is left behind is still there for whoever left it, in the same session.
    let mut same = Shell::open(&first);
    let out = same.ask(&format!("{leaves} SELECT * FROM leftover;"));
    assert!(!out.contains(server.error()), "{out}");
    drop(same);
    let out = second.sql(looks);
    assert!(!out.contains("9MB"), "{out}");
    assert_eq!(out.matches(server.error()).count(), 2, "statement and temporary table must be gone: {out}");
    assert!(out.contains("rows 0"), "{out}");
    if server != Server::Postgres {
        assert!(out.contains("NULL\t0\t0\t1\t0") && out.contains("free\t1"), "{out}");
    }
}

fn what_was_judged_read_only_cannot_write_out_of_sight(server: Server) {
    let lab = lab!(Lab::of(server));
    // The hole in the analysis that must not matter: a routine that policy calls harmless, and that writes.
    lab.superuser(match server {
        Server::Postgres => {
            "CREATE TABLE touched (at timestamptz);
             CREATE FUNCTION writes_out_of_sight() RETURNS text LANGUAGE sql SECURITY DEFINER VOLATILE
             AS $$ INSERT INTO public.touched VALUES (now()); SELECT 'it wrote'::text $$"
        }
        Server::Mariadb | Server::Mysql => {
            "CREATE TABLE touched (at datetime);
             DELIMITER //
             CREATE FUNCTION writes_out_of_sight() RETURNS text MODIFIES SQL DATA SQL SECURITY DEFINER
             BEGIN INSERT INTO hr_prod.touched VALUES (NOW()); RETURN 'it wrote'; END //
             DELIMITER ;"
        }
    });
    let call = match server {
        Server::Postgres => "SELECT public.writes_out_of_sight();",
        Server::Mariadb | Server::Mysql => "SELECT hr_prod.writes_out_of_sight();",
    };
    let lifts: &[&str] = match server {
        Server::Postgres => &["", "SET default_transaction_read_only = off;", "BEGIN;", "BEGIN READ WRITE;"],
        Server::Mariadb | Server::Mysql => &[
            "",
            "SET SESSION TRANSACTION READ WRITE;",
            "SET TRANSACTION READ WRITE;",
            "SET transaction_read_only = 0;",
            "SET tx_read_only = 0;",
            "SET @@session.transaction_read_only = OFF;",
            "SET SESSION transaction_read_only = DEFAULT;",
            "START TRANSACTION READ WRITE;",
            "START TRANSACTION READ ONLY; COMMIT AND CHAIN;",
            "BEGIN;",
            "SET autocommit = 0;",
            "SET autocommit = 0; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;",
            "/*!50000 SET SESSION TRANSACTION READ WRITE */;",
        ],
    };
    let dana = lab.add("dana");
    lab.grant("dana", "select", &[], 600);
    let mut wrote = Vec::new();
    for before in lifts {
        if dana.sql(&format!("{before} {call} COMMIT;")).contains("it wrote") {
            wrote.push(*before);
        }
    }
    assert!(wrote.is_empty(), "these lift the lock of the read lane: {wrote:#?}");
    assert_eq!(lab.superuser("SELECT COUNT(*) FROM touched"), "0");
    // Who may write does, through the same function.
    let full = lab.add_full();
    let out = full.sql(&format!("BEGIN; {call} COMMIT;"));
    assert!(out.contains("it wrote"), "{out}");
}

fn the_log_has_every_statement_with_its_decision(server: Server) {
    let lab = lab!(Lab::of(server));
    let dana = lab.add("dana");
    let grant = lab.grant("dana", "select", &[&server.table("employee")], 600);
    dana.sql("SELECT email FROM employee WHERE employee_no = 3; SELECT amount FROM salary;");
    let records = lab.audit();
    let of = |table: &str| {
        let about = |record: &&serde_json::Value| {
            record["event"] == "statement_start" && record["sql"].as_str().unwrap().contains(table)
        };
        records.iter().find(about).unwrap_or_else(|| panic!("nothing about {table}: {records:#?}"))
    };
    let allowed = of("employee_no");
    assert_eq!((&allowed["principal"], &allowed["decision"]), (&"dana".into(), &"allow".into()));
    assert!(allowed["grants"].to_string().contains(&grant), "{allowed}");
    let end = |record: &&serde_json::Value| {
        record["event"] == "statement_end" && record["statement"] == allowed["statement"]
    };
    let end = records.iter().find(end).unwrap();
    assert_eq!((&end["rows"], &end["outcome"]), (&1.into(), &"completed".into()));
    assert_eq!(of("salary")["decision"], "deny");
    let (out, code) = lab.cli(&["audit", "verify", lab.path("data/audit.jsonl").to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
}

fn a_log_that_hashes_literals_has_none_of_them(server: Server) {
    // Any file with a secret of some length will do for a key.
    let audit = "audit: { path: audit.jsonl, text: hashed, text_key_file: server.key }";
    let lab = lab!(Lab::with_gateway(server, &json!({ "plaintext": true, "audit": audit })));
    let (log, key) = (lab.path("data/audit.jsonl"), lab.path("server.key"));
    let (log, key) = (log.to_str().unwrap(), key.to_str().unwrap());
    let dana = lab.add("dana");
    lab.grant("dana", "select", &[&server.table("employee")], 600);
    let password =
        if server == Server::Postgres { "PASSWORD 'zqsecret4'" } else { "IDENTIFIED BY 'zqsecret4'" };
    for sql in [
        "SELECT email FROM employee WHERE email = 'zqsecret1' OR employee_no = 918273645;",
        "SELECT 'zqsecret2' FROM salary WHERE amount > 918273645;",
        "SELEC 'zqsecret3', 918273645 FROM employee;",
        &format!("ALTER USER dana {password};"),
        "SELECT COUNT(*) /* zqsecret5 */ FROM employee WHERE email <> 'zqsecret1';",
    ] {
        dana.sql(sql);
    }
    let written = std::fs::read_to_string(log).unwrap();
    assert!(!written.contains("zqsecret") && !written.contains("918273645"), "{written}");
    let starts = lab.audit().into_iter().filter(|it| it["event"] == "statement_start").count();
    assert!(starts >= 5, "{written}");
    let hash = lab.admin(&["audit", "hash", "zqsecret1", "--key-file", key]);
    assert!(written.contains(&format!("email = '{}'", hash.trim())), "{hash}: {written}");
    let found = lab.admin(&[
        "audit",
        "search",
        "--log",
        log,
        "--literal",
        "zqsecret1",
        "--text-key-file",
        key,
        "--json",
    ]);
    let page: serde_json::Value = serde_json::from_str(&found).unwrap();
    let found: Vec<_> = page["records"].as_array().unwrap().iter().map(|it| &it["record"]["kind"]).collect();
    assert_eq!(found, ["select", "select"], "{page}");
    lab.admin(&["audit", "verify", log]);
}

fn an_administrator_ends_a_session(server: Server) {
    let lab = lab!(Lab::of(server));
    let login = lab.add("dana");
    lab.grant("dana", "select", &[&server.table("employee")], 600);
    let mut dana = Shell::open(&login);
    dana.start(server.slow());
    until_it_runs(&lab);
    let login_record = lab.audit().into_iter().rfind(|record| record["event"] == "login").unwrap();
    assert!(lab.admin(&["session", "list"]).contains("dana"));
    lab.admin(&["session", "terminate", login_record["session"].as_str().unwrap()]);
    let out = dana.finish();
    assert!(!out.is_empty() && !out.contains("3000"), "{out}");
    until_it_is_idle(&lab);
    // Who was ended may come back: their account was not disabled.
    assert!(login.sql("SELECT 'back';").contains("back"));
}

fn a_disabled_person_is_out_and_an_enabled_one_in_again(server: Server) {
    let lab = lab!(Lab::of(server));
    let login = lab.add("dana");
    let mut dana = Shell::open(&login);
    assert!(dana.ask("SELECT 'in';").contains("in"));
    lab.admin(&["user", "disable", "dana"]);
    assert!(!dana.ask("SELECT CONCAT('still', ' in');").contains("still in"));
    assert!(!login.sql("SELECT CONCAT('still', ' in');").contains("still in"));
    lab.admin(&["user", "enable", "dana"]);
    assert!(login.sql("SELECT CONCAT('back', ' in');").contains("back in"));
}

fn until_it_runs(lab: &Lab) {
    running(lab, "the statement runs", |count| count != "0");
}

/// Nothing goes on running in the database for somebody who is no longer there to see it.
fn until_it_is_idle(lab: &Lab) {
    running(lab, "the database is idle", |count| count == "0");
}

fn running(lab: &Lab, what: &str, wanted: fn(&str) -> bool) {
    let ask = || wanted(&lab.superuser(lab.server().running()));
    support::eventually(what, Duration::from_secs(10), ask);
}
