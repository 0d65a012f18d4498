//! What can go wrong with a change.

use std::{io, path::PathBuf};

use super::admission::NotAdmitted;
use crate::{
    audit::AuditError,
    identity::IdentityError,
    model::{
        failure::{Classify, FailureClass},
        ids::GatewayName,
    },
    policy::{NotReviewed, NotTaken},
    store::StoreError,
};

/// A change was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The audit log cannot take the record, so the change was not made.
    #[error("nothing was changed, because the audit log cannot be written")]
    Audit {
        /// Why.
        source: AuditError,
    },
    /// Somebody else changed the same thing at the same moment.
    #[error("somebody else was first: look at what it is now, and decide again")]
    Conflict,
    /// What was asked for is another gateway's to do, and that one does not.
    #[error("gateway \"{gateway}\" does not answer: ask again, or ask it itself")]
    Elsewhere {
        /// Which.
        gateway: GatewayName,
    },
    /// There is one of this name already.
    #[error("{what} \"{name}\" exists already")]
    Exists {
        /// What it is.
        what: &'static str,
        /// How it is called.
        name: String,
    },
    /// A file of the gateway's own cannot be written.
    #[error("could not write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value is not one that can be taken.
    #[error("{field}: {problem}")]
    Invalid {
        /// The field of the request.
        field: &'static str,
        /// What is wrong, and what to write instead.
        problem: String,
    },
    /// The identity provider does not vouch for anybody, or cannot be asked.
    #[error("{source}")]
    Identity {
        /// Why.
        #[from]
        source: IdentityError,
    },
    /// The change was cut off from inside; whether it was made is to be looked up.
    #[error("the change was interrupted: look whether it was made")]
    Interrupted,
    /// The idempotency key was used for something else.
    #[error("the idempotency key was used for another request: take a new one")]
    KeyReused,
    /// There are as many as there may be.
    #[error("there are {limit} {what} already: remove some first")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// There is no identity provider.
    #[error("no identity provider is configured here")]
    NoProvider,
    /// Somebody for whom the identity provider vouches is not let in.
    #[error("{source}")]
    NotAdmitted {
        /// Why.
        #[from]
        source: NotAdmitted,
    },
    /// The answer to a request is not taken.
    #[error("{source}")]
    NotReviewed {
        /// Why.
        source: NotReviewed,
    },
    /// The request is not taken.
    #[error("{source}")]
    NotTaken {
        /// Why.
        source: NotTaken,
    },
    /// The policy files are wrong; those that were in force before stay so.
    #[error("the policy is broken and was not loaded:\n{problems}")]
    PolicyBroken {
        /// What is wrong where, one problem a line.
        problems: String,
    },
    /// The policy files cannot be read; those that were in force before stay so.
    #[error("could not read the policy at {}: it takes a directory whose files the gateway's user may read", path.display())]
    PolicyUnreadable {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gives no random numbers.
    #[error("no random numbers to be had")]
    Random,
    /// The store cannot be read or written, so the change was not made.
    #[error("nothing was changed, because the store failed")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The name or the password is wrong.
    #[error("wrong name or password")]
    WrongPassword,
    /// The change is in force, but the audit log could not take its record.
    #[error("{done}, but the audit log could not be written")]
    Unaudited {
        /// What is in force.
        done: &'static str,
        /// Why it is not recorded.
        source: AuditError,
    },
    /// There is none of this name.
    #[error("there is no {what} \"{name}\"")]
    Unknown {
        /// What it would be.
        what: &'static str,
        /// How it would be called.
        name: String,
    },
}

impl Classify for ControlError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Audit { .. } | Self::File { .. } | Self::Store { .. } | Self::Unaudited { .. } => {
                FailureClass::Storage
            }
            Self::Conflict
            | Self::Exists { .. }
            | Self::Invalid { .. }
            | Self::KeyReused
            | Self::Unknown { .. } => FailureClass::Client,
            Self::NotAdmitted { .. }
            | Self::NotReviewed { .. }
            | Self::NotTaken { .. }
            | Self::WrongPassword => FailureClass::Denied,
            Self::Identity { source } => source.class(),
            Self::Elsewhere { .. } | Self::Interrupted | Self::Random => FailureClass::Internal,
            Self::Limit { .. } => FailureClass::Limit,
            Self::NoProvider | Self::PolicyBroken { .. } | Self::PolicyUnreadable { .. } => {
                FailureClass::Configuration
            }
        }
    }
}

pub(super) fn invalid(field: &'static str, problem: impl Into<String>) -> ControlError {
    ControlError::Invalid { field, problem: problem.into() }
}

pub(super) fn unknown(what: &'static str, name: impl ToString) -> ControlError {
    ControlError::Unknown { what, name: name.to_string() }
}
