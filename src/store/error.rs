//! What can go wrong with the store.

use std::{io, path::PathBuf};

use crate::model::failure::{Classify, FailureClass};

/// The store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row holds what no version of ours writes there.
    #[error("the store holds {what} that cannot be read")]
    Corrupt {
        /// What kind of value.
        what: &'static str,
        /// Why it cannot be read.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file that would be overwritten.
    #[error("{} is there already: take another name, or remove it first", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("could not read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another gateway has the file.
    #[error(
        "another tidegate ({}) uses {}: stop it, or give this one a store and data_dir of its own",
        pid.map_or_else(|| "pid unknown".to_owned(), |pid| format!("pid {pid}")),
        path.display()
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// The other's process, if it said so.
        pid: Option<u32>,
    },
    /// The lock file beside the store cannot be made.
    #[error("could not make {}: check that its directory exists and that the gateway's user may write there", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tables cannot be brought to this version.
    #[error("could not bring the store {store} to this version's tables")]
    Migrate {
        /// Which store.
        store: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// A newer gateway wrote the store.
    #[error(
        "the store {store} was written by a newer tidegate (tables of version {version}): start that one, or restore a backup"
    )]
    Newer {
        /// Which store.
        store: String,
        /// The table version that this gateway does not know.
        version: i64,
    },
    /// The file is no store that could be restored.
    #[error("{} is no backup of a store, or not whole", path.display())]
    NoBackup {
        /// Which.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// The store to copy to is in use.
    #[error("the store {store} is not empty: name one that nothing is kept in yet")]
    NotEmpty {
        /// Which.
        store: String,
    },
    /// The file cannot be opened.
    #[error("could not open the store {}: name a file of the gateway's own, or one that does not exist yet", path.display())]
    Open {
        /// The store's file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement of ours failed.
    #[error("the store could not {doing}")]
    Query {
        /// What it was to do.
        doing: &'static str,
        /// Why it could not.
        source: sqlx::Error,
    },
    /// The server cannot be reached or does not let us in.
    #[error(
        "could not reach the store {store}: check its server, and endpoint, account and tls of store.postgres"
    )]
    Reach {
        /// Which store.
        store: String,
        /// Why.
        source: sqlx::Error,
    },
}

impl Classify for StoreError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Exists { .. } | Self::InUse { .. } | Self::Newer { .. } | Self::NotEmpty { .. } => {
                FailureClass::Configuration
            }
            Self::Corrupt { .. }
            | Self::File { .. }
            | Self::NoBackup { .. }
            | Self::Lock { .. }
            | Self::Migrate { .. }
            | Self::Open { .. }
            | Self::Query { .. }
            | Self::Reach { .. } => FailureClass::Storage,
        }
    }
}

/// Names what was being done when a statement failed.
pub(super) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}
