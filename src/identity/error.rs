//! What can be wrong with tokens, logins and providers.

use crate::model::failure::{Classify, FailureClass};

/// A login by the identity provider, or a question to it, came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The provider answers what cannot be used.
    #[error("the identity provider's answer ({doing}) cannot be used: {problem}")]
    Answer {
        /// What was asked for.
        doing: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The provider was asked correctly and said no.
    #[error("the identity provider refused: {code}")]
    Declined {
        /// Its word for it (RFC 6749, section 5.2; RFC 8628, section 3.5).
        code: String,
    },
    /// The login is not one that was begun here, or took too long.
    #[error("this login was not begun here or is over: begin again")]
    NoSuchLogin,
    /// The person has not answered yet.
    #[error("nobody has answered yet")]
    Pending {
        /// They were asked after too often: wait five seconds longer between two questions from now on.
        slow_down: bool,
    },
    /// No random numbers.
    #[error("no random numbers to be had")]
    Random,
    /// The browser may not be sent there.
    #[error("a browser may be sent back to addresses of the configuration and to loopback addresses only")]
    Redirect,
    /// The client for the provider cannot be set up.
    #[error("could not set up TLS for the identity provider")]
    Setup {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A token was not believed.
    #[error("{0}")]
    Token(#[from] TokenProblem),
    /// The provider cannot be reached.
    #[error("the identity provider cannot be reached ({doing})")]
    Unreachable {
        /// What was asked for.
        doing: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// The provider has no such way in.
    #[error("the identity provider offers no {what}")]
    Unsupported {
        /// What it would be.
        what: &'static str,
    },
}

impl Classify for IdentityError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Answer { .. } | Self::Unreachable { .. } => FailureClass::Upstream,
            Self::Declined { .. } | Self::Token(_) => FailureClass::Denied,
            Self::NoSuchLogin | Self::Pending { .. } | Self::Redirect => FailureClass::Client,
            Self::Random => FailureClass::Internal,
            Self::Setup { .. } | Self::Unsupported { .. } => FailureClass::Configuration,
        }
    }
}

/// Why a token is not believed. For the auditor: nothing of it that would be of use to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// An algorithm that is never taken, or not with its key.
    #[error("token is signed by {0:?}, which is not taken")]
    Algorithm(String),
    /// For somebody else.
    #[error("token is for another audience")]
    Audience,
    /// It carries extensions that must be understood.
    #[error("token has critical extensions")]
    Critical,
    /// Over.
    #[error("token is over")]
    Expired,
    /// Made later than now.
    #[error("token was issued in the future")]
    Future,
    /// Of another provider.
    #[error("token is of another issuer")]
    Issuer,
    /// Not a token at all.
    #[error("token is malformed")]
    Malformed,
    /// It has not the claim that names the principal.
    #[error("token has no claim {0:?}")]
    NoClaim(String),
    /// No keys of the provider are there to check it with.
    #[error("keys of the identity provider are not there")]
    NoKeys,
    /// Made for another login.
    #[error("token is of another login")]
    Nonce,
    /// Not begun.
    #[error("token is not valid yet")]
    NotYet,
    /// Another client got it.
    #[error("token was given to another client")]
    Party,
    /// The signature is not that of the key.
    #[error("token has a wrong signature")]
    Signature,
    /// Longer than any that is read.
    #[error("token is too long")]
    TooLong,
    /// A JWT, but no token that somebody logs in with.
    #[error("token is of another type")]
    Type,
    /// No key of the provider is called so.
    #[error("token is of an unknown key")]
    UnknownKey,
    /// The provider does not vouch for the claim.
    #[error("claim {0:?} of the token is not verified")]
    Unverified(String),
}
