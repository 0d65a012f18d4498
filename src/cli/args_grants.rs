//! The commands about grants: made, asked for, and answered.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{
    args::Connection,
    value::{glob, id, instant, state},
};
use crate::{
    api::bodies::Lifetime,
    model::{
        denial::DenialId,
        ids::{DatabaseName, GrantId, GroupName, PrincipalName, RequestId, RoleName, TargetName},
        object::{Glob, ObjectPattern},
        permission::Permission,
        request::RequestState,
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// Make a grant.
    Create(Box<GrantCreateArgs>),
    /// List grants that are neither ended nor revoked.
    List {
        /// Held by this principal itself.
        #[arg(long = "to", value_name = "PRINCIPAL", conflicts_with = "group")]
        principal: Option<PrincipalName>,
        /// Held by this group.
        #[arg(long = "to-group", value_name = "GROUP")]
        group: Option<GroupName>,
        /// On this target.
        #[arg(long)]
        target: Option<String>,
        /// Also those that ended or were revoked.
        #[arg(long)]
        all: bool,
        /// How many at most, newest first.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Ask for the same for longer, from the end of a grant of yours on; prints the request.
    Extend {
        /// Which.
        #[arg(value_parser = id::<GrantId>)]
        id: GrantId,
        /// How much longer.
        #[arg(long = "for", value_name = "TIME")]
        lifetime: Lifetime,
        /// Why.
        #[arg(long)]
        reason: String,
        /// The ticket or incident.
        #[arg(long)]
        ticket: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a grant, at once.
    Revoke {
        /// Which.
        #[arg(value_parser = id::<GrantId>)]
        id: GrantId,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("holder").required(true).args(["to", "to_group"])))]
#[command(group(clap::ArgGroup::new("objects").required(true).args(["tables", "all_tables"])))]
pub(super) struct GrantCreateArgs {
    /// The principal that is to hold it.
    #[arg(long, value_name = "PRINCIPAL")]
    pub(super) to: Option<PrincipalName>,
    /// The group that is to hold it.
    #[arg(long, value_name = "GROUP")]
    pub(super) to_group: Option<GroupName>,
    /// On which target; * stands for any characters.
    #[arg(long, value_parser = glob)]
    pub(super) target: Glob,
    /// On which database; * stands for any characters.
    #[arg(long, value_parser = glob)]
    pub(super) database: Glob,
    /// On which tables, for example public.employee or public.*. May be repeated.
    #[arg(long = "table", value_name = "SCHEMA.TABLE", value_delimiter = ',')]
    pub(super) tables: Vec<ObjectPattern>,
    /// On everything in the database, also what is no table; admin is of use with this alone.
    #[arg(long)]
    pub(super) all_tables: bool,
    /// What it allows: explain, select, export, dml, ddl, admin. May be repeated, or several with commas.
    #[arg(long = "permission", value_name = "PERMISSION", value_delimiter = ',', required = true)]
    pub(super) permissions: Vec<Permission>,
    /// How long: 2m, 8h, 1d; at most 90d.
    #[arg(long = "for", value_name = "TIME")]
    pub(super) lifetime: Lifetime,
    /// From when on, for example 2026-11-21T18:00:00Z; now if left out.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) starts_at: Option<Timestamp>,
    /// Why, for example the number of an incident.
    #[arg(long)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(super) enum RequestCommand {
    /// Ask for a grant.
    Create(Box<RequestCreateArgs>),
    /// List your requests, and those that you may answer.
    List {
        /// In this state: pending, approved, denied, cancelled, expired.
        #[arg(long, value_parser = state)]
        state: Option<RequestState>,
        /// Made by this principal.
        #[arg(long = "by", value_name = "PRINCIPAL")]
        requester: Option<PrincipalName>,
        /// On this target.
        #[arg(long)]
        target: Option<String>,
        /// How many at most, newest first.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// Show the list again whenever something becomes of a request, until it is interrupted.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show a request and the answers to it.
    Show {
        /// Which.
        #[arg(value_parser = id::<RequestId>)]
        id: RequestId,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take a request back.
    Cancel {
        /// Which.
        #[arg(value_parser = id::<RequestId>)]
        id: RequestId,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(super) struct RequestCreateArgs {
    /// The refusal to ask about, from its hint; fills in target, database, tables and permissions.
    #[arg(long, value_name = "ID")]
    pub(super) denial: Option<DenialId>,
    /// On which target.
    #[arg(long, required_unless_present = "denial")]
    pub(super) target: Option<TargetName>,
    /// On which database.
    #[arg(long, required_unless_present = "denial")]
    pub(super) database: Option<DatabaseName>,
    /// On which tables, for example public.employee or public.*. May be repeated.
    #[arg(long = "table", value_name = "SCHEMA.TABLE", value_delimiter = ',', conflicts_with = "all_tables")]
    pub(super) tables: Vec<ObjectPattern>,
    /// On everything in the database.
    #[arg(long)]
    pub(super) all_tables: bool,
    /// For what: explain, select, export, dml, ddl, admin. May be repeated, or several with commas.
    #[arg(long = "permission", value_name = "PERMISSION", value_delimiter = ',', conflicts_with = "role")]
    pub(super) permissions: Vec<Permission>,
    /// For the permissions of this role of policy.
    #[arg(long)]
    pub(super) role: Option<RoleName>,
    /// For this statement alone, once; "-" reads it from standard input. Without a value, the refused one.
    #[arg(long, value_name = "SQL", num_args = 0..=1, default_missing_value = "",
          conflicts_with_all = ["tables", "all_tables", "permissions", "role"])]
    pub(super) statement: Option<String>,
    /// How long: 2m, 8h, 1d; at most 90d.
    #[arg(long = "for", value_name = "TIME", required_unless_present = "until")]
    pub(super) lifetime: Option<Lifetime>,
    /// Until when, for example 2026-11-21T18:00:00Z; with --for, whichever is first.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) until: Option<Timestamp>,
    /// From when on; from the approval on if left out.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) starts_at: Option<Timestamp>,
    /// Why.
    #[arg(long)]
    pub(super) reason: String,
    /// The ticket or incident.
    #[arg(long)]
    pub(super) ticket: Option<String>,
    /// It cannot wait: approve it yourself, and answer for it afterwards.
    #[arg(long)]
    pub(super) break_glass: bool,
    /// Wait until it is decided; exit code 0 if it is approved.
    #[arg(long)]
    pub(super) wait: bool,
    /// A name of your choice: a call that repeats it makes no second request.
    #[arg(long, value_name = "NAME")]
    pub(super) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(super) enum ReviewCommand {
    /// List the requests that wait for your answer, also to look back on break-glass.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Approve a request, or less of it. After break-glass: it was right.
    Approve {
        /// Which.
        #[arg(value_parser = id::<RequestId>)]
        id: RequestId,
        /// These tables alone. May be repeated.
        #[arg(long = "table", value_name = "SCHEMA.TABLE", value_delimiter = ',')]
        tables: Vec<ObjectPattern>,
        /// These permissions alone. May be repeated, or several with commas.
        #[arg(long = "permission", value_name = "PERMISSION", value_delimiter = ',')]
        permissions: Vec<Permission>,
        /// So long at most.
        #[arg(long = "for", value_name = "TIME")]
        lifetime: Option<Lifetime>,
        /// In words.
        #[arg(long, default_value = "", hide_default_value = true)]
        comment: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Deny a request. After break-glass: it was not right, and what is left of its grant ends.
    Deny {
        /// Which.
        #[arg(value_parser = id::<RequestId>)]
        id: RequestId,
        /// Why.
        #[arg(long)]
        comment: String,
        #[command(flatten)]
        connection: Connection,
    },
}
