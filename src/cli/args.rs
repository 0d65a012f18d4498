//! What can be written on the command line.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;

use super::{events::EventsArgs, replay::ReplayArgs, store::StoreCommand};
use crate::{
    api::bodies::{Lifetime, Scope},
    model::{
        denial::DenialId,
        dialect::Dialect,
        ids::{
            DatabaseName, EnvironmentName, GrantId, GroupName, KeyId, PrincipalName, RequestId, RoleName,
            SessionId, TargetName, TokenId,
        },
        object::{Glob, ObjectPattern},
        permission::Permission,
        request::RequestState,
    },
};

/// A database gateway that judges every SQL statement against time-boxed grants.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true, max_term_width = 100, after_help = REACHING)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway.
    Serve {
        /// Configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check, test, look at and reload the policy.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Tell what a statement does, whether it would run, and by which grant or what is missing.
    ExplainAccess(ExplainArgs),
    /// Add, change, list and remove principals, and set their passwords.
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list and revoke short-lived tokens, given as the password.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make, list and revoke service keys of the administration API.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make, list, extend and revoke grants.
    #[command(subcommand)]
    Grant(GrantCommand),
    /// Ask for a grant, and see what became of it.
    #[command(subcommand)]
    Request(RequestCommand),
    /// Answer the requests of others.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Log in, for a service key that acts as you for twelve hours.
    ///
    /// Without a name by the identity provider: on any device, with a code that is shown here.
    Login(LoginArgs),
    /// Show what happened in the last seven days, or what happens from now on.
    Events(EventsArgs),
    /// List open sessions, and end them.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Back up, restore and move what the gateway keeps.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Check an audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    /// Who, to log in with the database password.
    #[arg(conflicts_with_all = ["browser", "token_stdin"])]
    pub(super) name: Option<PrincipalName>,
    /// Read the password from standard input, one line.
    #[arg(long, requires = "name")]
    pub(super) password_stdin: bool,
    /// Log in by the identity provider in a browser on this machine.
    #[arg(long, conflicts_with = "token_stdin")]
    pub(super) browser: bool,
    /// Log in with a token of the identity provider, read from standard input, one line.
    #[arg(long)]
    pub(super) token_stdin: bool,
    /// Write the key to this file (mode 0600) instead of printing it.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// How to reach the gateway.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reaching the gateway")]
pub(super) struct Connection {
    /// Address of the administration API.
    #[arg(long, env = "TIDEGATE_API", value_name = "URL", default_value = "http://127.0.0.1:6480")]
    pub(super) api: String,
    /// File that holds the service key; TIDEGATE_KEY, if set, holds the key itself and goes before it.
    #[arg(long, env = "TIDEGATE_KEY_FILE", value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// File of CA certificates that the API's certificate is checked against, instead of the system's.
    #[arg(long, env = "TIDEGATE_CA", value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Print what the API answers, as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Say what is wrong with a policy directory: file, line, column and what to write instead.
    Check {
        /// Directory of the policy files.
        directory: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Judge the examples (*.test.yaml) of a policy directory.
    Test {
        /// Directory of the policy files.
        directory: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Judge the statements of audit logs by a draft of the policy, and show what would change.
    Replay(Box<ReplayArgs>),
    /// Show which policy is in force, and whether the last attempt to replace it was refused.
    Status {
        #[command(flatten)]
        connection: Connection,
    },
    /// Read the policy files again.
    Reload {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Who would run it.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    pub(super) principal: PrincipalName,
    /// On which target.
    #[arg(long)]
    pub(super) target: TargetName,
    /// On which database; the target's first if left out.
    #[arg(long)]
    pub(super) database: Option<DatabaseName>,
    /// Judge by this policy directory alone, without a gateway: no granted grants, no catalog.
    #[arg(long, value_name = "DIR")]
    pub(super) policy: Option<PathBuf>,
    /// Environment of the target, for --policy.
    #[arg(long, default_value = "prod", requires = "policy")]
    pub(super) environment: EnvironmentName,
    /// What the target speaks, for --policy: postgres or mysql.
    #[arg(long, default_value = "postgres", requires = "policy", value_parser = dialect)]
    pub(super) dialect: Dialect,
    /// Major version of the database server, for --policy; PostgreSQL only.
    #[arg(long, default_value_t = 15, requires = "policy")]
    pub(super) server_version: u32,
    /// The statement; "-" reads it from standard input.
    pub(super) sql: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a principal; asks for its password.
    Add {
        /// The name that it logs in with.
        name: PrincipalName,
        /// A group; it must be in policy. May be repeated.
        #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
        groups: Vec<GroupName>,
        /// Set no password: it logs in with tokens or a certificate.
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set a principal's password; asks for it.
    Passwd {
        /// Whose.
        name: PrincipalName,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        /// Keep a key of mysql_native_password, too, for MySQL clients that speak nothing newer; it is weaker.
        #[arg(long)]
        mysql_native: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set a principal's groups, beside those that policy gives it; without --group it has none.
    Groups {
        /// Whose.
        name: PrincipalName,
        /// A group; it must be in policy. May be repeated.
        #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
        groups: Vec<GroupName>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List principals.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Keep a principal from logging in, and end its sessions.
    Disable {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a principal log in again.
    Enable {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Remove a principal with its password and tokens, and revoke its own grants.
    Remove {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it, once.
    Create {
        /// Whom it logs in.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: PrincipalName,
        /// How long: 15m, 8h, 1d; at most 30d.
        #[arg(long, value_name = "TIME")]
        ttl: Lifetime,
        /// What people call it.
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// List tokens that have not ended.
    List {
        /// Of this principal alone.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: Option<PrincipalName>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a token.
    Revoke {
        /// Which.
        #[arg(value_parser = id::<TokenId>)]
        id: TokenId,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a service key and print it, once.
    Create {
        /// What people call it; the actor of what is done with it.
        name: String,
        /// The principal whose key it is: what is done with it is done by them.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: Option<PrincipalName>,
        /// What it may do: admin, directory, grants, people, policy, read, sessions; beside --for also person, request,
        /// review. May be repeated, or several with commas; person if it is left out beside --for.
        #[arg(
            long = "scope",
            value_name = "SCOPE",
            value_delimiter = ',',
            required_unless_present = "principal"
        )]
        scopes: Vec<Scope>,
        /// How long, at most 90d; without end if left out.
        #[arg(long, value_name = "TIME")]
        ttl: Option<Lifetime>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List service keys.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a service key.
    Revoke {
        /// Which.
        #[arg(value_parser = id::<KeyId>)]
        id: KeyId,
        #[command(flatten)]
        connection: Connection,
    },
}

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

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List sessions.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// End a session.
    Terminate {
        /// Which.
        #[arg(value_parser = id::<SessionId>)]
        id: SessionId,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that a log is whole: nothing changed, missing, inserted or moved.
    Verify {
        /// The log.
        file: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Below the help.
const REACHING: &str = "Commands that ask a running gateway find its API by TIDEGATE_API and their service key by \
                        TIDEGATE_KEY_FILE; `tidegate grant create --help`, for one, says more.";

fn glob(text: &str) -> Result<Glob, &'static str> {
    if text.is_empty() { Err("it is empty: write a name, or * for all") } else { Ok(Glob::new(text)) }
}

fn id<I: FromStr>(text: &str) -> Result<I, &'static str> {
    text.parse().map_err(
        |_| "it is no identifier: copy one from the first column of the list command beside this one",
    )
}

fn state(text: &str) -> Result<RequestState, &'static str> {
    let found = RequestState::ALL.into_iter().find(|known| known.as_str() == text);
    found.ok_or("it is no state: write pending, approved, denied, cancelled or expired")
}

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "it is no instant: write it with its offset, for example 2026-11-21T18:00:00Z")
}

pub(super) fn dialect(word: &str) -> Result<Dialect, String> {
    match word {
        "mysql" => Ok(Dialect::Mysql),
        "postgres" => Ok(Dialect::Postgres),
        _ => Err("write postgres or mysql".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_grant_is_for_one_holder_and_for_tables_or_all_of_them() {
        let line = |extra: &[&str]| {
            let mut line = vec!["tidegate", "grant", "create", "--target", "hr", "--database", "hr_prod"];
            line.extend(["--permission", "select,dml", "--for", "2m", "--reason", "INC-42"]);
            line.extend(extra);
            Cli::try_parse_from(line)
        };
        line(&["--to", "dana", "--table", "public.employee", "--table", "public.title"]).unwrap();
        line(&["--to-group", "developers", "--all-tables"]).unwrap();
        for wrong in [
            &["--to", "dana"][..],
            &["--all-tables"],
            &["--to", "dana", "--to-group", "developers", "--all-tables"],
            &["--to", "dana", "--table", "public.employee", "--all-tables"],
            &["--to", "dana", "--table", "a.b.c"],
        ] {
            assert_eq!(line(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn a_request_says_where_or_names_a_denial_and_how_long() {
        let line = |words: &str| {
            let line = ["tidegate", "request", "create", "--reason", "INC-42"].into_iter();
            Cli::try_parse_from(line.chain(words.split_whitespace()))
        };
        for good in [
            "--denial 0badcafe --for 1h",
            "--denial 0badcafe --until 2026-11-21T18:00:00Z --statement",
            "--target hr --database hr_prod --all-tables --role reader --for 1h",
            "--target hr --database hr_prod --statement - --for 1h --wait",
        ] {
            line(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for wrong in [
            "--for 1h",
            "--denial 0badcafe",
            "--denial nonsense --for 1h",
            "--target hr --for 1h",
            "--denial 0badcafe --for 1h --all-tables --table a.b",
            "--denial 0badcafe --for 1h --role reader --permission select",
            "--denial 0badcafe --for 1h --statement - --permission select",
        ] {
            assert_eq!(line(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn no_argument_takes_a_secret() {
        fn look(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                let takes_value = argument.get_action().takes_values();
                assert!(!(takes_value && ["password", "key", "token", "secret"].contains(&name)), "{name}");
            }
            command.get_subcommands().for_each(look);
        }
        look(&Cli::command());
    }
}
