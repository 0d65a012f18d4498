//! What comes out of a login that went well.

use std::sync::Arc;

use crate::{
    model::{principal::Principal, target::Place},
    net::Stream,
    wire::postgres::startup::CancelRequest,
};

/// What a connection turned out to be.
#[derive(Debug)]
pub enum Arrival {
    /// A request to end what another session runs. The client takes the end of the stream for "done".
    Cancel {
        /// The key shown.
        request: CancelRequest,
        /// To be dropped when the request has been dealt with.
        stream: Stream,
    },
    /// A principal.
    LoggedIn(Box<LoggedIn>),
}

/// A principal at a place; AuthenticationOk has been sent, ReadyForQuery has not.
///
/// Nothing was read from the stream beyond the messages of the login.
#[derive(Debug)]
pub struct LoggedIn {
    /// The connection.
    pub stream: Stream,
    /// Who, as of now.
    pub principal: Arc<Principal>,
    /// Target and database.
    pub place: Place,
    /// Minor version of protocol 3 to speak, 0 to 2; keys of BackendKeyData have 4 bytes below 2.
    pub minor: u16,
    /// Settings asked for, in the order in which a server would apply them. None is judged yet.
    pub settings: Vec<(String, String)>,
    /// What the client calls itself: printable ASCII, at most 63 bytes.
    pub application: String,
    /// By what it proved itself, as audited: `password`, `token:<id>` or `certificate:<subject>`.
    pub method: String,
    /// TLS version; `None` in plain text.
    pub tls: Option<&'static str>,
}
