//! Why the gateway does not start.

use std::{io, net::SocketAddr};

use crate::{
    audit::{AuditError, SinkError},
    control::ControlError,
    model::{
        failure::{Classify, FailureClass},
        ids::WebhookName,
    },
    net::NetError,
    notify::NotifyError,
    store::StoreError,
    wire::mysql::auth::NoKey,
};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The audit log cannot be opened: without it nothing may run.
    #[error("the audit log cannot be used")]
    Audit {
        /// Why.
        #[from]
        source: AuditError,
    },
    /// The policy, or what the store holds, cannot be put in force.
    #[error("the gateway cannot start")]
    Control {
        /// Why.
        #[from]
        source: ControlError,
    },
    /// A sink of the audit log cannot be set up.
    #[error("the audit log's sink \"{name}\" cannot be set up")]
    Sink {
        /// Its name.
        name: String,
        /// Why.
        source: SinkError,
    },
    /// The data directory cannot be made.
    #[error("the data directory {directory} cannot be made: check the rights of the directory above it")]
    DataDirectory {
        /// Which.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// No key for MySQL's clients could be made.
    #[error("no RSA key could be made for MySQL's clients")]
    Key {
        /// Why.
        source: NoKey,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}{}", what_to_do(.source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Two metrics have one name.
    #[error("the metrics cannot be registered")]
    Metrics {
        /// Why.
        source: prometheus::Error,
    },
    /// TLS files, or signals.
    #[error(transparent)]
    Net(#[from] NetError),
    /// Nobody can be asked who is on call.
    #[error("on_call cannot be used as it is configured: {}", .source.in_words())]
    OnCall {
        /// Why.
        source: NotifyError,
    },
    /// The store cannot be opened.
    #[error("the store cannot be used")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// A webhook cannot be told of anything.
    #[error("webhook \"{webhook}\" cannot be used as it is configured: {}", .source.in_words())]
    Webhook {
        /// Which.
        webhook: WebhookName,
        /// Why.
        source: NotifyError,
    },
    /// The threads that serve clients cannot be started.
    #[error("the threads that serve clients cannot be started")]
    Workers {
        /// Why.
        source: io::Error,
    },
}

impl Classify for AppError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Audit { .. } | Self::Store { .. } => FailureClass::Storage,
            Self::Control { source } => source.class(),
            Self::Sink { .. } => FailureClass::Configuration,
            Self::DataDirectory { .. } | Self::Listen { .. } => FailureClass::Configuration,
            Self::Key { .. } | Self::Metrics { .. } | Self::Workers { .. } => FailureClass::Internal,
            Self::Net(source) => source.class(),
            Self::OnCall { source } | Self::Webhook { source, .. } => source.class(),
        }
    }
}

fn what_to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            ": something else listens there; stop it, or change \"address\" in the configuration"
        }
        io::ErrorKind::AddrNotAvailable => {
            ": this machine has no such address; change \"address\" in the configuration"
        }
        io::ErrorKind::PermissionDenied => {
            ": the gateway's user may not; take a port from 1024 on, or give it CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}
