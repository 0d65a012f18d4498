//! What can go wrong with an upstream.

use std::{io, path::PathBuf, sync::Arc};

use super::{
    iam::IamError,
    login_problem::{LoginAnswer, LoginProblem, ServerWords},
};
use crate::{
    model::{
        failure::{Classify, FailureClass},
        ids::{DatabaseName, Ident, TargetName},
        refusal::RefusalCode,
        target::Lane,
    },
    net::NetError,
    wire::WireError,
};

/// Why there is no lease, or why one is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The catalog could not be read.
    #[error("could not read the catalog of \"{target}/{database}\"")]
    Catalog {
        /// Of which target.
        target: TargetName,
        /// Of which database.
        database: DatabaseName,
        /// Why.
        source: Box<UpstreamError>,
    },
    /// The file with an account's password cannot be used.
    #[error("could not read the password from {}", path.display())]
    Credential {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The endpoint's name does not resolve, or nothing answers there.
    #[error("could not reach target \"{target}\"")]
    Dial {
        /// Which target.
        target: TargetName,
        /// Why.
        source: NetError,
    },
    /// All connections of the lane are in use, and none came free in time.
    #[error("no connection of the {lane} lane of target \"{target}\" came free in time")]
    Exhausted {
        /// Which target.
        target: TargetName,
        /// Which lane.
        lane: Lane,
    },
    /// The upstream sent bytes that are no message of the protocol, or one out of turn.
    #[error("target \"{target}\" broke the protocol")]
    Protocol {
        /// Which target.
        target: TargetName,
        /// How.
        source: WireError,
    },
    /// An established connection broke.
    #[error("the connection to target \"{target}\" broke")]
    Lost {
        /// Which target.
        target: TargetName,
        /// How.
        source: io::Error,
    },
    /// The login failed.
    #[error("could not log in to target \"{target}\" with its {lane} account")]
    Login {
        /// Which target.
        target: TargetName,
        /// Whose account.
        lane: Lane,
        /// Why.
        source: LoginProblem,
    },
    /// Bytes were about to be sent that the lease does not carry; nothing of them was sent.
    #[error("{what}")]
    Misuse {
        /// What is wrong with them.
        what: &'static str,
    },
    /// A permit of a higher lane than the lease's; nothing was sent.
    #[error("a statement of the {permit} lane does not go out on the {lease} lane")]
    WrongLane {
        /// The permit's.
        permit: Lane,
        /// The lease's.
        lease: Lane,
    },
    /// The server takes no writes any more: the name still leads to one that follows the writer.
    #[error("target \"{target}\" leads its {lane} lane to a server that takes no writes")]
    ReadOnly {
        /// Which target.
        target: TargetName,
        /// Which lane.
        lane: Lane,
    },
    /// The upstream answered a statement of the gateway's own with an error.
    #[error("target \"{target}\" refused a statement of the gateway's own")]
    Refused {
        /// Which target.
        target: TargetName,
        /// In its words.
        source: ServerWords,
    },
    /// TLS could not be agreed on, or the server's certificate is not the one that is asked for.
    #[error("could not secure the connection to target \"{target}\"")]
    Tls {
        /// Which target.
        target: TargetName,
        /// Why.
        source: NetError,
    },
    /// It does not offer TLS, or tries to speak before it.
    #[error("target \"{target}\" {what}")]
    TlsRefused {
        /// Which target.
        target: TargetName,
        /// What it does.
        what: &'static str,
    },
    /// New connections are asked for faster than the configuration lets them be opened.
    #[error("new connections to target \"{target}\" are asked for faster than they may be opened")]
    TooFast {
        /// Which target.
        target: TargetName,
    },
    /// There is no token for an account that logs in with one.
    #[error("could not make a login token for account \"{account}\"")]
    Token {
        /// Whose.
        account: Ident,
        /// Why.
        source: IamError,
    },
    /// It took too long.
    #[error("target \"{target}\" did not answer in time: {what}")]
    Timeout {
        /// Which target.
        target: TargetName,
        /// What was waited for.
        what: &'static str,
    },
    /// The upstream answered a statement of the gateway's own, and not with what it must.
    #[error("target \"{target}\" gave an answer that the gateway does not expect: {what}")]
    Unexpected {
        /// Which target.
        target: TargetName,
        /// What.
        what: &'static str,
    },
    /// Connecting failed: just now, or a moment ago and the next attempt is not due yet.
    #[error("target \"{target}\" is not available")]
    Unavailable {
        /// Which target.
        target: TargetName,
        /// How the last attempt failed.
        source: Arc<UpstreamError>,
    },
    /// The configuration does not list the database.
    #[error("target \"{target}\" has no database \"{database}\"")]
    UnknownDatabase {
        /// Which target.
        target: TargetName,
        /// Which database.
        database: DatabaseName,
    },
    /// The configuration does not have the target.
    #[error("there is no target \"{target}\"")]
    UnknownTarget {
        /// Which.
        target: TargetName,
    },
}

impl UpstreamError {
    /// The code that a client is told.
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Exhausted { .. } | Self::TooFast { .. } => RefusalCode::TooManyConnections,
            Self::UnknownDatabase { .. } | Self::UnknownTarget { .. } => RefusalCode::InvalidCatalogName,
            Self::Unavailable { source, .. } => source.code(),
            Self::Catalog { source, .. } => source.code(),
            Self::Login { source, .. } => match source.answer() {
                Some(LoginAnswer::NoDatabase) => RefusalCode::InvalidCatalogName,
                Some(LoginAnswer::Full) => RefusalCode::TooManyConnections,
                Some(LoginAnswer::NoEntry) => RefusalCode::InsufficientPrivilege,
                Some(LoginAnswer::NotThere) | None => RefusalCode::ConnectionFailure,
            },
            Self::Credential { .. }
            | Self::Dial { .. }
            | Self::Lost { .. }
            | Self::Misuse { .. }
            | Self::Protocol { .. }
            | Self::ReadOnly { .. }
            | Self::Refused { .. }
            | Self::TlsRefused { .. }
            | Self::Timeout { .. }
            | Self::Tls { .. }
            | Self::Token { .. }
            | Self::Unexpected { .. }
            | Self::WrongLane { .. } => RefusalCode::ConnectionFailure,
        }
    }

    /// Whether the server was reached and the login is what failed.
    pub(crate) const fn is_of_login(&self) -> bool {
        matches!(self, Self::Login { .. } | Self::Credential { .. } | Self::Token { .. })
    }

    /// Whether another attempt may find the server that took over, or the same one started again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable { source, .. } => source.may_pass(),
            Self::Dial { .. } | Self::Lost { .. } | Self::ReadOnly { .. } | Self::Timeout { .. } => true,
            Self::Login { source, .. } => source.is_of_a_start(),
            Self::Catalog { .. }
            | Self::Credential { .. }
            | Self::Exhausted { .. }
            | Self::Misuse { .. }
            | Self::Protocol { .. }
            | Self::Refused { .. }
            | Self::Tls { .. }
            | Self::TlsRefused { .. }
            | Self::Token { .. }
            | Self::TooFast { .. }
            | Self::Unexpected { .. }
            | Self::UnknownDatabase { .. }
            | Self::UnknownTarget { .. }
            | Self::WrongLane { .. } => false,
        }
    }

    /// Whether the server answered, and what it said is no reason to keep others from trying.
    ///
    /// A session picks its database: that there is none, that nobody may use it, or that it is full must not
    /// stop the sessions of other databases.
    pub(crate) fn leaves_target_up(&self) -> bool {
        matches!(self, Self::Login { source, .. } if source.answer().is_some())
    }
}

impl Classify for UpstreamError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Exhausted { .. } | Self::TooFast { .. } => FailureClass::Limit,
            Self::Credential { .. } => FailureClass::Configuration,
            Self::UnknownDatabase { .. } | Self::UnknownTarget { .. } => FailureClass::Client,
            Self::Misuse { .. } | Self::WrongLane { .. } => FailureClass::Internal,
            Self::Token { source, .. } => source.class(),
            Self::Unavailable { source, .. } => source.class(),
            Self::Catalog { source, .. } => source.class(),
            Self::Dial { .. }
            | Self::Login { .. }
            | Self::Lost { .. }
            | Self::Protocol { .. }
            | Self::ReadOnly { .. }
            | Self::Refused { .. }
            | Self::TlsRefused { .. }
            | Self::Timeout { .. }
            | Self::Tls { .. }
            | Self::Unexpected { .. } => FailureClass::Upstream,
        }
    }
}
