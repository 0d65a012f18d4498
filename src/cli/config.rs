//! `tidegate config`

use std::{env, path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::output::{complain, say};
use crate::config as settings;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether a configuration can be read: key, file and line of what is wrong. Looks at no server.
    Check {
        /// The configuration file.
        file: PathBuf,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
}

pub(super) fn run(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check { file } => {
            let config = settings::load(&file, |name| env::var(name).ok())?;
            for warning in &config.warnings {
                complain!("warning: {warning}");
            }
            say!("{} can be read.", file.display());
        }
        ConfigCommand::Schema => say!("{}", serde_json::to_string_pretty(&settings::schema())?),
    }
    Ok(ExitCode::SUCCESS)
}
