//! What can be written on the command line.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;

use crate::{
    api::bodies::{Lifetime, Scope},
    model::{
        ids::{
            DatabaseName, EnvironmentName, GrantId, GroupName, KeyId, PrincipalName, SessionId, TargetName,
            TokenId,
        },
        object::{Glob, ObjectPattern},
        permission::Permission,
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
    /// Make, list and revoke grants.
    #[command(subcommand)]
    Grant(GrantCommand),
    /// List open sessions, and end them.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Check an audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
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
    /// Major version of the database server, for --policy.
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
        /// What it may do: admin, grants, read. May be repeated, or several with commas.
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', required = true)]
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

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "it is no instant: write it with its offset, for example 2026-11-21T18:00:00Z")
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
            &["--to", "dana", "--table", "employee"],
        ] {
            assert_eq!(line(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
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
