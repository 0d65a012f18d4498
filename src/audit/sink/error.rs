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
        #[from]
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
    /// The request could not be made or sent.
    #[error("the request failed")]
    Request {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
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
