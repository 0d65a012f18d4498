//! Transcripts of clients, held against each other without what has to differ.
#![allow(dead_code, unreachable_pub)]

use std::fmt::Write as _;

/// Holds two transcripts against each other, line by line, without what must differ.
pub fn same(what: &str, left: &[String], right: &[String]) {
    assert!(left.len() > 3, "{what}: there is nothing to compare: {left:?}");
    if left == right {
        return;
    }
    let mut report = String::new();
    let common = left.iter().zip(right).take_while(|(l, r)| l == r).count();
    let tail =
        left[common..].iter().rev().zip(right[common..].iter().rev()).take_while(|(l, r)| l == r).count();
    for line in &left[common.saturating_sub(4)..common] {
        writeln!(report, "   {line}").unwrap();
    }
    for line in left[common..left.len() - tail].iter().take(80) {
        writeln!(report, " - {line}").unwrap();
    }
    for line in right[common..right.len() - tail].iter().take(80) {
        writeln!(report, " + {line}").unwrap();
    }
    panic!("{what}: directly (-) and through the gateway (+) differ, from line {common}:\n{report}");
}

/// Lines without process identifiers and places in PostgreSQL's own source, which differ from run to run.
pub fn plain_postgres(transcript: &str) -> Vec<String> {
    transcript
        .lines()
        .filter(|line| !line.starts_with("LOCATION:"))
        .map(|line| match line.split_once(" from server process with PID ") {
            Some((head, _)) => head.to_owned(),
            None => line.to_owned(),
        })
        .collect()
}

/// The same for MySQL and MariaDB. What differs by design, and why:
///
/// - accounts in error texts: the server knows the gateway's shared accounts, not who the person is;
/// - times that something took, which differ from run to run;
/// - host and version lines of a dump's head, which name the port's side of the connection.
pub fn plain_mysql(transcript: &str) -> Vec<String> {
    transcript
        .lines()
        .filter(|line| !line.starts_with("-- Host:") && !line.starts_with("-- Dump completed"))
        .map(|line| without_account(&without_time(line)))
        .collect()
}

/// `user 'tidegate_admin'@'127.0.0.1'` without the name.
fn without_account(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some((head, tail)) = rest.split_once("'tidegate_") {
        kept.push_str(head);
        kept.push_str("'(an account)'");
        rest =
            tail.split_once("'@'").and_then(|(_, host)| host.split_once('\'')).map_or("", |(_, after)| after);
    }
    kept + rest
}

/// `3 rows in set (0.00 sec)` without the seconds.
fn without_time(line: &str) -> String {
    match line.rsplit_once(" (") {
        Some((head, tail)) if tail.ends_with(" sec)") => head.to_owned(),
        _ => line.to_owned(),
    }
}
