//! What the log promises, tried out: on files, and on a medium that fails when told to.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    AuditError, AuditLog, AuditSettings, ProblemKind, Report, Rotation,
    bodies::Bodies,
    chain::{Head, Origin, OwnRecord, hash},
    medium::Medium,
    tail::Opened,
    verify,
};
use crate::{
    metrics::{AuditMetrics, Metrics},
    model::record::{Durability, Record},
    net::{Clock, ManualClock},
};

pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) hand: Arc<ManualClock>,
    pub(super) metrics: AuditMetrics,
}

impl Bench {
    pub(super) fn new() -> Self {
        let (clock, hand) = Clock::manual(noon());
        let metrics = Metrics::new("test").unwrap().audit.clone();
        Self { folder: tempfile::tempdir().unwrap(), clock, hand, metrics }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn open_with(&self, durability: Durability) -> Result<AuditLog, AuditError> {
        let settings =
            AuditSettings { path: self.path(), gateway: "one".into(), durability, rotation: Rotation::NEVER };
        AuditLog::open(&settings, self.clock.clone(), &self.metrics)
    }

    pub(super) fn open(&self) -> Result<AuditLog, AuditError> {
        self.open_with(Durability::Process)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    pub(super) fn start(&self, fake: &Arc<Fake>, durability: Durability) -> AuditLog {
        let mut first = Bodies::default();
        first.push(&OwnRecord::Created { format: 1, log: Uuid::nil() }).unwrap();
        let medium = Arc::clone(fake) as Arc<dyn Medium>;
        let opened = Opened { medium, head: Head::EMPTY, first, rotator: None };
        AuditLog::start(
            opened,
            Origin::new(&"one".into()).unwrap(),
            durability,
            self.clock.clone(),
            &self.metrics,
        )
        .unwrap()
    }
}

fn noon() -> Timestamp {
    "2026-11-21T12:00:00.000001Z".parse().unwrap()
}

pub(super) fn note(problem: &str) -> Record<'_> {
    Record::PolicyRejected { actor: "test", problem }
}

pub(super) fn report(bytes: &[u8]) -> Report {
    verify(bytes).unwrap()
}

pub(super) fn kinds(bytes: &[u8]) -> Vec<(u64, ProblemKind)> {
    report(bytes).problems.into_iter().map(|problem| (problem.line, problem.kind)).collect()
}

pub(super) fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

pub(super) async fn five_lines() -> Vec<Vec<u8>> {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    for word in ["one", "two", "three", "four"] {
        let _receipt = log.append_one(&note(word)).await.unwrap();
    }
    lines(&bench.bytes())
}

#[tokio::test]
async fn records_are_numbered_in_order_and_the_log_verifies() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receipts = log.append(&[note("a"), note("b"), Record::Stopped]).await.unwrap();
    assert_eq!(receipts.map(|receipt| receipt.sequence()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(log.append_one(&note("c")).await.unwrap().sequence(), 4);
    assert!(log.append(&[]).await.unwrap().next().is_none());
    let report = report(&bench.bytes());
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!(report.lines, 5);
    let events = [("log_created", 1), ("policy_rejected", 3), ("stopped", 1)];
    assert_eq!(report.events, BTreeMap::from(events.map(|(event, count)| (event.to_owned(), count))));
    assert_eq!(report.last.as_ref().unwrap().0, 4);
    assert_eq!(report.first_at, Some(noon()));
    assert_eq!(bench.metrics.records.get(), 5);
    assert_eq!(bench.metrics.bytes.get(), bench.bytes().len() as u64);
}

/// The same lines as a version wrote them that did not name the gateway.
fn without_gateway(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut before = "0".repeat(64);
    for line in lines {
        let text = String::from_utf8(line.clone()).unwrap().replace(",\"gateway\":\"one\"", "");
        let (head, rest) = text.split_once("\"prev\":\"").unwrap();
        let covered = format!("{head}\"prev\":\"{before}{}", &rest[64..rest.len() - 76]);
        before = String::from_utf8(hash(covered.as_bytes()).to_vec()).unwrap();
        bytes.extend(format!("{covered},\"hash\":\"{before}\"}}\n").into_bytes());
    }
    bytes
}

#[tokio::test]
async fn every_line_names_its_gateway_and_lines_from_before_that_verify_as_they_are() {
    let bench = Bench::new();
    let old = without_gateway(&five_lines().await);
    fs::write(bench.path(), &old).unwrap();
    assert!(report(&old).is_whole() && !String::from_utf8(old).unwrap().contains("gateway"));
    let log = bench.open().unwrap();
    let _receipt = log.append_one(&note("five")).await.unwrap();
    let bytes = bench.bytes();
    assert!(report(&bytes).is_whole(), "{:?}", report(&bytes).problems);
    let last: serde_json::Value = serde_json::from_slice(&lines(&bytes)[5]).unwrap();
    assert_eq!((&last["seq"], &last["gateway"]), (&5.into(), &"one".into()));
}

#[tokio::test]
async fn no_text_breaks_out_of_its_line() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let texts = ["a\nb\r\n", "\",\"hash\":\"", "\u{0}\u{1f}\u{7f}\u{2028}", "\\", "}\n{\"seq\":9", "ünï🦀"];
    for text in texts {
        let _receipt = log.append_one(&note(text)).await.unwrap();
    }
    let bytes = bench.bytes();
    assert!(report(&bytes).is_whole());
    let read: Vec<String> = lines(&bytes)[1..]
        .iter()
        .map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap())
        .map(|line| line["problem"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(read, texts);
}

#[tokio::test]
async fn time_does_not_step_back_and_the_line_says_that_the_clock_did() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    bench.hand.set(noon() - SignedDuration::from_secs(5));
    let _receipt = log.append_one(&note("early")).await.unwrap();
    bench.hand.set(noon() + SignedDuration::from_secs(5));
    let _receipt = log.append_one(&note("late")).await.unwrap();
    let lines = lines(&bench.bytes());
    let early = String::from_utf8(lines[1].clone()).unwrap();
    assert!(early.contains("\"at\":\"2026-11-21T12:00:00.000001Z\""), "{early}");
    assert!(early.contains("\"clock_back_us\":5000000,"), "{early}");
    let late = String::from_utf8(lines[2].clone()).unwrap();
    assert!(late.contains("12:00:05.000001Z") && !late.contains("clock_back"), "{late}");
    assert_eq!(bench.metrics.clock_steps.get(), 1);
}

#[tokio::test]
async fn a_line_torn_anywhere_is_moved_aside_and_the_chain_goes_on() {
    let whole = five_lines().await.concat();
    let last = lines(&whole)[4].len();
    for cut in (1..last).step_by(7).chain([last - 1]) {
        let bench = Bench::new();
        fs::write(bench.path(), &whole[..whole.len() - cut]).unwrap();
        let log = bench.open().unwrap();
        assert_eq!(log.append_one(&note("again")).await.unwrap().sequence(), 5, "cut {cut}");
        let report = report(&bench.bytes());
        assert!(report.is_whole(), "cut {cut}: {:?}", report.problems);
        assert_eq!(report.events["log_repaired"], 1);
        let side = fs::read_dir(bench.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains(".torn-4-"))
            .unwrap();
        assert_eq!(fs::read(side).unwrap(), whole[whole.len() - last..whole.len() - cut]);
    }
}

#[tokio::test]
async fn a_whole_log_opens_without_repair_and_a_torn_first_line_begins_anew() {
    let whole = five_lines().await;
    for (bytes, next, repaired) in [(whole.concat(), 5, false), (whole[0][..40].to_vec(), 2, true)] {
        let bench = Bench::new();
        fs::write(bench.path(), bytes).unwrap();
        let log = bench.open().unwrap();
        assert_eq!(log.append_one(&note("again")).await.unwrap().sequence(), next);
        let report = report(&bench.bytes());
        assert!(report.is_whole(), "{:?}", report.problems);
        assert_eq!(report.events.contains_key("log_repaired"), repaired);
    }
}

#[tokio::test]
async fn a_log_whose_end_was_changed_is_not_opened_and_not_touched() {
    let mut whole = five_lines().await.concat();
    let at = whole.len() - 100;
    whole[at] ^= 1;
    let foreign = b"SQLite format 3".to_vec();
    for bytes in [whole, foreign] {
        let bench = Bench::new();
        fs::write(bench.path(), &bytes).unwrap();
        let error = bench.open().unwrap_err();
        assert!(matches!(error, AuditError::Tail { .. }), "{error}");
        assert!(error.to_string().contains("audit verify"), "{error}");
        assert_eq!(bench.bytes(), bytes);
    }
}

#[tokio::test]
async fn a_log_has_one_writer() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    assert!(matches!(bench.open().unwrap_err(), AuditError::Locked { .. }));
    drop(log);
    assert!(bench.open().is_ok());
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_no_longer_written() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let away = bench.folder.path().join("away");
    fs::rename(bench.path(), &away).unwrap();
    bench.hand.set(noon() + SignedDuration::from_secs(1));
    assert!(matches!(log.append_one(&note("lost")).await, Err(AuditError::Unwritable { .. })));
    assert!(!log.is_writable());
    fs::rename(&away, bench.path()).unwrap();
    let _receipt = log.append_one(&note("kept")).await.unwrap();
    assert!(log.is_writable());
    assert!(report(&bench.bytes()).is_whole());
}

#[tokio::test]
async fn a_log_that_somebody_else_wrote_to_is_no_longer_written() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let mut bytes = bench.bytes();
    bytes.extend_from_slice(b"mine\n");
    fs::write(bench.path(), &bytes).unwrap();
    bench.hand.set(noon() + SignedDuration::from_secs(1));
    assert!(log.append_one(&note("a")).await.is_err());
    assert!(log.append_one(&note("b")).await.is_err());
    assert_eq!(bench.bytes(), bytes);
}

/// A medium in memory that has `room` bytes, and syncs and truncates only while told so.
#[derive(Debug)]
pub(super) struct Fake {
    bytes: Mutex<Vec<u8>>,
    pub(super) room: AtomicU64,
    pub(super) writes: AtomicU64,
    truncates: AtomicBool,
    syncs: AtomicBool,
    gate: (Mutex<bool>, Condvar),
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: Mutex::default(),
            room: AtomicU64::new(u64::MAX),
            writes: AtomicU64::new(0),
            truncates: AtomicBool::new(true),
            syncs: AtomicBool::new(true),
            gate: (Mutex::new(true), Condvar::new()),
        })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    fn open_gate(&self, open: bool) {
        *self.gate.0.lock().unwrap() = open;
        self.gate.1.notify_all();
    }
}

impl Medium for Fake {
    fn append(&self, more: &[u8]) -> io::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let mut bytes = self.bytes.lock().unwrap();
        let room = self.room.load(Ordering::SeqCst).saturating_sub(bytes.len() as u64) as usize;
        bytes.extend_from_slice(&more[..more.len().min(room)]);
        if more.len() > room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&self, to: u64) -> io::Result<()> {
        if !self.truncates.load(Ordering::SeqCst) {
            return Err(io::Error::other("cannot truncate"));
        }
        self.bytes.lock().unwrap().truncate(to as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let open = self.gate.0.lock().unwrap();
        drop(self.gate.1.wait_while(open, |open| !*open).unwrap());
        if self.syncs.load(Ordering::SeqCst) { Ok(()) } else { Err(io::Error::other("cannot sync")) }
    }

    fn check(&self, bytes: u64) -> io::Result<()> {
        let there = self.bytes.lock().unwrap().len() as u64;
        if there == bytes { Ok(()) } else { Err(io::Error::other(format!("{there} for {bytes}"))) }
    }
}

#[tokio::test]
async fn a_full_disk_refuses_all_and_leaves_no_part_of_a_line() {
    for truncates in [true, false] {
        let (bench, fake) = (Bench::new(), Fake::new());
        let log = bench.start(&fake, Durability::Process);
        let _receipt = log.append_one(&note("fits")).await.unwrap();
        let good = fake.bytes();
        fake.room.store(good.len() as u64 + 300, Ordering::SeqCst);
        fake.truncates.store(truncates, Ordering::SeqCst);
        for _ in 0..3 {
            let error = log.append(&[note("a"), note("b")]).await.unwrap_err();
            assert!(matches!(error, AuditError::Unwritable { .. }));
        }
        assert!(!log.is_writable());
        assert_eq!(bench.metrics.unhealthy.get(), 1);
        assert_eq!(bench.metrics.refused.get(), 6);
        if truncates {
            assert_eq!(fake.bytes(), good);
        }
        fake.room.store(u64::MAX, Ordering::SeqCst);
        fake.truncates.store(true, Ordering::SeqCst);
        // The third line says that six records were refused; it takes number 2.
        assert_eq!(log.append_one(&note("again")).await.unwrap().sequence(), 3);
        assert!(log.is_writable());
        let report = report(&fake.bytes());
        assert!(report.is_whole(), "{:?}", report.problems);
        assert_eq!(report.events["log_recovered"], 1);
        assert!(String::from_utf8(fake.bytes()).unwrap().contains("\"refused_records\":6"));
    }
}

/// Polls once.
pub(super) async fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    let mut future = std::pin::Pin::new(future);
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[tokio::test]
async fn a_receipt_waits_for_the_disk_only_if_durability_says_so() {
    for (durability, waits) in [(Durability::Disk, true), (Durability::Process, false)] {
        let (bench, fake) = (Bench::new(), Fake::new());
        let log = bench.start(&fake, durability);
        fake.open_gate(false);
        let record = note("a");
        let mut append = Box::pin(log.append_one(&record));
        // It stands back once.
        assert!(!is_ready(&mut append).await);
        assert_eq!(is_ready(&mut append).await, !waits);
        assert_eq!(lines(&fake.bytes()).len(), 2);
        fake.open_gate(true);
        if waits {
            assert_eq!(append.await.unwrap().sequence(), 1);
        }
    }
}

#[tokio::test]
async fn what_the_disk_could_not_take_has_no_receipt_and_no_place() {
    let (bench, fake) = (Bench::new(), Fake::new());
    let log = bench.start(&fake, Durability::Disk);
    let _receipt = log.append_one(&note("safe")).await.unwrap();
    let safe = fake.bytes();
    fake.syncs.store(false, Ordering::SeqCst);
    let error = log.append_one(&note("unsafe")).await.unwrap_err();
    assert!(matches!(error, AuditError::Unwritable { .. }));
    assert_eq!(fake.bytes(), safe);
    fake.syncs.store(true, Ordering::SeqCst);
    assert_eq!(log.append_one(&note("again")).await.unwrap().sequence(), 3);
    let report = report(&fake.bytes());
    assert!(report.is_whole(), "{:?}", report.problems);
    assert!(!String::from_utf8(fake.bytes()).unwrap().contains("unsafe"));
}

#[tokio::test]
async fn a_log_that_nobody_appends_to_recovers_by_itself() {
    let (bench, fake) = (Bench::new(), Fake::new());
    let log = bench.start(&fake, Durability::Process);
    fake.room.store(0, Ordering::SeqCst);
    assert!(log.append_one(&note("a")).await.is_err());
    fake.room.store(u64::MAX, Ordering::SeqCst);
    let recovered = async {
        while !log.is_writable() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), recovered).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_of_many_at_once_keep_each_others_lines_together() {
    for durability in [Durability::Process, Durability::Disk] {
        let bench = Bench::new();
        let log = bench.open_with(durability).unwrap();
        let tasks: Vec<_> = (0..16_usize)
            .map(|task| {
                let log = log.clone();
                tokio::spawn(async move {
                    let mut numbers = Vec::new();
                    for round in 0..50 {
                        let (one, two) = (format!("{task}-{round}-1"), format!("{task}-{round}-2"));
                        let receipts: Vec<_> = log.append(&[note(&one), note(&two)]).await.unwrap().collect();
                        assert_eq!(receipts[0].sequence() + 1, receipts[1].sequence());
                        numbers.push((receipts[0].sequence() as usize, one));
                        numbers.push((receipts[1].sequence() as usize, two));
                    }
                    numbers
                })
            })
            .collect();
        let mut numbers = Vec::new();
        for task in tasks {
            numbers.extend(task.await.unwrap());
        }
        let bytes = bench.bytes();
        assert!(report(&bytes).is_whole());
        let lines = lines(&bytes);
        assert_eq!((numbers.len(), lines.len()), (1600, 1601));
        for (number, text) in numbers {
            let line = String::from_utf8_lossy(&lines[number]);
            assert!(line.contains(&format!("\"problem\":\"{text}\"")), "{number}: {line}");
        }
    }
}
