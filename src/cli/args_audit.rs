//! `tidegate audit`: what can be written behind it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    args::Connection,
    value::{id, instant},
};
use crate::{api::bodies::Decided, audit::Filter, model::permission::Permission};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Find records, the newest first.
    Search(SearchArgs),
    /// Tell the whole story of a record: the statement, its grant, the request for that, and the answers.
    Show {
        /// Number of a record, or identifier of a statement, session, grant or request.
        id: String,
        #[command(flatten)]
        from: Source,
    },
    /// Show the last records, or with -f those that are written from now on.
    Tail(TailArgs),
    /// Show who touched what, and how many statements each hour had.
    Stats(StatsArgs),
    /// Write records to a file, the oldest first.
    Export(ExportArgs),
    /// Check that a log is whole, over all its files: nothing changed, missing, inserted or moved.
    Verify {
        /// The file that the log is written to; those before it are found beside it.
        file: PathBuf,
        /// Compare it with what was signed: the public key of its checkpoints (PEM).
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Where the checkpoints are, if not beside the log. May be repeated.
        #[arg(long, value_name = "FILE", requires = "key")]
        checkpoints: Vec<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the key that signs checkpoints, or print its public half.
    #[command(subcommand)]
    Key(AuditKeyCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditKeyCommand {
    /// Make a key, write it to a new file (mode 0600) and print its public half.
    New {
        /// The file.
        file: PathBuf,
    },
    /// Print the public half of a key.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// Where the log is read.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Read this log itself, and its index beside it, instead of asking a gateway.
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Which records are wanted: those that all of it holds for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which records")]
pub(super) struct Wanted {
    /// Whose: the person of a session, or who changed something.
    #[arg(long)]
    principal: Option<String>,
    /// On which target.
    #[arg(long)]
    target: Option<String>,
    /// In which database.
    #[arg(long)]
    database: Option<String>,
    /// Statements that touch this object, for example public.salary; * stands for any letters.
    #[arg(long)]
    table: Option<String>,
    /// Statements that need this permission.
    #[arg(long, value_parser = permission)]
    permission: Option<Permission>,
    /// Statements that were let run (allow), or refused (deny).
    #[arg(long, value_parser = decided)]
    decision: Option<Decided>,
    /// Statements of this kind (select, update, define, …).
    #[arg(long)]
    kind: Option<String>,
    /// Records of this event (login, grant_created, …).
    #[arg(long)]
    event: Option<String>,
    /// Of this session.
    #[arg(long, value_parser = id::<Uuid>)]
    session: Option<Uuid>,
    /// Statements with all of these words; * at the end of one stands for any end.
    #[arg(long)]
    text: Option<String>,
    /// From this instant on, for example 2026-11-21T18:00:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<Timestamp>,
    /// Before this instant.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<Timestamp>,
}

impl Wanted {
    /// As the audit log is asked.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            principal: self.principal.clone(),
            target: self.target.clone(),
            database: self.database.clone(),
            table: self.table.clone(),
            permission: self.permission,
            decision: self.decision,
            kind: self.kind.clone(),
            event: self.event.clone(),
            session: self.session,
            text: self.text.clone(),
            from: self.from,
            until: self.until,
            ..Filter::default()
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// That name this grant, request, session or statement.
    #[arg(long, value_name = "ID")]
    pub(super) reference: Option<String>,
    /// Records before this number: where the page before ended.
    #[arg(long, value_name = "NUMBER")]
    pub(super) before: Option<u64>,
    /// How many at most, up to 500.
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) source: Source,
}

#[derive(Debug, Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// Go on with what is written, until it is interrupted.
    #[arg(long, short)]
    pub(super) follow: bool,
    /// How many of the last records.
    #[arg(long, short = 'n', default_value_t = 10)]
    pub(super) lines: u32,
    #[command(flatten)]
    pub(super) source: Source,
}

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    #[command(flatten)]
    pub(super) wanted: Wanted,
    /// Rows of the table at most, up to 1000.
    #[arg(long, default_value_t = 20)]
    pub(super) limit: u32,
    #[command(flatten)]
    pub(super) source: Source,
}

/// A form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// A table with a head.
    Csv,
    /// The lines of the log as they are; behind each start of a statement its end.
    Jsonl,
    /// OCSF events (Datastore Activity), one a line; statements and logins alone.
    Ocsf,
    /// A table of typed columns (Apache Parquet), a row for each record; a statement and its end are one.
    Parquet,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// In which form.
    #[arg(long, value_enum)]
    pub(super) format: ExportFormat,
    /// Write to this file, which must not exist yet; standard output if left out.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) wanted: Wanted,
    #[command(flatten)]
    pub(super) source: Source,
}

fn permission(text: &str) -> Result<Permission, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no permission"))
}

fn decided(text: &str) -> Result<Decided, String> {
    match text {
        "allow" => Ok(Decided::Allow),
        "deny" => Ok(Decided::Deny),
        _ => Err("write allow or deny".to_owned()),
    }
}
