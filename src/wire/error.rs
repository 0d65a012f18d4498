//! What can be wrong with bytes.

use crate::model::{
    failure::{Classify, FailureClass},
    refusal::{Refusal, RefusalCode},
};

/// The peer broke the protocol; the connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message says that it is larger than the bound.
    #[error("message \"{tag}\" of {length_bytes} bytes is over the limit of {limit_bytes}", tag = char::from(*tag))]
    TooLarge {
        /// Its type.
        tag: u8,
        /// What it says.
        length_bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
    /// A message says that it is shorter than its own length field.
    #[error("message \"{tag}\" has an impossible length", tag = char::from(*tag))]
    ImpossibleLength {
        /// Its type.
        tag: u8,
    },
    /// A message is not laid out as the protocol says.
    #[error("malformed {message} message")]
    Malformed {
        /// Its name.
        message: &'static str,
    },
    /// A message type that the protocol does not have, or not here.
    #[error("unexpected message type 0x{tag:02x}")]
    Unexpected {
        /// Its type.
        tag: u8,
    },
    /// Something else is in a compressed packet than its header says.
    #[error("could not uncompress a packet")]
    Compressed,
    /// A startup parameter is given twice.
    #[error("startup parameter \"{name}\" is given twice")]
    DuplicateParameter {
        /// Its name.
        name: String,
    },
    /// A switch of the startup parameter `options` that is not spoken, or a setting without a value.
    #[error("cannot use \"{switch}\" in the startup parameter \"options\"")]
    Option {
        /// The switch as it came.
        switch: String,
    },
    /// A startup message without a user.
    #[error("no user name in the startup message")]
    NoUser,
    /// A packet's number is not the next one.
    #[error("packet {found} came where {expected} was the next")]
    OutOfOrder {
        /// The number that it should have.
        expected: u8,
        /// The number that it has.
        found: u8,
    },
    /// A packet says that it is larger than the bound.
    #[error("a packet of {length_bytes} bytes is over the limit of {limit_bytes}")]
    PacketTooLarge {
        /// What it says; with the pieces before it, where it came in several.
        length_bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
    /// A connection that asks for replication.
    #[error("replication connections are not supported")]
    Replication,
    /// A second SSLRequest or GSSENCRequest, or one inside TLS.
    #[error("unexpected {request} during startup")]
    Repeated {
        /// Its name.
        request: &'static str,
    },
    /// The SCRAM exchange is not as its standard says; also when channel binding does not match.
    #[error("SCRAM exchange failed: {0}")]
    Scram(#[from] ScramProblem),
    /// The first message says that it is shorter or longer than one can be.
    #[error("invalid length of startup packet")]
    StartupLength {
        /// What it says.
        length_bytes: usize,
    },
    /// A protocol version that is not spoken.
    #[error("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2")]
    UnsupportedProtocol {
        /// Asked for.
        major: u16,
        /// Asked for.
        minor: u16,
    },
    /// Text is not UTF-8.
    #[error("{message} holds text that is not UTF-8")]
    NotUtf8 {
        /// The message.
        message: &'static str,
    },
}

/// How a SCRAM exchange is not as RFC 5802 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramProblem {
    /// The client asks to act for somebody else.
    #[error("an authorization identity is not supported")]
    AuthorizationIdentity,
    /// The client bound another channel than this one: somebody may stand between.
    #[error("channel binding does not match")]
    ChannelBinding,
    /// The client supports channel binding and was told that we do not, though we do.
    #[error("the client thinks that this server does not support channel binding")]
    Downgrade,
    /// A mandatory extension.
    #[error("mandatory extensions are not supported")]
    Extension,
    /// A message is not laid out as the standard says.
    #[error("malformed message")]
    Malformed,
    /// The client chose a mechanism that was not offered.
    #[error("the selected mechanism was not offered")]
    Mechanism,
    /// Mechanism and channel-binding flag contradict each other.
    #[error("mechanism and channel binding flag do not go together")]
    MechanismMismatch,
    /// The nonce is not the one of this exchange.
    #[error("nonce does not match")]
    Nonce,
}

impl WireError {
    /// What the peer is told before the connection is closed.
    pub fn refusal(&self) -> Refusal {
        let code = match self {
            Self::Replication | Self::UnsupportedProtocol { .. } => RefusalCode::NotSupported,
            Self::NoUser => RefusalCode::InvalidAuthorization,
            Self::Option { .. } => RefusalCode::SyntaxError,
            Self::PacketTooLarge { .. } | Self::TooLarge { .. } => RefusalCode::ProgramLimitExceeded,
            Self::Compressed
            | Self::DuplicateParameter { .. }
            | Self::ImpossibleLength { .. }
            | Self::Malformed { .. }
            | Self::NotUtf8 { .. }
            | Self::OutOfOrder { .. }
            | Self::Repeated { .. }
            | Self::Scram(_)
            | Self::StartupLength { .. }
            | Self::Unexpected { .. } => RefusalCode::ProtocolViolation,
        };
        let refusal = Refusal::new(code, self.to_string());
        match self {
            Self::Option { .. } => refusal.with_hint("Write settings as -c name=value or --name=value."),
            Self::Replication => refusal.with_hint("Connect to the database server itself for replication."),
            _ => refusal,
        }
    }
}

impl Classify for WireError {
    fn class(&self) -> FailureClass {
        FailureClass::Client
    }
}
