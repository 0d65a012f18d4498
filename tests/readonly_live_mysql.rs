//! What we call read-only, judged by the servers: in READ ONLY transactions of live ones, no statement that is judged
//! read-only may be refused for being a write, and none may change anything.
//!
//! `TIDEGATE_TEST_MYSQL_URL` and `TIDEGATE_TEST_MARIADB_URL` name superusers on servers that may be played with;
//! `TIDEGATE_TEST_READONLY_CASES` says how many statements. They run as superusers: nothing but our judgement keeps
//! them from writing outside of transactions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod mysql_live;
#[path = "corpus/shared.rs"]
mod shared;

use std::collections::BTreeSet;

use mysql_live::{Answer, Client, context, is_slow, servers};
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{AccessMode, Facts, StatementKind},
        name_context::MysqlReading,
        object::Object,
    },
    sql::{Limits, analyze},
};

const SCRATCH: &str = "tidegate_readonly";
/// "Cannot execute statement in a READ ONLY transaction."
const READ_ONLY: u16 = 1792;

#[test]
fn what_is_judged_read_only_changes_nothing_and_passes_in_read_only_transactions() {
    let Some(texts) = texts() else { return };
    for url in servers() {
        let mut keeper = Client::connect(&url, None);
        for text in [
            "SET sql_mode = ''".to_owned(),
            format!("DROP DATABASE IF EXISTS {SCRATCH}"),
            format!("CREATE DATABASE {SCRATCH}"),
            format!("USE {SCRATCH}"),
        ] {
            keeper.run(&text);
        }
        let reading = keeper.reading();
        let judged: Vec<_> = texts.iter().filter_map(|text| Some((text, judge(text, reading)?))).collect();
        judged.iter().for_each(|(_, facts)| furnish(&mut keeper, facts));
        let before = digest(&mut keeper);
        let (mut ended, mut problems) = (0, Vec::new());
        let mut worker = worker(&url);
        for (text, facts) in &judged {
            worker.run("START TRANSACTION READ ONLY");
            match worker.query(text.as_str()) {
                Answer::Error(READ_ONLY, message) => {
                    problems.push(format!("{text}\n    {message}\n    {facts:?}"))
                }
                Answer::Error(..) => {}
                Answer::Done | Answer::Rows(_) => ended += 1,
            }
            worker.query("ROLLBACK");
            if facts.kind == StatementKind::Set {
                worker = self::worker(&url);
            }
        }
        let after = digest(&mut keeper);
        keeper.query(format!("DROP DATABASE {SCRATCH}"));
        println!("{url}: {} judged read-only, {ended} of them ran to their end", judged.len());
        let changed: Vec<_> = before.symmetric_difference(&after).collect();
        assert!(changed.is_empty(), "{url}: the digest changed: {changed:#?}");
        assert!(problems.is_empty(), "{url}\n{}", problems.join("\n"));
        assert!(ended > judged.len() / 4, "only {ended} of {} ran", judged.len());
    }
}

fn worker(url: &str) -> Client {
    let mut client = Client::connect(url, None);
    client.play_in(SCRATCH);
    client
}

/// The statements of the server's suite, each once; at most as many as are asked for, from all over it.
fn texts() -> Option<Vec<String>> {
    let most = std::env::var("TIDEGATE_TEST_READONLY_CASES").map_or(3_000, |cases| cases.parse().unwrap());
    let lines = shared::lines("mysql_test")?;
    let all: BTreeSet<String> = lines
        .iter()
        .filter(|line| line["accepted_97"] == true)
        .map(|line| line["sql"].as_str().unwrap().to_owned())
        .filter(|sql| !is_slow(sql))
        .collect();
    let step = all.len().div_ceil(most * 3).max(1);
    Some(all.into_iter().step_by(step).collect())
}

/// The facts of a statement that is judged read-only, and can run by itself.
fn judge(text: &str, reading: MysqlReading) -> Option<Facts> {
    let context = context(SCRATCH, reading);
    let facts = analyze(text, Dialect::Mysql, &context, &Limits::default()).ok()?;
    let [facts] = <[Facts; 1]>::try_from(facts).ok()?;
    let alone = match facts.kind {
        StatementKind::Select
        | StatementKind::Show
        | StatementKind::Explain
        | StatementKind::ExplainAnalyze
        | StatementKind::Set
        | StatementKind::Define
        | StatementKind::Administer
        | StatementKind::Insert
        | StatementKind::Update
        | StatementKind::Delete
        | StatementKind::Prepare => true,
        // About the transaction, the connection or what others of them left.
        StatementKind::CloseCursor
        | StatementKind::CopyFrom
        | StatementKind::CopyTo
        | StatementKind::Deallocate
        | StatementKind::DeclareCursor
        | StatementKind::Discard
        | StatementKind::Empty
        | StatementKind::Execute
        | StatementKind::Fetch
        | StatementKind::Listen
        | StatementKind::Lock
        | StatementKind::Merge
        | StatementKind::Notify
        | StatementKind::Transaction
        | StatementKind::Use => false,
    };
    (facts.read_only && alone).then_some(facts)
}

/// Tables with a row for the names of the scratch database.
fn furnish(keeper: &mut Client, facts: &Facts) {
    for access in facts.accesses.iter().filter(|access| access.mode != AccessMode::Administer) {
        let Object::Relation { schema, name } = &access.object else { continue };
        if schema.as_str() == SCRATCH {
            let name = name.replace('`', "``");
            let columns =
                "a INT PRIMARY KEY, b INT, c INT, id INT, f1 INT, c1 INT, pk INT, i INT, v INT, pw TEXT";
            keeper.query(format!("CREATE TABLE IF NOT EXISTS `{name}` ({columns})"));
            keeper.query(format!(
                "INSERT IGNORE INTO `{name}` (a, b, c, id, i) VALUES (1, 1, 1, 1, 1), (2, 2, 2, 2, 2)"
            ));
        }
    }
}

/// What the server holds: a line for each table, account and global variable.
fn digest(keeper: &mut Client) -> BTreeSet<String> {
    let told = |rows: Vec<Vec<Option<Vec<u8>>>>| {
        rows.into_iter().map(|row| {
            let fields =
                row.into_iter().map(|field| String::from_utf8_lossy(&field.unwrap_or_default()).into_owned());
            fields.collect::<Vec<_>>().join(" ")
        })
    };
    let mut digest = BTreeSet::new();
    let tables = "SELECT CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`') \
                  FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND (table_schema NOT IN \
                  ('mysql', 'information_schema', 'performance_schema', 'sys') OR table_schema = 'mysql' AND table_name IN \
                  ('user', 'db', 'tables_priv', 'columns_priv', 'procs_priv', 'proxies_priv', 'global_priv', 'func', 'plugin', \
                  'servers', 'proc', 'event', 'component', 'role_edges', 'default_roles', 'roles_mapping'))";
    let tables: Vec<_> = told(keeper.run(tables)).collect();
    for table in &tables {
        digest.extend(told(keeper.run(&format!("CHECKSUM TABLE {table}"))));
    }
    for question in [
        "SHOW DATABASES",
        "SELECT routine_schema, routine_name FROM information_schema.routines",
        "SELECT trigger_schema, trigger_name FROM information_schema.triggers",
        "SELECT event_schema, event_name FROM information_schema.events",
        "SELECT table_schema, table_name FROM information_schema.views",
    ] {
        digest.extend(told(keeper.run(question)));
    }
    // What goes by itself.
    let moving = ["gtid", "timestamp", "innodb_buffer_pool_dump", "in_transaction"];
    let variables = told(keeper.run("SHOW GLOBAL VARIABLES"));
    digest.extend(
        variables.filter(|line| !moving.iter().any(|name| line.to_ascii_lowercase().starts_with(name))),
    );
    assert!(tables.len() > 100 && digest.len() > 500, "{} tables, {} lines", tables.len(), digest.len());
    digest
}
