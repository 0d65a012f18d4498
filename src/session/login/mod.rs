//! From an accepted connection to a principal at a place, or to a closed connection.
//!
//! The door: [`login`]. It speaks TLS and startup, asks for a proof (client certificate, SCRAM, or a password in
//! clear over TLS), has the outcome audited, and only then says AuthenticationOk. ParameterStatus, BackendKeyData and
//! ReadyForQuery are left to the session. Whoever cannot be let in learns nothing of who exists and what they hold:
//! one text, one delay, the same work.

mod arrival;
mod close;
mod door;
mod error;
mod opening;
mod place;
mod proof;
mod visit;

pub use arrival::{Arrival, LoggedIn};
pub use door::{Authentication, Door, Listing};
pub use error::{Denial, LoginError};
pub use visit::login;
