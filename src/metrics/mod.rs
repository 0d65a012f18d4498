//! Every metric and its name.
//!
//! The door is [`Metrics`]: one of it a process. Handles are resolved once (a session asks for its
//! [`TargetMetrics`] when it begins), so that nothing on the path of a statement looks a label up.
//! What each metric means is written in `docs/metrics.md`; a test holds the two lists equal.
//! Never knows who reads it, and never carries a name that a client chose.

mod audit;
mod build;
mod gateway;
mod notify;
mod pins;
mod process;
mod registry;
mod target;
mod traces;

pub use audit::AuditMetrics;
pub use gateway::{FactsMetrics, LoginMetrics, PolicyMetrics};
pub use notify::{SlackMetrics, WebhookMetrics};
pub use pins::{PinMetrics, PinReason, Pinned};
pub use registry::Metrics;
pub use target::{PoolMetrics, ReturnMetrics, StatementCounts, TargetMetrics, UpstreamErrors};
pub use traces::TraceMetrics;
