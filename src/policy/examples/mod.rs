//! Tests of the policy, written beside it: given somebody somewhere, a statement or a request, what is
//! expected.
//!
//! The door is [`run`]. Statements become facts through a closure, because policy knows no SQL.

mod format;
mod requests;
mod run;

pub use run::{ExampleFailure, ExampleReport, run};
