//! Why there is no login token.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;

use crate::model::failure::{Classify, FailureClass};

/// Why there is no login token.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// No source of the chain has credentials, or the one that should is broken.
    #[error("no AWS credentials")]
    Credentials {
        /// Why, source by source.
        source: CredentialsError,
    },
    /// They ended before they came.
    #[error("the AWS credentials that are there have ended")]
    Ended,
    /// Nobody gave any in time.
    #[error("no AWS credentials in time")]
    Late,
    /// The account or endpoint cannot be signed for.
    #[error("the login token could not be signed")]
    Signing {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Classify for IamError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Credentials {
                source: CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_),
            }
            | Self::Signing { .. } => FailureClass::Configuration,
            Self::Credentials { .. } | Self::Ended | Self::Late => FailureClass::Upstream,
        }
    }
}
