//! What is counted of traces.

use prometheus::IntCounter;

use super::build::Build;

/// Spans by what became of them.
#[derive(Clone, Debug)]
pub struct TraceMetrics {
    /// A receiver took them.
    pub exported: IntCounter,
    /// They found no place in the queue, or no receiver took them.
    pub dropped: IntCounter,
    /// Batches that could not be sent, however often that was tried.
    pub failures: IntCounter,
}

impl TraceMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            exported: build
                .counter("tidegate_trace_spans_exported_total", "Spans that the receiver took.")?,
            dropped: build.counter(
                "tidegate_trace_spans_dropped_total",
                "Spans that found no place in the queue, or that no receiver took.",
            )?,
            failures: build.counter(
                "tidegate_trace_export_failures_total",
                "Batches of spans that could not be sent.",
            )?,
        })
    }
}
