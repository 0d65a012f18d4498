//! A log of several files: how it goes on, what a kill leaves, what goes and what stays, and what is found wrong.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    AuditError, AuditLog, AuditSettings, CheckpointKey, Checkpoints, Cursor, Filter, ProblemKind, Report,
    Rotation, Trail, beside, checkpoints_of, read_checkpoints,
    rotation::Rotator,
    segments::{sealed, segments, upcoming},
    tests::{Bench, lines, note},
    verify_log,
};
use crate::model::record::Durability;

fn small() -> Rotation {
    Rotation { bytes: 600, ..Rotation::NEVER }
}

fn rotator(bench: &Bench, rotation: Rotation) -> Rotator {
    Rotator::new(&bench.path(), rotation, bench.clock.clone(), bench.metrics.clone())
}

fn open(bench: &Bench, durability: Durability) -> AuditLog {
    let settings =
        AuditSettings { path: bench.path(), gateway: "one".into(), durability, rotation: Rotation::NEVER };
    AuditLog::open(&settings, bench.clock.clone(), &bench.metrics).unwrap()
}

fn whole(bench: &Bench) -> Report {
    let report = verify_log(&bench.path(), &[]).unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    report
}

fn kinds(bench: &Bench) -> Vec<ProblemKind> {
    verify_log(&bench.path(), &[]).unwrap().problems.into_iter().map(|it| it.kind).collect()
}

/// Three files: records 0 to 3, 4 to 7, and 8 to 9.
async fn three_files(bench: &Bench) -> AuditLog {
    let log = open(bench, Durability::Process);
    let mut rotator = rotator(bench, small());
    for _ in 0..2 {
        let _receipts = log.append(&[note("one"), note("two"), note("three")]).await.unwrap();
        bench.hand.advance(Duration::from_secs(3600));
        assert!(rotator.rotate_if_due(log.desk()).unwrap());
    }
    let _receipt = log.append_one(&note("last")).await.unwrap();
    log
}

fn firsts(bench: &Bench) -> Vec<u64> {
    segments(&bench.path()).unwrap().iter().map(|it| it.first).collect()
}

#[tokio::test]
async fn a_full_file_gives_way_and_the_chain_goes_on() {
    let bench = Bench::new();
    for durability in [Durability::Process, Durability::Disk] {
        let log = open(&bench, durability);
        let mut rotator = rotator(&bench, small());
        let before = firsts(&bench).len();
        let _receipts = log.append(&[note("one"), note("two"), note("three")]).await.unwrap();
        assert!(rotator.rotate_if_due(log.desk()).unwrap());
        assert!(!rotator.rotate_if_due(log.desk()).unwrap(), "the new file is not full");
        let _receipt = log.append_one(&note("four")).await.unwrap();
        assert_eq!(firsts(&bench).len(), before + 1);
    }
    let report = whole(&bench);
    assert_eq!((report.events["log_continued"], report.events["log_created"]), (2, 1));
    assert_eq!(report.lines, report.last.unwrap().0 + 1);
    assert_eq!(bench.metrics.records.get(), report.lines);
    assert_eq!(bench.metrics.rotations.get(), 2);
}

#[tokio::test]
async fn an_old_file_gives_way_if_there_is_anything_in_it() {
    let bench = Bench::new();
    let log = open(&bench, Durability::Process);
    let day = Rotation { after: Some(Duration::from_secs(86_400)), ..Rotation::NEVER };
    let mut rotator = rotator(&bench, day);
    let _receipt = log.append_one(&note("one")).await.unwrap();
    assert!(!rotator.rotate_if_due(log.desk()).unwrap());
    bench.hand.advance(Duration::from_secs(86_400));
    assert!(rotator.rotate_if_due(log.desk()).unwrap());
    bench.hand.advance(Duration::from_secs(86_400));
    assert!(!rotator.rotate_if_due(log.desk()).unwrap(), "nothing but its first line");
}

#[tokio::test]
async fn a_kill_at_any_step_of_a_rotation_leaves_a_log_that_goes_on() {
    for step in ["the next is half written", "the next is ready", "the full one is moved"] {
        let bench = Bench::new();
        let log = three_files(&bench).await;
        drop(log);
        // As it was before the last step of the rotation from records 4 to 7 to what came then.
        let next = fs::read(bench.path()).unwrap();
        let first_line = lines(&next)[0].clone();
        let cut = if step == "the next is half written" { &first_line[..40] } else { &first_line };
        fs::write(upcoming(&bench.path()), cut).unwrap();
        let full = sealed(&bench.path(), 4);
        if step == "the full one is moved" {
            fs::remove_file(bench.path()).unwrap();
        } else {
            fs::rename(&full, bench.path()).unwrap();
        }
        let log = open(&bench, Durability::Process);
        let _receipt = log.append_one(&note("again")).await.unwrap();
        assert!(!upcoming(&bench.path()).exists(), "{step}");
        let report = whole(&bench);
        let last = if step == "the full one is moved" { 9 } else { 8 };
        assert_eq!(report.last.unwrap().0, last, "{step}");
    }
}

#[tokio::test]
async fn a_log_whose_newest_file_is_gone_or_of_another_chain_is_not_gone_on_with() {
    let refused = |bench: &Bench| {
        let settings = AuditSettings {
            path: bench.path(),
            gateway: "one".into(),
            durability: Durability::Process,
            rotation: Rotation::NEVER,
        };
        AuditLog::open(&settings, bench.clock.clone(), &bench.metrics).unwrap_err()
    };
    let bench = Bench::new();
    drop(three_files(&bench).await);
    fs::remove_file(bench.path()).unwrap();
    assert!(matches!(refused(&bench), AuditError::Tail { .. }));
    assert!(!bench.path().exists());

    let bench = Bench::new();
    drop(three_files(&bench).await);
    fs::remove_file(sealed(&bench.path(), 4)).unwrap();
    assert!(matches!(refused(&bench), AuditError::Tail { .. }));
}

#[tokio::test]
async fn old_files_go_whole_and_recorded_and_the_rest_still_verifies() {
    let bench = Bench::new();
    let log = three_files(&bench).await;
    let keep = |seconds| Rotation { keep_for: Some(Duration::from_secs(seconds)), ..Rotation::NEVER };
    rotator(&bench, keep(7200)).trim(log.desk()).unwrap();
    assert_eq!(firsts(&bench), [0, 4, 8]);
    rotator(&bench, keep(3600)).trim(log.desk()).unwrap();
    assert_eq!(firsts(&bench), [4, 8]);
    assert_eq!(whole(&bench).begins_at, Some(4));
    rotator(&bench, Rotation { keep_bytes: Some(10), ..Rotation::NEVER }).trim(log.desk()).unwrap();
    assert_eq!(firsts(&bench), [8]);
    assert_eq!(whole(&bench).begins_at, Some(8));
    drop(log);
    let log = open(&bench, Durability::Process);
    let _receipt = log.append_one(&note("goes on")).await.unwrap();
    let _whole = whole(&bench);
}

#[tokio::test]
async fn a_file_that_a_sink_has_not_read_stays_up_to_a_bound() {
    let bench = Bench::new();
    let log = three_files(&bench).await;
    let cursor = bench.folder.path().join("audit.jsonl.siem.cursor");
    let rotation = |wait_bytes| Rotation {
        keep_bytes: Some(1),
        readers: vec![cursor.clone()],
        wait_bytes,
        ..Rotation::NEVER
    };
    rotator(&bench, rotation(1 << 20)).trim(log.desk()).unwrap();
    assert_eq!((firsts(&bench).len(), bench.metrics.held_for_sinks.get()), (3, 1));
    let read = Cursor { next: 4, ..Cursor::START };
    fs::write(&cursor, serde_json::to_vec(&read).unwrap()).unwrap();
    rotator(&bench, rotation(1 << 20)).trim(log.desk()).unwrap();
    assert_eq!((firsts(&bench), bench.metrics.unread_removed.get()), (vec![4, 8], 0));
    rotator(&bench, rotation(1)).trim(log.desk()).unwrap();
    assert_eq!((firsts(&bench), bench.metrics.unread_removed.get()), (vec![8], 4));
    assert_eq!(bench.metrics.held_for_sinks.get(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_any_of_the_files_is_found() {
    let wrong = async |change: &dyn Fn(&Bench)| {
        let bench = Bench::new();
        drop(three_files(&bench).await);
        assert_eq!(kinds(&bench), []);
        change(&bench);
        kinds(&bench)
    };
    let swap = |path: PathBuf, from: &str, to: &str| {
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    assert_eq!(wrong(&|it| swap(sealed(&it.path(), 4), "two", "TWO")).await, [ProblemKind::Changed]);
    let missing = [ProblemKind::Missing { from: 4, to: 7 }];
    assert_eq!(wrong(&|it| fs::remove_file(sealed(&it.path(), 4)).unwrap()).await, missing);
    assert_eq!(wrong(&|it| fs::remove_file(sealed(&it.path(), 0)).unwrap()).await, [ProblemKind::NoHead]);
    let moved = wrong(&|it| {
        fs::rename(sealed(&it.path(), 0), sealed(&it.path(), 5)).unwrap();
    });
    assert!(moved.await.contains(&ProblemKind::OutOfOrder { expected: 8, found: 0 }));
    let cut = wrong(&|it| {
        let path = sealed(&it.path(), 4);
        let whole = fs::read(&path).unwrap();
        fs::write(path, lines(&whole)[..2].concat()).unwrap();
    });
    assert_eq!(cut.await, [ProblemKind::Missing { from: 6, to: 7 }]);
}

#[tokio::test]
async fn checkpoints_show_a_cut_end_a_rewritten_log_and_a_wrong_signature() {
    let bench = Bench::new();
    let key_file = bench.folder.path().join("key.pem");
    let made = CheckpointKey::generate(&key_file).unwrap();
    assert!(CheckpointKey::generate(&key_file).is_err(), "a key is never overwritten");
    let key = CheckpointKey::open(&key_file).unwrap();
    assert_eq!((key.public_pem(), key.id()), (made.public_pem(), made.id()));
    let public = bench.folder.path().join("public.pem");
    fs::write(&public, key.public_pem()).unwrap();
    let log = three_files(&bench).await;
    let (own, away) = (checkpoints_of(&bench.path()), bench.folder.path().join("elsewhere"));
    let checkpoints = Arc::new(Checkpoints {
        key,
        log: bench.path(),
        to: vec![own.clone(), away.clone()],
        every: Duration::from_secs(60),
        clock: bench.clock.clone(),
        metrics: bench.metrics.clone(),
    });
    let signed = checkpoints.take(&log, None).await;
    assert_eq!((signed, checkpoints.take(&log, signed).await), (Some(9), Some(9)));
    assert_eq!(fs::read(&own).unwrap(), fs::read(&away).unwrap());
    assert_eq!(lines(&fs::read(&own).unwrap()).len(), 1);
    let _receipt = log.append_one(&note("more")).await.unwrap();
    assert_eq!(checkpoints.take(&log, signed).await, Some(10));
    let read = read_checkpoints(&away, &public).unwrap();
    let report = verify_log(&bench.path(), &read).unwrap();
    assert!(report.is_whole() && report.checkpoints == 2, "{report:?}");

    let whole = fs::read(bench.path()).unwrap();
    let at: Timestamp = bench.clock.now();
    fs::write(bench.path(), lines(&whole)[..2].concat()).unwrap();
    let problems = verify_log(&bench.path(), &read).unwrap().problems;
    assert_eq!(
        problems.iter().map(|it| &it.kind).collect::<Vec<_>>(),
        [&ProblemKind::EndCut { seq: 10, at }]
    );

    // Somebody writes the end anew, hashes and all.
    drop(log);
    let log = open(&bench, Durability::Process);
    let _receipts = log.append(&[note("other"), note("words")]).await.unwrap();
    let problems = verify_log(&bench.path(), &read).unwrap().problems;
    assert_eq!(
        problems.iter().map(|it| &it.kind).collect::<Vec<_>>(),
        [&ProblemKind::NotAsSigned { seq: 10, at }]
    );

    fs::write(bench.path(), whole).unwrap();
    let forged = fs::read_to_string(&away).unwrap().replacen("\"seq\":9", "\"seq\":8", 1);
    fs::write(&away, forged).unwrap();
    let read = read_checkpoints(&away, &public).unwrap();
    let problems = verify_log(&bench.path(), &read).unwrap().problems;
    assert_eq!(
        problems.iter().map(|it| &it.kind).collect::<Vec<_>>(),
        [&ProblemKind::BadCheckpoint { number: 1 }]
    );
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_is_counted_and_tried_again() {
    let bench = Bench::new();
    let log = open(&bench, Durability::Process);
    let folder = bench.folder.path().join("not there yet");
    let checkpoints = Arc::new(Checkpoints {
        key: CheckpointKey::generate(&bench.folder.path().join("key.pem")).unwrap(),
        log: bench.path(),
        to: vec![folder.join("checkpoints")],
        every: Duration::from_secs(60),
        clock: bench.clock.clone(),
        metrics: bench.metrics.clone(),
    });
    assert_eq!(checkpoints.take(&log, None).await, None);
    assert_eq!(bench.metrics.checkpoint_failures.get(), 1);
    fs::create_dir(&folder).unwrap();
    assert_eq!(checkpoints.take(&log, None).await, Some(0));
}

#[tokio::test]
async fn who_reads_along_goes_from_file_to_file() {
    let bench = Bench::new();
    let log = open(&bench, Durability::Process);
    let mut rotator = rotator(&bench, small());
    let trail = Trail::open(&bench.path(), &beside(&bench.path(), "index")).await.unwrap();
    let mut live = trail.live(None, Filter::default()).await.unwrap();
    let (mut seen, mut wanted) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let _receipts = log.append(&[note("one"), note("two"), note("three")]).await.unwrap();
        if round % 2 == 0 {
            seen.extend(live.next(Duration::ZERO).await.unwrap().records.iter().map(|it| it.seq));
        }
        assert!(rotator.rotate_if_due(log.desk()).unwrap());
        let found = trail.search(&Filter::default()).await.unwrap().records;
        assert_eq!(found.len() as u64, found[0].found.seq + 1, "round {round}");
        assert!(found.iter().all(|it| it.found.intact));
    }
    loop {
        let part = live.next(Duration::ZERO).await.unwrap();
        seen.extend(part.records.iter().map(|it| it.seq));
        if part.is_end {
            break;
        }
    }
    wanted.extend(1..=20);
    assert_eq!(seen, wanted);
    let story = trail.story("2").await.unwrap().unwrap();
    assert_eq!(story.record.record["problem"], "two");
    // What is gone is not found any more, and does not keep the rest from being found.
    let keep = Rotation { keep_bytes: Some(1), ..Rotation::NEVER };
    self::rotator(&bench, keep).trim(log.desk()).unwrap();
    let left = trail.search(&Filter::default()).await.unwrap().records;
    assert!(left.iter().all(|it| it.found.seq >= 20), "{}", left.len());
    assert!(trail.live(Some(0), Filter::default()).await.unwrap().next(Duration::ZERO).await.unwrap().missed);
    // The next start forgets what is gone.
    drop(trail);
    let trail = Trail::open(&bench.path(), &beside(&bench.path(), "index")).await.unwrap();
    assert_eq!(trail.search(&Filter::default()).await.unwrap().records.len(), left.len());
}
