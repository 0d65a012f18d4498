//! Logging in to PostgreSQL's protocol.
//!
//! The door is [`login`]: TLS and startup, then a proof (client certificate, SCRAM, or a password in clear over TLS).
//! ParameterStatus, BackendKeyData and ReadyForQuery are left to the session.

mod arrival;
mod opening;
mod proof;
mod visit;

pub use arrival::{Arrival, LoggedIn};
pub use visit::login;
