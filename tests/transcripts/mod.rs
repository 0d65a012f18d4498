//! Transcripts of clients, held against each other without what has to differ.
#![allow(dead_code, unreachable_pub)]

use std::process::Command;

/// Holds two transcripts against each other, line by line.
pub fn same(what: &str, left: &[String], right: &[String]) {
    assert!(left.len() > 3, "{what}: there is nothing to compare: {left:?}");
    if left == right {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        path
    };
    let (direct, gate) = (file("direct", left), file("gate", right));
    let found = Command::new("diff").args(["-U", "4"]).args([direct, gate]).output().unwrap();
    let report = String::from_utf8_lossy(&found.stdout).into_owned();
    let shown = report.lines().skip(2).take(200).collect::<Vec<_>>().join("\n");
    panic!("{what}: directly (-) and through the gateway (+) differ:\n{shown}");
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
/// - the texts of syntax errors: the gateway refuses what it cannot read, with the same number and SQLSTATE;
/// - refusals of databases that are not there: nobody holds a grant on them, and the gateway says how to ask for one;
/// - tables of `information_schema` that are not there: the gateway does not know what a server of another version has,
///   and what it does not know there is an administrator's (1142 in place of 1109); the scripts leave that out;
/// - COM_CHANGE_USER by mysql-connector-python, which fails (a gap): its script leaves that out;
/// - SHOW WARNINGS after a refusal, which the server knows nothing of: the script of errors does not ask;
/// - text literals with bytes that are no UTF-8: the scripts have drivers write `_binary` before them;
/// - the name of a column that has none: the text arrives without its comments, and names in backticks; the scripts
///   give it one;
/// - times that something took, which differ from run to run;
/// - host and version lines of a dump's head, which name the port's side of the connection.
pub fn plain_mysql(transcript: &str) -> Vec<String> {
    transcript
        .lines()
        .filter(|line| !line.starts_with("-- Host:") && !line.starts_with("-- Dump completed"))
        .map(|line| without_denial(&without_syntax(&without_account(&without_time(line)))))
        .collect()
}

/// `You have an error in your SQL syntax; …` as the gateway says it, without what follows.
fn without_syntax(line: &str) -> String {
    for text in SYNTAX {
        if let Some((head, _)) = line.split_once(text) {
            return format!("{head}(a syntax error)");
        }
    }
    line.to_owned()
}

/// How syntax errors begin: on the server, and in the gateway.
const SYNTAX: &[&str] = &[
    "You have an error in your SQL syntax;",
    "the gateway does not understand the statement",
    "several statements in one command",
];

/// What is told of a database that is not there, without the words.
fn without_denial(line: &str) -> String {
    for text in DENIED {
        if let Some((head, _)) = line.split_once(text) {
            return format!("{head}(denied)");
        }
    }
    line.to_owned()
}

const DENIED: &[&str] =
    &["Access denied for user '(an account)' to database", "permission denied: any grant on the database"];

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
