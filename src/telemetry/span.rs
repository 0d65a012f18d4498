//! A span: something that took time, and what it was part of.

use std::{borrow::Cow, time::Instant};

use super::otlp::KeyValue;
use crate::model::trace::{SpanId, TraceId, TraceParent};

/// Which span, of which trace, below which other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// What it was caused by; `None` begins the trace.
    pub parent: Option<SpanId>,
}

impl SpanContext {
    /// The `number`-th span below it.
    #[must_use]
    pub fn child(self, number: u64) -> Self {
        Self { span: self.span.next(number), parent: Some(self.span), ..self }
    }

    /// The `number`-th span beside it, with the same parent.
    #[must_use]
    pub fn sibling(self, number: u64) -> Self {
        // Room for the children of each.
        Self { span: self.span.next(number.wrapping_mul(CHILDREN)), ..self }
    }

    pub(super) fn below(parent: TraceParent, span: SpanId) -> Self {
        Self { trace: parent.trace, span, parent: Some(parent.span) }
    }
}

/// More than a span has children.
const CHILDREN: u64 = 16;

/// Its part in the traffic between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Within the process.
    Internal = 1,
    /// Somebody's request is answered.
    Server = 2,
    /// Somebody else is asked.
    Client = 3,
}

/// Something that took time, and is over.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which.
    pub context: SpanContext,
    /// What it is called, in few different words.
    pub name: Cow<'static, str>,
    /// Its part in the traffic.
    pub kind: SpanKind,
    /// When it began.
    pub began: Instant,
    /// When it was over.
    pub ended: Instant,
    /// What is known of it.
    pub attributes: Vec<KeyValue>,
    /// Whether it failed.
    pub failed: bool,
}
