//! `tidegate audit`: search, show, tail, stats, export.

use std::{
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};

use super::{
    args_audit::{
        AuditCommand, AuditKeyCommand, ExportArgs, ExportFormat, SearchArgs, Source, StatsArgs, TailArgs,
    },
    audit_print,
    audit_reader::Reader,
    audit_verify,
    output::{complain, counted, say, show},
};
use crate::audit::{CheckpointKey, Export, Filter, FoundRecord, StatsQuery, Taking};

pub(super) async fn run(command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Search(args) => search(args).await,
        AuditCommand::Show { id, from } => story(&id, &from).await,
        AuditCommand::Tail(args) => tail(args).await,
        AuditCommand::Stats(args) => stats(args).await,
        AuditCommand::Export(args) => export(args).await,
        AuditCommand::Verify { file, key, checkpoints, json } => {
            audit_verify::verify(&file, key.as_deref(), checkpoints, json)
        }
        AuditCommand::Key(command) => key(command),
    }
}

fn key(command: AuditKeyCommand) -> anyhow::Result<ExitCode> {
    let key = match command {
        AuditKeyCommand::New { file } => CheckpointKey::generate(&file)?,
        AuditKeyCommand::Show { file } => CheckpointKey::open(&file)?,
    };
    say!("{}", key.public_pem().trim_end());
    Ok(ExitCode::SUCCESS)
}

async fn search(args: SearchArgs) -> anyhow::Result<ExitCode> {
    let SearchArgs { wanted, reference, before, limit, source } = args;
    let filter = Filter { reference, before, limit: Some(limit), ..wanted.filter() };
    let page = Reader::open(&source).await?.search(&filter).await?;
    show(source.connection.json, &page, |page| {
        page.records.iter().for_each(|found| say!("{}", audit_print::line(found)));
        if page.records.is_empty() {
            say!("No record is like that.");
        }
        if let Some(next) = page.next {
            say!("There are more: --before {next}");
        }
        told_unindexed(page.unindexed);
    })
}

fn told_unindexed(count: u64) {
    if count > 0 {
        let records = counted(usize::try_from(count).unwrap_or(usize::MAX), "record");
        complain!("The index is not up to date: {records} are not looked at yet.");
    }
}

async fn story(id: &str, source: &Source) -> anyhow::Result<ExitCode> {
    let Some(story) = Reader::open(source).await?.story(id).await? else {
        bail!("the log has no \"{id}\"");
    };
    show(source.connection.json, &story, audit_print::story)
}

async fn tail(args: TailArgs) -> anyhow::Result<ExitCode> {
    let TailArgs { wanted, follow, lines, source } = args;
    let reader = Reader::open(&source).await?;
    let filter = Filter { limit: Some(lines.clamp(1, 500)), ..wanted.filter() };
    let mut last = None;
    let page = reader.search(&filter).await?;
    print(page.records.into_iter().rev().skip(usize::from(lines == 0)), source.connection.json, &mut last)?;
    if !follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut filter = Filter { limit: Some(500), ..filter };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        filter.after = last.or(filter.after);
        match all_after(&reader, &filter).await {
            Ok(found) => print(found.into_iter().rev(), source.connection.json, &mut last)?,
            Err(error) => complain!("{error:#}; trying again"),
        }
    }
}

/// Everything that was written since, the newest first.
async fn all_after(reader: &Reader, filter: &Filter) -> anyhow::Result<Vec<FoundRecord>> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = reader.search(&Filter { before, ..filter.clone() }).await?;
        found.extend(page.records);
        before = page.next;
        if before.is_none() {
            return Ok(found);
        }
    }
}

fn print(
    records: impl Iterator<Item = FoundRecord>,
    json: bool,
    last: &mut Option<u64>,
) -> anyhow::Result<()> {
    for found in records {
        *last = Some(found.found.seq);
        if json {
            say!("{}", serde_json::to_string(&found)?);
        } else {
            say!("{}", audit_print::line(&found));
        }
    }
    Ok(())
}

async fn stats(args: StatsArgs) -> anyhow::Result<ExitCode> {
    let StatsArgs { wanted, limit, source } = args;
    let Filter { principal, target, database, table, permission, from, until, .. } = wanted.filter();
    let query =
        StatsQuery { principal, target, database, table, permission, from, until, limit: Some(limit) };
    let stats = Reader::open(&source).await?.stats(&query).await?;
    show(source.connection.json, &stats, |stats| {
        audit_print::stats(stats);
        told_unindexed(stats.unindexed);
    })
}

async fn export(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let ExportArgs { format, output, wanted, source } = args;
    let export = match format {
        ExportFormat::Csv => Export::Csv,
        ExportFormat::Jsonl => Export::Jsonl,
        ExportFormat::Ocsf => Export::Ocsf,
        ExportFormat::Parquet => Export::Parquet,
    };
    if export == Export::Parquet && output.is_none() && io::stdout().is_terminal() {
        bail!("Parquet is not for a terminal: write --output FILE");
    }
    let mut out: Box<dyn Write> = match &output {
        Some(file) => Box::new(io::BufWriter::new(new_file(file)?)),
        None => Box::new(io::stdout().lock()),
    };
    let count = match Reader::open(&source).await? {
        Reader::Log(trail) => {
            let mut taking = Taking::new(trail, wanted.filter(), export)?;
            let mut count = 0;
            while let Some(piece) = taking.next().await? {
                out.write_all(&piece.bytes)?;
                count += piece.records;
            }
            Some(count)
        }
        Reader::Gateway(api) => {
            let query = Download { format: export.word(), filter: wanted.filter() };
            let mut response = api.open(&["audit", "download"], &query.pairs()?).await?;
            while let Some(bytes) = response.chunk().await.context("the download broke")? {
                out.write_all(&bytes)?;
            }
            None
        }
    };
    out.flush()?;
    if let (Some(file), Some(count)) = (&output, count) {
        say!("{} written to {}.", counted(count, "record"), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A download as its query.
struct Download {
    format: &'static str,
    filter: Filter,
}

impl Download {
    fn pairs(&self) -> anyhow::Result<Vec<(String, String)>> {
        let serde_json::Value::Object(fields) = serde_json::to_value(&self.filter)? else {
            return Ok(Vec::new());
        };
        let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let fields = fields.into_iter().map(|(name, value)| (name, text(value)));
        Ok(fields.chain([("format".to_owned(), self.format.to_owned())]).collect())
    }
}

fn new_file(path: &Path) -> anyhow::Result<File> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.with_context(|| format!("could not create {}", path.display()))
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
