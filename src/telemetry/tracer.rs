//! What is sampled, and what becomes of it.

use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    export::Exporter,
    otlp::{OtlpReceiver, OtlpSettings},
    span::{Span, SpanContext},
};
use crate::{
    metrics::TraceMetrics,
    model::trace::{SpanId, TraceId, TraceParent},
    net::{Clock, NetError},
};

/// How traces are made.
#[derive(Clone, Debug)]
pub struct TracerSettings {
    /// Where they go.
    pub otlp: OtlpSettings,
    /// Of traces that begin here, one in so many is kept; at least 1.
    pub one_in: u64,
}

/// Says what is sampled and takes what is over; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: mpsc::Sender<Vec<Span>>,
    /// What begins here is kept if the random part of its number is below.
    below: u64,
    metrics: TraceMetrics,
}

impl Tracer {
    /// It, and what sends its spans.
    ///
    /// # Errors
    /// `Unreadable`, `Request`.
    pub fn new(
        settings: TracerSettings,
        clock: Clock,
        metrics: TraceMetrics,
    ) -> Result<(Self, Exporter), NetError> {
        let receiver = OtlpReceiver::new(settings.otlp)?;
        let (queue, taken) = mpsc::channel(QUEUE);
        let below = (1 << RANDOM_BITS) / settings.one_in.max(1);
        let tracer = Self(Arc::new(Inner { queue, below, metrics: metrics.clone() }));
        Ok((tracer, Exporter::new(receiver, taken, clock, metrics)))
    }

    /// Begins a span; `None` if it is not kept. What has a parent is kept where that is, everything else at the ratio.
    pub fn begin(&self, parent: Option<TraceParent>) -> Option<SpanContext> {
        if let Some(parent) = parent {
            return if parent.sampled { Some(SpanContext::below(parent, random_span()?)) } else { None };
        }
        let trace = TraceId::new(*Uuid::new_v4().as_bytes())?;
        if trace.tail() % (1 << RANDOM_BITS) >= self.0.below {
            return None;
        }
        Some(SpanContext { trace, span: random_span()?, parent: None })
    }

    /// Takes spans that are over, together or not at all; what finds no place is dropped and counted.
    pub fn send(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if self.0.queue.try_send(spans).is_err() {
            self.0.metrics.dropped.inc_by(count);
        }
    }
}

fn random_span() -> Option<SpanId> {
    let [.., a, b, c, d, e, f, g, h] = *Uuid::new_v4().as_bytes();
    SpanId::new([a, b, c, d, e, f, g, h])
}

/// Statements and requests that wait to be sent.
const QUEUE: usize = 2048;
/// The last seven bytes of a random UUID are random.
const RANDOM_BITS: u32 = 56;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Metrics, telemetry::SpanKind};

    fn tracer(one_in: u64) -> (Tracer, Exporter) {
        let otlp = OtlpSettings {
            url: "http://127.0.0.1:1/v1/traces".to_owned(),
            ca: None,
            token: None,
            gateway: "one".to_owned(),
        };
        let metrics = Metrics::new("1").unwrap().traces.clone();
        Tracer::new(TracerSettings { otlp, one_in }, Clock::System, metrics).unwrap()
    }

    #[test]
    fn what_has_a_parent_is_kept_where_that_is_whatever_the_ratio() {
        let (rare, _exporter) = tracer(u64::MAX);
        let (every, _exporter) = tracer(1);
        let parent = |flags: &str| {
            TraceParent::parse(&format!("00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-{flags}"))
        };
        let kept = rare.begin(parent("01")).unwrap();
        assert_eq!(kept.trace, parent("01").unwrap().trace);
        assert_eq!(kept.parent, Some(parent("01").unwrap().span));
        assert_ne!(Some(kept.span), kept.parent);
        assert_eq!(every.begin(parent("00")), None);
    }

    #[test]
    fn of_traces_that_begin_here_one_in_so_many_is_kept() {
        let (every, _exporter) = tracer(1);
        assert!((0..100).all(|_| every.begin(None).is_some_and(|context| context.parent.is_none())));
        let (tenth, _exporter) = tracer(10);
        let kept = (0..10_000).filter(|_| tenth.begin(None).is_some()).count();
        // Ten standard deviations on either side.
        assert!((700..1300).contains(&kept), "{kept}");
    }

    #[test]
    fn spans_that_find_no_place_are_counted() {
        let (tracer, _exporter) = tracer(1);
        for _ in 0..QUEUE + 3 {
            tracer.send(Vec::new());
        }
        assert_eq!(tracer.0.metrics.dropped.get(), 0);
        let context = tracer.begin(None).unwrap();
        let now = std::time::Instant::now();
        let span = Span {
            context,
            name: "SELECT".into(),
            kind: SpanKind::Server,
            began: now,
            ended: now,
            attributes: Vec::new(),
            failed: false,
        };
        tracer.send(vec![span.clone(), span]);
        assert_eq!(tracer.0.metrics.dropped.get(), 2);
    }
}
