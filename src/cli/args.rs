//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{
    args_audit::AuditCommand,
    args_grants::{GrantCommand, RequestCommand, ReviewCommand},
    args_people::{KeyCommand, SlackCommand, TokenCommand, UserCommand},
    config::ConfigCommand,
    doctor::DoctorArgs,
    events::EventsArgs,
    init::InitArgs,
    replay::ReplayArgs,
    store::StoreCommand,
    value::{dialect, id},
    webhook::WebhookCommand,
};
use crate::model::{
    dialect::Dialect,
    ids::{DatabaseName, EnvironmentName, PrincipalName, SessionId, TargetName},
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
    /// Write a first configuration and policy for a database that is there, and look whether they work.
    ///
    /// What no flag says is asked for on a terminal. Nothing that is there is overwritten.
    Init(Box<InitArgs>),
    /// Look over all that a gateway depends on, and say what to do about what is not as it should be.
    ///
    /// Changes nothing, and may run beside the gateway. Run it as the gateway's user. Exit code 1 if something failed.
    Doctor(DoctorArgs),
    /// Check a configuration file, and print its schema.
    #[command(subcommand)]
    Config(ConfigCommand),
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
    /// Link Slack accounts to principals.
    #[command(subcommand)]
    Slack(SlackCommand),
    /// Look at webhooks and what they were told, and tell them again.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Back up, restore and move what the gateway keeps.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Search, show, count, export and check the audit log.
    #[command(subcommand)]
    Audit(Box<AuditCommand>),
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

/// Below the help.
const REACHING: &str = "Commands that ask a running gateway find its API by TIDEGATE_API and their service key by \
                        TIDEGATE_KEY_FILE; `tidegate grant create --help`, for one, says more.";

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
                // The public half of a key is no secret.
                let is_public = command.get_name() == "verify";
                assert!(
                    is_public || !(takes_value && ["password", "key", "token", "secret"].contains(&name)),
                    "{name}"
                );
            }
            command.get_subcommands().for_each(look);
        }
        look(&Cli::command());
    }
}
