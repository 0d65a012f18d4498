//! `tidegate doctor`

use std::{env, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::output::{clean, counted, say};
use crate::{
    app::{Finding, Grade, check_up},
    config::{self, ConfigError},
    net::Clock,
};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Configuration file of the gateway.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(args.json);
    match config::load(&args.config, |name| env::var(name).ok()) {
        Ok(config) => check_up(&config, &Clock::System, &mut |finding| report.take(finding)).await,
        Err(error) => report.take(unreadable(&error)),
    }
    report.end()
}

fn unreadable(error: &ConfigError) -> Finding {
    Finding {
        check: "configuration".to_owned(),
        grade: Grade::Failed,
        found: super::entry::told(error),
        advice: "docs/configuration.md has every key".to_owned(),
    }
}

/// What was found so far; told as it comes, or at the end as JSON.
pub(super) struct Report {
    json: bool,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, findings: Vec::new() }
    }

    pub(super) fn take(&mut self, finding: Finding) {
        if !self.json {
            say!("{}", line(&finding));
        }
        self.findings.push(finding);
    }

    /// Whether something failed.
    pub(super) fn has_failed(&self) -> bool {
        self.count(Grade::Failed) > 0
    }

    fn count(&self, grade: Grade) -> usize {
        self.findings.iter().filter(|it| it.grade == grade).count()
    }

    /// Says how it is as a whole; exit code 1 if something failed.
    fn end(self) -> anyhow::Result<ExitCode> {
        if self.json {
            let answer = json!({ "healthy": !self.has_failed(), "findings": self.findings });
            say!("{}", serde_json::to_string_pretty(&answer)?);
        } else {
            say!("{}", self.summary());
        }
        Ok(if self.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn summary(&self) -> String {
        let (failures, warnings) = (self.count(Grade::Failed), self.count(Grade::Warning));
        let rest = counted(warnings, "warning");
        match failures {
            0 => format!("{} looked at, none failed, {rest}.", counted(self.findings.len(), "thing")),
            _ => format!("{} failed, {rest}.", counted(failures, "thing")),
        }
    }
}

/// One line, also where a server's words are more.
fn line(finding: &Finding) -> String {
    let Finding { check, grade, found, advice } = finding;
    let todo = if advice.is_empty() { String::new() } else { format!(" -> {advice}") };
    clean(&format!("{grade:<7}  {check}: {found}{todo}").replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_what_to_do() {
        let finding = Finding {
            check: "target hr read login".to_owned(),
            grade: Grade::Failed,
            found: "no\nway\u{1b}[2J".to_owned(),
            advice: "correct it".to_owned(),
        };
        assert_eq!(line(&finding), "failed   target hr read login: no way\u{fffd}[2J -> correct it");
    }
}
