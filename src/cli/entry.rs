//! From the command line to the command, and from its end to the exit code.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::runtime;

use super::{
    args::{AuditCommand, Cli, Command, PolicyCommand},
    audit, explain, grant, key, policy, serve, session, token, user,
};

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 refused or failed (told on standard error), 2 not understood.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { config } => serve::run(&config),
        Command::Policy(PolicyCommand::Check { directory, json }) => policy::check(&directory, json),
        Command::Policy(PolicyCommand::Test { directory, json }) => policy::test(&directory, json),
        Command::Audit(AuditCommand::Verify { file, json }) => audit::verify(&file, json),
        Command::Policy(PolicyCommand::Status { connection }) => client(policy::status(&connection)),
        Command::Policy(PolicyCommand::Reload { connection }) => client(policy::reload(&connection)),
        Command::ExplainAccess(args) => client(explain::run(args)),
        Command::User(command) => client(user::run(command)),
        Command::Token(command) => client(token::run(command)),
        Command::Key(command) => client(key::run(command)),
        Command::Grant(command) => client(grant::run(command)),
        Command::Session(command) => client(session::run(command)),
    }
}

fn client(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start")?.block_on(command)
}
