//! What is measured of a statement whose trace is kept: one span for it, and one below for each step.
//!
//! Where no traces are made a session has no stopwatch, and each of these calls is one comparison.
//! Source: OpenTelemetry semantic conventions, "Database spans".

use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Instant};

use super::{desk::Desk, running::Ended};
use crate::{
    model::{
        dialect::Dialect,
        facts::Facts,
        ids::StatementId,
        object::Object,
        record::Outcome,
        target::Lane,
        trace::{TraceId, TraceParent},
    },
    telemetry::{KeyValue, Span, SpanContext, SpanKind, Tracer},
};

/// Measures the statement that is being judged.
#[derive(Debug)]
pub(super) struct Stopwatch {
    tracer: Tracer,
    now: Watched,
}

#[derive(Debug)]
enum Watched {
    /// No statement.
    Nothing,
    /// One that is not kept; of the client's trace, if it has one.
    Unsampled(Option<TraceId>),
    Sampled(Box<Course>),
}

/// How far a statement has come.
#[derive(Clone, Debug)]
pub(super) struct Course {
    context: SpanContext,
    dialect: Dialect,
    began: Instant,
    /// The end of the last step.
    mark: Instant,
    steps: Vec<(Step, Instant, Instant)>,
}

/// What is done for a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is written down.
    Audit,
    /// A connection is waited for and made ready.
    Connection,
    /// It is analysed and decided.
    Judge,
    /// The database has it.
    Upstream,
}

/// What is kept of a statement, up to its end.
#[derive(Clone, Debug)]
pub(super) struct Traced {
    course: Course,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
}

impl Stopwatch {
    pub(super) const fn new(tracer: Tracer) -> Self {
        Self { tracer, now: Watched::Nothing }
    }

    /// A step of the watched statement is over.
    pub(super) fn note(&mut self, step: Step) {
        if let Watched::Sampled(course) = &mut self.now {
            course.note(step, Instant::now());
        }
    }
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Connection => "connection",
            Self::Judge => "judge",
            Self::Upstream => "upstream",
        }
    }
}

impl Course {
    fn note(&mut self, step: Step, now: Instant) {
        let has_room = self.steps.len() < STEPS;
        match self.steps.last_mut() {
            Some((last, _, end)) if *last == step => *end = now,
            Some(_) | None if has_room => self.steps.push((step, self.mark, now)),
            // Judged again and again while grants change: what is over the bound is part of the whole alone.
            Some(_) | None => {}
        }
        self.mark = now;
    }

    /// The span of the statement, and those of its steps.
    fn spans(self, name: Cow<'static, str>, attributes: Vec<KeyValue>, failed: bool) -> Vec<Span> {
        let steps = self.steps.iter().zip(1..).map(|((step, began, ended), number)| Span {
            context: self.context.child(number),
            name: step.as_str().into(),
            kind: if *step == Step::Upstream { SpanKind::Client } else { SpanKind::Internal },
            began: *began,
            ended: *ended,
            attributes: if *step == Step::Upstream { upstream(&attributes) } else { Vec::new() },
            failed: failed && *step == Step::Upstream,
        });
        let steps: Vec<Span> = steps.collect();
        let context = self.context;
        let (began, ended) = (self.began, self.mark);
        let whole = Span { context, name, kind: SpanKind::Server, began, ended, attributes, failed };
        std::iter::once(whole).chain(steps).collect()
    }
}

/// What the database's part has of the statement's attributes.
fn upstream(attributes: &[KeyValue]) -> Vec<KeyValue> {
    attributes.iter().filter(|it| it.key().starts_with("db.")).cloned().collect()
}

impl Stopwatch {
    /// Sends the spans of a statement that is over and on record.
    pub(super) fn keep(&self, ended: Ended) {
        let Some((traced, over)) = ended.traced else { return };
        let Traced { mut course, name, mut attributes } = Arc::unwrap_or_clone(traced);
        course.note(Step::Upstream, over);
        course.note(Step::Audit, Instant::now());
        attributes.extend(ended.rows.map(|rows| KeyValue::int("tidegate.rows", rows)));
        let failed = ended.outcome != Outcome::Completed;
        self.tracer.send(course.spans(name, with_status(attributes, ended.sqlstate.as_deref()), failed));
    }

    /// Sends the spans of a statement that was not let through.
    pub(super) fn keep_refused(&self, traced: Traced, sqlstate: &str) {
        let Traced { course, name, attributes } = traced;
        self.tracer.send(course.spans(name, with_status(attributes, Some(sqlstate)), true));
    }
}

impl Desk {
    /// A statement came: it is measured from now on.
    pub(super) fn watch_anew(&mut self, text: &str, dialect: Dialect) {
        self.unwatch();
        self.watch(text, dialect);
    }

    /// A statement came, or what will be one: it is measured from now on, unless it is already.
    pub(super) fn watch(&mut self, text: &str, dialect: Dialect) {
        let Some(watch) = &mut self.stopwatch else { return };
        if !matches!(watch.now, Watched::Nothing) {
            return;
        }
        let parent = TraceParent::of_sql(text);
        let now = Instant::now();
        let course = |context| Course { context, dialect, began: now, mark: now, steps: Vec::new() };
        watch.now = match watch.tracer.begin(parent) {
            Some(context) => Watched::Sampled(Box::new(course(context))),
            None => Watched::Unsampled(parent.map(|parent| parent.trace)),
        };
    }

    /// What was watched did not become a statement.
    pub(super) fn unwatch(&mut self) {
        if let Some(watch) = &mut self.stopwatch {
            watch.now = Watched::Nothing;
        }
    }

    /// A step of the watched statement is over.
    pub(super) fn note_step(&mut self, step: Step) {
        if let Some(watch) = &mut self.stopwatch {
            watch.note(step);
        }
    }

    /// The trace of the watched statement.
    pub(super) fn trace_id(&self) -> Option<TraceId> {
        match &self.stopwatch.as_ref()?.now {
            Watched::Nothing => None,
            Watched::Unsampled(trace) => *trace,
            Watched::Sampled(course) => Some(course.context.trace),
        }
    }

    /// The watched statements are on record: nothing is watched from here on. Gives how far they have come, if their
    /// trace is kept.
    pub(super) fn take_course(&mut self) -> Option<Box<Course>> {
        self.note_step(Step::Audit);
        match std::mem::replace(&mut self.stopwatch.as_mut()?.now, Watched::Nothing) {
            Watched::Sampled(course) => Some(course),
            Watched::Nothing | Watched::Unsampled(_) => None,
        }
    }

    /// What is kept of the `number`-th statement of a course; `lane` is where it runs, if it does.
    pub(super) fn traced(
        &self,
        course: &Course,
        number: usize,
        id: StatementId,
        does: &[Arc<Facts>],
        lane: Option<Lane>,
    ) -> Traced {
        let course = Course { context: course.context.sibling(number as u64), ..course.clone() };
        let (name, attributes) = self.attributes(&course, id, does, lane);
        Traced { course, name, attributes }
    }

    fn attributes(
        &self,
        course: &Course,
        id: StatementId,
        does: &[Arc<Facts>],
        lane: Option<Lane>,
    ) -> (Cow<'static, str>, Vec<KeyValue>) {
        let system = match course.dialect {
            Dialect::Mysql => "mysql",
            Dialect::Postgres => "postgresql",
        };
        let mut attributes = vec![
            KeyValue::text("db.system.name", system),
            KeyValue::text("db.namespace", self.place.database.to_string()),
            KeyValue::text("session.id", self.who.session.to_string()),
            KeyValue::text("user.name", self.who.principal.name.to_string()),
            KeyValue::text("client.address", self.who.client.ip().to_string()),
            KeyValue::text("tidegate.target", self.place.target.to_string()),
            KeyValue::text("tidegate.statement.id", id.to_string()),
            KeyValue::text("tidegate.decision", if lane.is_some() { "allow" } else { "deny" }),
        ];
        attributes.extend(lane.map(|lane| KeyValue::text("tidegate.lane", lane.to_string())));
        let Some(facts) = does.first() else { return (system.into(), attributes) };
        let summary = summary(facts);
        attributes.push(KeyValue::text("db.operation.name", facts.command));
        attributes.push(KeyValue::text("db.query.summary", summary.clone()));
        (summary.into(), attributes)
    }
}

fn with_status(mut attributes: Vec<KeyValue>, sqlstate: Option<&str>) -> Vec<KeyValue> {
    if let Some(sqlstate) = sqlstate {
        attributes.push(KeyValue::text("db.response.status_code", sqlstate.to_owned()));
        attributes.push(KeyValue::text("error.type", sqlstate.to_owned()));
    }
    attributes
}

/// The command and the relations that it touches: never a value of the text.
fn summary(facts: &Facts) -> String {
    let mut summary = facts.command.to_owned();
    let mut before = None;
    for access in &facts.accesses {
        let (schema, name) = match &access.object {
            Object::Relation { schema, name } => (Some(schema), name),
            Object::Unresolved { name } => (None, name),
            Object::Database
            | Object::Schema { .. }
            | Object::Routine { .. }
            | Object::OtherDatabase { .. }
            | Object::Server { .. } => continue,
        };
        if before.replace(&access.object) == Some(&access.object) {
            continue;
        }
        let dotted = schema.map(|schema| format!("{schema}.")).unwrap_or_default();
        if summary.len() + dotted.len() + name.len() >= SUMMARY_BYTES {
            break;
        }
        // Writing to a text cannot fail.
        let _written = write!(summary, " {dotted}{name}");
    }
    summary
}

/// Of one statement; judged, led to a connection, judged again, written down, run, written down.
const STEPS: usize = 8;
/// As the conventions bound it.
const SUMMARY_BYTES: usize = 255;
