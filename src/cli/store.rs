//! `tidegate store`

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use clap::Subcommand;

use super::output::{counted, say};
use crate::{
    app::store_place,
    config,
    store::{Place, Store, back_up, restore},
};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Write all that a SQLite store holds to a new file, also while the gateway runs.
    Backup {
        /// The file.
        file: PathBuf,
        /// Configuration file of the gateway.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Put a backup in the place of a SQLite store; the gateway must not run.
    Restore {
        /// The backup.
        file: PathBuf,
        /// Configuration file of the gateway.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Copy one store into another that is empty, as from SQLite to PostgreSQL; the gateways must not run.
    Copy {
        /// Configuration file that names the store to copy.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Configuration file that names the store to copy to.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

pub(super) async fn run(command: StoreCommand) -> anyhow::Result<ExitCode> {
    match command {
        StoreCommand::Backup { file, config } => {
            let store = file_of(&config)?;
            back_up(&store, &file).await?;
            say!("{} holds the store {}.", file.display(), store.display());
            say!("It holds what proves passwords and keys: keep it as safe as the store itself.");
        }
        StoreCommand::Restore { file, config } => {
            let store = file_of(&config)?;
            let before = restore(&file, &store).await?;
            say!("The store {} is that of {}.", store.display(), file.display());
            if let Some(before) = before {
                say!("What it held before is in {}.", before.display());
            }
        }
        StoreCommand::Copy { to, config } => {
            let (from, to) = (place(&config)?, place(&to)?);
            let (source, target) = (Store::open_at(&from).await?, Store::open_at(&to).await?);
            let rows = source.copy_to(&target, &to).await?;
            let rows = counted(usize::try_from(rows).unwrap_or(usize::MAX), "row");
            say!("{rows} copied from {from} to {to}.");
            target.close().await;
            source.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn place(file: &Path) -> anyhow::Result<Place> {
    Ok(store_place(&config::load(file, |name| env::var(name).ok())?.store))
}

fn file_of(config: &Path) -> anyhow::Result<PathBuf> {
    match place(config)? {
        Place::Sqlite(path) => Ok(path),
        Place::Postgres(server) => {
            bail!("the store {server} is a PostgreSQL: use pg_dump and pg_restore, as docs/store.md shows")
        }
    }
}
