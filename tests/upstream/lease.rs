//! What passes a lease, and how bytes move.

use super::*;

#[tokio::test]
async fn a_permit_of_a_higher_lane_sends_nothing() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let stored = receipt().await;
    for lane in [Lane::Write, Lane::Admin] {
        let error = lease.send_statement(&query("SELECT 1"), &permit(lane), &stored).unwrap_err();
        assert!(matches!(error, UpstreamError::WrongLane { .. }));
        assert!(lease.send_prepare(&framed(b'P', b"\0SELECT 1\0\0\0"), &permit(lane)).is_err());
    }
    assert_eq!(lease.outbound_bytes(), 0);
    assert_eq!(one(&mut lease, "SELECT 1").await, "1");
}

#[tokio::test]
async fn sql_does_not_pass_as_a_protocol_message() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Write).await;
    for message in
        [query("SELECT 1"), framed(b'P', b"\0SELECT 1\0\0\0"), framed(b'E', b"\0\0\0\0\0"), framed(b'F', b"")]
    {
        assert!(lease.send_protocol(ProtocolMessage::Framed(&message)).is_err());
    }
    lease.send_protocol(ProtocolMessage::CopyDataStart(b"d\0\0\0\x08ab")).unwrap();
    assert!(lease.send_protocol(ProtocolMessage::CopyDataRest(b"cdQ\0\0\0\x0dselect 1\0")).is_err());
    assert!(lease.send_statement(&query("SELECT 1"), &permit(Lane::Read), &receipt().await).is_err());
    assert!(lease.send_protocol(ProtocolMessage::Sync).is_err());
    assert!(lease.send_setup(Setup::Rollback).is_err());
    lease.send_protocol(ProtocolMessage::CopyDataRest(b"cd")).unwrap();
    lease.send_protocol(ProtocolMessage::Sync).unwrap();
}

#[tokio::test]
async fn the_extended_protocol_and_the_poison_keep_their_places() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let (may, stored) = (permit(Lane::Read), receipt().await);
    run(&mut lease, "BEGIN").await;
    lease.send_prepare(&framed(b'P', b"\0SELECT 42\0\0\0"), &may).unwrap();
    lease.send_protocol(ProtocolMessage::Framed(&framed(b'B', b"\0\0\0\0\0\0\0\0"))).unwrap();
    lease.send_statement(&framed(b'E', b"\0\0\0\0\0"), &may, &stored).unwrap();
    lease.send_setup(Setup::Poison).unwrap();
    lease.send_statement(&framed(b'E', b"\0\0\0\0\0"), &may, &stored).unwrap();
    lease.send_protocol(ProtocolMessage::Sync).unwrap();
    let answer = answer(&mut lease, 1).await;
    assert_eq!(
        (answer.rows, answer.errors, answer.status),
        (vec!["42".to_owned()], vec!["42601".to_owned()], b'E')
    );
    // The unnamed statement is still what it was; a Query would end it, so the transaction ends in another way.
    lease.send_prepare(&framed(b'P', b"end\0ROLLBACK\0\0\0"), &may).unwrap();
    lease.send_protocol(ProtocolMessage::Framed(&framed(b'B', b"\0end\0\0\0\0\0\0\0"))).unwrap();
    lease.send_statement(&framed(b'E', b"\0\0\0\0\0"), &may, &stored).unwrap();
    lease.send_protocol(ProtocolMessage::Sync).unwrap();
    lease.send_protocol(ProtocolMessage::Framed(&framed(b'B', b"\0\0\0\0\0\0\0\0"))).unwrap();
    lease.send_statement(&framed(b'E', b"\0\0\0\0\0"), &may, &stored).unwrap();
    lease.send_protocol(ProtocolMessage::Sync).unwrap();
    assert_eq!(super::answer(&mut lease, 2).await.rows, ["42"]);
}

#[tokio::test]
async fn settings_reach_the_server_as_they_are_meant() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let name = "my.note".into();
    for value in ["it's", r"back\slash", r"\'; DROP TABLE x; --", "ünïcode 🦀", ""] {
        lease.send_setup(Setup::Set { name: &name, value: SettingValue::Literal(value) }).unwrap();
        answer(&mut lease, 1).await;
        assert_eq!(one(&mut lease, "SHOW my.note").await, value);
    }
    let (name, path) = ("search_path".into(), r#""$user", "A ""b", public"#);
    lease.send_setup(Setup::Set { name: &name, value: SettingValue::Path(path) }).unwrap();
    answer(&mut lease, 1).await;
    assert_eq!(one(&mut lease, "SHOW search_path").await, path);
    lease.send_setup(Setup::Set { name: &name, value: SettingValue::Default }).unwrap();
    answer(&mut lease, 1).await;
    assert_eq!(one(&mut lease, "SHOW search_path").await, lease.search_path().to_owned());
}

#[tokio::test]
async fn two_full_directions_do_not_block_one_another() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let (may, stored) = (permit(Lane::Read), receipt().await);
    // Each answer is larger than its question; together they fill every buffer on the way, both ways.
    let big = query(&format!("SELECT repeat('x', 300000) /* {} */", "y".repeat(200_000)));
    let mut received = 0;
    for _ in 0..100 {
        lease.send_statement(&big, &may, &stored).unwrap();
    }
    while received < 100 * 300_000 {
        match lease.drive().await.unwrap() {
            Progress::Received(0) => panic!("closed"),
            Progress::Received(count) => {
                received += count;
                lease.buffer_mut().clear();
            }
            Progress::Sent => {}
        }
    }
    assert!(!lease.is_outbound());
}

#[tokio::test]
async fn a_read_that_is_given_up_loses_nothing() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let text = "SELECT g FROM generate_series(1, 20000) g";
    lease.send_statement(&query(text), &permit(Lane::Read), &receipt().await).unwrap();
    for _ in 0..200 {
        tokio::select! {
            biased;
            progress = lease.drive() => drop(progress.unwrap()),
            () = std::future::ready(()) => {}
        }
    }
    let answer = answer(&mut lease, 1).await;
    assert_eq!(answer.rows.len(), 20_000);
    assert_eq!(answer.rows[19_999], "20000");
}

#[tokio::test]
async fn cancel_stops_what_runs_and_only_that() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let mut other = server.lease(&pools, Lane::Read).await;
    for it in [&mut lease, &mut other] {
        it.send_statement(&query("SELECT pg_sleep(600)"), &permit(Lane::Read), &receipt().await).unwrap();
        it.flush().await.unwrap();
    }
    let cancel = lease.cancel_handle().unwrap();
    assert!(!format!("{cancel:?}").contains("hunter2"));
    // The query may not have begun when the first request arrives: ask until it is over.
    let stopped = loop {
        cancel.cancel().await.unwrap();
        if let Ok(stopped) = tokio::time::timeout(Duration::from_millis(200), answer(&mut lease, 1)).await {
            break stopped;
        }
    };
    assert_eq!(stopped.errors, ["57014"]);
    let still = tokio::time::timeout(Duration::from_millis(50), other.read()).await;
    assert!(still.is_err(), "the other session was stopped, too");
    other.cancel_handle().unwrap().cancel().await.unwrap();
    assert_eq!(answer(&mut other, 1).await.errors, ["57014"]);
}
