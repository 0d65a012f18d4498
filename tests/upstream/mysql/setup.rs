//! Statements of the gateway's own reach the server as they are meant.

use tidegate::{
    model::ids::Ident,
    upstream::mysql::{AccessMode, Isolation, SettingValue},
};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn settings_reach_the_server_as_they_are_meant() {
    for server in servers() {
        let pools = pools(server.settings());
        for shape in [modern(), OLD] {
            let mut lease = lend(&pools, &Home { shape, database: None }, Lane::Read).await;
            let (mode, dialect) = (Ident::from("sql_mode"), Ident::from("init_connect"));
            assert!(
                lease
                    .run_setup(&[Setup::Set { name: &dialect, value: SettingValue::Default }], LIMIT)
                    .await
                    .is_err()
            );
            drop(lease);
            let mut lease = lend(&pools, &Home { shape, database: None }, Lane::Read).await;
            let (latin1, collation) = (Ident::from("latin1"), Ident::from("latin1_bin"));
            let (autocommit, results) = (Ident::from("autocommit"), Ident::from("character_set_results"));
            let database = server.at.database.as_str().into();
            let setups = [
                Setup::Set { name: &mode, value: SettingValue::Literal("ANSI_QUOTES,NO_BACKSLASH_ESCAPES") },
                Setup::Use(&database),
                Setup::Set { name: &autocommit, value: SettingValue::Number(0) },
                Setup::Names { charset: &latin1, collation: Some(&collation) },
                Setup::Set { name: &results, value: SettingValue::Null },
                Setup::Isolation { level: Isolation::ReadCommitted, next: false },
            ];
            lease.run_setup(&setups, LIMIT).await.unwrap();
            let state = lease.read_state(LIMIT).await.unwrap().clone();
            assert_eq!(
                state,
                State {
                    database: Some(database),
                    sql_mode: "ANSI_QUOTES,NO_BACKSLASH_ESCAPES".to_owned(),
                    character_set_client: "latin1".to_owned(),
                    character_set_connection: "latin1".to_owned(),
                    character_set_results: None,
                    collation_connection: "latin1_bin".to_owned(),
                    autocommit: false,
                    read_only: true,
                    isolation: "READ-COMMITTED".to_owned(),
                    role: state.role.clone(),
                }
            );
            // In every mode and set a text arrives as it is.
            let (zone, utf8) = (Ident::from("lc_time_names"), Ident::from("utf8mb4"));
            for value in ["de_DE", "ja_JP"] {
                let setups = [
                    Setup::Set { name: &zone, value: SettingValue::Literal(value) },
                    Setup::Names { charset: &utf8, collation: None },
                ];
                lease.run_setup(&setups, LIMIT).await.unwrap();
                assert_eq!(one(&mut lease, "SELECT @@lc_time_names").await, value);
            }
            // A value that is none is the server's to refuse, whatever is in it.
            let odd = Setup::Set { name: &zone, value: SettingValue::Literal("x'\\; DROP TABLE y") };
            let refused = lease.run_setup(&[odd], LIMIT).await.unwrap_err();
            assert!(causes(&refused).contains("1649"), "{}", causes(&refused));
        }
    }
}

#[tokio::test]
async fn transactions_begin_and_end_as_they_are_meant() {
    for server in servers() {
        let table = unique("begun");
        server.sql(&[&format!("CREATE TABLE {table} (x INT)")]).await;
        let pools = pools(server.settings());
        for shape in [modern(), OLD] {
            let mut lease = lend(&pools, &Home { shape, ..home(&server.at.database) }, Lane::Write).await;
            let begin = |access| Setup::Begin { snapshot: true, access };
            let setups = [
                Setup::Isolation { level: Isolation::RepeatableRead, next: true },
                begin(Some(AccessMode::ReadOnly)),
            ];
            lease.run_setup(&setups, LIMIT).await.unwrap();
            let inside = run(&mut lease, "SELECT 1").await;
            assert!(inside.status.has(Status::IN_TRANSACTION_READ_ONLY), "{inside:?}");
            let no = run(&mut lease, &format!("INSERT INTO {table} VALUES (1)")).await;
            assert_eq!(no.errors, [1792]);
            lease.run_setup(&[Setup::Rollback, Setup::UnlockTables, begin(None)], LIMIT).await.unwrap();
            let inside = run(&mut lease, "SELECT 1").await;
            assert!(
                inside.status.has(Status::IN_TRANSACTION)
                    && !inside.status.has(Status::IN_TRANSACTION_READ_ONLY)
            );
            lease.run_setup(&[Setup::Rollback, Setup::ReadOnly(true)], LIMIT).await.unwrap();
            assert!(lease.read_state(LIMIT).await.unwrap().read_only);
            let mut read = lend(&pools, &Home { shape, ..home("") }, Lane::Read).await;
            assert!(matches!(
                read.run_setup(&[Setup::ReadOnly(false)], LIMIT).await,
                Err(UpstreamError::Misuse { .. })
            ));
            assert!(read.run_setup(&[begin(Some(AccessMode::ReadWrite))], LIMIT).await.is_err());
            assert_eq!(read.outbound_bytes(), 0);
            read.run_setup(&[begin(None)], LIMIT).await.unwrap();
            assert!(run(&mut read, "SELECT 1").await.status.has(Status::IN_TRANSACTION_READ_ONLY));
        }
        server.sql(&[&format!("DROP TABLE {table}")]).await;
    }
}
