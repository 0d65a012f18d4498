//! Who gets which connection, and what happens when there is none.

use std::time::Instant;

use super::{own::OwnServer, *};

#[tokio::test]
async fn a_full_pool_makes_wait_and_then_gives_up() {
    for server in servers() {
        let mut settings = server.settings();
        settings.pool =
            PoolSettings { max_connections: 1, wait_timeout: Duration::from_millis(100), ..settings.pool };
        let pools = pools(settings);
        let home = home(&server.at.database);
        let lease = lend(&pools, &home, Lane::Read).await;
        let error = pools.lease_mysql(&"hr".into(), &home, Lane::Read, &"dana".into()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Exhausted { .. }));
        // Another lane has a pool of its own.
        drop(lend(&pools, &home, Lane::Write).await);
        lease.go_home(HomeState::Idle);
        while pools.lease_mysql(&"hr".into(), &home, Lane::Read, &"dana".into()).await.is_err() {}
    }
}

#[tokio::test]
async fn a_connection_is_lent_to_its_own_shape_only() {
    for server in servers() {
        let pools = server.single();
        let (new, old) = (home(&server.at.database), Home { shape: OLD, ..home(&server.at.database) });
        let mut lease = lend(&pools, &new, Lane::Read).await;
        let thread = lease.thread_id();
        assert!(lease.capabilities().has(Capabilities::DEPRECATE_EOF | Capabilities::SESSION_TRACK));
        assert_eq!(lease.capabilities().has(Capabilities::QUERY_ATTRIBUTES), server.is_mysql());
        assert_eq!(one(&mut lease, "SELECT 7").await, "7");
        lease.go_home(HomeState::Idle);
        // The pool is full with one of another shape, which gives up its place.
        let mut lease = lend(&pools, &old, Lane::Read).await;
        assert_ne!(lease.thread_id(), thread);
        assert!(!lease.capabilities().has(Capabilities::DEPRECATE_EOF));
        assert_eq!(one(&mut lease, "SELECT 7").await, "7");
        assert_eq!(run(&mut lease, "SELECT 1; SELECT 2").await.errors, [1064]);
    }
}

#[tokio::test]
async fn cancel_stops_what_runs_and_only_that() {
    for server in servers() {
        let pools = pools(server.settings());
        let mut lease = server.lease(&pools, Lane::Read).await;
        let mut other = server.lease(&pools, Lane::Read).await;
        // SLEEP() says 1 when it is stopped, so the loop is one that fails.
        let long = "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, \
                    information_schema.columns c WHERE SLEEP(0.001) = 0 OR a.column_name <> b.column_name";
        let message = query(&lease, long);
        let mut next = 0;
        for it in [&mut lease, &mut other] {
            next = it.send_statement(&message, &permit(Lane::Read), &receipt().await).unwrap();
            it.flush().await.unwrap();
        }
        let cancel = lease.cancel_handle().unwrap();
        assert!(!format!("{cancel:?}").contains("hunter2"));
        // The query may not have begun when the first request arrives: ask until it is over.
        loop {
            cancel.cancel().await.unwrap();
            if let Ok(read) = tokio::time::timeout(Duration::from_millis(300), lease.read()).await {
                assert_ne!(read.unwrap(), 0);
                break;
            }
        }
        assert_eq!(answer(&mut lease, Expect::Query, next).await.errors, [1317]);
        let still = tokio::time::timeout(Duration::from_millis(50), other.read()).await;
        assert!(still.is_err(), "the other session was stopped, too");

        // Dropped while a statement runs: it ends on the server.
        let thread = other.thread_id();
        drop(other);
        let there = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE id = {thread} AND info IS NOT NULL"
        );
        let started = Instant::now();
        while one(&mut lease, &there).await != "0" {
            assert!(started.elapsed() < Duration::from_secs(5), "it runs on");
        }
        // What comes too late hits nobody else's statement.
        let idle = server.single();
        let late = server.lease(&idle, Lane::Read).await;
        late.cancel_handle().unwrap().cancel().await.unwrap();
        late.go_home(HomeState::Idle);
        assert_eq!(one(&mut server.lease(&idle, Lane::Read).await, "SELECT 1").await, "1");

        // A session that is gone has nothing left to stop.
        cancel.cancel().await.unwrap();
        lease.go_home(HomeState::Unknown);
        cancel.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_does_not_stop_the_others() {
    for server in servers() {
        let pools = pools(server.settings());
        for _ in 0..3 {
            let error = pools
                .lease_mysql(&"hr".into(), &home("there_is_none"), Lane::Read, &"dana".into())
                .await
                .unwrap_err();
            assert_eq!(error.code().sqlstate(), "3D000");
            drop(server.lease(&pools, Lane::Read).await);
        }
        assert!(pools.health()[0].1.is_up());
        let unknown =
            pools.lease_mysql(&"nobody".into(), &home(""), Lane::Read, &"dana".into()).await.unwrap_err();
        assert!(matches!(unknown, UpstreamError::UnknownTarget { .. }));
        // A session of the other protocol does not find it.
        let wrong = pools.lease(&"hr".into(), &"hr".into(), Lane::Read, &"dana".into()).await.unwrap_err();
        assert!(matches!(wrong, UpstreamError::UnknownTarget { .. }));
        assert_eq!(pools.accounts(&"hr".into()).len(), 1);
    }
}

#[tokio::test]
async fn only_listed_databases_are_lent() {
    for server in servers() {
        let listed = vec![server.at.database.as_str().into()];
        let settings = TargetSettings { databases: Some(listed), ..server.settings() };
        let (error, _) = refusal(settings.clone(), "mysql").await;
        assert!(matches!(error, UpstreamError::UnknownDatabase { .. }));
        let pools = pools(settings);
        drop(server.lease(&pools, Lane::Read).await);
        drop(lend(&pools, &home(""), Lane::Read).await);
    }
}

#[tokio::test]
async fn a_connection_killed_while_idle_is_not_lent() {
    for server in servers() {
        let pools = server.single();
        let lease = server.lease(&pools, Lane::Read).await;
        let before = lease.thread_id();
        lease.go_home(HomeState::Idle);
        // It is idle again once it can be lent; another round does no harm.
        server.lease(&pools, Lane::Read).await.go_home(HomeState::Idle);
        let mut killer = server.lease(&pools, Lane::Admin).await;
        let there = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {before}");
        run(&mut killer, &format!("KILL {before}")).await;
        while one(&mut killer, &there).await != "0" {}
        let mut lease = server.lease(&pools, Lane::Read).await;
        assert_ne!(lease.thread_id(), before);
        assert_eq!(one(&mut lease, "SELECT 1").await, "1");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_is_told_at_once_and_found_again_quickly() {
    for flavor in [MysqlFlavor::Mariadb, MysqlFlavor::Mysql] {
        let Some(mut own) = OwnServer::start(flavor) else { continue };
        let pools = pools(own.at.settings());
        let home = home("");
        let mut lease = lend(&pools, &home, Lane::Read).await;
        let sleep = query(&lease, "SELECT SLEEP(600)");
        lease.send_statement(&sleep, &permit(Lane::Read), &receipt().await).unwrap();
        lease.flush().await.unwrap();
        lend(&pools, &home, Lane::Read).await.go_home(HomeState::Idle);
        own.kill();
        while !matches!(lease.drive().await, Ok(Progress::Received(0)) | Err(_)) {
            lease.buffer_mut().clear();
        }
        drop(lease);
        let started = Instant::now();
        for _ in 0..100 {
            let error = pools.lease_mysql(&"hr".into(), &home, Lane::Read, &"dana".into()).await.unwrap_err();
            assert_eq!(error.code().sqlstate(), "08006");
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(!pools.health()[0].1.is_up());
        own.up();
        let started = Instant::now();
        while let Err(error) = pools.lease_mysql(&"hr".into(), &home, Lane::Read, &"dana".into()).await {
            assert!(started.elapsed() < Duration::from_secs(20), "{}", causes(&error));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while !pools.health()[0].1.is_up() {
            assert!(started.elapsed() < Duration::from_secs(20), "{:?}", pools.health());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
