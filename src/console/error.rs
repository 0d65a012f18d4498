//! What can go wrong between a page and the gate.

use std::io;

use super::line::Report;
use crate::{
    control::ControlError,
    model::{
        failure::{Classify, FailureClass},
        ids::TargetName,
    },
    wire::WireError,
};

/// What can go wrong between a page and the gate.
#[derive(Debug, thiserror::Error)]
pub enum EditorError {
    /// The tab runs something.
    #[error("this tab runs a statement: wait for it, or cancel it")]
    Busy,
    /// No token could be made for the login.
    #[error("no login could be made")]
    Control {
        /// Why.
        #[from]
        source: ControlError,
    },
    /// The gate cannot be reached, or broke off.
    #[error("the connection to the gate is gone")]
    Lost {
        /// How.
        #[from]
        source: io::Error,
    },
    /// There are as many tabs as there may be.
    #[error("there are {0} open tabs already: close one")]
    Limit(usize),
    /// What came is not the protocol.
    #[error("the gate is not understood")]
    Protocol {
        /// What is wrong.
        #[from]
        source: WireError,
    },
    /// The gate does not let this person in there; in its words.
    #[error("{message}")]
    Refused {
        /// SQLSTATE.
        code: String,
        /// The message, with what may be done.
        message: String,
    },
    /// The gateway is about to stop.
    #[error("the gateway is stopping: try again in a moment")]
    Stopping,
    /// No such tab, or somebody else's.
    #[error("this tab is closed")]
    UnknownTab,
    /// No such target.
    #[error("there is no target \"{0}\"")]
    UnknownTarget(TargetName),
    /// The login took too long.
    #[error("the gate did not answer in time")]
    TimedOut,
    /// The database has no statement for it that the gate could judge.
    #[error("rows of this database cannot be exported from here")]
    NoExport,
}

impl EditorError {
    pub(super) fn refused(report: Report) -> Self {
        Self::Refused { code: report.code, message: report.message }
    }
}

impl Classify for EditorError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Busy | Self::NoExport | Self::UnknownTab | Self::UnknownTarget(_) => FailureClass::Client,
            Self::Control { source } => source.class(),
            Self::Limit(_) | Self::Stopping => FailureClass::Limit,
            Self::Lost { .. } | Self::TimedOut => FailureClass::Upstream,
            Self::Protocol { .. } => FailureClass::Internal,
            Self::Refused { .. } => FailureClass::Denied,
        }
    }
}
