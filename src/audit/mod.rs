//! The audit log: append, chain, verify.
//!
//! An append-only file of JSON lines, each carrying the hash of the one before. The door is [`AuditLog`]:
//! [`AuditLog::append`] takes records and gives one [`Receipt`] each, and a statement goes nowhere without one.
//! [`verify`] reads a log and says whether it is whole. The format is written in `docs/audit.md`, and an
//! auditor can check it without this program.
//! Never knows what a statement means, who may run it, or where it goes.

mod batch;
mod bodies;
mod chain;
mod error;
mod export;
mod follow;
mod keeper;
mod log;
mod medium;
mod queue;
mod receipt;
mod render;
mod segments;
mod tail;
mod trail;
mod verify;
mod writer;

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;

pub use error::AuditError;
pub use export::Export;
pub use follow::{Chunk, Cursor, FollowError, FollowedLine, Follower};
pub use log::{AuditLog, AuditSettings};
pub use receipt::Receipt;
pub use segments::{Segment, beside, segments};
pub use trail::{
    Decided, Direction, Filter, FoundRecord, Hour, Live, LivePart, Page, Progress, SearchQuery, Stats,
    StatsQuery, StoredRecord, Story, Touch, Trail,
};
pub use verify::{Problem, ProblemKind, Report, Unended, verify};
