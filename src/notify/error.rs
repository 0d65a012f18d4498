//! What can go wrong when others are told.

use std::{error::Error, io, time::Duration};

use crate::{
    control::ControlError,
    model::failure::{Classify, FailureClass},
};

/// Somebody could not be told of something. Shows no address: an address can hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The address is none that may be spoken to.
    #[error("the address is not allowed: {problem}")]
    Address {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The other side says no, or not now.
    #[error("the answer is {status}")]
    Answer {
        /// The status of HTTP.
        status: u16,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// What has to be looked up or kept here cannot be.
    #[error("{source}")]
    Control {
        /// Why.
        #[from]
        source: ControlError,
    },
    /// What was answered cannot be understood.
    #[error("the answer cannot be used: {problem}")]
    NotUnderstood {
        /// What is wrong with it.
        problem: String,
    },
    /// TLS cannot be set up.
    #[error("could not set up TLS for outgoing calls")]
    Setup {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The name of its host is not found.
    #[error("the name of its host is not found")]
    Unresolved {
        /// Why.
        source: io::Error,
    },
    /// Nobody answers there, or not in time.
    #[error("no answer")]
    Unreachable {
        /// Why, without the address.
        source: reqwest::Error,
    },
}

impl NotifyError {
    /// How long the other side wants to be left alone, if it said so.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { retry_after, .. } => *retry_after,
            Self::Address { .. }
            | Self::Control { .. }
            | Self::NotUnderstood { .. }
            | Self::Setup { .. }
            | Self::Unreachable { .. }
            | Self::Unresolved { .. } => None,
        }
    }

    /// It in words, with what is behind it.
    pub fn in_words(&self) -> String {
        let mut text = self.to_string();
        let mut next = self.source();
        while let Some(error) = next {
            let cause = error.to_string();
            if !text.ends_with(&cause) {
                text = format!("{text}: {cause}");
            }
            next = error.source();
        }
        text
    }
}

impl Classify for NotifyError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Address { .. } | Self::Setup { .. } => FailureClass::Configuration,
            Self::Answer { .. }
            | Self::NotUnderstood { .. }
            | Self::Unreachable { .. }
            | Self::Unresolved { .. } => FailureClass::Upstream,
            Self::Control { source } => source.class(),
        }
    }
}
