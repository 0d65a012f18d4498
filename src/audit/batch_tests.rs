//! Appends that share a write, and what becomes of each.

use std::sync::atomic::Ordering;

use super::{
    Receipts,
    tests::{Bench, Fake, is_ready, lines, note, report},
};
use crate::model::record::Durability;

#[tokio::test]
async fn appends_of_one_turn_share_a_write_and_each_has_its_own_numbers() {
    let (bench, fake) = (Bench::new(), Fake::new());
    let log = bench.start(&fake, Durability::Process);
    let writes = fake.writes.load(Ordering::SeqCst);
    let (pair, single) = ([note("a"), note("b")], [note("c")]);
    let (first, second) = tokio::join!(log.append(&pair), log.append(&single));
    let numbers = |receipts: Receipts| receipts.map(|receipt| receipt.sequence()).collect::<Vec<_>>();
    assert_eq!((numbers(first.unwrap()), numbers(second.unwrap())), (vec![1, 2], vec![3]));
    assert_eq!(fake.writes.load(Ordering::SeqCst), writes + 1);
    let report = report(&fake.bytes());
    assert!(report.is_whole(), "{:?}", report.problems);
}

#[tokio::test]
async fn a_shared_write_that_fails_fails_for_all_and_none_of_it_stays() {
    let (bench, fake) = (Bench::new(), Fake::new());
    let log = bench.start(&fake, Durability::Process);
    let before = fake.bytes();
    fake.room.store(before.len() as u64 + 300, Ordering::SeqCst);
    let (one, other) = (note("a"), note("b"));
    let (first, second) = tokio::join!(log.append_one(&one), log.append_one(&other));
    assert!(first.is_err() && second.is_err());
    assert_eq!(fake.bytes(), before);
    assert_eq!(bench.metrics.refused.get(), 2);
}

#[tokio::test]
async fn an_append_that_is_given_up_is_written_and_holds_up_nobody() {
    let (bench, fake) = (Bench::new(), Fake::new());
    let log = bench.start(&fake, Durability::Process);
    let (given_up, kept) = (note("given up"), note("kept"));
    let mut first = Box::pin(log.append_one(&given_up));
    let mut second = Box::pin(log.append_one(&kept));
    assert!(!is_ready(&mut first).await && !is_ready(&mut second).await);
    drop(first);
    assert_eq!(lines(&fake.bytes()).len(), 3);
    assert_eq!(second.await.unwrap().sequence(), 2);
}

#[tokio::test]
async fn two_logs_of_one_thread_do_not_mix() {
    let (bench, fakes) = (Bench::new(), [Fake::new(), Fake::new()]);
    let logs = fakes.each_ref().map(|fake| bench.start(fake, Durability::Process));
    let records = [note("first"), note("second")];
    let both = tokio::join!(logs[0].append_one(&records[0]), logs[1].append_one(&records[1]));
    assert_eq!((both.0.unwrap().sequence(), both.1.unwrap().sequence()), (1, 1));
    for (fake, word) in fakes.iter().zip(["first", "second"]) {
        let lines = lines(&fake.bytes());
        assert_eq!(lines.len(), 2);
        assert!(String::from_utf8_lossy(&lines[1]).contains(word));
    }
}
