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
use serde_json::Value;
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
    file: String,
    sql: String,
    facts: Facts,
}

fn statements() -> Option<Vec<Judged>> {
    let context = world::unknown();
    let judge = |line: &Value| {
        let (file, sql) = (line["file"].as_str()?.to_owned(), line["sql"].as_str()?.to_owned());
        let facts = analyze(&sql, Dialect::Postgres, &context, &Limits::default()).ok()?;
        <[Facts; 1]>::try_from(facts).ok().map(|[facts]| Judged { file, sql, facts })
    };
    let lines = shared::lines("pg_regress")?;
    Some(lines.iter().filter_map(judge).collect())
}

/// Makes what the statements read: relations, rows, types, routines. Most of what fails needs what the suite's
/// own files would bring.
///
/// First what all files build on, then the files side by side.
async fn furnish(scratch: &Config, statements: &[Judged]) {
    let chosen: Vec<_> = statements.iter().filter(|statement| furnishes(statement)).collect();
    let (setup, rest): (Vec<_>, Vec<_>) =
        chosen.iter().partition(|statement| statement.file.contains("test_setup"));
    let mut made = furnish_in_order(scratch, setup.into_iter()).await;
    let [a, b, c, d] = [0, 1, 2, 3].map(|lane| {
        rest.iter()
            .copied()
            .filter(move |statement| statement.file.bytes().map(usize::from).sum::<usize>() % 4 == lane)
    });
    let (a, b, c, d) = tokio::join!(
        furnish_in_order(scratch, a),
        furnish_in_order(scratch, b),
        furnish_in_order(scratch, c),
        furnish_in_order(scratch, d)
    );
    made += a + b + c + d;
    println!("furnished with {made} of {} statements", chosen.len());
}

async fn furnish_in_order(scratch: &Config, statements: impl Iterator<Item = &Judged>) -> usize {
    let client = connect(scratch).await;
    let settings =
        "set synchronous_commit = off; set statement_timeout = '200ms'; set client_min_messages = error";
    client.batch_execute(settings).await.unwrap();
    let mut made = 0;
    for statement in statements {
        made += usize::from(client.batch_execute(&statement.sql).await.is_ok());
    }
    made
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

/// Runs them over a few connections at once: most of the time goes into waiting.
async fn run(scratch: &Config, statements: &[Judged]) -> Outcome {
    let chosen: Vec<_> = statements.iter().filter(|statement| runs_alone(statement)).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|lane| chosen.iter().skip(lane).step_by(4).copied());
    let (a, b, c, d) = tokio::join!(
        run_in_order(scratch, a),
        run_in_order(scratch, b),
        run_in_order(scratch, c),
        run_in_order(scratch, d)
    );
    let mut outcome = Outcome { tried: chosen.len(), ..Outcome::default() };
    for part in [a, b, c, d] {
        outcome.ended += part.ended;
        outcome.problems.extend(part.problems);
    }
    outcome
}

async fn run_in_order(scratch: &Config, statements: impl Iterator<Item = &Judged>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut client = connect(scratch).await;
    for statement in statements {
        if client.is_closed() {
            client = connect(scratch).await;
        }
        match attempt(&client, statement).await {
            Ok(false) => outcome.ended += 1,
            Ok(true) if is_excepted(&statement.sql) => {}
            Ok(true) => outcome.problems.push(format!("changes something: {}", statement.sql)),
            Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
                outcome.problems.push(format!("{error:#}: {}", statement.sql));
            }
            Err(_) => {}
        }
    }
    outcome
}

/// Takes a number and changes no data all the same, for the reason beside it.
fn is_excepted(sql: &str) -> bool {
    let lines = include_str!("corpus/readonly_exceptions.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap().0).any(|part| sql.contains(part))
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
        | StatementKind::Update
        | StatementKind::Use => true,
    };
    alone && facts.read_only && facts.calls.is_empty() && facts.runs.is_none()
}

/// Runs one statement in a READ ONLY transaction, and tells whether the transaction got a number: whatever changes
/// a row, a definition or a large object needs one.
async fn attempt(client: &Client, statement: &Judged) -> Result<bool, tokio_postgres::Error> {
    // What the statement before left ends first.
    client.batch_execute("rollback; begin read only; set local statement_timeout = '200ms'").await?;
    client.simple_query(&statement.sql).await?;
    let number = client.simple_query("select pg_current_xact_id_if_assigned()").await?;
    Ok(first(&number).is_some())
}

/// What the scratch database and the server around it hold: one line for each relation, and some totals.
async fn digest(scratch: &Config) -> BTreeSet<String> {
    // Where each row stands and which transaction wrote it; of sequences, where they are.
    let relations = "select oid::regclass, query_to_xml(format(case relkind \
           when 'S' then 'select last_value, is_called from %s' \
           else 'select count(*), sum(hashtext(ctid::text || xmin::text)) from only %s' end, oid::regclass), \
           true, true, '') \
         from pg_class where relkind in ('r', 'm', 'S') and relispopulated and relpersistence <> 't' \
           and relnamespace::regnamespace::text !~ '^(pg_|information_schema)'";
    let totals = [
        "hashtext(string_agg(r::text, ',' order by rolname)) from pg_authid r",
        "count(*) from pg_database",
        "hashtext(string_agg(s::text, ',')) from pg_db_role_setting s",
        "count(*), sum(hashtext(ctid::text || xmin::text)) from pg_class where relpersistence <> 't'",
        "count(*), sum(hashtext(ctid::text || xmin::text)) from pg_proc",
        "count(*), sum(hashtext(ctid::text || xmin::text)) from pg_largeobject",
        "count(*) from pg_replication_slots",
        "count(*) from pg_prepared_xacts",
        "hashtext(string_agg(f, ',' order by f)) from pg_ls_dir('.') f",
    ];
    let client = connect(scratch).await;
    let mut digest = BTreeSet::new();
    for question in std::iter::once(relations.to_owned()).chain(totals.map(|total| format!("select {total}")))
    {
        for message in client.simple_query(&question).await.unwrap() {
            if let SimpleQueryMessage::Row(row) = message {
                let columns: Vec<_> = (0..row.len()).map(|at| row.get(at).unwrap_or("null")).collect();
                digest.insert(format!("{question}: {}", columns.join(" ")));
            }
        }
    }
    assert!(digest.len() > 1000, "only {} relations", digest.len());
    digest
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn first(messages: &[SimpleQueryMessage]) -> Option<&str> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
