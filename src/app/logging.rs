//! Where log lines go.

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::AsFd,
    sync::Mutex,
};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat, LogLevel};

/// Sends log lines to standard error. `TIDEGATE_LOG` (directives of `tracing`) overrides the level.
pub(super) fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_env("TIDEGATE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // The parser of PostgreSQL points standard error elsewhere while it parses: the lines keep a handle of their own.
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return };
    let lines = fmt()
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(Mutex::new(File::from(stderr)));
    // A second start in one process keeps the first one's.
    let _ = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
