//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side. Nonces come in from outside.
//!
//! Source: RFC 5802, RFC 7677; PostgreSQL manual, "SASL Authentication".

mod exchange;
mod keys;

pub use exchange::{Accepted, ClientFirst, Mechanism, ServerFirst};
pub use keys::{DEFAULT_ITERATIONS, SALT_BYTES, matching_password, mock_salt, scram_keys};
