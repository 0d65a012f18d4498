//! More records than a block has: what lies in different blocks, in different files, and in none yet.

use std::time::Duration;

use super::{
    Filter, StatsQuery, Trail,
    filter::Direction,
    seek::Seek,
    tests::{Person, found, open},
};
use crate::{
    audit::{AuditLog, Rotation, rotation::Rotator, tests::Bench},
    model::{
        facts::{AccessMode, StatementKind},
        record::{DecisionRecord, Record, StatementStart},
        target::Lane,
    },
};

/// Two people read, one of them a table of hers now and then, and one is refused once: records 1 to 6,000.
async fn many(bench: &Bench) -> (AuditLog, Person, Person) {
    let log = bench.open().unwrap();
    let dana = Person::new("dana", 0x0193_5f2e_0000_7000_8000_00aa_0000_0001);
    let bob = Person::new("bob", 0x0193_5f2e_0000_7000_8000_00bb_0000_0002);
    for number in 0..3_000 {
        let table = if number % 1_000 == 7 { "hr.salary" } else { "hr.employee" };
        let who = if number % 2 == 0 { &bob } else { &dana };
        let sql = format!("SELECT 1 FROM {table} WHERE id = {number}");
        who.runs(&log, number, &sql, table, AccessMode::Read, true).await;
    }
    (log, dana, bob)
}

fn of(person: &str) -> Filter {
    Filter { principal: Some(person.to_owned()), ..Filter::default() }
}

/// All that a filter wants, page by page.
async fn all(trail: &Trail, filter: &Filter) -> Vec<u64> {
    let (mut seen, mut before) = (Vec::new(), filter.before);
    loop {
        let page = trail.search(&Filter { before, limit: Some(500), ..filter.clone() }).await.unwrap();
        assert_eq!(page.unindexed, 0);
        assert!(page.records.iter().all(|it| it.found.intact && it.end.is_some()));
        seen.extend(page.records.iter().map(|it| it.found.seq));
        before = page.next;
        if before.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn pages_of_many_blocks_have_each_record_once_and_with_its_end() {
    let bench = Bench::new();
    let (_log, dana, _) = many(&bench).await;
    let trail = open(&bench).await;
    // Before anything is in the index, and once most is.
    for _ in 0..2 {
        let of_dana = all(&trail, &of("dana")).await;
        assert!(of_dana.into_iter().eq((0..1_500).rev().map(|number| number * 4 + 3)));
        let salary = Filter { table: Some("hr.sal*".to_owned()), ..of("dana") };
        assert_eq!(all(&trail, &salary).await, [4_015, 2_015, 15]);
        let nobody = Filter { table: Some("hr.salary".to_owned()), ..of("bob") };
        assert!(all(&trail, &nobody).await.is_empty());
        let worded = Filter { text: Some("2007 SAL*".to_owned()), ..Filter::default() };
        assert_eq!(found(&trail, worded).await, [4_015]);
        let session = Filter { session: Some(dana.session.uuid()), before: Some(20), ..Filter::default() };
        assert_eq!(all(&trail, &session).await, [19, 15, 11, 7, 3]);
        let by_id = Filter { reference: Some(dana.id(2_007).to_string()), ..Filter::default() };
        assert_eq!(found(&trail, by_id).await, [4_015]);
        assert_eq!(trail.story(&dana.id(7).to_string()).await.unwrap().unwrap().record.seq, 15);
        assert_eq!(trail.story("16").await.unwrap().unwrap().record.seq, 15);
        let stats = trail.stats(&StatsQuery::default()).await.unwrap();
        assert_eq!(stats.touches.iter().map(|it| it.allowed).sum::<u64>(), 3_000);
        assert_eq!(stats.unindexed, 0);
        let progress = trail.catch_up(Duration::from_secs(60)).await.unwrap();
        assert!(progress.is_complete && progress.indexed > 5_000, "{progress:?}");
    }
}

#[tokio::test]
async fn an_end_is_found_however_far_it_is_from_its_statement() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let dana = Person::new("dana", 0x0193_5f2e_0000_7000_8000_00aa_0000_0001);
    let actor = dana.actor();
    for number in [1, 2] {
        let start = Record::StatementStart(StatementStart {
            statement: dana.id(number),
            actor: &actor,
            sql: "SELECT pg_sleep(1000)",
            fingerprint: None,
            kind: Some(StatementKind::Select),
            objects: vec![],
            decision: DecisionRecord::Allow { lane: Lane::Read, grants: &dana.grants },
            trace_id: None,
        });
        let _receipt = log.append_one(&start).await.unwrap();
    }
    let others = async |from: u64| {
        for number in from..from + 1_500 {
            dana.runs(&log, number, "SELECT 2", "hr.employee", AccessMode::Read, true).await;
        }
    };
    others(10).await;
    let _receipt = log.append_one(&dana.end(1)).await.unwrap();
    others(2_000).await;
    let sleeping = Filter { text: Some("pg_sleep".to_owned()), ..Filter::default() };
    let ends = async |trail: &Trail| {
        let page = trail.search(&sleeping).await.unwrap();
        page.records.iter().map(|it| it.end.as_ref().map(|end| end.seq)).collect::<Vec<_>>()
    };
    let trail = open(&bench).await;
    for _ in 0..2 {
        assert_eq!(ends(&trail).await, [None, Some(3_003)]);
        assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    }
    // Nothing of what ran is remembered by who opens the index anew.
    drop(trail);
    let trail = open(&bench).await;
    let _receipt = log.append_one(&dana.end(2)).await.unwrap();
    others(4_000).await;
    for _ in 0..2 {
        assert_eq!(ends(&trail).await, [Some(6_004), Some(3_003)]);
        assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    }
}

#[tokio::test]
async fn a_search_whose_time_is_over_says_where_to_go_on() {
    let bench = Bench::new();
    let (_log, ..) = many(&bench).await;
    let trail = open(&bench).await;
    assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    for direction in [Direction::Newest, Direction::Oldest] {
        let (mut filter, mut seen, mut looks) = (of("dana"), Vec::new(), 0);
        loop {
            let mut seek = Seek::begin(trail.readers(), bench.path(), Duration::ZERO).await.unwrap();
            let (records, stopped) = seek.find(&filter, direction, 10_000).await.unwrap();
            seen.extend(records.iter().map(|it| it.found.seq));
            looks += 1;
            match (stopped, direction) {
                (None, _) => break,
                (stopped, Direction::Newest) => filter.before = stopped,
                (stopped, Direction::Oldest) => filter.after = stopped,
            }
        }
        assert!(looks > 3, "{looks}");
        let mut wanted: Vec<u64> = (0..1_500).map(|number| number * 4 + 3).collect();
        if direction == Direction::Newest {
            wanted.reverse();
        }
        assert_eq!(seen, wanted);
    }
}

#[tokio::test]
async fn what_was_removed_is_counted_no_more() {
    let bench = Bench::new();
    let (log, dana, _) = many(&bench).await;
    let rotator =
        |rotation| Rotator::new(&bench.path(), rotation, bench.clock.clone(), bench.metrics.clone());
    assert!(rotator(Rotation { bytes: 1, ..Rotation::NEVER }).rotate_if_due(log.desk()).unwrap());
    dana.runs(&log, 9_000, "SELECT 1", "hr.employee", AccessMode::Read, true).await;
    let trail = open(&bench).await;
    let counted = async |trail: &Trail| {
        let stats = trail.stats(&StatsQuery::default()).await.unwrap();
        let touched: u64 = stats.touches.iter().map(|it| it.allowed).sum();
        (touched, stats.hours.iter().map(|it| it.allowed).sum::<u64>())
    };
    assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    assert_eq!(counted(&trail).await, (3_001, 3_001));
    rotator(Rotation { keep_bytes: Some(1), ..Rotation::NEVER }).trim(log.desk()).unwrap();
    // Before the index has noticed, and once it has.
    assert_eq!(counted(&trail).await, (1, 1));
    assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    assert_eq!(counted(&trail).await, (1, 1));
    assert_eq!(all(&trail, &of("bob")).await, Vec::<u64>::new());
    assert_eq!(
        found(&trail, Filter { text: Some("2007".to_owned()), ..Filter::default() }).await,
        Vec::<u64>::new()
    );
}

#[tokio::test]
async fn what_the_index_is_too_far_behind_for_is_waited_for_and_not_left_out() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let keeper = open(&bench).await;
    let dana = Person::new("dana", 0x0193_5f2e_0000_7000_8000_00aa_0000_0001);
    // More than is read without an index.
    let long = format!("SELECT '{}'", "x".repeat(7 << 20));
    for number in 1..=7 {
        dana.runs(&log, number, &long, "hr.salary", AccessMode::Read, true).await;
    }
    // Whoever does not keep the index cannot bring it on.
    let reader = open(&bench).await;
    let mut filter = Filter { kind: Some("select".to_owned()), ..Filter::default() };
    let (first, last) = reader.find_part(&filter, 10).await.unwrap();
    assert!(first.len() < 7 && last.is_some(), "{last:?}");
    let reading = async {
        let (mut seen, mut last) = (first.len(), last);
        while last.is_some() {
            filter.after = last;
            let part = reader.find_part(&filter, 10).await.unwrap();
            (seen, last) = (seen + part.0.len(), part.1);
        }
        seen
    };
    let (seen, progress) = tokio::join!(reading, keeper.catch_up(Duration::from_secs(60)));
    assert!(progress.unwrap().is_complete);
    assert_eq!(seen, 7);
}

#[tokio::test]
async fn sums_of_a_time_are_those_of_its_hours_wherever_files_begin_and_end() {
    let bench = Bench::new();
    let (log, dana, _) = many(&bench).await;
    let rotation = Rotation { bytes: 1, ..Rotation::NEVER };
    let mut rotator = Rotator::new(&bench.path(), rotation, bench.clock.clone(), bench.metrics.clone());
    let mut next = 10_000;
    // Noon is in the first file alone, one o'clock in two, two o'clock in the second alone.
    for (hour, count, is_last) in [(1, 3, true), (0, 2, false), (1, 1, true)] {
        bench.hand.advance(Duration::from_secs(hour * 3600));
        for number in next..next + count {
            dana.runs(&log, number, "SELECT 1", "hr.employee", AccessMode::Read, true).await;
        }
        next += count;
        assert!(!is_last || rotator.rotate_if_due(log.desk()).unwrap());
    }
    let trail = open(&bench).await;
    for _ in 0..2 {
        for (from, until, wanted) in [
            (None, None, 3_006),
            (Some("12:00"), Some("15:00"), 3_006),
            (Some("13:00"), None, 6),
            (Some("13:59"), Some("14:00"), 5),
            (None, Some("13:00"), 3_000),
            (Some("14:30"), None, 1),
            (Some("15:00"), None, 0),
        ] {
            let at = |hour: &str| format!("2026-11-21T{hour}:00Z").parse().unwrap();
            let query = StatsQuery { from: from.map(at), until: until.map(at), ..Default::default() };
            let stats = trail.stats(&query).await.unwrap();
            let touched: u64 = stats.touches.iter().map(|it| it.allowed).sum();
            let of_hours: u64 = stats.hours.iter().map(|it| it.allowed).sum();
            assert_eq!((touched, of_hours), (wanted, wanted), "{from:?} to {until:?}");
        }
        assert!(trail.catch_up(Duration::from_secs(60)).await.unwrap().is_complete);
    }
}
