//! From the answers to files that work.

use std::{env, path::Path, process::ExitCode};

use anyhow::bail;

use super::{
    answers::{Answers, Proof, collect},
    args::InitArgs,
    asking::Asking,
    files::Written,
    text,
};
use crate::{
    app::check_up_targets,
    cli::{doctor::Report, output::say},
    config::{self, Config},
    control::read_policy,
    net::Clock,
    policy::{parse, quoted},
};

pub(in crate::cli) async fn run(args: InitArgs) -> anyhow::Result<ExitCode> {
    let file = args.directory.join("tidegate.yaml");
    // Before anything is asked for.
    if file.exists() {
        bail!(
            "{} is there already, and nothing is overwritten: name another directory, or change it",
            file.display()
        );
    }
    let answers = collect(&args, &Asking::new(args.no_input))?;
    let mut written = Written::default();
    let config = match write(&args.directory, &file, &answers, &mut written) {
        Ok(config) => config,
        Err(error) => {
            written.take_back();
            return Err(error.context("nothing was written"));
        }
    };
    for path in written.files() {
        say!("wrote {}", path.display());
    }
    for warning in &config.warnings {
        say!("warning  {warning}");
    }
    let mut report = Report::new(false);
    if !args.no_check {
        check_up_targets(&config, &Clock::System, &mut |finding| report.take(finding)).await;
    }
    next(&file, &answers, report.has_failed());
    Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write(directory: &Path, file: &Path, answers: &Answers, written: &mut Written) -> anyhow::Result<Config> {
    written.directory(directory)?;
    for account in &answers.accounts {
        if let Proof::Typed(password) = &account.proof {
            written.file(&directory.join(text::password_file(account)), password.expose(), OWNER_ONLY)?;
        }
    }
    let policies = directory.join("policies");
    if policies.exists() {
        say!("{} is there already and stays as it is", policies.display());
    } else {
        written.directory(&policies)?;
        for (name, text) in text::policy(answers) {
            written.file(&policies.join(name), &text, EVERYBODY)?;
        }
    }
    written.file(file, &text::configuration(answers), EVERYBODY)?;
    let config = config::load(file, |name| env::var(name).ok())?;
    let policy = read_policy(&config.policies)?;
    if let Err(problems) = parse(&policy) {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        bail!("the policy is broken: {first}");
    }
    Ok(config)
}

fn next(file: &Path, answers: &Answers, failed: bool) {
    let shown = quoted(&file.display().to_string());
    if failed {
        say!("\nNot all of it works yet. Correct {shown}, or what it names, and look again:\n");
        say!("    tidegate doctor --config {shown}");
        return;
    }
    let Answers { administrator, .. } = answers;
    say!("\nNext, start the gateway:\n");
    say!("    tidegate serve --config {shown}\n");
    say!("and, in another terminal, give {administrator} a password:\n");
    let key = file.with_file_name("data").join("admin.key");
    say!("    export TIDEGATE_KEY_FILE={}", quoted(&key.display().to_string()));
    say!("    tidegate user passwd {administrator}");
}

const OWNER_ONLY: u32 = 0o600;
const EVERYBODY: u32 = 0o644;
