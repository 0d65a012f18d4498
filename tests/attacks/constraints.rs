//! Errors of broken constraints quote a row: one of another table than the statement names, one that was there before, or
//! one that an earlier statement of the transaction wrote.

use super::{
    session,
    support::{Login, wire},
};
use crate::lab;

const SETUP: &str = "
    CREATE EXTENSION btree_gist;
    CREATE TABLE room (id int PRIMARY KEY, name text); INSERT INTO room VALUES (1, 'one'), (2, 'two');
    CREATE TABLE desk (id int PRIMARY KEY, room int NOT NULL REFERENCES room ON DELETE SET NULL, note text);
    INSERT INTO desk VALUES (1, 1, 'TOPSECRET desk');
    CREATE TABLE person (id int PRIMARY KEY, name text NOT NULL, note text); INSERT INTO person VALUES (1, 'a', 'TOPSECRET person');
    CREATE VIEW person_name AS SELECT id, name FROM person;
    CREATE TABLE lease (id int PRIMARY KEY, term int4range, EXCLUDE USING gist (term WITH &&));
    INSERT INTO lease VALUES (1, '[770,779)');
    CREATE TABLE part (id int PRIMARY KEY, code text UNIQUE DEFERRABLE INITIALLY DEFERRED, note text);
    INSERT INTO part VALUES (1, 'x', 'TOPSECRET part'), (2, 'y', 'TOPSECRET part');
    CREATE TABLE odd (note text); INSERT INTO odd VALUES ('1'); CREATE STATISTICS odd_n ON (note::int) FROM odd;
    INSERT INTO odd VALUES ('TOPSECRET odd');
    CREATE DOMAIN short AS text; CREATE TABLE pet (name short); INSERT INTO pet VALUES ('TOPSECRET pet');
    GRANT ALL ON ALL TABLES IN SCHEMA public TO tidegate_read, tidegate_write;";

/// Each of them fails, names its constraint (or says that nothing is shown) and quotes no row.
async fn unquoted(login: &Login, scripts: &[(&[&str], &str)]) {
    for (script, told) in scripts {
        let (seen, end) = session(login, script).await;
        assert!(end.is_err() && seen.contains(told), "{script:?}: {seen}");
        assert!(!seen.contains("TOPSECRET") && !seen.contains("77"), "{script:?}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_constraint_quotes_no_row_of_what_may_not_be_read() {
    let lab = lab!(super::open_lab());
    lab.superuser(SETUP);
    let omar = lab.add("omar");
    for table in ["public.room", "public.person_name", "public.lease"] {
        lab.grant("omar", "dml", &[table], 600);
    }
    lab.grant("omar", "select", &["public.room", "public.person_name"], 600);
    unquoted(
        &omar,
        &[
            (&["DELETE FROM room WHERE id = 1"], "null value in column"),
            (&["UPDATE person_name SET name = NULL"], "null value in column"),
            (&["INSERT INTO lease VALUES (2, '[1,9000)')"], "lease_term_excl"),
            (&["MERGE INTO room USING (VALUES (1)) v (i) ON id = i WHEN MATCHED THEN DELETE"], "null value"),
        ],
    )
    .await;
    for (sql, told) in [
        ("INSERT INTO room VALUES (1, 'x')", "Key (id)=(1) already exists"),
        ("INSERT INTO room VALUES (NULL, 'mine')", "Failing row contains (null, mine)"),
    ] {
        let (seen, end) = session(&omar, &[sql]).await;
        assert!(end.is_err() && seen.contains(told), "what one writes is one's own: {sql}: {seen}");
    }
    lab.grant("omar", "select", &["public.desk", "public.person", "public.lease"], 600);
    for sql in ["DELETE FROM room WHERE id = 1", "UPDATE person_name SET name = NULL"] {
        let (seen, _) = session(&omar, &[sql]).await;
        assert!(seen.contains("TOPSECRET"), "who may read it is told: {sql}: {seen}");
    }
    let (seen, _) = session(&omar, &["INSERT INTO lease VALUES (2, '[1,9000)')"]).await;
    assert!(seen.contains("[770,779)"), "who may read it is told: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_a_deferred_constraint_quotes_no_row_whenever_it_comes() {
    let lab = lab!(super::open_lab());
    lab.superuser(SETUP);
    let wanda = lab.add("wanda");
    lab.grant("wanda", "dml", &["public.part"], 600);
    const CHANGE: &str = "UPDATE part SET code = note";
    let hidden = "not shown";
    unquoted(
        &wanda,
        &[
            (&[CHANGE], hidden),
            (&["BEGIN", CHANGE, "COMMIT"], hidden),
            (&["BEGIN", CHANGE, "SELECT 1", "END"], hidden),
            (&["BEGIN", CHANGE, "COMMIT AND CHAIN"], hidden),
            (&["BEGIN", CHANGE, "SET CONSTRAINTS ALL IMMEDIATE"], hidden),
            (&["UPDATE part SET code = note; SELECT 1"], hidden),
            (&["BEGIN; UPDATE part SET code = note; SELECT 1; COMMIT"], hidden),
        ],
    )
    .await;
    let own = ["BEGIN", "INSERT INTO part VALUES (3, 'x', '')", "COMMIT"];
    let (seen, end) = session(&wanda, &own).await;
    assert!(
        end.is_err() && seen.contains("Key (code)=(x) already exists"),
        "what one writes is one's own: {seen}"
    );

    let mut raw = wire::Raw::login(&wanda);
    let run = |sql| [wire::parse("", sql), wire::bind("", "", &[]), wire::execute("", 0)].concat();
    for texts in [&[CHANGE][..], &[CHANGE, "SELECT 1"]] {
        let messages: Vec<u8> = texts.iter().flat_map(|sql| run(sql)).chain(wire::sync()).collect();
        raw.send(&messages);
        let answer = raw.until_ready();
        let error = wire::error(&answer);
        assert_eq!(error.field('C').unwrap(), "23505", "it comes with the Sync");
        assert!(error.field('M').unwrap().contains(hidden) && error.field('D').is_none(), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_of_all_tables_quotes_no_row() {
    let lab = lab!(super::open_lab());
    lab.superuser(SETUP);
    let full = lab.add("full");
    lab.grant("full", "ddl", &[], 600);
    unquoted(&full, &[(&["ANALYZE"], "not shown"), (&["VACUUM ANALYZE"], "not shown")]).await;
    lab.grant("full", "select", &["public.short"], 600);
    let check = "ALTER DOMAIN short ADD CHECK (VALUE::int > 0)";
    unquoted(&full, &[(&[check], "not shown")]).await;
    lab.grant("full", "select", &[], 600);
    let (seen, _) = session(&full, &[check]).await;
    assert!(seen.contains("TOPSECRET pet"), "who may read all of it is told: {seen}");
    let (seen, _) = session(&full, &["ANALYZE"]).await;
    assert!(seen.contains("TOPSECRET odd"), "who may read all of it is told: {seen}");
}
