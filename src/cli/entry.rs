//! From the command line to the command, and from its end to the exit code.

use std::{error::Error, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use tokio::runtime;

use super::{
    args::{Cli, Command, PolicyCommand},
    audit, config, doctor, events, explain, grant, init, key, login,
    output::complain,
    policy, replay, request, review, serve, session, slack, store, token, user, webhook,
};

/// Runs the command that the process was started with.
///
/// Exit codes: 0 done, 1 refused or failed (told on standard error), 2 not understood.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            complain!("error: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, in one line; a cause that the words before it end with is not said again.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { config } => serve::run(&config),
        Command::Policy(PolicyCommand::Check { directory, json }) => policy::check(&directory, json),
        Command::Policy(PolicyCommand::Test { directory, json }) => policy::test(&directory, json),
        Command::Policy(PolicyCommand::Replay(args)) => replay::run(&args),
        Command::Audit(command) => client(audit::run(*command)),
        Command::Policy(PolicyCommand::Status { connection }) => client(policy::status(&connection)),
        Command::Policy(PolicyCommand::Reload { connection }) => client(policy::reload(&connection)),
        Command::ExplainAccess(args) => client(explain::run(args)),
        Command::User(command) => client(user::run(command)),
        Command::Token(command) => client(token::run(command)),
        Command::Key(command) => client(key::run(command)),
        Command::Grant(command) => client(grant::run(command)),
        Command::Request(command) => client(request::run(command)),
        Command::Review(command) => client(review::run(command)),
        Command::Login(arguments) => client(login::run(arguments)),
        Command::Events(args) => client(events::run(args)),
        Command::Session(command) => client(session::run(command)),
        Command::Slack(command) => client(slack::run(command)),
        Command::Webhook(command) => client(webhook::run(command)),
        Command::Store(command) => client(store::run(command)),
        Command::Config(command) => config::run(command),
        Command::Init(args) => client(init::run(*args)),
        Command::Doctor(args) => client(doctor::run(args)),
    }
}

fn client(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start")?.block_on(command)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("file is not a database").context("code 26: file is not a database");
        assert_eq!(
            told(error.context("could not open it").as_ref()),
            "could not open it: code 26: file is not a database"
        );
    }
}
