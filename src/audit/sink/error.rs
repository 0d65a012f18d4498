//! Why records could not be sent.

use std::{error::Error, io};

use crate::{
    model::failure::{Classify, FailureClass},
    net::NetError,
};

/// Why records could not be sent; they are sent again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The receiver cannot be reached, or the connection broke.
    #[error("the receiver cannot be reached")]
    Net {
        /// Why.
        source: NetError,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Broken {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// The receiver does not answer.
    #[error("the receiver does not answer in time")]
    Silent,
    /// The receiver said no.
    #[error("the receiver answers {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// The request could not be made.
    #[error("the request could not be made")]
    Request {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl From<NetError> for SinkError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Refused { status, answer } => Self::Refused { status, answer },
            source => Self::Net { source },
        }
    }
}

impl SinkError {
    /// A request that could not be made.
    pub(super) fn unmade(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Request { source: source.into() }
    }
}

impl Classify for SinkError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Broken { .. }
            | Self::Net { .. }
            | Self::Refused { .. }
            | Self::Request { .. }
            | Self::Silent => FailureClass::Upstream,
        }
    }
}
