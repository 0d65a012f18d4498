//! What the gateway keeps: data directory, store, audit log, and the room for them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use super::finding::Finding;
use crate::{
    app::store::store_place,
    config::Config,
    store::{Place, Standing, look},
    upstream::causes,
};

/// Gives whether a gateway of this configuration runs: it holds its audit log.
pub(super) async fn check(config: &Config, tell: &mut (dyn FnMut(Finding) + Send)) -> bool {
    tell(directory("data_dir", &config.data_dir));
    let store = store_place(&config.store);
    let audit = &config.audit.path;
    let (finding, running) = log(audit);
    tell(self::store(&store, running).await);
    tell(finding);
    let (of_data, of_log) = (existing(&config.data_dir), existing(parent(audit)));
    tell(room(&of_data));
    if of_log != of_data {
        tell(directory("audit directory", parent(audit)));
        tell(room(&of_log));
    }
    running
}

fn directory(check: &str, path: &Path) -> Finding {
    let there = existing(path);
    let shown = path.display();
    let probe = there.join(format!(".tidegate-doctor-{}", std::process::id()));
    if let Err(error) = OpenOptions::new().write(true).create_new(true).open(&probe) {
        let advice = "give it to the user that runs the gateway (this looked as the user that ran it)";
        return Finding::failed(check, format!("{shown} cannot be written: {error}"), advice);
    }
    let _ = fs::remove_file(&probe);
    if there == path {
        Finding::ok(check, format!("{shown} can be written"))
    } else {
        Finding::ok(check, format!("{shown} is not there yet and can be made"))
    }
}

async fn store(place: &Place, running: bool) -> Finding {
    let check = "store";
    match look(place).await {
        Ok(None) if running => {
            let advice =
                "stop the gateway, and restore a backup (docs/runbook.md); until then nothing can be changed";
            Finding::failed(check, format!("{place} is gone, and a gateway runs on it"), advice)
        }
        Ok(None) => Finding::ok(check, format!("{place} is empty; the first start makes its tables")),
        Ok(Some(Standing { version, newest })) if version > newest => {
            let advice = "start the newer tidegate that wrote it, or restore a backup";
            Finding::failed(
                check,
                format!("{place} has tables of version {version}, and this one knows {newest}"),
                advice,
            )
        }
        Ok(Some(Standing { version, newest })) if version < newest => {
            let advice = "back it up before: the next start brings them to it, and there is no way back";
            Finding::warning(
                check,
                format!("{place} has tables of version {version}, this one has {newest}"),
                advice,
            )
        }
        Ok(Some(Standing { version, .. })) => {
            Finding::ok(check, format!("{place} answers, with tables of version {version}"))
        }
        Err(error) => {
            let advice = "without it the gateway does not start; docs/store.md says what it needs";
            Finding::failed(check, causes(&error), advice)
        }
    }
}

fn log(path: &Path) -> (Finding, bool) {
    let (check, shown) = ("audit log", path.display());
    let file = match File::options().read(true).append(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return (
                Finding::ok(check, format!("{shown} is not there yet; the first start begins it")),
                false,
            );
        }
        Err(error) => {
            let advice = "give it to the user that runs the gateway: without it no statement runs";
            return (Finding::failed(check, format!("{shown} cannot be written: {error}"), advice), false);
        }
    };
    // Shared and let go at once, so that a gateway that starts at this moment has it.
    let running = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let bytes = file.metadata().map(|it| it.len()).unwrap_or_default();
    let who = if running { ", held by a gateway that runs" } else { "" };
    (Finding::ok(check, format!("{shown} can be written ({} MiB{who})", bytes >> 20)), running)
}

fn room(folder: &Path) -> Finding {
    let check = "free space";
    let shown = folder.display();
    let free = match rustix::fs::statvfs(folder) {
        Ok(of) => of.f_bavail.saturating_mul(of.f_frsize),
        Err(error) => return Finding::warning(check, format!("{shown}: {error}"), "look at it with df"),
    };
    let advice = "make room: once the log cannot be written, statements are refused";
    let found = format!("{shown} has {} MiB left", free >> 20);
    match free {
        0..LEAST_BYTES => Finding::failed(check, found, advice),
        LEAST_BYTES..FEW_BYTES => Finding::warning(check, found, advice),
        FEW_BYTES.. => Finding::ok(check, found),
    }
}

/// The path, or the nearest above it that is there.
fn existing(path: &Path) -> PathBuf {
    let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    here.ancestors().find(|it| it.exists()).map_or_else(|| ".".into(), Path::to_owned)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A log of a busy gateway grows by a gigabyte in a few hours.
const FEW_BYTES: u64 = 2 << 30;
const LEAST_BYTES: u64 = 64 << 20;
