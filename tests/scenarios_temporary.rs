//! A name that was judged to be the session's own temporary table is looked up where that table is, or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::{
    Lab, Login, sqlstate,
    wire::{Raw, error, query, run, sync, tags},
};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Somebody who may make temporary tables, and has made one that hides `salary`.
async fn hidden_salary(lab: &Lab) -> (Login, Client) {
    let full = lab.add("full");
    lab.grant("full", "ddl", &[], 600);
    let client = full.connect().await.unwrap();
    rows(&client, "CREATE TEMP TABLE salary (amount int)").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM salary").await, Ok(0));
    (full, client)
}

/// How many rows a Query gives, or its SQLSTATE.
async fn rows(client: &Client, sql: &str) -> Result<usize, String> {
    let messages = client.simple_query(sql).await.map_err(|error| sqlstate(&error))?;
    Ok(messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_comes_later_does_not_take_a_hidden_name_to_the_real_table() {
    let lab = lab!(Lab::usual());
    let (_full, client) = hidden_salary(&lab).await;
    lab.grant("full", "admin", &[], 600);
    // A transaction opens on the strongest lane that the grants allow: not while a temporary table is elsewhere.
    rows(&client, "BEGIN").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM salary").await, Ok(0), "the real salaries were read");
    assert_eq!(rows(&client, "INSERT INTO salary VALUES (1)").await, Ok(0));
    assert_eq!(rows(&client, "TABLE salary").await, Ok(1));
    rows(&client, "COMMIT").await.unwrap();
    // What needs the stronger lane does not run at all, in either protocol, and says how it would.
    let administers = "SELECT amount FROM salary, pg_stat_activity";
    assert_eq!(rows(&client, administers).await, Err("25006".to_owned()));
    assert_eq!(sqlstate(&client.query(administers, &[]).await.unwrap_err()), "25006");
    let error = client.simple_query("CREATE ROLE somebody").await.unwrap_err();
    assert!(error.as_db_error().unwrap().hint().unwrap().contains("DISCARD TEMP"), "{error:?}");
    // Tied to nothing any longer, the name is the real table's again: hidden by nothing, and not granted.
    rows(&client, "DISCARD TEMP").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM salary").await, Err("42501".to_owned()));
    assert!(rows(&client, "SELECT pid FROM pg_stat_activity").await.unwrap() > 0);
    // Made anew, it is where everything can run.
    rows(&client, "CREATE TEMP TABLE salary (amount int)").await.unwrap();
    assert_eq!(rows(&client, administers).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_table_that_was_rolled_back_hides_nothing() {
    let lab = lab!(Lab::usual());
    let (_full, client) = hidden_salary(&lab).await;
    let denied = || Err("42501".to_owned());
    assert_eq!(
        rows(&client, "CREATE TEMP TABLE department (a int); SELECT 1/0").await,
        Err("22012".to_owned())
    );
    assert_eq!(rows(&client, "SELECT * FROM department").await, denied());
    assert_eq!(rows(&client, "BEGIN; CREATE TEMP TABLE department (a int); ROLLBACK").await, Ok(0));
    assert_eq!(rows(&client, "SELECT * FROM department").await, denied());
    rows(&client, "BEGIN; CREATE TEMP TABLE department (a int) ON COMMIT DROP; COMMIT").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM department").await, denied());
    rows(&client, "BEGIN; DROP TABLE salary; ROLLBACK").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM salary").await, Ok(0));
    rows(&client, "BEGIN; DISCARD TEMP; COMMIT").await.unwrap();
    assert_eq!(rows(&client, "SELECT * FROM salary").await, denied());
}

#[test]
fn an_error_behind_discard_all_does_not_bring_back_what_is_gone() {
    let lab = lab!(Lab::usual());
    let full = lab.add("full");
    lab.grant("full", "ddl", &[], 600);
    lab.grant("full", "select", &["aux.employee"], 600);
    lab.superuser(AUX);
    let mut raw = Raw::login(&full);
    let mut ask = |bytes: Vec<u8>| {
        raw.send(&bytes);
        let answer = raw.until_ready();
        if tags(&answer).contains('E') { error(&answer).field('C').unwrap() } else { tags(&answer) }
    };
    // The server commits DISCARD ALL at once, so that the error takes nothing of it back.
    let discards = || [run("DISCARD ALL"), run("SELECT 1/0"), sync()].concat();
    assert_eq!(ask(query("CREATE TEMP TABLE salary (amount int)")), "CZ");
    assert_eq!(ask(query("SELECT * FROM salary")), "TCZ");
    assert_eq!(ask(discards()), "22012");
    assert_eq!(ask(query("SELECT * FROM salary")), "42501");
    assert_eq!(ask(query("SET search_path = aux")), "CZ");
    assert_eq!(ask(query("SELECT * FROM employee")), "TCZ");
    assert_eq!(ask(discards()), "22012");
    assert_eq!(ask(query("SELECT * FROM employee")), "42501");
    assert_eq!(ask(query("SELECT * FROM aux.employee")), "TCZ");
}

#[test]
fn a_reset_path_is_that_of_the_login_on_the_server_too() {
    let lab = lab!(Lab::usual());
    let full = lab.add("full");
    lab.grant("full", "select", &["aux.employee"], 600);
    lab.superuser(AUX);
    let ask = |statements: &[&str]| {
        let mut psql = full.command("psql");
        psql.env("PGOPTIONS", "-c search_path=aux").args(["-X", "-At"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        support::text(&psql.output().unwrap())
    };
    let count = "SELECT 'rows', count(*) FROM employee";
    for reset in ["RESET search_path", "RESET ALL", "SET search_path TO DEFAULT"] {
        // The connection has its account's path until it is told anew.
        let out = ask(&["BEGIN", reset, count]);
        assert!(out.contains("ERROR:") && !out.contains("rows|"), "{reset}: {out}");
        let out = ask(&[&format!("{reset}; COMMIT; {count}")]);
        assert!(out.contains("ERROR:") && !out.contains("rows|"), "{reset}: {out}");
        let out = ask(&[reset, count]);
        assert!(out.contains("rows|0"), "{reset}: {out}");
        let out = ask(&["BEGIN", reset, "COMMIT", count, "BEGIN", reset, "ROLLBACK", count]);
        assert_eq!(out.matches("rows|0").count(), 2, "{reset}: {out}");
    }
    let out = ask(&["DISCARD ALL", count]);
    assert!(out.contains("rows|0"), "{out}");
}

const AUX: &str = "CREATE SCHEMA aux; CREATE TABLE aux.employee (a int);
    GRANT ALL ON SCHEMA aux TO PUBLIC; GRANT ALL ON aux.employee TO PUBLIC";
