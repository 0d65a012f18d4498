//! Statements of the gateway's own reach the server as they are meant.

use tidegate::{model::ids::Ident, upstream::mysql::SettingValue};

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
            let (autocommit, results) = (Ident::from("autocommit"), Ident::from("character_set_results"));
            let (client, collation) =
                (Ident::from("character_set_client"), Ident::from("collation_connection"));
            let database = server.at.database.as_str().into();
            let setups = [
                Setup::Set { name: &mode, value: SettingValue::Literal("ANSI_QUOTES,NO_BACKSLASH_ESCAPES") },
                Setup::Use(&database),
                Setup::Set { name: &autocommit, value: SettingValue::Number(0) },
                Setup::Set { name: &client, value: SettingValue::Literal("latin1") },
                Setup::Set { name: &collation, value: SettingValue::Literal("latin1_bin") },
                Setup::Set { name: &results, value: SettingValue::Null },
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
                    isolation: state.isolation.clone(),
                    role: state.role.clone(),
                    takes_writes: true,
                }
            );
            // In every mode and set a text arrives as it is.
            let zone = Ident::from("lc_time_names");
            for value in ["de_DE", "ja_JP"] {
                let setups = [
                    Setup::Set { name: &zone, value: SettingValue::Literal(value) },
                    Setup::Set { name: &client, value: SettingValue::Literal("utf8mb4") },
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
async fn what_is_held_read_only_is_so_in_transactions() {
    for server in servers() {
        let pools = pools(server.settings());
        for shape in [modern(), OLD] {
            let mut lease = lend(&pools, &Home { shape, ..home(&server.at.database) }, Lane::Write).await;
            let inside = run(&mut lease, "START TRANSACTION").await;
            assert!(!inside.status.has(Status::IN_TRANSACTION_READ_ONLY), "{inside:?}");
            lease.run_setup(&[Setup::Rollback, Setup::ReadOnly(true)], LIMIT).await.unwrap();
            assert!(lease.read_state(LIMIT).await.unwrap().read_only);
            let inside = run(&mut lease, "START TRANSACTION").await;
            assert!(inside.status.has(Status::IN_TRANSACTION_READ_ONLY), "{inside:?}");
            let mut read = lend(&pools, &Home { shape, ..home("") }, Lane::Read).await;
            let lifted = read.run_setup(&[Setup::ReadOnly(false)], LIMIT).await;
            assert!(matches!(lifted, Err(UpstreamError::Misuse { .. })), "{lifted:?}");
            assert_eq!(read.outbound_bytes(), 0);
            let inside = run(&mut read, "START TRANSACTION").await;
            assert!(inside.status.has(Status::IN_TRANSACTION_READ_ONLY), "{inside:?}");
        }
    }
}
