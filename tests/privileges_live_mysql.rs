//! The tables that a statement touches, as the server's own privilege check sees them, against our facts.
//!
//! Each statement goes to a live server twice: from an account that has no right on any table, and again from one that
//! holds exactly what our facts ask for. Whatever the server names when it denies the first must be among the facts,
//! and to the second it may deny nothing. `TIDEGATE_TEST_MYSQL_URL` and `TIDEGATE_TEST_MARIADB_URL` name superusers on
//! servers that may be played with; `TIDEGATE_TEST_PRIVILEGE_CASES` says how many statements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "corpus/case.rs"]
#[allow(dead_code)]
mod case;
#[path = "corpus/expect.rs"]
#[allow(dead_code)]
mod expect;
#[path = "privileges_live_mysql/lab.rs"]
mod lab;
#[allow(dead_code)]
mod mysql_live;
#[path = "privileges_live_mysql/named.rs"]
mod named;
#[path = "privileges_live_mysql/queries.rs"]
mod queries;
#[path = "corpus/shared.rs"]
mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use lab::{Lab, NOBODY};
use mysql_live::{Answer, is_slow, servers};
use named::{Named, SYSTEM, holds, named};
use tidegate::model::{
    facts::{AccessMode, Facts},
    object::Object,
};

/// First words of the statements that are tried.
const HEADS: &[&str] = &[
    "DELETE", "DESC", "DESCRIBE", "DO", "EXPLAIN", "INSERT", "REPLACE", "SELECT", "SHOW", "TABLE", "UPDATE",
    "VALUES", "WITH",
];

#[derive(Default)]
struct Summary {
    tried: usize,
    denied: usize,
    granted: usize,
    ended: usize,
    problems: Vec<String>,
}

/// Tries one statement both ways.
fn try_one(lab: &mut Lab, text: &str, facts: &Facts, open: &BTreeSet<&str>, summary: &mut Summary) {
    summary.tried += 1;
    let answer = lab.as_nobody(text);
    if let Some(named) = named(&answer) {
        summary.denied += 1;
        if !holds(facts, &named, open) && !is_expected(text) {
            summary
                .problems
                .push(format!("{text}\n    {answer:?}\n    {:?} {:?}", facts.accesses, facts.calls));
        }
    }
    let grantable = facts.calls.is_empty()
        && facts
            .accesses
            .iter()
            .all(|access| !matches!(access.mode, AccessMode::Define | AccessMode::Administer));
    if !grantable {
        return;
    }
    lab.stand_in(&facts.accesses);
    lab.grant(facts);
    let answer = lab.as_holder(text);
    summary.granted += 1;
    summary.ended += usize::from(!matches!(answer, Answer::Error(..)));
    if let Some(named) = named(&answer) {
        let known = matches!(answer, Answer::Error(1146 | 1049, _)) && holds(facts, &named, open);
        // Definitions of the system, for which we ask for any grant.
        let open = match &named {
            Named::Table(_, table) => open.contains(table.to_ascii_lowercase().as_str()),
            Named::Database(database) => SYSTEM.contains(&database.as_str()),
            Named::Routine(_) | Named::Server => false,
        };
        if !(known || open || is_expected(text)) {
            summary
                .problems
                .push(format!("{text}\n    with its rights: {answer:?}\n    {:?}", facts.accesses));
        }
    }
}

fn is_expected(text: &str) -> bool {
    EXPECTED.iter().any(|expected| text.to_ascii_lowercase().contains(expected))
}

/// What asks for a right that grants of Tidegate do not speak of, by a part of its text in lower case.
const EXPECTED: &[&str] = &[
    // PROCESS; every dump asks for it, and it lists the server's own files.
    "information_schema.files",
];

#[test]
fn what_the_server_denies_is_among_our_facts() {
    let Some(statements) = statements() else { return };
    let open: BTreeSet<_> = include_str!("../policies/mysql/relations.tsv")
        .lines()
        .filter_map(|line| line.split('\t').nth(1))
        .collect();
    for url in servers() {
        let mut lab = Lab::new(&url, "corpus");
        let (mut summary, mut refused, mut seen) = (Summary::default(), 0, BTreeSet::new());
        for text in &statements {
            let Some(facts) = lab.analyze(text) else {
                refused += 1;
                continue;
            };
            if seen.insert(facts.fingerprint) {
                try_one(&mut lab, text, &facts, &open, &mut summary);
            }
        }
        println!(
            "{url}: {} statements tried, {refused} not understood; {} denied to an account without rights; {} tried with the \
             rights of their facts, {} of them ran; {} problems",
            summary.tried,
            summary.denied,
            summary.granted,
            summary.ended,
            summary.problems.len()
        );
        assert!(summary.problems.is_empty(), "{}", summary.problems.join("\n"));
        assert!(
            summary.denied * 2 > summary.tried,
            "only {} of {} are denied",
            summary.denied,
            summary.tried
        );
    }
}

/// Those of the corpora, each text once; at most as many as are asked for, from all over them.
fn statements() -> Option<Vec<String>> {
    let most = std::env::var("TIDEGATE_TEST_PRIVILEGE_CASES").map_or(4_000, |cases| cases.parse().unwrap());
    let lines = shared::lines("mysql_test")?;
    let theirs: BTreeSet<String> = lines
        .iter()
        .filter(|line| line["accepted_97"] == true)
        .map(|line| line["sql"].as_str().unwrap().to_owned())
        .filter(|sql| is_tried(sql))
        .collect();
    let step = theirs.len().div_ceil(most).max(1);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/mysql");
    let own = case::cases(Path::new(folder))
        .into_iter()
        .filter(|case| case.context.is_empty())
        .map(|case| case.sql);
    Some(own.filter(|sql| is_tried(sql)).chain(theirs.into_iter().step_by(step)).collect())
}

fn is_tried(sql: &str) -> bool {
    let head = sql.trim_start_matches(['(', ' ']).split(|letter: char| !letter.is_ascii_alphabetic()).next();
    head.is_some_and(|head| HEADS.iter().any(|known| known.eq_ignore_ascii_case(head))) && !is_slow(sql)
}

#[test]
fn whatever_hides_a_table_hides_it_from_the_server_too() {
    let cases: usize =
        std::env::var("TIDEGATE_TEST_NAME_CASES").map_or(6_000, |cases| cases.parse().unwrap());
    for url in servers() {
        let mut lab = Lab::new(&url, "names");
        let user = format!("{NOBODY}_names@'%'");
        for name in ["open", "secret", "hidden"] {
            lab.keeper.run(&format!("CREATE TABLE {name} (id INT PRIMARY KEY, v INT)"));
        }
        lab.keeper.run(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {}.open TO {user}", lab.database));
        let (mut seed, mut count, mut problems) =
            (0x9e37_79b9_7f4a_7c15_u64, BTreeMap::<_, usize>::new(), Vec::new());
        for _ in 0..cases {
            let text = queries::random_query(&mut seed, &lab.database, lab.reading.flavor);
            let Some(facts) = lab.analyze(&text) else {
                *count.entry("not understood").or_default() += 1;
                continue;
            };
            let answer = lab.as_nobody(&text);
            let asks = facts.accesses.iter().any(|access| match &access.object {
                Object::Relation { name, .. } => name.as_str() != "open",
                _ => false,
            });
            let what = match (named(&answer), asks) {
                (Some(named), _) if holds(&facts, &named, &BTreeSet::new()) => "denied, and among ours",
                (Some(_), _) => {
                    problems.push(format!("{text}\n    {answer:?}\n    {:?}", facts.accesses));
                    continue;
                }
                (None, true) if matches!(answer, Answer::Error(..)) => "another error",
                (None, true) => "we ask for more",
                (None, false) => "not denied, and none of ours",
            };
            *count.entry(what).or_default() += 1;
        }
        println!("{url}: {count:?}");
        assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
        assert!(
            count["denied, and among ours"] > cases / 20
                && count["not denied, and none of ours"] > cases / 50,
            "{count:?}"
        );
    }
}
