//! Nothing of one session is left for the next, and the read lane stays read-only.

use super::*;

/// A pool of one connection, so that the next lease gets the same one.
fn single(server: &Server) -> Pools {
    let mut settings = server.settings();
    settings.pool.max_connections = 1;
    pools(settings)
}

async fn backend(lease: &mut Lease) -> String {
    one(lease, "SELECT pg_backend_pid()").await
}

/// Runs `text`, gives the connection back, takes it again, and gives the answer to `look` there.
async fn left_behind(server: &Server, lane: Lane, text: &str, look: &str) -> Answer {
    let pools = single(server);
    let mut lease = server.lease(&pools, lane).await;
    let before = backend(&mut lease).await;
    let done = run(&mut lease, text).await;
    assert!(done.errors.is_empty(), "{text}: {done:?}");
    let state = if done.status == b'I' { HomeState::Idle } else { HomeState::InTransaction };
    lease.go_home(state);
    let mut lease = server.lease(&pools, lane).await;
    assert_eq!(backend(&mut lease).await, before, "the connection was not used again");
    run(&mut lease, look).await
}

#[tokio::test]
async fn nothing_leaks_from_one_session_to_the_next() {
    let Some(server) = server() else { return };
    for (text, look, left) in [
        ("SET statement_timeout = 12345", "SHOW statement_timeout", "0"),
        ("SET search_path = secret", "SHOW search_path", r#""$user", public"#),
        ("SET application_name = 'dana'", "SHOW application_name", "tidegate"),
        ("SET my.note = 'dana'", "SELECT coalesce(current_setting('my.note', true), '')", ""),
        (
            "SELECT set_config('my.other', 'dana', false)",
            "SELECT coalesce(current_setting('my.other', true), '')",
            "",
        ),
        ("SET standard_conforming_strings = off", "SHOW standard_conforming_strings", "on"),
        ("SET ROLE pg_monitor", "SELECT current_user = session_user", "t"),
        ("CREATE TEMP TABLE mine AS SELECT 1", "SELECT count(*) FROM pg_class WHERE relname = 'mine'", "0"),
        ("PREPARE mine AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements", "0"),
        ("LISTEN mine", "SELECT count(*) FROM pg_listening_channels()", "0"),
        (
            "SELECT pg_advisory_lock(4711)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            "0",
        ),
        ("BEGIN; DECLARE mine CURSOR WITH HOLD FOR SELECT 1; COMMIT", "SELECT count(*) FROM pg_cursors", "0"),
        (
            "BEGIN; SELECT pg_advisory_xact_lock(4712)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            "0",
        ),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1", "SHOW transaction_isolation", "read committed"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SHOW transaction_isolation",
            "read committed",
        ),
        (
            "CREATE TEMP SEQUENCE mine; SELECT nextval('mine')",
            "SELECT count(*) FROM pg_class WHERE relname = 'mine'",
            "0",
        ),
    ] {
        let answer = left_behind(&server, Lane::Write, text, look).await;
        assert_eq!(answer.rows, [left], "after {text}: {answer:?}");
    }
    let last =
        left_behind(&server, Lane::Write, "CREATE TEMP SEQUENCE s; SELECT nextval('s')", "SELECT lastval()")
            .await;
    assert_eq!(last.errors, ["55000"]);
}

#[tokio::test]
async fn the_next_session_cannot_foretell_random_numbers() {
    let Some(server) = server() else { return };
    let first = left_behind(&server, Lane::Read, "SELECT setseed(0.5)", "SELECT random()").await;
    let second = left_behind(&server, Lane::Read, "SELECT setseed(0.5)", "SELECT random()").await;
    assert_ne!(first.rows, second.rows);
}

#[tokio::test]
async fn the_read_lane_is_read_only_again_after_every_session() {
    let Some(server) = server() else { return };
    for text in [
        "SELECT 1",
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "BEGIN READ WRITE",
        "RESET ALL",
        "DISCARD ALL",
    ] {
        let answer = left_behind(&server, Lane::Read, text, "CREATE TABLE must_not_be (a int)").await;
        assert_eq!(answer.errors, ["25006"], "after {text}");
    }
    let answer = left_behind(&server, Lane::Write, "SELECT 1", "CREATE TEMP TABLE may_be (a int)").await;
    assert!(answer.errors.is_empty());
}

#[tokio::test]
async fn a_connection_whose_state_is_unclear_is_not_used_again() {
    let Some(server) = server() else { return };
    let pools = single(&server);
    let mut lease = server.lease(&pools, Lane::Read).await;
    let first = backend(&mut lease).await;
    lease.go_home(HomeState::Unknown);

    let mut lease = server.lease(&pools, Lane::Read).await;
    let second = backend(&mut lease).await;
    assert_ne!(first, second);
    // Sent and not answered, whatever the caller believes.
    lease.send_statement(&query("SELECT 1"), &permit(Lane::Read), &receipt().await).unwrap();
    lease.go_home(HomeState::Idle);

    let mut lease = server.lease(&pools, Lane::Read).await;
    let third = backend(&mut lease).await;
    assert_ne!(second, third);
    // An open transaction that the caller did not tell of: the reset notices.
    run(&mut lease, "BEGIN").await;
    lease.go_home(HomeState::Idle);
    let mut lease = server.lease(&pools, Lane::Read).await;
    let fourth = backend(&mut lease).await;
    assert_ne!(third, fourth);
    drop(lease);
    let mut lease = server.lease(&pools, Lane::Read).await;
    assert_ne!(fourth, backend(&mut lease).await);
}

#[tokio::test]
async fn parameters_of_the_next_session_are_those_of_a_fresh_one() {
    let Some(server) = server() else { return };
    let pools = single(&server);
    let mut lease = server.lease(&pools, Lane::Read).await;
    let fresh = lease.parameters().to_vec();
    run(&mut lease, "SET application_name = 'dana'").await;
    lease.record_parameter("application_name", "dana");
    lease.go_home(HomeState::Idle);
    let lease = server.lease(&pools, Lane::Read).await;
    assert_eq!(lease.parameters(), fresh);
}

#[tokio::test]
async fn no_setup_of_ours_lets_the_read_lane_write() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let off = |name| Setup::Set { name, value: SettingValue::Literal("off") };
    let (default, present) = ("default_transaction_read_only".into(), "transaction_read_only".into());
    lease.run_setup(&[off(&default), off(&present), Setup::ResetAll], Duration::from_secs(5)).await.unwrap();
    assert_eq!(run(&mut lease, "CREATE TABLE must_not_be (a int)").await.errors, ["25006"]);
    assert!(lease.send_setup(Setup::ReadOnly(false)).is_err());
    assert_eq!(lease.outbound_bytes(), 0);
}
