//! The data of `policies/postgres` against a live server: nothing that it has may be missing.
//!
//! `TIDEGATE_TEST_PG_URL` names a superuser on a server of a supported version; see `scripts/derive-builtins.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use tokio_postgres::{NoTls, SimpleQueryMessage};

const NAMESPACES: &str = "n.nspname in ('pg_catalog', 'information_schema')";

#[tokio::test]
async fn every_function_operator_type_setting_and_relation_of_the_server_is_in_the_data() {
    let Ok(url) = std::env::var("TIDEGATE_TEST_PG_URL") else {
        assert!(std::env::var_os("CI").is_none(), "TIDEGATE_TEST_PG_URL is needed in CI");
        println!("skipped: TIDEGATE_TEST_PG_URL is not set");
        return;
    };
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let qualified =
        |name: &str| format!("case n.nspname when 'pg_catalog' then '' else n.nspname || '.' end || {name}");
    let questions = [
        (
            "functions",
            1,
            format!(
                "select {} from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {NAMESPACES}",
                qualified("proname")
            ),
        ),
        (
            "operators",
            1,
            format!(
                "select oprname from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where {NAMESPACES}"
            ),
        ),
        // Row types of indexes and the like do not exist; those of relations made since initdb are not built in.
        (
            "types",
            1,
            format!(
                "select {} from pg_type t join pg_namespace n on n.oid = t.typnamespace where {NAMESPACES}",
                qualified("typname")
            ),
        ),
        (
            "relations",
            2,
            format!(
                "select n.nspname || E'\\t' || relname from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where {NAMESPACES} and relkind in ('r', 'v', 'm', 'f', 'p', 'S')"
            ),
        ),
        // Settings of modules that happen to be loaded have a dot and are not built in.
        ("settings", 1, "select lower(name) from pg_settings where name not like '%.%'".to_owned()),
    ];
    let mut missing = Vec::new();
    for (what, key_columns, question) in questions {
        let shipped = shipped(what, key_columns);
        let held = names(&client.simple_query(&question).await.unwrap());
        println!("{what}: {} on the server, {} shipped", held.len(), shipped.len());
        assert!(held.len() > 50, "{what}: the server has only {}", held.len());
        missing.extend(held.difference(&shipped).map(|name| format!("{what}: {name}")));
    }
    assert!(missing.is_empty(), "run scripts/derive-builtins.py: not in the data:\n{}", missing.join("\n"));
}

fn shipped(what: &str, key_columns: usize) -> BTreeSet<String> {
    let path = format!("{}/policies/postgres/{what}.tsv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split('\t').take(key_columns).collect::<Vec<_>>().join("\t")).collect()
}

fn names(messages: &[SimpleQueryMessage]) -> BTreeSet<String> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
}
