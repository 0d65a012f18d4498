//! From an accepted connection to a principal at a place, or to a closed connection.
//!
//! The doors are those of the protocols' folders. They have a proof given (a client certificate or a password), have
//! the outcome audited, and only then let the client in. Whoever cannot be let in learns nothing of who exists and
//! what they hold: one text, one delay, the same work. What is the same for every protocol is here: `attempt` (held
//! up, counted, audited), `claim` (names and what proves them), `place` (target and database).

mod attempt;
mod claim;
mod close;
mod door;
mod error;
mod line;
pub mod mysql;
mod place;
pub mod postgres;

pub use door::{Authentication, Door, Listing};
pub use error::{Denial, LoginError};
