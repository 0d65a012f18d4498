//! Sends spans in batches.
//!
//! Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP", "Retryable Response Codes".

use std::{future::Future, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

use super::{
    otlp::{KeyValue, OtlpReceiver, Resource, Scope},
    span::Span,
};
use crate::{
    metrics::TraceMetrics,
    model::trace::{SpanId, TraceId},
    net::{Clock, NetError},
};

/// Sends what a [`super::Tracer`] takes.
#[derive(Debug)]
pub struct Exporter {
    receiver: OtlpReceiver,
    queue: mpsc::Receiver<Vec<Span>>,
    /// What is about to be sent.
    batch: Vec<Vec<Span>>,
    clock: Clock,
    metrics: TraceMetrics,
    /// Whether the last batch could not be sent: said once, not for each.
    failing: bool,
}

impl Exporter {
    pub(super) fn new(
        receiver: OtlpReceiver,
        queue: mpsc::Receiver<Vec<Span>>,
        clock: Clock,
        metrics: TraceMetrics,
    ) -> Self {
        Self { receiver, queue, batch: Vec::new(), clock, metrics, failing: false }
    }

    /// Sends until `stop` is done; then what is there, once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.send_all() => return,
        }
        while let Ok(spans) = self.queue.try_recv() {
            self.batch.push(spans);
        }
        if !self.batch.is_empty() {
            let sent = self.send().await;
            self.settle(sent);
        }
    }

    /// Ends when the last tracer is gone.
    async fn send_all(&mut self) {
        while self.collect().await {
            let mut pause = FIRST_PAUSE;
            let sent = loop {
                match self.send().await {
                    Err(error) if is_passing(&error) && pause <= LAST_PAUSE => sleep(pause).await,
                    sent => break sent,
                }
                pause *= 2;
            };
            self.settle(sent);
        }
    }

    /// Waits for a batch: for the first of it as long as it takes, for the rest a moment. False at the end.
    async fn collect(&mut self) -> bool {
        if self.queue.recv_many(&mut self.batch, BATCH).await == 0 {
            return false;
        }
        let until = Instant::now() + PACE;
        while self.batch.len() < BATCH {
            let room = BATCH - self.batch.len();
            match timeout_at(until, self.queue.recv_many(&mut self.batch, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        true
    }

    async fn send(&self) -> Result<u64, NetError> {
        let (now, instant) = (self.clock.now(), std::time::Instant::now());
        let at = |then: std::time::Instant| nanoseconds(now, instant.saturating_duration_since(then));
        let spans = self.batch.iter().flatten().map(|span| written(span, at)).collect();
        let scope_spans = vec![ScopeSpans { scope: Scope { name: "tidegate" }, spans }];
        let resource = self.receiver.resource();
        let export = Export { resource_spans: vec![ResourceSpans { resource, scope_spans }] };
        let partial = self.receiver.send(&export).await?;
        Ok(partial.map_or(0, |partial| partial.count()))
    }

    /// Counts what became of a batch: so many were not taken, or none were.
    fn settle(&mut self, sent: Result<u64, NetError>) {
        let count: usize = self.batch.iter().map(Vec::len).sum();
        let count = count as u64;
        self.batch.clear();
        match sent {
            Ok(rejected) => {
                self.failing = false;
                self.metrics.dropped.inc_by(rejected.min(count));
                self.metrics.exported.inc_by(count.saturating_sub(rejected));
            }
            Err(error) => {
                self.metrics.dropped.inc_by(count);
                self.metrics.failures.inc();
                if !self.failing {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "spans could not be sent, and are dropped until they can");
                }
                self.failing = true;
            }
        }
    }
}

/// Whether it may work in a moment.
fn is_passing(error: &NetError) -> bool {
    matches!(error, NetError::Request { .. } | NetError::Refused { status: 429 | 502 | 503 | 504, .. })
}

fn nanoseconds(now: Timestamp, ago: Duration) -> String {
    let ago = i128::try_from(ago.as_nanos()).unwrap_or(i128::MAX);
    now.as_nanosecond().saturating_sub(ago).max(0).to_string()
}

fn written(span: &Span, at: impl Fn(std::time::Instant) -> String) -> WrittenSpan<'_> {
    WrittenSpan {
        trace_id: span.context.trace,
        span_id: span.context.span,
        parent_span_id: span.context.parent,
        name: &span.name,
        kind: span.kind as u8,
        start_time_unix_nano: at(span.began),
        end_time_unix_nano: at(span.ended),
        attributes: &span.attributes,
        status: span.failed.then_some(Status { code: STATUS_ERROR }),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'s> {
    resource_spans: Vec<ResourceSpans<'s>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'s> {
    resource: Resource,
    scope_spans: Vec<ScopeSpans<'s>>,
}

#[derive(Serialize)]
struct ScopeSpans<'s> {
    scope: Scope,
    spans: Vec<WrittenSpan<'s>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSpan<'s> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    name: &'s str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: &'s [KeyValue],
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

const STATUS_ERROR: u8 = 2;
/// Statements and requests that are sent at once.
const BATCH: usize = 512;
/// How long the first of a batch waits for the others.
const PACE: Duration = Duration::from_secs(1);
/// What could not be sent is tried again after these times, each twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(4);
