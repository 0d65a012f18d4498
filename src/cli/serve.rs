//! `tidegate serve`

use std::{env, path::Path, process::ExitCode};

use anyhow::Context;
use tokio::runtime;

use crate::{app, config};

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let config = config::load(file, |name| env::var(name).ok())?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().context("could not start")?;
    runtime.block_on(app::run(config))?;
    Ok(ExitCode::SUCCESS)
}
