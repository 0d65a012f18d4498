//! Settling accounts: what clients were told, what the table holds, and what the logs of all gateways say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;

/// Rows that a client wanted in, together or not at all, and what it was told.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) rows: Vec<u64>,
    /// `Err` holds the error's code, or what became of the connection.
    pub(super) told: Result<(), String>,
}

/// One statement of the logs.
#[derive(Clone, Debug)]
struct Statement {
    gateway: String,
    sql: String,
    /// `None` where there is no end record.
    outcome: Option<String>,
}

/// What all logs say: the statements of each session in order.
#[derive(Debug, Default)]
pub(super) struct Logs {
    sessions: BTreeMap<String, Vec<Statement>>,
}

/// How many attempts came out how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Acknowledged.
    pub(super) done: usize,
    /// Failed before a gateway had let anything of it run.
    pub(super) never_ran: usize,
    /// Failed, and the logs say how it went.
    pub(super) reported: usize,
    /// Of these, what took effect without its client being told.
    pub(super) unheard: usize,
    /// Nobody knows but the database: its gateway was killed while it ran.
    pub(super) open: usize,
}

impl Logs {
    pub(super) fn read(paths: &[PathBuf]) -> Self {
        let mut logs = Self::default();
        for path in paths {
            let mut places: BTreeMap<String, (String, usize)> = BTreeMap::new();
            for line in fs::read_to_string(path).unwrap().lines() {
                let record: Value = serde_json::from_str(line).unwrap();
                let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                match record["event"].as_str().unwrap() {
                    "statement_start" if record["decision"] == "allow" => {
                        let statements = logs.sessions.entry(text("session")).or_default();
                        places.insert(text("statement"), (text("session"), statements.len()));
                        let (gateway, sql) = (text("gateway"), text("sql"));
                        statements.push(Statement { gateway, sql, outcome: None });
                    }
                    "statement_end" => {
                        let (session, at) = &places[&text("statement")];
                        logs.sessions.get_mut(session).unwrap()[*at].outcome = Some(text("outcome"));
                    }
                    _ => {}
                }
            }
        }
        logs
    }

    /// The statements that were let run and have no end record.
    pub(super) fn open(&self) -> usize {
        self.sessions.values().flatten().filter(|statement| statement.outcome.is_none()).count()
    }

    /// The gateways that wrote them.
    pub(super) fn gateways(&self) -> BTreeSet<&str> {
        self.sessions.values().flatten().map(|statement| statement.gateway.as_str()).collect()
    }

    /// What the logs say of an attempt: nothing, that it lasts, that it does not, or nothing for certain.
    fn verdict(&self, attempt: &Attempt) -> Verdict {
        let marks: Vec<String> = attempt.rows.iter().map(|row| format!("({row})")).collect();
        let mut started = Vec::new();
        for statements in self.sessions.values() {
            for (at, statement) in statements.iter().enumerate() {
                if marks.iter().any(|mark| statement.sql.contains(mark)) {
                    started.push((statements, at));
                }
            }
        }
        assert!(started.len() <= marks.len(), "something of {attempt:?} ran twice: {started:?}");
        let Some((statements, last)) = started.last().copied() else { return Verdict::NeverRan };
        // What makes it last: the statement itself, or the COMMIT behind it.
        let deciding = match attempt.rows.len() {
            1 => Some(&statements[last]),
            _ => statements.get(last + 1).filter(|next| next.sql.starts_with("COMMIT")),
        };
        let complete = started.len() == marks.len();
        match deciding.filter(|_| complete).map(|deciding| deciding.outcome.as_deref()) {
            None => Verdict::Undone,
            Some(Some("completed")) => Verdict::Lasts,
            Some(Some("failed" | "revoked" | "not_run")) => Verdict::Undone,
            Some(Some("lost") | None) => Verdict::Unknown,
            Some(Some(other)) => panic!("{other}"),
        }
    }

    /// Holds what clients were told and what the table has against the logs, attempt by attempt.
    pub(super) fn settle(&self, attempts: &[Attempt], table: &BTreeSet<u64>) -> Tally {
        let mut tally = Tally::default();
        for attempt in attempts {
            let there = attempt.rows.iter().filter(|row| table.contains(row)).count();
            assert!(there == 0 || there == attempt.rows.len(), "half of {attempt:?} is there");
            let verdict = self.verdict(attempt);
            match (&attempt.told, verdict) {
                (Ok(()), verdict) => {
                    assert!(there > 0, "acknowledged and not there: {attempt:?}");
                    assert_eq!(verdict, Verdict::Lasts, "acknowledged without its records: {attempt:?}");
                    tally.done += 1;
                }
                (Err(_), Verdict::NeverRan) => {
                    assert_eq!(there, 0, "it ran without a record: {attempt:?}");
                    tally.never_ran += 1;
                }
                (Err(_), Verdict::Undone) => {
                    assert_eq!(there, 0, "it took effect, and the log says that it did not: {attempt:?}");
                    tally.reported += 1;
                }
                (Err(_), Verdict::Lasts) => {
                    assert!(there > 0, "the log says that it took effect: {attempt:?}");
                    tally.reported += 1;
                    tally.unheard += 1;
                }
                (Err(_), Verdict::Unknown) => tally.open += 1,
            }
        }
        let wanted: BTreeSet<u64> =
            attempts.iter().flat_map(|attempt| attempt.rows.iter().copied()).collect();
        assert!(table.is_subset(&wanted), "rows that nobody wanted in");
        tally
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Lasts,
    NeverRan,
    Undone,
    Unknown,
}
