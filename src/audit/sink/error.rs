//! Why records could not be sent.

use std::{error::Error, io};

use crate::{
    model::failure::{Classify, FailureClass},
    net::NetError,
};

/// Why records could not be sent; they are sent again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// What a broker answers cannot be read.
    #[error("the broker's answer to {api} cannot be read")]
    Answer {
        /// What it was asked.
        api: &'static str,
    },
    /// A broker said no.
    #[error("the broker answers {api} with error {code} ({word})")]
    Broker {
        /// What it was asked.
        api: &'static str,
        /// The error's number.
        code: i16,
        /// What Kafka calls it.
        word: &'static str,
    },
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
    /// A broker did not let our account in, or did not prove itself to it.
    #[error("the broker does not log us in by {mechanism}: {answer}")]
    Login {
        /// How we tried.
        mechanism: &'static str,
        /// The beginning of its answer, or what is wrong with it.
        answer: String,
    },
    /// Nobody leads the partition of this gateway.
    #[error("topic \"{topic}\" has no leader for the partition of this gateway")]
    NoLeader {
        /// The topic.
        topic: String,
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
    /// A broker does not speak as we do.
    #[error("the broker does not take version {version} of {api}; Kafka does from 1.0 on")]
    Version {
        /// What it would be asked.
        api: &'static str,
        /// In which version.
        version: i16,
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
            Self::Answer { .. }
            | Self::Broken { .. }
            | Self::Broker { .. }
            | Self::Login { .. }
            | Self::Net { .. }
            | Self::NoLeader { .. }
            | Self::Refused { .. }
            | Self::Request { .. }
            | Self::Silent
            | Self::Version { .. } => FailureClass::Upstream,
        }
    }
}
