//! The past under another policy: what was decided on statements and requests, and what a draft would have decided.
//!
//! The door is [`Replay`]: it is fed the lines of audit logs, oldest first, keeps what they tell of people, grants and
//! requests, and asks [`decide`](super::decide) and [`submit`](super::submit) as the gateway did. Statements become
//! facts through a closure, because policy knows no SQL; the names in them are taken as the log tells them.

mod judge;
mod line;
mod report;

pub use judge::{BadLine, Replay};
pub use report::{ReplayReport, RequestChange, StatementChange, Tally};
