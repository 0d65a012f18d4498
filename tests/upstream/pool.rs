//! Limits, waiting, ages, and servers that go away.

use std::time::Instant;

use super::{own::OwnServer, *};

async fn backend(lease: &mut Lease) -> String {
    one(lease, "SELECT pg_backend_pid()").await
}

fn counted(settings: TargetSettings) -> (Pools, Arc<Metrics>) {
    let metrics = Metrics::new("test").unwrap();
    (Pools::new([settings], &metrics), metrics)
}

/// Waits until so many connections of the read lane are idle.
async fn idle(metrics: &Metrics, count: i64) {
    let gauge = metrics.pool(&"hr".into(), Lane::Read).idle;
    let started = Instant::now();
    while gauge.get() != count {
        assert!(started.elapsed() < Duration::from_secs(10), "{} are idle", gauge.get());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_waits_gets_the_next_connection_or_is_told_in_time() {
    let Some(server) = server() else { return };
    let mut settings = server.settings();
    settings.pool.max_connections = 2;
    settings.pool.wait_timeout = Duration::from_millis(300);
    let pools = pools(settings);
    let first = server.lease(&pools, Lane::Read).await;
    let _second = server.lease(&pools, Lane::Read).await;
    let started = Instant::now();
    let (target, database) = ("hr".into(), server.database.as_str().into());
    let error = pools.lease(&target, &database, Lane::Read, &"dana".into()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Exhausted { .. }));
    assert_eq!(error.code().sqlstate(), "53300");
    assert!(started.elapsed() < Duration::from_secs(2));
    // Another lane has connections of its own.
    drop(server.lease(&pools, Lane::Write).await);
    let dana = "dana".into();
    let (waiting, ()) = tokio::join!(pools.lease(&target, &database, Lane::Read, &dana), async {
        tokio::task::yield_now().await;
        first.go_home(HomeState::Idle);
    });
    assert_eq!(one(&mut waiting.unwrap(), "SELECT 1").await, "1");
}

#[tokio::test]
async fn the_limit_holds_over_all_databases_of_a_lane() {
    let Some(server) = server() else { return };
    let mut settings = server.settings();
    settings.pool.max_connections = 1;
    let pools = pools(settings);
    let mut first = server.lease(&pools, Lane::Read).await;
    let backend = backend(&mut first).await;
    first.go_home(HomeState::Idle);
    let mut second =
        pools.lease(&"hr".into(), &"template1".into(), Lane::Read, &"dana".into()).await.unwrap();
    let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}");
    // The server takes a moment to end the session that gave up its place.
    for _ in 0..100 {
        if one(&mut second, &gone).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the idle connection of the other database is still open");
}

#[tokio::test]
async fn the_newest_idle_connection_is_lent_first() {
    let Some(server) = server() else { return };
    let (pools, metrics) = counted(server.settings());
    let mut leases = [server.lease(&pools, Lane::Read).await, server.lease(&pools, Lane::Read).await];
    let newest = backend(&mut leases[0]).await;
    for (already, lease) in leases.into_iter().rev().enumerate() {
        lease.go_home(HomeState::Idle);
        idle(&metrics, already as i64 + 1).await;
    }
    assert_eq!(backend(&mut server.lease(&pools, Lane::Read).await).await, newest);
}

#[tokio::test]
async fn a_connection_past_its_lifetime_is_not_lent() {
    let Some(server) = server() else { return };
    let mut settings = server.settings();
    settings.pool.max_lifetime = Duration::from_millis(400);
    let pools = pools(settings);
    let mut old = server.lease(&pools, Lane::Read).await;
    let before = backend(&mut old).await;
    old.go_home(HomeState::Idle);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut new = server.lease(&pools, Lane::Read).await;
    assert_ne!(backend(&mut new).await, before);
}

#[tokio::test]
async fn what_nobody_asks_for_is_closed_after_the_idle_timeout() {
    let Some(server) = server() else { return };
    let mut settings = server.settings();
    settings.pool.idle_timeout = Duration::from_millis(500);
    let (pools, metrics) = counted(settings);
    server.lease(&pools, Lane::Read).await.go_home(HomeState::Idle);
    idle(&metrics, 1).await;
    idle(&metrics, 0).await;
}

#[tokio::test]
async fn a_statement_whose_lease_is_dropped_does_not_run_on() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let dropped = backend(&mut lease).await;
    let mut watcher = server.lease(&pools, Lane::Admin).await;
    lease.send_statement(&query("SELECT pg_sleep(600)"), &permit(Lane::Read), &receipt().await).unwrap();
    lease.flush().await.unwrap();
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {dropped}");
    let runs = format!("{there} AND state = 'active' AND query LIKE '%sleep%'");
    while one(&mut watcher, &runs).await != "1" {}
    drop(lease);
    let started = Instant::now();
    while one(&mut watcher, &there).await != "0" {
        assert!(started.elapsed() < Duration::from_secs(5), "it runs on");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_does_not_stop_the_others() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    for _ in 0..3 {
        assert!(
            pools.lease(&"hr".into(), &"there_is_none".into(), Lane::Read, &"dana".into()).await.is_err()
        );
        drop(server.lease(&pools, Lane::Read).await);
    }
    assert!(pools.health()[0].1.is_up());
}

#[tokio::test]
async fn a_connection_killed_while_idle_is_not_lent() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let before = backend(&mut lease).await;
    let mut killer = server.lease(&pools, Lane::Admin).await;
    lease.go_home(HomeState::Idle);
    // It is idle once the server says that its reset is over.
    let reset = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = {before} AND state = 'idle' AND query LIKE '%setseed%'"
    );
    while one(&mut killer, &reset).await != "1" {}
    one(&mut killer, &format!("SELECT pg_terminate_backend({before}, 5000)")).await;
    let mut lease = server.lease(&pools, Lane::Read).await;
    assert_ne!(backend(&mut lease).await, before);
}

#[tokio::test]
async fn a_server_that_is_killed_is_told_at_once_and_found_again_quickly() {
    let Some(own) = OwnServer::start() else { return };
    let mut settings = own.at.settings();
    settings.databases = Some(vec!["postgres".into()]);
    let (pools, metrics) = counted(settings);
    let mut lease = own.at.lease(&pools, Lane::Read).await;
    lease.send_statement(&query("SELECT pg_sleep(600)"), &permit(Lane::Read), &receipt().await).unwrap();
    lease.flush().await.unwrap();
    own.at.lease(&pools, Lane::Read).await.go_home(HomeState::Idle);
    own.kill();
    // The one that runs ends: with words, or with the end of the stream.
    while !matches!(lease.drive().await, Ok(Progress::Received(0)) | Err(_)) {
        lease.buffer_mut().clear();
    }
    // Once, however often it is asked.
    assert!(matches!(lease.drive().await, Ok(Progress::Received(0)) | Err(_)));
    assert_eq!(metrics.target(&"hr".into()).upstream_errors.lost.get(), 1);
    drop(lease);

    let started = Instant::now();
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let pools = pools.clone();
            tokio::spawn(async move {
                pools.lease(&"hr".into(), &"postgres".into(), Lane::Read, &"dana".into()).await.map(drop)
            })
        })
        .collect();
    for client in clients {
        let error = client.await.unwrap().unwrap_err();
        assert_eq!(error.code().sqlstate(), "08006");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!pools.health()[0].1.is_up());

    own.up();
    let started = Instant::now();
    while pools.lease(&"hr".into(), &"postgres".into(), Lane::Read, &"dana".into()).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // The other lanes are found by the look around once a second.
    while !pools.health()[0].1.is_up() {
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", pools.health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
