//! `tidegate policy replay`

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::{
    explain::{USUAL_SERVER_VERSION, offline_facts},
    output::{clean, counted, say, table},
    value::dialect,
};
use crate::{
    config,
    control::read_policy,
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        flow::Risk,
        ids::{EnvironmentName, PrincipalName, TargetName},
        target::{Place, Target},
    },
    policy::{
        parse,
        replay::{Replay, ReplayReport, RequestChange, StatementChange, Tally},
    },
};

/// Judge the statements of audit logs by a draft of the policy, and show what would change.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Directory of the draft's policy files.
    directory: PathBuf,
    /// An audit log. May be repeated, oldest first.
    #[arg(long = "log", value_name = "FILE", required = true)]
    logs: Vec<PathBuf>,
    /// Judge the requests of the logs, too: would their flow, their risk or their approvers change?
    #[arg(long)]
    requests: bool,
    /// The gateway's configuration, which says what each target speaks, its environment and its labels.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the targets speak, without --config: postgres or mysql.
    #[arg(long, default_value = "postgres", conflicts_with = "config", value_parser = dialect)]
    dialect: Dialect,
    /// Environment of the targets, without --config.
    #[arg(long, default_value = "prod", conflicts_with = "config")]
    environment: EnvironmentName,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Exits with 0 if nothing would change, with 3 if something would.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let files = read_policy(&args.directory)?;
    let draft = parse(&files).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the draft is broken:\n{}", lines.join("\n"))
    })?;
    let target = targets(args)?;
    let mut read = Remembered::default();
    let mut analyze = |text: &str, place: &Place, dialect| read.facts(text, place, dialect);
    let mut replay = Replay::new(Arc::new(draft), &*target, &mut analyze, args.requests);
    for log in &args.logs {
        replay_file(&mut replay, log)?;
    }
    let report = replay.finish();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        print(&report, args.requests);
    }
    Ok(if report.is_same() { ExitCode::SUCCESS } else { ExitCode::from(WOULD_CHANGE) })
}

type KnownTarget = dyn Fn(&TargetName) -> Option<Target>;

fn targets(args: &ReplayArgs) -> anyhow::Result<Box<KnownTarget>> {
    let Some(file) = &args.config else {
        let (dialect, environment) = (args.dialect, args.environment.clone());
        return Ok(Box::new(move |name| {
            let (environment, labels) = (environment.clone(), BTreeMap::new());
            Some(Target { name: name.clone(), dialect, environment, labels })
        }));
    };
    let config = config::load(file, |name| std::env::var(name).ok())?;
    let known: Vec<Target> = config.targets.into_iter().map(|it| it.target).collect();
    Ok(Box::new(move |name| known.iter().find(|target| target.name == *name).cloned()))
}

fn replay_file(replay: &mut Replay<'_>, file: &Path) -> anyhow::Result<()> {
    let opened = File::open(file).with_context(|| format!("could not read {}", file.display()))?;
    let mut reader = BufReader::new(opened);
    let mut line = String::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut reader).take(MOST_LINE_BYTES).read_line(&mut line);
        let place = || format!("{} line {number}", file.display());
        if read.with_context(place)? == 0 {
            return Ok(());
        }
        if !line.ends_with('\n') {
            bail!("{}: the file ends within a line, or the line is too long", place());
        }
        replay.line(&line).with_context(place)?;
    }
    Ok(())
}

/// Facts by text, so that what ran often is read once.
#[derive(Default)]
struct Remembered(HashMap<(Place, String), Result<Vec<Facts>, Unanalyzable>>);

impl Remembered {
    fn facts(&mut self, text: &str, place: &Place, dialect: Dialect) -> Result<Vec<Facts>, Unanalyzable> {
        if let Some(known) = self.0.get(&(place.clone(), text.to_owned())) {
            return known.clone();
        }
        let facts = offline_facts(text, &place.database, dialect, USUAL_SERVER_VERSION);
        if self.0.len() >= MOST_REMEMBERED {
            self.0.clear();
        }
        self.0.insert((place.clone(), text.to_owned()), facts.clone());
        facts
    }
}

fn print(report: &ReplayReport, with_requests: bool) {
    let row = |((principal, target), tally): (&(PrincipalName, TargetName), &Tally)| {
        let counts = [tally.allowed, tally.refused, tally.lost, tally.gained];
        let names = [principal.to_string(), target.to_string()];
        names.into_iter().chain(counts.iter().map(u64::to_string)).collect()
    };
    let head = ["PRINCIPAL", "TARGET", "ALLOWED", "REFUSED", "WOULD BE REFUSED", "WOULD BE ALLOWED"];
    table(&head, report.tallies.iter().map(row).collect(), "No statement could be judged.");
    for change in &report.statements {
        say!("\n{}", clean(&in_words(change)));
        say!("  {}", clean(change.sql.trim()));
    }
    if report.unlisted > 0 {
        say!("\n{} more statements would be decided otherwise.", report.unlisted);
    }
    for change in &report.changed_requests {
        say!("\n{}", clean(&request_in_words(change)));
    }
    say!("");
    for (why, count) in &report.skipped {
        say!("Not judged: {count} {why}.");
    }
    if with_requests {
        let requests = counted(usize::try_from(report.requests).unwrap_or(usize::MAX), "request");
        say!("{requests} judged, {} would go another way.", report.changed_requests.len());
    }
    say!("{}", if report.is_same() { "Nothing would change." } else { "The draft changes what is decided." });
}

fn in_words(it: &StatementChange) -> String {
    let StatementChange { principal, target, database, count, why, .. } = it;
    match it.gained {
        true => format!("+ {count} × {principal} in {target}/{database}: would be allowed, by {why}"),
        false => format!("- {count} × {principal} in {target}/{database}: would be refused, missing {why}"),
    }
}

fn request_in_words(it: &RequestChange) -> String {
    let way = |(flow, risk): &(String, Risk)| format!("flow \"{flow}\" at risk {risk}");
    let would = match &it.would {
        Ok(taken) if *taken == it.was => "the same, with other approvers".to_owned(),
        Ok(taken) => way(taken),
        Err(why) => format!("not taken: {why}"),
    };
    format!("~ request {} of {}: was {}, would be {would}", it.request, it.requester, way(&it.was))
}

fn as_json(report: &ReplayReport) -> serde_json::Value {
    let tallies: Vec<_> = report
        .tallies
        .iter()
        .map(|((principal, target), tally)| {
            json!({
                "principal": principal, "target": target, "allowed": tally.allowed, "refused": tally.refused,
                "would_be_refused": tally.lost, "would_be_allowed": tally.gained,
            })
        })
        .collect();
    let statements: Vec<_> = report
        .statements
        .iter()
        .map(|it| {
            json!({
                "principal": it.principal, "target": it.target, "database": it.database, "count": it.count,
                "would_be": if it.gained { "allowed" } else { "refused" }, "sql": it.sql, "why": it.why,
            })
        })
        .collect();
    let requests: Vec<_> = report
        .changed_requests
        .iter()
        .map(|it| {
            let (flow, risk) = &it.was;
            let would = match &it.would {
                Ok((flow, risk)) => json!({ "flow": flow, "risk": risk }),
                Err(why) => json!({ "refused": why }),
            };
            json!({
                "request": it.request, "requester": it.requester, "was": { "flow": flow, "risk": risk },
                "would_be": would, "other_approvers": it.other_approvers,
            })
        })
        .collect();
    json!({
        "same": report.is_same(), "lines": report.lines, "tallies": tallies, "statements": statements,
        "unlisted": report.unlisted, "requests_judged": report.requests, "requests": requests,
        "skipped": report.skipped,
    })
}

/// The exit code of a draft that changes something.
const WOULD_CHANGE: u8 = 3;
/// As long as the gateway itself writes them.
const MOST_LINE_BYTES: u64 = 512 << 20;
const MOST_REMEMBERED: usize = 10_000;
