//! The database is told whose statements it runs, and the client sees what it said itself.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate::wire::mysql::capability::Capabilities;
use tokio_postgres::NoTls;

use super::{postgres::ask, runtime};
use crate::support::{DATABASE, Lab, Login, Server, mysql_wire::MysqlWire};

async fn connect_as(login: &Login, application: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(login.port).user(&login.user).password(&login.password).dbname(DATABASE);
    let (client, connection) = config.application_name(application).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The value of a text of one row.
async fn first(client: &tokio_postgres::Client, sql: &str) -> String {
    let said = ask(client, sql).await;
    said.rsplit_once(" /").map_or(said.clone(), |(value, _)| value.to_owned())
}

/// What the server shows of whoever sleeps.
fn seen(lab: &Lab, look: &str) -> String {
    let begin = Instant::now();
    loop {
        let seen = lab.superuser(look);
        if !seen.is_empty() || begin.elapsed() > Duration::from_secs(5) {
            return seen;
        }
    }
}

const ACTIVITY: &str = "SELECT application_name FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";

#[test]
fn the_server_shows_the_person_and_the_client_sees_its_own_name() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    let full = lab.add_full();
    runtime().block_on(async {
        let (one, other) = (connect_as(&full, "reports").await, connect_as(&full, "").await);
        for (client, own) in [(&one, "reports"), (&other, ""), (&one, "reports")] {
            let (_, shown) = tokio::join!(ask(client, "SELECT pg_sleep(0.7)"), async {
                tokio::task::block_in_place(|| seen(&lab, ACTIVITY))
            });
            let (signed, rest) = shown.split_at("tidegate:full:".len() + 12);
            assert!(signed.starts_with("tidegate:full:"), "{shown}");
            assert_eq!(rest.trim(), own, "{shown}");
            for look in ["SHOW application_name", "SELECT current_setting('application_name')"] {
                assert_eq!(first(client, look).await, own, "{look}");
                let row = client.query_one(look, &[]).await.unwrap();
                assert_eq!(row.get::<_, String>(0), own, "{look}");
            }
        }
        assert_eq!(ask(&one, "BEGIN").await, "/0");
        assert_eq!(first(&one, "SHOW application_name").await, "reports");
        ask(&one, "SET application_name = 'other'").await;
        assert_eq!(first(&one, "SHOW application_name").await, "other");
        ask(&one, "ROLLBACK").await;
        assert_eq!(first(&one, "SHOW application_name").await, "reports");
        ask(&one, "SET application_name = 'other'").await;
        assert_eq!(first(&one, "SHOW application_name").await, "other");
        let (_, shown) = tokio::join!(ask(&one, "SELECT pg_sleep(0.7)"), async {
            tokio::task::block_in_place(|| seen(&lab, ACTIVITY))
        });
        assert!(shown.starts_with("tidegate:full:") && shown.ends_with(" other"), "{shown}");
        ask(&one, "RESET application_name").await;
        assert_eq!(first(&one, "SHOW application_name").await, "reports");
    });
}

#[test]
fn a_comment_says_it_where_that_is_asked_for_and_errors_point_where_they_would() {
    let lab = crate::lab!(Lab::gateway(&json!({ "plaintext": true, "attribution": "comment" })));
    let full = lab.add_full();
    runtime().block_on(async {
        let client = full.connect().await.unwrap();
        let (_, shown) = tokio::join!(ask(&client, "SELECT pg_sleep(0.7) -- and nothing else"), async {
            let look = "SELECT query FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
            tokio::task::block_in_place(|| seen(&lab, look))
        });
        assert!(shown.contains("\n/* tidegate:full:") && shown.ends_with(" */"), "{shown}");
        let error = client.simple_query("SELECT nowhere FROM employee").await.unwrap_err();
        let position = error.as_db_error().unwrap().position().cloned();
        assert_eq!(position, Some(tokio_postgres::error::ErrorPosition::Original(8)));
        let rows = client.query("SELECT 1 + $1::int", &[&2]).await.unwrap();
        assert_eq!(rows[0].get::<_, i32>(0), 3);
    });
}

#[test]
fn mysql_shows_the_person_in_the_statement() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = Lab::of(server) else { continue };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let look = "SELECT info FROM information_schema.processlist WHERE info LIKE '%SLEEP(1)%' \
                    AND info NOT LIKE '%processlist%'";
        let shown = std::thread::scope(|scope| {
            let running = scope.spawn(|| wire.query("SELECT SLEEP(1)").unwrap());
            let shown = seen(&lab, look);
            running.join().unwrap();
            shown
        });
        assert!(shown.contains("/* tidegate:full:") && shown.contains(" */ SELECT SLEEP(1)"), "{shown}");
    }
}
