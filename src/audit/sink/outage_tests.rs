//! What holds for every sink: an hour without its receiver, and a log that does not wait for it.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use super::{
    receiver_tests::{Kind, Receiver},
    run::{FIRST_PAUSE, LONGEST_PAUSE, longer},
    tests::{append, sent, started},
};
use crate::audit::{Rotation, rotation::Rotator, segments::segments, tests::Bench};

#[tokio::test]
async fn kafka_gets_every_record_after_an_hour_without_it() {
    an_hour_without(Kind::Kafka { most_bytes: usize::MAX }).await;
}

#[tokio::test]
async fn otlp_gets_every_record_after_an_hour_without_it() {
    an_hour_without(Kind::Otlp).await;
}

#[tokio::test]
async fn s3_gets_every_record_after_an_hour_without_it() {
    an_hour_without(Kind::S3).await;
}

#[tokio::test]
async fn syslog_gets_every_record_after_an_hour_without_it() {
    an_hour_without(Kind::Syslog).await;
}

#[tokio::test]
async fn kafka_goes_on_with_the_oldest_record_that_is_left() {
    behind_a_trimmed_log(Kind::Kafka { most_bytes: usize::MAX }).await;
}

#[tokio::test]
async fn otlp_goes_on_with_the_oldest_record_that_is_left() {
    behind_a_trimmed_log(Kind::Otlp).await;
}

#[tokio::test]
async fn s3_goes_on_with_the_oldest_record_that_is_left() {
    behind_a_trimmed_log(Kind::S3).await;
}

#[tokio::test]
async fn syslog_goes_on_with_the_oldest_record_that_is_left() {
    behind_a_trimmed_log(Kind::Syslog).await;
}

/// A sink is never longer than that without a try, however long its receiver is down.
#[test]
fn the_pause_between_tries_grows_to_half_a_minute_and_no_further() {
    let pauses: Vec<Duration> =
        std::iter::successors(Some(FIRST_PAUSE), |pause| Some(longer(*pause))).take(100).collect();
    assert!(pauses.is_sorted() && pauses[1] == 2 * FIRST_PAUSE);
    assert_eq!((LONGEST_PAUSE, pauses[99]), (Duration::from_secs(30), LONGEST_PAUSE));
}

/// A record each second of an hour while nobody listens, in several files.
async fn an_hour_without(kind: Kind) {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let mut receiver = Receiver::new(kind).await;
    let sink = started(&bench, receiver.sink());
    append(&log, &["before"]).await;
    sent(&bench, 2).await;
    receiver.down().await;
    let mut rotator =
        rotator(&bench, Rotation { after: Some(Duration::from_secs(1_000)), ..Rotation::NEVER });
    for second in 0..3_600 {
        bench.hand.advance(Duration::from_secs(1));
        append(&log, &["meanwhile"]).await;
        if second % 500 == 0 {
            rotator.rotate_if_due(log.desk()).unwrap();
        }
    }
    let files = segments(&bench.path()).unwrap().len();
    assert!(log.is_writable() && files > 2, "{files} files");
    let failures = bench.metrics.sink_failures.with_label_values(&["siem"]);
    while failures.get() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    receiver.up().await;
    let all = lines_of_the_log(&bench);
    sent(&bench, all.len() as u64).await;
    arrives(&receiver, &all).await;
    let lag = bench.metrics.sink_lag.with_label_values(&["siem"]);
    while lag.get() != 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sink.abort();
}

/// Files are removed that the sink has not read: it was away for too long.
async fn behind_a_trimmed_log(kind: Kind) {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receiver = Receiver::new(kind).await;
    let sink = started(&bench, receiver.sink());
    append(&log, &["before"]).await;
    sent(&bench, 2).await;
    sink.abort();
    let _ = sink.await;
    let before = lines_of_the_log(&bench);
    let rotation = Rotation {
        bytes: 1,
        keep_bytes: Some(1),
        readers: vec![super::cursor_of(&bench.path(), "siem")],
        wait_bytes: 1,
        ..Rotation::NEVER
    };
    let mut rotator = rotator(&bench, rotation);
    for _ in 0..3 {
        append(&log, &["lost", "to", "the", "sink"]).await;
        assert!(rotator.rotate_if_due(log.desk()).unwrap());
    }
    rotator.trim(log.desk()).unwrap();
    assert!(bench.metrics.unread_removed.get() > 0);
    append(&log, &["after"]).await;
    let left = lines_of_the_log(&bench);
    let oldest = segments(&bench.path()).unwrap().first().unwrap().first;
    assert!(oldest > 2, "{oldest}");
    let sink = started(&bench, receiver.sink());
    sent(&bench, oldest + left.len() as u64).await;
    arrives(&receiver, &[before, left].concat()).await;
    sink.abort();
}

fn rotator(bench: &Bench, rotation: Rotation) -> Rotator {
    Rotator::new(&bench.path(), rotation, bench.clock.clone(), bench.metrics.clone())
}

/// Waits until so many lines came, some of them perhaps again: a receiver that acknowledges nothing may still be reading.
async fn arrives(receiver: &Receiver, wanted: &[Vec<u8>]) {
    let coming = async {
        while arrived(receiver).len() < wanted.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), coming).await.expect("every line comes");
    assert!(arrived(receiver) == wanted, "in order, once those that came again are left out");
}

/// What came, without what came again.
fn arrived(receiver: &Receiver) -> Vec<Vec<u8>> {
    let mut known = BTreeSet::new();
    receiver.seen(|seen| seen.lines.iter().filter(|line| known.insert((*line).clone())).cloned().collect())
}

fn lines_of_the_log(bench: &Bench) -> Vec<Vec<u8>> {
    let files = segments(&bench.path()).unwrap();
    let bytes: Vec<u8> = files.iter().flat_map(|file| std::fs::read(&file.path).unwrap()).collect();
    bytes.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
