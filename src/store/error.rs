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
    #[error("could not bring the store {} to this version's tables", path.display())]
    Migrate {
        /// The store's file.
        path: PathBuf,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// A newer gateway wrote the file.
    #[error(
        "the store {} was written by a newer tidegate (tables of version {version}): start that one, or restore a backup",
        path.display()
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The table version that this gateway does not know.
        version: i64,
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
}

impl Classify for StoreError {
    fn class(&self) -> FailureClass {
        match self {
            Self::InUse { .. } | Self::Newer { .. } => FailureClass::Configuration,
            Self::Corrupt { .. }
            | Self::Lock { .. }
            | Self::Migrate { .. }
            | Self::Open { .. }
            | Self::Query { .. } => FailureClass::Storage,
        }
    }
}

/// Names what was being done when a statement failed.
pub(super) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { doing, source }
}
