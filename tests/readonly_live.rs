//! What we call read-only, judged by the server: inside READ ONLY transactions of a live one, no statement that is
//! judged read-only may be refused for being a write, and none may change anything.
//!
//! `TIDEGATE_TEST_PG_URL` names a superuser on a server that may be played with. The statements are those of the
//! regression suite beside the repository. First the definitions and rows that they need are made in a scratch
//! database (whatever of it still works outside its suite), then each read-only one runs in a transaction of its
//! own. Statements that run for long are cut off after 200 ms: what they would do later is not seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod corpus;

use std::collections::BTreeSet;

use corpus::{shared, world};
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Facts, StatementKind},
    },
    sql::{Limits, analyze},
};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, error::SqlState};

const SCRATCH: &str = "tidegate_readonly_scratch";

#[tokio::test]
async fn what_is_judged_read_only_changes_nothing_and_passes_in_read_only_transactions() {
    let Ok(url) = std::env::var("TIDEGATE_TEST_PG_URL") else {
        assert!(std::env::var_os("CI").is_none(), "TIDEGATE_TEST_PG_URL is needed in CI");
        println!("skipped: TIDEGATE_TEST_PG_URL is not set");
        return;
    };
    let Some(statements) = statements() else { return };
    let server: Config = url.parse().unwrap();
    let keeper = connect(&server).await;
    keeper.batch_execute(&format!("drop database if exists {SCRATCH} with (force)")).await.unwrap();
    keeper.batch_execute(&format!("create database {SCRATCH} template template0")).await.unwrap();
    let mut scratch = server.clone();
    scratch.dbname(SCRATCH);

    furnish(&scratch, &statements).await;
    let before = digest(&scratch).await;
    let outcome = run(&scratch, &statements).await;
    let after = digest(&scratch).await;
    keeper.batch_execute(&format!("drop database {SCRATCH} with (force)")).await.unwrap();

    println!("{} judged read-only, {} of them ran to their end", outcome.tried, outcome.ended);
    assert!(outcome.problems.is_empty(), "{}", outcome.problems.join("\n"));
    assert!(outcome.ended > 5000, "only {} ran", outcome.ended);
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "the digest changed: {changed:#?}");
}

/// A statement of the suite and what we say of it.
struct Judged {
    sql: String,
    facts: Facts,
}

fn statements() -> Option<Vec<Judged>> {
    let context = world::unknown();
    let judge = |sql: &str| {
        let facts = analyze(sql, Dialect::Postgres, &context, &Limits::default()).ok()?;
        <[Facts; 1]>::try_from(facts).ok().map(|[facts]| Judged { sql: sql.to_owned(), facts })
    };
    let lines = shared::lines("pg_regress")?;
    Some(lines.iter().filter_map(|line| judge(line["sql"].as_str().unwrap())).collect())
}

/// Makes what the statements read: relations, rows, types, routines. Most of what fails needs what the suite's
/// own files would bring.
async fn furnish(scratch: &Config, statements: &[Judged]) {
    let client = connect(scratch).await;
    client.batch_execute("set statement_timeout = '200ms'; set client_min_messages = error").await.unwrap();
    let (mut made, mut tried) = (0, 0);
    for statement in statements.iter().filter(|statement| furnishes(statement)) {
        tried += 1;
        made += usize::from(client.batch_execute(&statement.sql).await.is_ok());
    }
    println!("furnished with {made} of {tried} statements");
}

fn furnishes(statement: &Judged) -> bool {
    const MADE: [&str; 14] = [
        "CREATE TABLE",
        "CREATE VIEW",
        "CREATE TYPE",
        "CREATE DOMAIN",
        "CREATE SEQUENCE",
        "CREATE SCHEMA",
        "CREATE FUNCTION",
        "CREATE OPERATOR",
        "CREATE AGGREGATE",
        "CREATE CAST",
        "CREATE INDEX",
        "CREATE MATERIALIZED VIEW",
        "CREATE STATISTICS",
        "ALTER TABLE",
    ];
    let command = statement.facts.command;
    matches!(statement.facts.kind, StatementKind::Insert) || MADE.contains(&command)
}

#[derive(Default)]
struct Outcome {
    tried: usize,
    ended: usize,
    problems: Vec<String>,
}

async fn run(scratch: &Config, statements: &[Judged]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut client = connect(scratch).await;
    for statement in statements.iter().filter(|statement| runs_alone(statement)) {
        outcome.tried += 1;
        if client.is_closed() {
            client = connect(scratch).await;
        }
        match attempt(&client, statement).await {
            Ok(false) => outcome.ended += 1,
            Ok(true) => outcome.problems.push(format!("changes something: {}", statement.sql)),
            Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
                outcome.problems.push(format!("{error:#}: {}", statement.sql));
            }
            Err(_) => {}
        }
    }
    outcome
}

/// Read-only, and neither about the transaction itself nor running what another statement left.
///
/// Calls of routines that are not built in go to the admin lane unless policy vouches for them: not tried here.
fn runs_alone(statement: &Judged) -> bool {
    let facts = &statement.facts;
    let alone = match facts.kind {
        StatementKind::Transaction
        | StatementKind::Discard
        | StatementKind::Execute
        | StatementKind::Fetch
        | StatementKind::CopyFrom => false,
        StatementKind::Administer
        | StatementKind::CloseCursor
        | StatementKind::CopyTo
        | StatementKind::Deallocate
        | StatementKind::DeclareCursor
        | StatementKind::Define
        | StatementKind::Delete
        | StatementKind::Empty
        | StatementKind::Explain
        | StatementKind::ExplainAnalyze
        | StatementKind::Insert
        | StatementKind::Listen
        | StatementKind::Lock
        | StatementKind::Merge
        | StatementKind::Notify
        | StatementKind::Prepare
        | StatementKind::Select
        | StatementKind::Set
        | StatementKind::Show
        | StatementKind::Update => true,
    };
    alone && facts.read_only && facts.calls.is_empty() && facts.runs.is_none()
}

/// Runs one statement in a READ ONLY transaction, and tells whether the transaction got a number: whatever changes
/// a row, a definition or a large object needs one.
async fn attempt(client: &Client, statement: &Judged) -> Result<bool, tokio_postgres::Error> {
    client.batch_execute("begin read only; set local statement_timeout = '200ms'").await?;
    let ran = client.simple_query(&statement.sql).await.map(drop);
    let number = match ran {
        Ok(()) => client.simple_query("select pg_current_xact_id_if_assigned()").await,
        Err(error) => Err(error),
    };
    client.batch_execute("rollback").await?;
    // These ask for the number and nothing else.
    let asks = ["txid_current()", "pg_current_xact_id()"].iter().any(|call| statement.sql.contains(call));
    Ok(first(&number?).is_some() && !asks)
}

/// What the scratch database and the server around it hold: one line for each relation, and some totals.
async fn digest(scratch: &Config) -> BTreeSet<String> {
    let client = connect(scratch).await;
    let mut digest = BTreeSet::new();
    let relations = "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class \
         where relkind in ('r', 'm', 'S') and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
    let totals = [
        "(select hashtext(string_agg(r::text, ',' order by rolname)) from pg_authid r)",
        "(select count(*) from pg_database)",
        "(select hashtext(string_agg(d::text, ',')) from pg_db_role_setting d)",
        "(select count(*) from pg_class)",
        "(select count(*) from pg_proc)",
        "(select count(*) from pg_largeobject)",
        "(select count(*) from pg_replication_slots)",
        "(select count(*) from pg_prepared_xacts)",
        "(select hashtext(string_agg(f, ',' order by f)) from pg_ls_dir('.') f where f <> 'postmaster.pid')",
        "(select max(pg_settings.setting) from pg_settings where name = 'config_file')",
    ];
    for message in client.simple_query(relations).await.unwrap() {
        if let Some(name) = text(&message) {
            let question = format!("select count(*), hashtext(string_agg(t::text, ',')) from {name} t");
            let rows = client.simple_query(&question).await;
            digest.insert(format!("{name}: {:?}", rows.ok().map(|rows| row(&rows))));
        }
    }
    for total in totals {
        let rows = client.simple_query(&format!("select {total}, 0")).await.unwrap();
        digest.insert(format!("{total}: {:?}", row(&rows)));
    }
    digest
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn text(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }
}

fn first(messages: &[SimpleQueryMessage]) -> Option<String> {
    messages.iter().find_map(text)
}

fn row(messages: &[SimpleQueryMessage]) -> Vec<Option<String>> {
    messages
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..2).map(|at| row.get(at).map(str::to_owned)).collect()),
            _ => None,
        })
        .unwrap_or_default()
}
