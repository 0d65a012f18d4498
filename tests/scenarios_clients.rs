//! Real clients, told the same thing twice: to PostgreSQL itself, and through the gateway as somebody who may do
//! everything. What they see has to be the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;
mod transcripts;

use std::{path::Path, process::Command, time::Duration};

use serde_json::json;
use support::{Lab, Login, root, run_within, text};
use transcripts::{plain_postgres, same};

/// A client: what it is called, and how it is started.
struct Client {
    program: &'static str,
    arguments: &'static [&'static str],
    /// Without this file the client is not installed.
    needs: &'static str,
}

const PYTHON: &str = ".cache/python/bin/python";

#[test]
fn psql_runs_simple_queries_alike() {
    psql("basics");
}

#[test]
fn psql_describes_alike() {
    psql("meta");
}

#[test]
fn psql_copies_alike() {
    psql("copy");
}

#[test]
fn psql_runs_transactions_alike() {
    psql("transactions");
}

#[test]
fn psql_moves_cursors_alike() {
    psql("cursors");
}

#[test]
fn psql_keeps_session_state_alike() {
    psql("session");
}

#[test]
fn psql_shows_errors_alike() {
    psql("errors");
}

#[test]
fn psycopg_3_sees_no_difference() {
    compare(&Client { program: PYTHON, arguments: &["tests/clients/psycopg3.py"], needs: PYTHON });
}

#[test]
fn psycopg_2_sees_no_difference() {
    compare(&Client { program: PYTHON, arguments: &["tests/clients/psycopg2_.py"], needs: PYTHON });
}

#[test]
fn asyncpg_sees_no_difference() {
    compare(&Client { program: PYTHON, arguments: &["tests/clients/asyncpg_.py"], needs: PYTHON });
}

#[test]
fn node_postgres_sees_no_difference() {
    compare(&Client {
        program: "node",
        arguments: &["--no-deprecation", "tests/clients/node_postgres.js"],
        needs: ".cache/node/node_modules/pg",
    });
}

#[test]
fn pgjdbc_sees_no_difference() {
    compare(&Client {
        program: "java",
        arguments: &["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", PGJDBC, "tests/clients/Pgjdbc.java"],
        needs: PGJDBC,
    });
}

const PGJDBC: &str = "/usr/share/java/postgresql.jar";

#[test]
fn pgbench_runs_in_every_mode() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    pgbench(&full, &["-i", "-q", "-s", "1"]);
    for mode in ["simple", "extended", "prepared"] {
        let out = pgbench(&full, &["-M", mode, "-c", "4", "-j", "2", "-t", "50", "-n"]);
        assert!(out.contains("number of failed transactions: 0"), "{out}");
        let out = pgbench(&full, &["-M", mode, "-S", "-c", "4", "-j", "2", "-t", "200", "-n"]);
        assert!(out.contains("number of transactions actually processed: 800/800"), "{out}");
    }
}

#[test]
fn more_busy_clients_than_connections_all_get_their_turn() {
    let lab = lab!(Lab::gateway(&json!({ "pool": 3 })));
    let full = lab.add_full();
    pgbench(&full, &["-i", "-q", "-s", "1"]);
    // Not prepared: pgbench waits for the answer to each Parse with all the other clients of its thread standing still
    // in their transactions, so that with fewer connections than clients nobody moves, whoever the server is.
    for mode in ["simple", "extended"] {
        let out = pgbench(&full, &["-M", mode, "-c", "12", "-j", "2", "-t", "40", "-n"]);
        assert!(out.contains("number of failed transactions: 0"), "{out}");
        assert!(out.contains("number of transactions actually processed: 480/480"), "{out}");
    }
}

#[test]
fn whoever_holds_ddl_migrates_in_a_transaction() {
    let lab = lab!(Lab::usual());
    let person = lab.add("full");
    lab.grant("full", "select,dml,ddl", &[], 3600);
    let statements = [
        "BEGIN",
        "CREATE TYPE kind AS ENUM ('a', 'b')",
        "CREATE TABLE migrated (id serial PRIMARY KEY, kind kind, kinds kind[])",
        "INSERT INTO migrated (kind) VALUES ('a'::kind)",
        "COMMIT",
        "SELECT 'kind ' || kind || ' ' || 'b'::kind FROM migrated",
        "SELECT constraint_type FROM information_schema.table_constraints \
         WHERE table_name = 'migrated' AND constraint_type = 'PRIMARY KEY'",
        "CREATE SCHEMA more",
        "CREATE TABLE more.migrated AS SELECT * FROM migrated",
        "SELECT 'more ' || count(*) FROM more.migrated",
    ];
    let mut arguments = vec!["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
    arguments.extend(statements.iter().flat_map(|statement| ["-c", statement]));
    let done = run_within(person.command("psql").args(arguments), PATIENCE);
    let out = text(&done);
    assert!(done.status.success(), "{out}");
    for shown in ["kind a b", "PRIMARY KEY", "more 1"] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
}

#[test]
fn what_somebody_makes_in_a_transaction_they_may_change_outside() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let statements = [
        "BEGIN",
        "CREATE TABLE noted (n int)",
        "COMMIT",
        "INSERT INTO noted VALUES (1)",
        "ALTER TABLE noted ADD t text",
        // Whoever may call a routine of the database may have it write.
        "CREATE FUNCTION note(n int) RETURNS int LANGUAGE sql AS 'INSERT INTO noted VALUES (note.n) RETURNING noted.n'",
        "SELECT 'noted ' || note(7)",
        "DO 'BEGIN CREATE TYPE mood AS ENUM (''good''); END'",
        "DROP TYPE mood",
        "DROP TABLE noted",
    ];
    let mut arguments = vec!["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
    arguments.extend(statements.iter().flat_map(|statement| ["-c", statement]));
    let out = text(&run_within(full.command("psql").args(arguments), PATIENCE));
    assert!(out.contains("noted 7") && out.trim_end().ends_with("DROP TABLE"), "{out}");
}

#[test]
fn psql_in_the_c_locale_is_let_in_and_other_encodings_are_not() {
    let lab = lab!(Lab::usual());
    let reader = lab.add("omar");
    lab.grant("omar", "select", &[], 3600);
    let tell = |encoding: &str| {
        let mut psql = reader.command("psql");
        psql.env("PGCLIENTENCODING", encoding).args(["-X", "-A", "-t", "-c", "SELECT 'Zoë'"]);
        text(&run_within(&mut psql, PATIENCE))
    };
    assert_eq!(tell("SQL_ASCII").trim_end(), "Zoë");
    let refused = tell("LATIN1");
    assert!(refused.contains("FATAL") && refused.contains("client_encoding"), "{refused}");
}

#[test]
fn a_client_that_wants_the_primary_stays() {
    let lab = lab!(Lab::usual());
    let reader = lab.add("omar");
    lab.grant("omar", "select", &[], 3600);
    let tell = |login: &Login, sql: &str| {
        let arguments =
            ["-X", "-A", "-t", "-c", sql, "-c", "BEGIN READ ONLY", "-c", "SHOW transaction_read_only"];
        text(&run_within(login.command("psql").args(arguments), PATIENCE))
    };
    // What libpq, pgjdbc, pgx and others ask right after login.
    let asked = "SHOW transaction_read_only";
    let (direct, gate) = (tell(&lab.directly(), asked), tell(&reader, asked));
    assert_eq!(direct, gate);
    assert!(gate.starts_with("off") && gate.trim_end().ends_with("on"), "{gate}");
    // The lock itself is there all the same.
    let written = tell(&reader, "SELECT set_config('transaction_read_only', 'off', false)");
    assert!(written.contains("ERROR"), "{written}");
}

/// Runs pgbench to its end and gives what it says.
fn pgbench(login: &Login, arguments: &[&str]) -> String {
    let programs = "PATH=\"$(ls -d /usr/lib/postgresql/*/bin | tail -n 1):$PATH\"";
    let script = format!("{programs} exec pgbench {}", arguments.join(" "));
    let done = run_within(login.command("sh").args(["-c", &script]), Duration::from_secs(90));
    let out = text(&done);
    assert!(done.status.success(), "pgbench {}: {out}", arguments.join(" "));
    out
}

fn psql(script: &str) {
    let file = format!("tests/clients/psql/{script}.sql");
    let arguments = ["-c", "exec psql -X -a -P pager=off -f \"$0\" 2>&1", &file];
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let tell = |login: &Login| text(&run_within(login.command("sh").args(arguments), PATIENCE));
    same(script, &plain_postgres(&tell(&lab.directly())), &plain_postgres(&tell(&full)));
}

fn compare(client: &Client) {
    if !Path::new(client.needs).exists() && !root().join(client.needs).exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is not here: run `make setup`", client.needs);
        eprintln!("skipped: {} is not here; `make setup` installs it", client.needs);
        return;
    }
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let program = if root().join(client.program).exists() {
        root().join(client.program).display().to_string()
    } else {
        client.program.to_owned()
    };
    let tell = |login: &Login| {
        let mut command: Command = login.command(&program);
        let done = run_within(command.args(client.arguments), PATIENCE);
        eprintln!("{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let direct = tell(&lab.directly());
    assert!(!direct.contains("UNEXPECTED"), "the client fails without the gateway already:\n{direct}");
    let what = client.arguments[client.arguments.len() - 1];
    same(what, &plain_postgres(&direct), &plain_postgres(&tell(&full)));
}

/// Longer than any client needs, shorter than somebody's patience.
const PATIENCE: Duration = Duration::from_secs(180);
