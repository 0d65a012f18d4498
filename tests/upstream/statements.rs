//! Prepared statements of the gateway's names outlive a reset; everything else goes, and they go if anything is unclear.

use std::time::Instant;

use tidegate::upstream::postgres::StatementName;

use super::*;

/// One connection on which two statements stand under names of the gateway's.
async fn prepared(server: &Server, lane: Lane) -> (Pools, Lease, [StatementName; 2]) {
    let mut settings = server.settings();
    settings.pool.max_connections = 1;
    let pools = pools(settings);
    let mut lease = server.lease(&pools, lane).await;
    let names = ["SELECT 1", "SELECT 2"].map(|text| {
        let name = StatementName::of(&[text.as_bytes()]);
        let parse = framed(b'P', format!("{}\0{text}\0\0\0", name.as_str()).as_bytes());
        lease.send_prepare(&parse, &permit(lane)).unwrap();
        lease.statements_mut().make(name.clone(), &"dana".into(), Instant::now());
        name
    });
    assert_eq!(run(&mut lease, "SELECT 1").await.errors, Vec::<String>::new());
    (pools, lease, names)
}

const NAMES: &str = "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_prepared_statements";

#[tokio::test]
async fn a_reset_leaves_what_stands_there_and_nothing_else() {
    let Some(server) = server() else { return };
    for (text, look, left) in [
        ("SET timezone = 'Pacific/Apia'", "SHOW timezone", None),
        ("SET ROLE pg_monitor", "SELECT current_user = session_user", Some("t")),
        (
            "CREATE TEMP TABLE mine AS SELECT 1",
            "SELECT count(*) FROM pg_class WHERE relname = 'mine'",
            Some("0"),
        ),
        ("LISTEN mine", "SELECT count(*) FROM pg_listening_channels()", Some("0")),
        (
            "SELECT pg_advisory_lock(4711), pg_advisory_lock(4712)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
            Some("0"),
        ),
        (
            "BEGIN; DECLARE mine CURSOR WITH HOLD FOR SELECT 1; COMMIT",
            "SELECT count(*) FROM pg_cursors",
            Some("0"),
        ),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1",
            "SHOW transaction_isolation",
            Some("read committed"),
        ),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SHOW transaction_isolation",
            Some("read committed"),
        ),
    ] {
        let (pools, mut lease, mut names) = prepared(&server, Lane::Write).await;
        let fresh = one(&mut lease, look).await;
        let process = one(&mut lease, "SELECT pg_backend_pid()").await;
        let done = run(&mut lease, text).await;
        assert!(done.errors.is_empty(), "{text}: {done:?}");
        lease.go_home(if done.status == b'I' { HomeState::Idle } else { HomeState::InTransaction });
        let mut lease = server.lease(&pools, Lane::Write).await;
        assert_eq!(one(&mut lease, "SELECT pg_backend_pid()").await, process, "{text}");
        assert_eq!(one(&mut lease, look).await, left.unwrap_or(&fresh), "after {text}");
        names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        assert_eq!(
            one(&mut lease, NAMES).await,
            names.map(|name| name.as_str().to_owned()).join(" "),
            "{text}"
        );
        assert_eq!(lease.statements_mut().len(), 2);
        let last = run(&mut lease, "CREATE TEMP SEQUENCE s; SELECT nextval('s')").await;
        assert!(last.errors.is_empty(), "{last:?}");
        lease.go_home(HomeState::Idle);
        let mut lease = server.lease(&pools, Lane::Write).await;
        assert_eq!(run(&mut lease, "SELECT lastval()").await.errors, ["55000"]);
    }
}

#[tokio::test]
async fn where_others_stand_than_should_none_is_left() {
    let Some(server) = server() else { return };
    for text in [
        "PREPARE mine AS SELECT 1",
        "DEALLOCATE ALL",
        "DEALLOCATE \"{name}\"",
        "DEALLOCATE \"{name}\"; PREPARE \"{name}\" AS SELECT 'planted'",
        "DEALLOCATE \"{name}\"; PREPARE mine AS SELECT 1",
        "DISCARD ALL",
    ] {
        for lane in [Lane::Read, Lane::Write] {
            let (pools, mut lease, names) = prepared(&server, lane).await;
            let done = run(&mut lease, &text.replace("{name}", names[0].as_str())).await;
            assert!(done.errors.is_empty(), "{text}: {done:?}");
            lease.go_home(HomeState::Idle);
            let mut lease = server.lease(&pools, lane).await;
            assert_eq!(one(&mut lease, NAMES).await, "NULL", "{text}");
            assert!(lease.statements_mut().is_empty(), "{text}");
        }
    }
}

#[tokio::test]
async fn what_may_stand_there_or_not_does_not_after_a_reset() {
    let Some(server) = server() else { return };
    let (pools, mut lease, names) = prepared(&server, Lane::Read).await;
    lease.statements_mut().doubt(&StatementName::of(&[b"skipped"]), &"dana".into(), None);
    lease.go_home(HomeState::Idle);
    let mut lease = server.lease(&pools, Lane::Read).await;
    assert_eq!(one(&mut lease, NAMES).await, "NULL", "{names:?}");
    assert!(lease.statements_mut().is_empty());
}
