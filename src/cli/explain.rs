//! `tidegate explain-access`

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;
use reqwest::Method;

use super::{
    args::ExplainArgs,
    client::Api,
    output::{clean, instant, list, say},
};
use crate::{
    api::bodies::{Explanation, NeedView, Question, RefusalView, StatementExplanation},
    control::read_policy,
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        ids::{DatabaseName, Ident},
        name_context::{MysqlReading, NameContext, SearchPath},
        target::{Place, Target},
    },
    net::Clock,
    policy::{Snapshot, SnapshotParts, parse},
    sql::{Limits, analyze},
};

/// Exits with 0 if all of it would run, with 1 if not.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let sql = if args.sql == "-" { read_statement()? } else { args.sql.clone() };
    let explanation = match &args.policy {
        Some(directory) => offline(&args, directory, &sql)?,
        None => {
            let (principal, target) = (args.principal.clone(), args.target.clone());
            let question = Question { principal, target, database: args.database.clone(), sql };
            Api::new(&args.connection)?.send(Method::POST, &["explain-access"], &question).await?
        }
    };
    if args.connection.json {
        say!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print(&explanation);
    }
    Ok(if explanation.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The facts of `text` without a server: the default search path, no catalog; in MySQL as a server of version 8.0 reads
/// with no mode of its own.
pub(super) fn offline_facts(
    text: &str,
    database: &DatabaseName,
    dialect: Dialect,
    server_version: u32,
) -> Result<Vec<Facts>, Unanalyzable> {
    let context = NameContext {
        database: database.clone(),
        server_version,
        search_path: SearchPath::Known(Arc::from([Ident::from("$user"), Ident::from("public")])),
        accounts: Arc::from([]),
        temporary: Arc::new(BTreeSet::new()),
        made: Arc::default(),
        catalog: None,
        mysql: match dialect {
            Dialect::Mysql => Some(MysqlReading::USUAL),
            Dialect::Postgres => None,
        },
    };
    analyze(text, dialect, &context, &Limits::default())
}

fn offline(args: &ExplainArgs, directory: &Path, sql: &str) -> anyhow::Result<Explanation> {
    let files = read_policy(directory)?;
    let policy = parse(&files).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        anyhow!("the policy is broken:\n{}", lines.join("\n"))
    })?;
    let Some(database) = args.database.clone() else {
        bail!("give --database: without a gateway nobody knows which the target's first is")
    };
    let target = Target {
        name: args.target.clone(),
        dialect: args.dialect,
        environment: args.environment.clone(),
        labels: BTreeMap::new(),
    };
    let policy = Arc::new(policy);
    let parts = SnapshotParts { policy, targets: vec![target], ..SnapshotParts::default() };
    let snapshot = Snapshot::build(parts);
    let principal = snapshot
        .principal(&args.principal)
        .with_context(|| format!("the policy names no principal \"{}\"", args.principal))?;
    let place = Place { target: args.target.clone(), database };
    let analysis = offline_facts(sql, &place.database, args.dialect, args.server_version);
    Ok(Explanation::new(&snapshot, principal, &place, sql, &analysis, Clock::System.now()))
}

fn read_statement() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text);
    read.context("could not read the statement from standard input")?;
    if text.len() as u64 > MAX_BYTES {
        bail!("the statement on standard input is over {MAX_BYTES} bytes");
    }
    Ok(text)
}

fn print(it: &Explanation) {
    say!("{} on {}/{}:", it.principal, it.target, it.database);
    if let Some(refusal) = &it.refusal {
        say!("refused");
        print_refusal(refusal);
    }
    for statement in &it.statements {
        print_statement(statement);
    }
    if it.statements.len() > 1 {
        let verdict = if it.allowed { "runs" } else { "does not run: all of it or nothing" };
        say!("\nThe whole text {verdict}.");
    }
}

fn print_statement(it: &StatementExplanation) {
    say!("\n{}", clean(&it.sql));
    let kind = if it.read_only { "read only" } else { "changes something" };
    say!("  {} ({kind})", it.command);
    for object in &it.objects {
        say!("  touches {} ({})", clean(&object.name), object.mode);
    }
    if !it.calls.is_empty() {
        say!("  calls {}", clean(&list(&it.calls)));
    }
    for need in &it.needs {
        say!("  needs {}", clean(&needed(need)));
    }
    if let Some(note) = &it.note {
        say!("  note: {}", clean(note));
    }
    match (&it.refusal, it.lane) {
        (Some(refusal), _) => {
            say!("  refused");
            print_refusal(refusal);
        }
        (None, lane) => {
            let lane = lane.map(|lane| format!(" on lane {lane}")).unwrap_or_default();
            say!("  allowed{lane} until {}, by {}", end(it.until), list(&it.grants));
        }
    }
}

fn needed(need: &NeedView) -> String {
    let what = match need.permission {
        Some(permission) => format!("{permission} on {}", need.object),
        None => "any grant on the database".to_owned(),
    };
    let because = need.because.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    match &need.grant {
        Some(grant) => format!("{what}: {grant} until {}{because}", end(need.until)),
        None => format!("{what}: {}{because}", need.outcome),
    }
}

fn end(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "further notice".to_owned(), instant)
}

fn print_refusal(refusal: &RefusalView) {
    say!("  ERROR {}: {}", refusal.sqlstate, clean(&refusal.message));
    if let Some(detail) = &refusal.detail {
        say!("  DETAIL: {}", clean(detail));
    }
    if let Some(hint) = &refusal.hint {
        say!("  HINT: {}", clean(hint));
    }
}

/// The server that examples and offline questions are judged for, where nobody says otherwise.
pub(super) const USUAL_SERVER_VERSION: u32 = 15;
const MAX_BYTES: u64 = 1 << 20;
