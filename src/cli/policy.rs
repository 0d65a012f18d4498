//! `tidegate policy`

use std::{path::Path, process::ExitCode, sync::Arc};

use reqwest::Method;
use serde_json::json;

use super::{
    args::Connection,
    client::Api,
    explain::offline_facts,
    output::{clean, complain, counted, instant, say, show},
};
use crate::{
    api::bodies::PolicyView,
    control::{read_examples, read_policy},
    policy::{Policy, PolicyFile, PolicyProblem, examples, parse},
};

pub(super) fn check(directory: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let files = read_policy(directory).map_err(with_cause)?;
    let parsed = parse(&files);
    if json {
        let problems = parsed.as_ref().err().map(|problems| told(problems)).unwrap_or_default();
        let answer = json!({ "sound": parsed.is_ok(), "files": files.len(), "problems": problems });
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(code(parsed.is_ok()));
    }
    match parsed {
        Ok(policy) => print_sound(directory, &files, &policy),
        Err(problems) => print_problems(&problems),
    }
}

pub(super) fn test(directory: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let files = read_policy(directory).map_err(with_cause)?;
    let policy = match parse(&files) {
        Ok(policy) => Arc::new(policy),
        Err(problems) => return print_problems(&problems),
    };
    let examples = read_examples(directory).map_err(with_cause)?;
    let report = examples::run(&examples, &policy, &[], &mut |text, place, dialect| {
        offline_facts(text, &place.database, dialect, super::explain::USUAL_SERVER_VERSION)
    });
    if json {
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        let answer = json!({
            "good": report.is_good(), "passed": report.passed,
            "failures": failures, "problems": told(&report.problems),
        });
        say!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(code(report.is_good()));
    }
    for problem in &report.problems {
        complain!("{problem}");
    }
    for failure in &report.failures {
        complain!("{failure}");
    }
    let total = report.passed + report.failures.len();
    let (passed, files) = (report.passed, counted(examples.len(), "file"));
    say!("{passed} of {total} examples in {files} are as expected.");
    if total == 0 && report.is_good() {
        say!("Examples stand in files that end in .test.yaml, beside the policy.");
    }
    Ok(code(report.is_good()))
}

pub(super) async fn status(connection: &Connection) -> anyhow::Result<ExitCode> {
    let status: PolicyView = Api::new(connection)?.get(&["policy"], &()).await?;
    show(connection.json, &status, |it| {
        print_status(it);
        if let Some(rejected) = &it.rejected {
            let at = instant(rejected.at);
            say!("Refused at {at} (asked for by {}):\n{}", rejected.by, clean(&rejected.problem));
        }
    })
}

pub(super) async fn reload(connection: &Connection) -> anyhow::Result<ExitCode> {
    let status: PolicyView = Api::new(connection)?.call(Method::POST, &["policy", "reload"]).await?;
    show(connection.json, &status, print_status)
}

fn print_status(it: &PolicyView) {
    let PolicyView { digest, files, loaded_at, loaded_by, snapshot, .. } = it;
    say!("Policy {digest} ({}) is in force.", counted(*files, "file"));
    say!("Loaded at {} (asked for by {loaded_by}); snapshot {snapshot}.", instant(*loaded_at));
}

fn print_sound(directory: &Path, files: &[PolicyFile], policy: &Policy) -> anyhow::Result<ExitCode> {
    say!(
        "{}: {}, {}, {}, {}, {}, {}, {}, {}, {}, {}: sound.",
        directory.display(),
        counted(files.len(), "file"),
        counted(policy.groups.len(), "group"),
        counted(policy.principals.len(), "principal"),
        counted(policy.roles.len(), "role"),
        counted(policy.standing.len(), "standing grant"),
        counted(policy.ceilings.len(), "ceiling"),
        counted(policy.routines.len(), "routine rule"),
        counted(policy.risk.len(), "risk rule"),
        counted(policy.flows.len(), "flow"),
        counted(policy.bounds.len(), "limit"),
    );
    if files.is_empty() {
        say!("There is no policy file: nobody is known, and nothing is allowed but by grants.");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_problems(problems: &[PolicyProblem]) -> anyhow::Result<ExitCode> {
    for problem in problems {
        complain!("{}", clean(&problem.to_string()));
    }
    let count = counted(problems.len(), "problem");
    complain!("error: the policy is broken ({count}): a gateway would not load it");
    Ok(ExitCode::FAILURE)
}

fn told(problems: &[PolicyProblem]) -> Vec<serde_json::Value> {
    let each = problems.iter();
    each.map(
        |it| json!({ "path": it.path, "line": it.line, "column": it.column, "problem": it.kind.to_string() }),
    )
    .collect()
}

fn with_cause(error: crate::control::ControlError) -> anyhow::Error {
    error.into()
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
