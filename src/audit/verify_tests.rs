//! What [`verify`](super::verify()) finds in a log that was tampered with.

use std::fs;

use uuid::Uuid;

use super::{
    ProblemKind, chain,
    tests::{Bench, five_lines, kinds, report},
};
use crate::model::{
    facts::{Access, AccessMode},
    ids::{DatabaseName, PrincipalName, SessionId, StatementId, TargetName},
    object::Object,
    record::{Actor, DecisionRecord, Outcome, Record, StatementEnd, StatementStart, Touched},
    target::Lane,
};

#[tokio::test]
async fn any_changed_bit_is_found() {
    let whole = five_lines().await.concat();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(!report(&bytes).is_whole(), "byte {at}");
    }
}

#[tokio::test]
async fn a_changed_line_is_named_once() {
    let mut lines = five_lines().await;
    let text = String::from_utf8(lines[2].clone()).unwrap().replace("two", "TWO");
    lines[2] = text.into_bytes();
    assert_eq!(kinds(&lines.concat()), [(3, ProblemKind::Changed)]);
}

#[tokio::test]
async fn a_line_rewritten_with_its_hash_is_found_by_the_next() {
    let mut lines = five_lines().await;
    let text = String::from_utf8(lines[2].clone()).unwrap().replace("two", "TWO");
    let covered = text.split(",\"hash\"").next().unwrap();
    let hash = String::from_utf8(chain::hash(covered.as_bytes()).to_vec()).unwrap();
    lines[2] = format!("{covered},\"hash\":\"{hash}\"}}\n").into_bytes();
    assert_eq!(kinds(&lines.concat()), [(4, ProblemKind::Unchained)]);
}

#[tokio::test]
async fn removed_inserted_and_moved_lines_are_found() {
    let lines = five_lines().await;
    let order = |order: &[usize]| -> Vec<u8> { order.iter().flat_map(|at| lines[*at].clone()).collect() };
    assert_eq!(kinds(&order(&[0, 1, 2, 3, 4])), []);
    assert_eq!(kinds(&order(&[0, 1, 4])), [(3, ProblemKind::Missing { from: 2, to: 3 })]);
    let doubled = ProblemKind::OutOfOrder { expected: 3, found: 2 };
    assert_eq!(kinds(&order(&[0, 1, 2, 2, 3, 4])), [(4, doubled)]);
    assert_eq!(kinds(&order(&[0, 2, 1, 3, 4])).len(), 3);
    assert_eq!(kinds(&order(&[1, 2, 3, 4])), [(1, ProblemKind::NoHead)]);
    assert_eq!(kinds(&[order(&[0, 1]), b"{}\n".to_vec()].concat()), [(3, ProblemKind::Unreadable)]);
    assert_eq!(kinds(&[order(&[0, 1]), b"{\"seq\"".to_vec()].concat()), [(3, ProblemKind::Torn)]);
    assert_eq!(kinds(b""), [(1, ProblemKind::NoHead)]);
}

#[tokio::test]
async fn a_line_of_another_log_does_not_fit() {
    let (mut lines, other) = (five_lines().await, five_lines().await);
    lines[3].clone_from(&other[3]);
    assert_eq!(kinds(&lines.concat()), [(4, ProblemKind::Unchained), (5, ProblemKind::Unchained)]);
}

#[tokio::test]
async fn statements_let_run_and_never_ended_are_listed() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let (principal, target) = (PrincipalName::from("dana"), TargetName::from("hr"));
    let (database, session) = (DatabaseName::from("hr_prod"), SessionId::new(Uuid::from_u128(9)));
    let actor = Actor {
        session,
        principal: &principal,
        client: "127.0.0.1:5".parse().unwrap(),
        application: "psql",
        target: &target,
        database: &database,
    };
    let object = Object::Relation { schema: "public".into(), name: "t".into() };
    let access = Access { object, mode: AccessMode::Read };
    let start = |number, decision| {
        Record::StatementStart(StatementStart {
            statement: StatementId::new(Uuid::from_u128(number)),
            actor: &actor,
            sql: "select 1",
            fingerprint: None,
            kind: None,
            objects: vec![Touched(&access)],
            decision,
            trace_id: None,
        })
    };
    let allow = || DecisionRecord::Allow { lane: Lane::Read, grants: &[] };
    let deny = DecisionRecord::Deny { sqlstate: "42501", message: "no", missing: vec![] };
    let end = Record::StatementEnd(StatementEnd {
        statement: StatementId::new(Uuid::from_u128(1)),
        session,
        outcome: Outcome::Completed,
        rows: Some(1),
        bytes: 10,
        duration_us: 5,
        sqlstate: None,
        upstream_pid: Some(7),
    });
    let records = [start(1, allow()), start(2, allow()), start(3, deny), end];
    let _receipts = log.append(&records).await.unwrap();
    let _receipts = log.append(&[Record::Started { version: "1" }, start(4, allow())]).await.unwrap();
    let report = report(&bench.bytes());
    assert!(report.is_whole());
    assert_eq!(report.unended_count, 2);
    assert_eq!(report.unended.iter().map(|unended| unended.sequence).collect::<Vec<_>>(), [2, 6]);
}

#[tokio::test]
async fn the_commands_of_the_documentation_tell_a_whole_log_from_a_changed_one() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.md");
    let page = fs::read_to_string(page).unwrap();
    let script = page.split("```bash\n").nth(1).unwrap().split("```").next().unwrap();
    let run = |bytes: Vec<u8>| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("audit.jsonl"), bytes).unwrap();
        let mut shell = std::process::Command::new("bash");
        let output = shell.args(["-c", script]).current_dir(folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let lines = five_lines().await;
    assert_eq!(run(lines.concat()), (true, "whole: 5 lines\n".to_owned()));
    let text = String::from_utf8(lines.concat()).unwrap();
    assert_eq!(run(text.replace("two", "TWO").into_bytes()), (false, "line 3: changed\n".to_owned()));
    let removed = [lines[0].clone(), lines[1].clone(), lines[3].clone()].concat();
    assert_eq!(run(removed), (false, "line 3: does not follow the line before\n".to_owned()));
}
