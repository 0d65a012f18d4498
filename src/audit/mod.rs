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
mod checkpoint;
mod error;
mod export;
mod follow;
mod keeper;
mod log;
mod medium;
mod queue;
mod receipt;
mod render;
mod rotation;
mod segments;
mod signing;
mod sink;
mod tail;
mod text_key;
mod texts;
mod trail;
mod verify;
mod writer;

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod rotation_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;

pub use checkpoint::{Checkpoint, CheckpointKey, checkpoints_of, read_checkpoints};
pub use error::AuditError;
pub use export::{Export, Piece, Taking};
pub use follow::{Chunk, Cursor, FollowError, FollowedLine, Follower};
pub use log::{AuditLog, AuditSettings, LastRecord};
pub use receipt::{Receipt, Receipts};
pub use rotation::Rotation;
pub use segments::{Segment, beside, segments};
pub use signing::Checkpoints;
pub use sink::{
    Kafka, KafkaAccount, KafkaMechanism, KafkaSettings, Otlp, S3, S3Settings, Sink, SinkError, SinkParts,
    Syslog, SyslogSettings, cursor_of,
};
pub use text_key::TextKey;
pub use texts::{Keep, Texts};
pub use trail::{
    Decided, Filter, FoundRecord, Hour, Live, LivePart, Page, Progress, SearchQuery, Stats, StatsQuery,
    StoredRecord, Story, Touch, Trail,
};
pub use verify::{Problem, ProblemKind, Report, Unended, verify, verify_log};
