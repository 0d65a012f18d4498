//! Why a client was not let in.

use std::{io, time::Duration};

use crate::{
    audit::AuditError,
    model::{
        failure::{Classify, FailureClass},
        identity::TokenRefused,
        ids::TokenId,
        refusal::{Refusal, RefusalCode},
    },
    net::NetError,
    wire::WireError,
};

/// A login that came to nothing. Its text is for the auditor; [`LoginError::refusal`] is for the client.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The outcome could not be audited.
    #[error("the audit log cannot be written")]
    Audit {
        /// Why.
        source: AuditError,
    },
    /// A direct TLS connection that did not name the protocol.
    #[error("direct TLS connection without ALPN")]
    Alpn,
    /// A password would have to cross the network in clear text.
    #[error("a password in clear text was asked for without TLS")]
    ClearWithoutTls,
    /// A client that compresses without having been offered it.
    #[error("compression was not offered")]
    Compresses,
    /// The client went away.
    #[error("client went away")]
    Gone {
        /// How it showed.
        source: io::Error,
    },
    /// The proof was not given.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// TLS failed.
    #[error("TLS failed")]
    Net(#[from] NetError),
    /// A TLS handshake at a listener that has no certificate.
    #[error("TLS handshake at a listener without TLS")]
    NoTls,
    /// The client asked where to get a token; that is no attempt to log in.
    #[error("asked where tokens come from")]
    NoToken,
    /// A session without TLS where that is not let in.
    #[error("session without TLS")]
    Plaintext,
    /// Bytes in plain text where the TLS handshake should begin: somebody may have pushed them in.
    #[error("unencrypted data between TLS request and handshake")]
    PlaintextBeforeTls,
    /// No such target or database here.
    #[error("no target for database \"{database}\"")]
    Place {
        /// As asked for.
        database: String,
        /// What could be asked for instead.
        hint: String,
    },
    /// No random bytes to be had.
    #[error("no random bytes")]
    Random,
    /// The thread that compares passwords broke.
    #[error("password could not be compared")]
    Compare {
        /// How.
        source: tokio::task::JoinError,
    },
    /// It took too long.
    #[error("not logged in within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The client broke the protocol.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Why a proof was not accepted. The client is told none of this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The certificate does not prove the principal that was named.
    #[error("certificate {} does not prove this principal", .names.join(" / "))]
    Certificate {
        /// Whom it stands for.
        names: Vec<String>,
    },
    /// The principal is disabled.
    #[error("principal is disabled")]
    Disabled,
    /// The principal has neither password nor token.
    #[error("principal has no password and no token")]
    NoCredentials,
    /// Too many attempts failed before this one.
    #[error("too many failed attempts")]
    Throttled,
    /// The identity provider's token is not believed, or lets nobody in.
    #[error("{0}")]
    Token(TokenRefused),
    /// The token is over.
    #[error("token {token} is over")]
    TokenOver {
        /// Which.
        token: TokenId,
    },
    /// No principal has this name.
    #[error("no such principal")]
    Unknown,
    /// Neither the password nor a token.
    #[error("wrong password or token")]
    Wrong,
}

impl LoginError {
    /// What the client is told; `None` if it is not told anything.
    pub fn refusal(&self, user: &str) -> Option<Refusal> {
        let refusal = match self {
            Self::Audit { .. } => Refusal::new(
                RefusalCode::AuditUnavailable,
                "the gateway cannot write its audit log and lets nobody in",
            )
            .with_hint("Try again; if it goes on, tell the gateway's administrators."),
            Self::Alpn => Refusal::new(
                RefusalCode::ProtocolViolation,
                "direct TLS connection without the ALPN protocol \"postgresql\"",
            ),
            Self::ClearWithoutTls | Self::Plaintext => Refusal::new(
                RefusalCode::InvalidAuthorization,
                "this gateway accepts connections over TLS only",
            )
            .with_hint("Connect with sslmode=verify-full, or at least sslmode=require."),
            Self::Compresses => {
                Refusal::new(RefusalCode::NotSupported, "compression by this algorithm was not offered")
                    .with_hint("Connect without compression.")
            }
            Self::NoToken => Refusal::new(
                RefusalCode::InvalidAuthorization,
                format!("OAuth bearer authentication failed for user \"{user}\""),
            )
            .with_hint("Get a token from the identity provider that the server named, and connect again."),
            Self::Denied(Denial::Certificate { .. }) => Refusal::new(
                RefusalCode::InvalidAuthorization,
                format!("certificate authentication failed for user \"{user}\""),
            ),
            Self::Denied(
                Denial::Disabled
                | Denial::NoCredentials
                | Denial::Throttled
                | Denial::Token(_)
                | Denial::TokenOver { .. }
                | Denial::Unknown
                | Denial::Wrong,
            ) => Refusal::new(
                RefusalCode::InvalidPassword,
                format!("password authentication failed for user \"{user}\""),
            ),
            Self::Place { database, hint } => Refusal::new(
                RefusalCode::InvalidCatalogName,
                format!("database \"{database}\" does not exist"),
            )
            .with_hint(hint),
            Self::Wire(error) => error.refusal(),
            Self::Compare { .. }
            | Self::Gone { .. }
            | Self::Net(_)
            | Self::NoTls
            | Self::PlaintextBeforeTls
            | Self::Random
            | Self::TimedOut(_) => return None,
        };
        Some(refusal)
    }
}

impl Classify for LoginError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Audit { .. } => FailureClass::Storage,
            Self::Denied(_) | Self::Plaintext | Self::Place { .. } => FailureClass::Denied,
            Self::ClearWithoutTls
            | Self::Alpn
            | Self::Compresses
            | Self::Gone { .. }
            | Self::Net(_)
            | Self::NoTls
            | Self::NoToken
            | Self::PlaintextBeforeTls
            | Self::Wire(_) => FailureClass::Client,
            Self::Compare { .. } | Self::Random => FailureClass::Internal,
            Self::TimedOut(_) => FailureClass::Limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, sync::Arc};

    use super::*;

    #[test]
    fn a_client_is_told_the_same_of_every_failed_password() {
        let told = |denial: Denial| LoginError::from(denial).refusal("dana").unwrap();
        let wrong = told(Denial::Wrong);
        assert_eq!((wrong.code.sqlstate(), wrong.detail.clone(), wrong.hint.clone()), ("28P01", None, None));
        for denial in [Denial::Disabled, Denial::NoCredentials, Denial::Throttled, Denial::Unknown] {
            assert_eq!(told(denial), wrong);
        }
    }

    #[test]
    fn a_log_that_cannot_be_written_is_told_with_its_own_code_and_without_its_cause() {
        let cause = Arc::new(io::Error::new(ErrorKind::StorageFull, "/secret/path"));
        let told =
            LoginError::Audit { source: AuditError::Unwritable { source: cause } }.refusal("dana").unwrap();
        assert_eq!(told.code, RefusalCode::AuditUnavailable);
        assert!(!format!("{told:?}").contains("secret"));
    }

    #[test]
    fn nothing_is_said_into_a_connection_that_broke() {
        let gone = LoginError::Gone { source: ErrorKind::BrokenPipe.into() };
        assert_eq!(gone.refusal("dana"), None);
        assert_eq!(LoginError::PlaintextBeforeTls.refusal("dana"), None);
    }
}
