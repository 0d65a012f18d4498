//! Spans, and OpenTelemetry's protocol to send them by.
//!
//! The door is [`Tracer`]: it says what is sampled, and takes what is over. Its [`Exporter`] sends that in batches;
//! spans that find no place, or that nobody takes, are dropped and counted: a trace is no evidence, the audit log is.
//! What logs and traces have in common on the wire is here as well ([`OtlpReceiver`]).
//! This folder knows nothing of SQL, sessions or HTTP servers.

mod export;
mod otlp;
mod span;
mod tracer;

pub use export::Exporter;
pub use otlp::{AnyValue, KeyValue, OtlpReceiver, OtlpSettings, PartialSuccess, Resource, Scope};
pub use span::{Span, SpanContext, SpanKind};
pub use tracer::{Tracer, TracerSettings};
