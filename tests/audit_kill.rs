//! The audit log under SIGKILL and on a full disk, with real processes and real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tidegate::{
    audit::{AuditError, AuditLog, AuditSettings, Rotation, segments, verify, verify_log},
    metrics::Metrics,
    model::record::{Durability, Record},
    net::Clock,
};

const PATH: &str = "TIDEGATE_TEST_AUDIT_PATH";
const DISK: &str = "TIDEGATE_TEST_AUDIT_DISK";
const ROTATES: &str = "TIDEGATE_TEST_AUDIT_ROTATES";

fn open(path: &Path, durability: Durability) -> Result<AuditLog, AuditError> {
    let settings =
        AuditSettings { path: path.to_owned(), gateway: "one".into(), durability, rotation: Rotation::NEVER };
    AuditLog::open(&settings, Clock::System, &Metrics::new("test").unwrap().audit)
}

/// With a log that goes on in a new file every second.
fn open_rotating(path: &Path) -> AuditLog {
    let rotation = Rotation { bytes: 1, ..Rotation::NEVER };
    let gateway = "one".into();
    let settings =
        AuditSettings { path: path.to_owned(), gateway, durability: Durability::Process, rotation };
    AuditLog::open(&settings, Clock::System, &Metrics::new("test").unwrap().audit).unwrap()
}

fn open_from_environment() -> AuditLog {
    if std::env::var_os(ROTATES).is_some() {
        return open_rotating(Path::new(&std::env::var_os(PATH).unwrap()));
    }
    let durability = if std::env::var_os(DISK).is_some() { Durability::Disk } else { Durability::Process };
    open(Path::new(&std::env::var_os(PATH).unwrap()), durability).unwrap()
}

/// Runs one of the ignored tests below in a process of its own.
fn child(name: &str, path: &Path, durability: Durability, shell: &str) -> Child {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shell} exec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(PATH, path);
    match durability {
        Durability::Disk => command.env(DISK, "1"),
        Durability::Process => command.env_remove(DISK),
    };
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Appends from several tasks until it is killed, and tells each record that it has a receipt for.
#[test]
#[ignore = "run as a child by the tests"]
fn child_appends_until_killed() {
    let log = open_from_environment();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for task in 0..6_usize {
            let log = log.clone();
            tasks.push(tokio::spawn(async move {
                for round in 0.. {
                    // Long ones are killed halfway more often.
                    let text = format!("<{}>{}", uuid::Uuid::new_v4(), "x".repeat(task * round % 9 * 4_000));
                    let record = Record::PolicyRejected { actor: "kill", problem: &text };
                    let receipts: Vec<_> = log.append(&[record.clone(), record]).await.unwrap().collect();
                    let mark = &text[..38];
                    println!(
                        "kept {} {mark}\nkept {} {mark}",
                        receipts[0].sequence(),
                        receipts[1].sequence()
                    );
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Appends until it is refused, and then until it no longer is.
#[test]
#[ignore = "run as a child by the tests"]
fn child_appends_until_recovered() {
    let log = open_from_environment();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = "x".repeat(1_000);
    let mut refused = false;
    for _ in 0..100_000 {
        match runtime.block_on(log.append_one(&Record::PolicyRejected { actor: "full", problem: &text })) {
            Ok(receipt) => {
                println!("kept {}", receipt.sequence());
                if refused {
                    println!("recovered");
                    return;
                }
            }
            Err(AuditError::Unwritable { .. }) => {
                if !refused {
                    println!("refused");
                }
                refused = true;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The records that a child told of, by number; what it was telling when it was killed is left out.
fn told(text: &str) -> BTreeMap<u64, String> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .filter_map(|line| line.strip_prefix("kept "))
        .filter_map(|line| line.split_once(' '))
        .map(|(number, mark)| (number.parse().unwrap(), mark.to_owned()))
        .collect()
}

fn kill_and_look(durability: Durability, rounds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (mut seen_bytes, mut seen_records, mut kept) = (0, 0, 0);
    for round in 0..rounds {
        let mut child = child("child_appends_until_killed", &path, durability, "");
        let mut output = child.stdout.take().unwrap();
        let (first, begun) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let (mut text, mut piece) = (Vec::new(), [0; 65_536]);
            loop {
                let read = output.read(&mut piece).unwrap();
                if read == 0 {
                    return String::from_utf8(text).unwrap();
                }
                text.extend_from_slice(&piece[..read]);
                if String::from_utf8_lossy(&piece[..read]).contains("kept ") {
                    let _ = first.send(());
                }
            }
        });
        begun.recv_timeout(Duration::from_secs(60)).expect("the child appends");
        std::thread::sleep(Duration::from_micros(u64::from(uuid::Uuid::new_v4().as_fields().0 % 30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told(&reader.join().unwrap());
        assert!(!told.is_empty(), "round {round}");
        kept += told.len();

        let bytes = fs::read(&path).unwrap();
        let new: Vec<&[u8]> = bytes[seen_bytes..].split_inclusive(|byte| *byte == b'\n').collect();
        for (number, mark) in told {
            let line = new.get((number - seen_records) as usize).copied().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            assert!(line.starts_with(&format!("{{\"seq\":{number},")), "round {round}: {number}");
            assert!(line.contains(&mark) && line.ends_with('\n'), "round {round}: {number}");
        }

        drop(open(&path, durability).unwrap());
        let bytes = fs::read(&path).unwrap();
        let report = verify(bytes.as_slice()).unwrap();
        assert!(report.is_whole(), "round {round}: {:?}", report.problems);
        (seen_bytes, seen_records) = (bytes.len(), report.lines);
    }
    let torn = fs::read_dir(folder.path()).unwrap().count() - 1;
    println!("{rounds} rounds of {durability:?}: {kept} receipts, {seen_records} records, {torn} torn ends");
}

#[test]
fn no_record_with_a_receipt_is_missing_after_sigkill() {
    kill_and_look(Durability::Process, 40);
}

#[test]
fn no_record_on_disk_with_a_receipt_is_missing_after_sigkill() {
    kill_and_look(Durability::Disk, 15);
}

/// Kills come around the moment at which the log goes on in a new file.
#[test]
fn no_record_with_a_receipt_is_missing_after_sigkill_while_the_log_rotates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (mut kept, mut rotations) = (0, 0);
    for round in 0..12_u64 {
        let shell = format!("{ROTATES}=1; export {ROTATES};");
        let mut child = child("child_appends_until_killed", &path, Durability::Process, &shell);
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            BufReader::new(output).read_to_string(&mut text).unwrap();
            text
        });
        let before = segments(&path).unwrap_or_default().len();
        let begun = std::time::Instant::now();
        let is_moved = || segments(&path).unwrap_or_default().len() > before.max(1);
        // Until it moved, or, in every other round, a moment before that is due.
        while begun.elapsed() < Duration::from_secs(20) && !is_moved() {
            if round % 2 == 0 && path.exists() && begun.elapsed() > Duration::from_millis(980 + round * 5) {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told(&reader.join().unwrap());
        kept += told.len();
        rotations += u64::from(is_moved());
        drop(open_rotating(&path));
        let report = verify_log(&path, &[]).unwrap();
        assert!(report.is_whole(), "round {round}: {:?}", report.problems);
        let mut lines = BTreeMap::new();
        for segment in segments(&path).unwrap() {
            let text = fs::read_to_string(&segment.path).unwrap();
            lines.extend((segment.first..).zip(text.lines().map(str::to_owned)));
        }
        for (number, mark) in told {
            assert!(lines.get(&number).is_some_and(|line| line.contains(&mark)), "round {round}: {number}");
        }
    }
    assert!(kept > 0 && rotations > 0);
    println!("{kept} receipts, {rotations} rotations seen");
}

/// The limit of the kernel on the size of files stands in for a full disk: a write is cut short, the next fails.
#[test]
fn a_log_that_cannot_grow_refuses_stays_whole_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let limit = "trap '' XFSZ; ulimit -S -f 100;";
    let mut child = child("child_appends_until_recovered", &path, Durability::Process, limit);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "refused"));
    let report = verify(fs::read(&path).unwrap().as_slice()).unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert!(report.lines > 20);

    let raised = Command::new("prlimit")
        .args(["--pid", &child.id().to_string(), "--fsize=unlimited"])
        .status()
        .unwrap();
    assert!(raised.success());
    assert!(lines.any(|line| line == "recovered"));
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    let bytes = fs::read(&path).unwrap();
    let report = verify(bytes.as_slice()).unwrap();
    assert!(report.is_whole(), "{:?}", report.problems);
    assert_eq!(report.events["log_recovered"], 1);
}
