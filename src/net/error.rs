//! What can go wrong between us and the network or the files that TLS is set up from.

use std::{error::Error, io, path::PathBuf};

use crate::model::failure::{Classify, FailureClass};

/// A failure of this folder.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A certificate does not parse, or cannot be used with its key.
    #[error(
        "certificate file {path} cannot be used; write a PEM certificate chain there, the server's own first"
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What rustls says of it.
        source: rustls::Error,
    },
    /// A certificate (the peer's) does not parse.
    #[error("the peer's certificate does not parse")]
    CertificateSyntax,
    /// The peer could not be reached.
    #[error("could not connect to {endpoint}")]
    Connect {
        /// Host and port, as configured.
        endpoint: String,
        /// Why.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake failed")]
    Handshake {
        /// Why; holds a `rustls::Error` when the peer was reached.
        source: io::Error,
    },
    /// The key is not one that can be used.
    #[error(
        "key file {path} cannot be used; write one unencrypted PEM private key (RSA, ECDSA or Ed25519) there"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// What rustls says of it.
        source: rustls::Error,
    },
    /// Certificate and key belong to different pairs.
    #[error("key {key} does not match certificate {certificate}; replace both files together, then reload")]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A PEM file is readable and holds nothing of the kind that is needed.
    #[error("{path} holds no {what} in PEM form; check that the path names the right file")]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What is missing ("certificate", "private key").
        what: &'static str,
    },
    /// A file is not PEM.
    #[error("{path} is damaged: not valid PEM; write the file again")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Where it breaks.
        source: rustls::pki_types::pem::Error,
    },
    /// A receiver of HTTP said no.
    #[error("the receiver answers {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// The beginning of its answer.
        answer: String,
    },
    /// A request could not be made or sent.
    #[error("the request failed")]
    Request {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// rustls refuses the settings as a whole.
    #[error("TLS cannot be set up")]
    Setup {
        /// Why.
        source: rustls::Error,
    },
    /// The process cannot listen to signals.
    #[error("could not listen to SIGTERM and SIGINT")]
    Signals {
        /// Why.
        source: io::Error,
    },
    /// No root certificate is usable.
    #[error("no usable root certificate in {from}; name a CA file instead")]
    Roots {
        /// The file, or "the system's store".
        from: String,
    },
    /// A server name is neither a DNS name nor an IP address.
    #[error("\"{name}\" is not a server name; write a DNS name or an IP address")]
    ServerName {
        /// The name.
        name: String,
    },
    /// A socket could not be set up.
    #[error("could not set up the socket")]
    Socket {
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("could not read {path}; check that it exists and that the gateway's user may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Classify for NetError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Certificate { .. }
            | Self::Key { .. }
            | Self::KeyMismatch { .. }
            | Self::Nothing { .. }
            | Self::Pem { .. }
            | Self::Setup { .. }
            | Self::Roots { .. }
            | Self::ServerName { .. }
            | Self::Unreadable { .. } => FailureClass::Configuration,
            Self::CertificateSyntax | Self::Handshake { .. } | Self::Socket { .. } => FailureClass::Client,
            Self::Connect { .. } | Self::Refused { .. } | Self::Request { .. } => FailureClass::Upstream,
            Self::Signals { .. } => FailureClass::Internal,
        }
    }
}
