//! Prepared statements with a name, on connections that sessions hand to one another.

use std::time::Duration;

use serde_json::json;
use tokio_postgres::{Client, Statement};

use super::{postgres::ask, runtime};
use crate::support::{
    Lab, eventually, sqlstate,
    wire::{Raw, bind, close, describe, error, execute, parse, query, run, sync},
};

/// What the server writes down of itself: each Parse, Bind, Execute and Query.
fn logged(lab: &Lab) -> String {
    String::from_utf8_lossy(&std::fs::read(lab.path("postgres.log")).unwrap()).into_owned()
}

fn log_all(lab: &Lab) {
    lab.superuser("ALTER SYSTEM SET log_min_duration_statement = 0");
    lab.superuser("SELECT pg_reload_conf()");
    eventually("the server writes everything down", Duration::from_secs(5), || {
        lab.superuser("SHOW log_min_duration_statement") == "0"
    });
}

fn count(lab: &Lab, kind: &str) -> u64 {
    let begin = format!("tidegate_prepared_statements_total{{kind=\"{kind}\"");
    let metrics = lab.metrics();
    let lines = metrics.lines().filter(|line| line.starts_with(&begin));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

async fn number(client: &Client, statement: &Statement, key: i32) -> String {
    match client.query(statement, &[&key]).await {
        Ok(rows) => rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(" "),
        Err(error) => sqlstate(&error),
    }
}

const ONE: &str = "SELECT ($1::int + count(*))::text FROM department WHERE false";
const TWO: &str = "SELECT ($1::int * 2 + count(*))::text FROM department WHERE false";

#[test]
fn a_reader_with_prepared_statements_hands_its_connection_over_for_nothing() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    lab.grant("omar", "select", &[], 3600);
    lab.grant("dana", "select", &[], 3600);
    let (omar, dana) = (lab.add("omar"), lab.add("dana"));
    runtime().block_on(async {
        let clients = [omar.connect().await.unwrap(), dana.connect().await.unwrap()];
        // What the one calls s0 is what the other calls s1.
        let of_omar = [clients[0].prepare(ONE).await.unwrap(), clients[0].prepare(TWO).await.unwrap()];
        let of_dana = [clients[1].prepare(TWO).await.unwrap(), clients[1].prepare(ONE).await.unwrap()];
        for (client, statements) in [(0, &of_omar), (1, &of_dana), (0, &of_omar), (1, &of_dana)] {
            for statement in statements {
                number(&clients[client], statement, 7).await;
            }
        }
        tokio::task::block_in_place(|| log_all(&lab));
        let (parsed, reused, before) = (count(&lab, "parsed"), count(&lab, "reused"), logged(&lab).len());
        for key in 0..20 {
            let (a, b) =
                tokio::join!(number(&clients[0], &of_omar[0], key), number(&clients[1], &of_dana[0], key));
            assert_eq!((a, b), (key.to_string(), (2 * key).to_string()));
            let (a, b) =
                tokio::join!(number(&clients[0], &of_omar[1], key), number(&clients[1], &of_dana[1], key));
            assert_eq!((a, b), ((2 * key).to_string(), key.to_string()));
        }
        let log = logged(&lab).split_off(before);
        let ours: Vec<&str> = log.lines().filter(|line| line.contains("tidegate_read tidegate")).collect();
        assert!(ours.iter().filter(|line| line.contains(" execute tidegate:")).count() >= 80, "{log}");
        for word in ["DISCARD", "DEALLOCATE", "  parse ", "RESET"] {
            assert!(!ours.iter().any(|line| line.contains(word)), "{word}: {ours:#?}");
        }
        assert_eq!(count(&lab, "parsed"), parsed);
        assert_eq!(count(&lab, "reused"), reused + 80);
    });
}

#[test]
fn what_others_have_prepared_is_not_shown_and_what_one_has_is_shown_as_ever() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    lab.superuser(
        "CREATE VIEW public.all_prepared AS SELECT name, statement FROM pg_catalog.pg_prepared_statements; \
         GRANT SELECT ON public.all_prepared TO PUBLIC",
    );
    lab.grant("omar", "select", &[], 3600);
    lab.grant("dana", "select", &[], 3600);
    let (omar, dana) = (lab.add("omar"), lab.add("dana"));
    // Clients of the tests number theirs: s12.
    let shows = "SELECT string_agg(left(name, 1) || length(name) / 9 || statement, '; ' ORDER BY statement) \
                 FROM pg_prepared_statements";
    let sees = "SELECT count(*)::text FROM all_prepared WHERE statement LIKE '%department%'";
    runtime().block_on(async {
        let direct = lab.directly().connect().await.unwrap();
        let clients = [omar.connect().await.unwrap(), dana.connect().await.unwrap()];
        for client in clients.iter().chain([&direct]) {
            let kept = client.prepare(ONE).await.unwrap();
            assert_eq!(number(client, &kept, 7).await, "7");
            std::mem::forget(kept);
        }
        let two = clients[0].prepare(TWO).await.unwrap();
        for _ in 0..3 {
            number(&clients[0], &two, 7).await;
            assert_eq!(ask(&clients[1], shows).await, ask(&direct, shows).await);
            number(&clients[0], &two, 7).await;
            assert_eq!(ask(&clients[1], sees).await, "0 /1", "what code sees of others");
            number(&clients[0], &two, 7).await;
            // By the protocol, too, where what asks is prepared itself.
            let rows = clients[1].query(shows, &[]).await.unwrap()[0].get::<_, String>(0);
            assert_eq!(rows, direct.query(shows, &[]).await.unwrap()[0].get::<_, String>(0));
        }
    });
}

/// The name under which a statement stands on connections.
fn called(lab: &Lab, text: &str) -> String {
    let log = logged(lab);
    let line = log.lines().rfind(|line| line.contains(" execute tidegate:") && line.contains(text)).unwrap();
    let name = line.split(" execute ").nth(1).unwrap();
    name.split(": ").next().unwrap().to_owned()
}

#[test]
fn nobody_reaches_a_statement_by_the_name_that_it_has_on_connections() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    lab.grant("omar", "select", &[], 3600);
    lab.grant("dana", "select", &["public.employee"], 3600);
    let (omar, dana) = (lab.add("omar"), lab.add("dana"));
    runtime().block_on(async {
        let client = omar.connect().await.unwrap();
        tokio::task::block_in_place(|| log_all(&lab));
        let statement = client.prepare(ONE).await.unwrap();
        assert_eq!(number(&client, &statement, 7).await, "7");
        let name = called(&lab, "department");
        assert_eq!(name.len(), 52, "{name}");
        let parsed = count(&lab, "parsed");
        let mut raw = Raw::login(&dana);
        for (attack, syncs) in [
            ([bind("", &name, &["1"]), execute("", 0), sync()].concat(), 1),
            ([describe('S', &name), sync()].concat(), 1),
            ([parse(&name, "SELECT 1"), sync()].concat(), 1),
            (query(&format!("EXECUTE \"{name}\"(1)")), 1),
            (query(&format!("EXPLAIN EXECUTE \"{name}\"(1)")), 1),
            (query(&format!("PREPARE \"{name}\" AS SELECT 1")), 1),
            (query(&format!("DEALLOCATE \"{name}\"")), 1),
            (query(&format!("BEGIN; DEALLOCATE \"{name}\"")), 1),
            ([run(&format!("DEALLOCATE \"{name}\"")), sync()].concat(), 1),
            ([run(&format!("PREPARE \"{name}\" AS SELECT 1")), sync()].concat(), 1),
        ] {
            raw.send(&attack);
            for _ in 0..syncs {
                let said = raw.until_ready();
                assert_eq!(error(&said).field('C').unwrap(), "26000", "{}", String::from_utf8_lossy(&attack));
            }
        }
        // Of what one does not hold it is no error, and does nothing.
        raw.send(&[run("SELECT 1"), close('S', &name), sync(), close('S', &name), sync()].concat());
        for _ in 0..2 {
            assert!(raw.until_ready().iter().all(|said| said.tag != 'E'));
        }
        assert_eq!(number(&client, &statement, 8).await, "8");
        assert_eq!(count(&lab, "parsed"), parsed, "it went on to stand there");
    });
}

#[test]
fn more_statements_than_a_connection_keeps_give_way_to_one_another_unseen() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1, "prepared": 2 })));
    lab.grant("omar", "select", &[], 3600);
    let omar = lab.add("omar");
    let mut raw = Raw::login(&omar);
    let names = ["a", "b", "c", "d", "e"];
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend(parse(name, &format!("SELECT '{name}' || $1::text FROM department LIMIT 1")));
    }
    // A portal outlives what it was made of, as on any connection.
    bytes.extend(bind("kept", "a", &["!"]));
    for name in names {
        bytes.extend([bind("", name, &[name]), execute("", 0)].concat());
    }
    bytes.extend([execute("kept", 0), sync()].concat());
    let said = raw.exchange(&bytes, 1).concat();
    let rows: Vec<_> = said.iter().filter(|one| one.starts_with('D')).collect();
    assert_eq!(rows.len(), 6, "{said:#?}");
    for (row, name) in rows.iter().zip(["aa", "bb", "cc", "dd", "ee", "a!"]) {
        assert!(row.ends_with(name), "{row} {name}");
    }
    for turn in 0..4 {
        for name in names {
            let said = raw.exchange(&[bind("", name, &["x"]), execute("", 0), sync()].concat(), 1).concat();
            assert!(said.iter().any(|one| one.ends_with(&format!("{name}x"))), "{turn} {name} {said:#?}");
        }
    }
    assert!(count(&lab, "evicted") >= 20 && count(&lab, "parsed") >= 25, "{}", lab.metrics());
}

/// Exchanges about named statements that are the same with and without the gateway: bytes, and how many ReadyForQuery
/// follow. Each begins with none prepared.
fn exchanges() -> Vec<(Vec<u8>, usize)> {
    let add = "SELECT $1::int + 1";
    let ask = |name: &str| [bind("", name, &["1"]), execute("", 0)].concat();
    vec![
        // What an error skips was not prepared.
        (
            [
                [parse("a", add), parse("b", "SELECT nowhere FROM employee"), parse("c", add), sync()]
                    .concat(),
                [ask("a"), sync(), ask("b"), sync(), ask("c"), sync(), parse("c", add), ask("c"), sync()]
                    .concat(),
            ]
            .concat(),
            5,
        ),
        // The same text behind an error, under another name, all of it in one write.
        (
            [
                [parse("a", add), sync(), query("SELECT 1/0"), run("SELECT 1/0"), parse("b", add), sync()]
                    .concat(),
                [ask("a"), sync(), ask("b"), sync(), parse("b", add), ask("b"), ask("a"), sync()].concat(),
            ]
            .concat(),
            6,
        ),
        // Closed behind an error, it is still there; closed without one, it is not.
        (
            [
                [parse("a", add), sync(), run("SELECT 1/0"), close('S', "a"), sync(), ask("a"), sync()]
                    .concat(),
                [close('S', "a"), sync(), ask("a"), sync(), parse("a", "SELECT 7"), sync()].concat(),
            ]
            .concat(),
            6,
        ),
        // Errors speak of the names that the client gave.
        (
            [parse("a", add), sync(), bind("", "a", &["1", "2"]), sync(), bind("", "a", &[]), sync()]
                .concat(),
            3,
        ),
        // SQL shares the names.
        (
            [
                [parse("a", "SELECT $1::int * 3"), sync(), query("EXECUTE a(4)")].concat(),
                [query("DEALLOCATE a"), query("EXECUTE a(4)"), ask("a"), sync()].concat(),
                [query("DEALLOCATE a"), parse("a", add), ask("a"), sync()].concat(),
            ]
            .concat(),
            7,
        ),
        (
            [
                [query("PREPARE a AS SELECT 5"), bind("", "a", &[]), execute("", 0), sync()].concat(),
                [query("DEALLOCATE a"), parse("a", add), sync(), run("EXECUTE a(1)"), sync()].concat(),
                [run("DEALLOCATE a"), sync(), ask("a"), sync()].concat(),
            ]
            .concat(),
            7,
        ),
        (
            [
                [query("BEGIN"), parse("a", add), sync(), query("SELECT 1/0"), query("DEALLOCATE a")]
                    .concat(),
                [query("ROLLBACK"), ask("a"), sync(), query("EXECUTE a(1)"), query("DEALLOCATE a")].concat(),
            ]
            .concat(),
            8,
        ),
        (
            [
                [parse("a", add), parse("b", add), sync(), query("DEALLOCATE ALL"), ask("a"), sync()]
                    .concat(),
                [parse("a", add), ask("a"), ask("a"), sync()].concat(),
            ]
            .concat(),
            4,
        ),
        // What is set for a transaction alone bears on what is prepared in it.
        (
            [
                [
                    query("BEGIN; SET LOCAL datestyle = 'German'"),
                    parse("a", "SELECT date '01.02.2026' + $1::int"),
                ]
                .concat(),
                [ask("a"), sync(), query("COMMIT"), parse("b", "SELECT date '01/02/2026' + $1::int")]
                    .concat(),
                [ask("b"), describe('S', "b"), describe('S', "a"), sync()].concat(),
            ]
            .concat(),
            4,
        ),
    ]
}

#[test]
fn names_stand_for_what_they_would_stand_for_without_the_gateway() {
    let lab = crate::lab!(Lab::usual());
    let (direct, full) = (lab.directly(), lab.add_full());
    for (bytes, syncs) in exchanges() {
        let wanted = Raw::login(&direct).exchange(&bytes, syncs);
        // Twice: the second finds what the first has left on its connection.
        for turn in 0..2 {
            let got = Raw::login(&full).exchange(&bytes, syncs);
            assert_eq!(wanted, got, "turn {turn}: {}", String::from_utf8_lossy(&bytes).escape_debug());
        }
    }
}

#[test]
fn a_statement_whose_columns_change_fails_for_whom_it_would_and_for_nobody_else() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    let full = lab.add_full();
    for (round, around) in [true, false].into_iter().enumerate() {
        let table = format!("public.shifting{round}");
        let text = format!("SELECT * FROM {table} WHERE $1::int > 0");
        let change = format!("ALTER TABLE {table} ADD b int");
        runtime().block_on(async {
            let before = [full.connect().await.unwrap(), full.connect().await.unwrap()];
            assert_eq!(ask(&before[0], &format!("CREATE TABLE {table} (a text)")).await, "/0");
            let fill = format!("INSERT INTO {table} VALUES ('1'); GRANT SELECT ON {table} TO PUBLIC");
            tokio::task::block_in_place(|| lab.superuser(&fill));
            let mut prepared = Vec::new();
            for client in &before {
                prepared.push(client.prepare(&text).await.unwrap());
                assert_eq!(number(client, &prepared[prepared.len() - 1], 1).await, "1");
            }
            if around {
                tokio::task::block_in_place(|| lab.superuser(&change));
            } else {
                assert_eq!(ask(&before[0], &change).await, "/0");
            }
            // Whoever prepares it now is told of both columns, and gets them.
            let after = full.connect().await.unwrap();
            let fresh = after.prepare(&text).await.unwrap();
            assert_eq!(fresh.columns().len(), 2);
            assert_eq!(number(&after, &fresh, 1).await, "1");
            if !around {
                for (client, statement) in before.iter().zip(&prepared) {
                    assert_eq!(number(client, statement, 1).await, "0A000", "directly it would be so, too");
                    let again = client.prepare(&text).await.unwrap();
                    assert_eq!(number(client, &again, 1).await, "1");
                }
            }
            assert_eq!(number(&after, &fresh, 1).await, "1");
        });
    }
}
