//! `tidegate audit verify`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use serde_json::json;

use super::output::{clean, complain, counted, instant, say};
use crate::audit::{Problem, Report, checkpoints_of, read_checkpoints, verify_log};

pub(super) fn verify(
    file: &Path,
    key: Option<&Path>,
    mut checkpoints: Vec<PathBuf>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if key.is_some() && checkpoints.is_empty() {
        checkpoints.push(checkpoints_of(file));
    }
    let mut signed = Vec::new();
    for path in &checkpoints {
        let Some(key) = key else { continue };
        signed.extend(
            read_checkpoints(path, key).with_context(|| format!("could not read {}", path.display()))?,
        );
    }
    let report = verify_log(file, &signed).with_context(|| format!("could not read {}", file.display()))?;
    if json {
        print_json(&report)?;
    } else {
        print(file, &report);
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(file: &Path, report: &Report) {
    say!("{}: {} records, {} bytes", file.display(), report.lines, report.bytes);
    if let (Some(first), Some(last)) = (report.first_at, report.last_at) {
        say!("from {} to {}", instant(first), instant(last));
    }
    for (event, count) in &report.events {
        say!("  {count:>8}  {}", clean(event));
    }
    if let Some((sequence, hash)) = &report.last {
        say!("last record {sequence}, hash {hash}");
        say!("Keep these two elsewhere: they show later whether the end was cut off.");
    }
    if let Some(first) = report.begins_at {
        say!("Records before {first} were removed in order: the log or a checkpoint says so.");
    }
    if report.checkpoints > 0 {
        say!(
            "{} agree with it.",
            counted(usize::try_from(report.checkpoints).unwrap_or(usize::MAX), "checkpoint")
        );
    }
    if report.unended_count > 0 {
        say!("{} statements have no end record (running, or lost with the gateway):", report.unended_count);
        for unended in &report.unended {
            say!("  record {}: statement {}", unended.sequence, clean(&unended.statement));
        }
    }
    if report.is_whole() {
        say!("The log is whole.");
        return;
    }
    for problem in &report.problems {
        complain!("{}: {}", place(problem, file), clean(&problem.kind.to_string()));
    }
    complain!(
        "error: the log is not whole ({}). Keep it as it is, as evidence.",
        counted(usize::try_from(report.problem_count).unwrap_or(usize::MAX), "problem")
    );
}

fn place(problem: &Problem, log: &Path) -> String {
    let file = problem.file.as_deref().unwrap_or(log).display();
    if problem.line == 0 { file.to_string() } else { format!("{file}:{}", problem.line) }
}

fn print_json(report: &Report) -> anyhow::Result<()> {
    let unended: Vec<_> = report
        .unended
        .iter()
        .map(|it| json!({ "sequence": it.sequence, "statement": it.statement }))
        .collect();
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|it| json!({ "file": it.file, "line": it.line, "problem": it.kind.to_string() }))
        .collect();
    let last = report.last.as_ref().map(|(sequence, hash)| json!({ "sequence": sequence, "hash": hash }));
    let answer = json!({
        "whole": report.is_whole(),
        "records": report.lines,
        "bytes": report.bytes,
        "first_at": report.first_at,
        "last_at": report.last_at,
        "last": last,
        "begins_at": report.begins_at,
        "checkpoints": report.checkpoints,
        "events": report.events,
        "unended_count": report.unended_count,
        "unended": unended,
        "problem_count": report.problem_count,
        "problems": problems,
    });
    say!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
