//! What can go wrong with the audit log.

use std::{io, path::PathBuf, sync::Arc};

use super::follow::FollowError;
use crate::model::failure::{Classify, FailureClass};

/// What can go wrong with the audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Another process writes it.
    #[error(
        "audit log \"{path}\" is held by another process: stop the other gateway, or give this one an audit.path of its own"
    )]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// It cannot be opened or created.
    #[error("could not open audit log \"{path}\": check that its folder exists and may be written")]
    Open {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("could not read the audit log")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// Its last lines do not verify, so nothing may be chained to them.
    #[error(
        "audit log \"{path}\" does not verify at byte {offset}: {problem}. Run `tidegate audit verify` on it, keep it as evidence under another name, and start again: a new log begins"
    )]
    Tail {
        /// The log.
        path: PathBuf,
        /// Where the bad line begins.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be written; nothing of the append is kept, and nothing may run on it.
    #[error("the audit log cannot be written")]
    Unwritable {
        /// Why.
        source: Arc<io::Error>,
    },
    /// Its index does not come on, and what it lacks is too much to be read without it.
    #[error("the index of the audit log lacks its last {records} records, and does not come on")]
    Behind {
        /// How many.
        records: u64,
    },
    /// The index beside it cannot be read or written.
    #[error("the index of the audit log does not answer; it can be deleted, and is made anew")]
    Index {
        /// Why.
        source: sqlx::Error,
    },
    /// What is asked for cannot be meant.
    #[error("{problem}")]
    Filter {
        /// Which part of it.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A key of checkpoints cannot be read or made.
    #[error("key \"{path}\": {problem}")]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Records cannot be written as a table.
    #[error("the records cannot be written as a table")]
    Table {
        /// Why.
        #[from]
        source: parquet::errors::ParquetError,
    },
    /// A record has no form as JSON.
    #[error("a record cannot be written as JSON")]
    Unserializable {
        /// Why.
        source: serde_json::Error,
    },
}

impl AuditError {
    pub(super) const fn index(source: sqlx::Error) -> Self {
        Self::Index { source }
    }

    /// Whoever read for us panicked.
    pub(super) fn gone() -> Self {
        Self::Read { source: io::Error::other("the thread that read the log is gone") }
    }
}

impl From<FollowError> for AuditError {
    fn from(error: FollowError) -> Self {
        let source = match error {
            FollowError::Read { source } => source,
            FollowError::Diverged { .. }
            | FollowError::Gap { .. }
            | FollowError::Replaced
            | FollowError::TooLong { .. } => io::Error::other(error.to_string()),
        };
        Self::Read { source }
    }
}

impl Classify for AuditError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Key { .. } | Self::Locked { .. } | Self::Open { .. } | Self::Tail { .. } => {
                FailureClass::Configuration
            }
            Self::Filter { .. } => FailureClass::Client,
            Self::Behind { .. } | Self::Index { .. } | Self::Read { .. } | Self::Unwritable { .. } => {
                FailureClass::Storage
            }
            Self::Table { .. } | Self::Unserializable { .. } => FailureClass::Internal,
        }
    }
}
