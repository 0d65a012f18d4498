//! A session lets its connection go when what tied it is gone, and not before.

use std::time::Duration;

use serde_json::json;
use tidegate::wire::mysql::capability::Capabilities;

use super::{postgres::ask, runtime};
use crate::support::{Lab, Server, eventually, mysql_wire::MysqlWire};

/// What ties a session, what gives that up, and the reason in the metrics.
const POSTGRES: [(&str, &str, &str); 7] = [
    ("CREATE TEMP TABLE own (a int)", "DROP TABLE own", "temporary"),
    ("CREATE TEMP TABLE own AS SELECT 1 AS a", "DISCARD TEMP", "temporary"),
    ("CREATE TEMP VIEW own AS SELECT 1 AS a", "DROP VIEW own", "temporary"),
    ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)", "lock"),
    ("LISTEN c", "UNLISTEN c", "listen"),
    ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c", "cursor"),
    ("PREPARE own AS SELECT 1", "DEALLOCATE own", "prepared"),
];

fn pinned(lab: &Lab, reason: &str) -> bool {
    let text = lab.metrics();
    let begin = format!("tidegate_sessions_pinned{{reason=\"{reason}\"");
    text.lines().any(|line| line.starts_with(&begin) && line.ends_with(" 1"))
}

#[test]
fn a_connection_is_free_as_soon_as_nothing_ties_its_session() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1, "wait": 800 })));
    let full = lab.add_full();
    runtime().block_on(async {
        let (holds, waits) = (full.connect().await.unwrap(), full.connect().await.unwrap());
        for (take, give_up, reason) in POSTGRES {
            let taken = ask(&holds, take).await;
            assert!(taken.contains('/'), "{take}: {taken}");
            assert_eq!(ask(&waits, "BEGIN").await, "53300", "{take}");
            assert!(pinned(&lab, reason), "{take}");
            let given_up = ask(&holds, give_up).await;
            assert!(given_up.contains('/'), "{give_up}: {given_up}");
            assert_eq!(ask(&waits, "BEGIN; SELECT 7; COMMIT").await, "/0 7 /1 /0", "{give_up}");
            assert!(!pinned(&lab, reason), "{give_up}");
        }
        // Two locks, of which one is given up, and what goes by itself.
        ask(&holds, "SELECT pg_advisory_lock(1), pg_advisory_lock(2)").await;
        ask(&holds, "SELECT pg_advisory_unlock(1)").await;
        assert_eq!(ask(&waits, "BEGIN").await, "53300");
        ask(&holds, "SELECT pg_advisory_unlock_all()").await;
        assert_eq!(ask(&waits, "BEGIN; COMMIT").await, "/0 /0");
        ask(&holds, "BEGIN; CREATE TEMP TABLE own (a int) ON COMMIT DROP; COMMIT").await;
        assert_eq!(ask(&waits, "BEGIN; COMMIT").await, "/0 /0");
        ask(&holds, "BEGIN; CREATE TEMP TABLE own (a int); ROLLBACK").await;
        assert_eq!(ask(&waits, "BEGIN; COMMIT").await, "/0 /0");
    });
}

#[test]
fn the_last_number_of_a_sequence_is_asked_for_where_it_was_given() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1, "wait": 800 })));
    let full = lab.add_full();
    runtime().block_on(async {
        let (gives, other) = (full.connect().await.unwrap(), full.connect().await.unwrap());
        ask(&gives, "CREATE TABLE numbered (id serial, a int)").await;
        for (number, asks) in ["SELECT lastval()", "SELECT currval('numbered_id_seq')"].iter().enumerate() {
            assert_eq!(ask(&gives, "INSERT INTO numbered (a) VALUES (7)").await, "/1");
            assert_eq!(ask(&gives, asks).await, format!("{} /1", number + 1));
        }
        // Whoever has the connection next has no number on it.
        assert_eq!(ask(&other, "SELECT lastval()").await, "55000");
    });
}

#[test]
fn nobody_of_the_gateway_stays_in_a_database_that_a_statement_wants_empty() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true })));
    let full = lab.add_full();
    lab.superuser("ALTER ROLE tidegate_admin CREATEDB");
    lab.superuser("CREATE DATABASE throwaway OWNER tidegate_admin");
    let everywhere =
        ["--target", "hr", "--database", "*", "--all-tables", "--permission", "select,dml,ddl,admin"];
    lab.admin(
        &[&["grant", "create", "--to", "full"], &everywhere[..], &["--for", "1h", "--reason", "INC-42"]]
            .concat(),
    );
    let run = |database: &str, sql: &str| {
        let output = full.command("psql").args(["-X", "-q", "-A", "-t", "-d", database, "-c", sql]).output();
        let output = output.unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let use_it = |database: &str| {
        assert_eq!(
            run(database, "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS own (a int)"),
            ""
        );
        assert_eq!(run(database, "SELECT 7"), "7\n");
    };
    use_it("throwaway");
    assert_eq!(run("hr_prod", "ALTER DATABASE throwaway RENAME TO thrown"), "");
    use_it("thrown");
    assert_eq!(run("hr_prod", "CREATE DATABASE copied TEMPLATE thrown"), "");
    use_it("thrown");
    assert_eq!(run("hr_prod", "DROP DATABASE thrown"), "");
    use_it("copied");
    runtime().block_on(async {
        let client = full.connect().await.unwrap();
        // By the extended protocol as well.
        client.execute("DROP DATABASE copied", &[]).await.unwrap();
    });
}

/// The same for MySQL and MariaDB; what is given up cannot be seen there of everything.
const MYSQL: [(&str, &str, &str); 3] = [
    ("CREATE TEMPORARY TABLE own (a int)", "DROP TEMPORARY TABLE own", "temporary"),
    ("SELECT GET_LOCK('own', 1)", "SELECT RELEASE_LOCK('own')", "lock"),
    ("PREPARE own FROM 'SELECT 1'", "DEALLOCATE PREPARE own", "prepared"),
];

#[test]
fn a_mysql_connection_is_free_as_soon_as_nothing_ties_its_session() {
    for server in [Server::Mariadb, Server::Mysql] {
        let settings = json!({ "plaintext": true, "pool": 1, "wait": 800 });
        let Some(lab) = Lab::with_gateway(server, &settings) else { continue };
        let full = lab.add_full();
        let connect = || MysqlWire::connect(&full, Capabilities::NONE);
        let (mut holds, mut waits) = (connect(), connect());
        for (take, give_up, reason) in MYSQL {
            super::mysql::ask(&mut holds, take);
            assert_eq!(waits.run("BEGIN"), 1040, "{server:?} {take}");
            assert!(pinned(&lab, reason), "{server:?} {take}");
            super::mysql::ask(&mut holds, give_up);
            assert_eq!(waits.run("BEGIN"), 0, "{server:?} {give_up}");
            assert_eq!(waits.run("COMMIT"), 0);
            assert!(!pinned(&lab, reason), "{server:?} {give_up}");
        }
        // A lock whose name is not seen, and a user variable, stay until the session begins anew.
        for take in ["SELECT GET_LOCK(CONCAT('o', 'wn'), 1)", "SET @own = 1"] {
            super::mysql::ask(&mut holds, take);
            super::mysql::ask(&mut holds, "SELECT RELEASE_ALL_LOCKS()");
            assert_eq!(waits.run("BEGIN"), 1040, "{server:?} {take}");
            holds.command(0x1f, &[]);
            assert_eq!(holds.outcome(), 0);
            eventually("the connection is free", Duration::from_secs(5), || waits.run("BEGIN") == 0);
            assert_eq!(waits.run("COMMIT"), 0);
        }
    }
}
