//! Bytes to protocol events and back, without I/O.
//!
//! Every reader takes bytes that may end anywhere and every length is bounded. Must never know what a statement
//! means or who sends it.

mod error;
pub mod mysql;
pub mod postgres;

pub use error::{ScramProblem, WireError};
