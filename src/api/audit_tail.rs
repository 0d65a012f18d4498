//! `/api/v1/audit/tail`: records as they are written.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{Sse, sse::Event as Message},
};
use futures_util::{Stream, stream};

use super::{
    audit::trail,
    audit_bodies::{AuditMessage, TailQuery},
    auth::Auditor,
    body::QueryOf,
    problem::Problem,
    reader::{Reader, heartbeat, last_seen},
    router::Api,
};
use crate::{
    audit::{Live, StoredRecord},
    control::{Caller, Scope},
    net::Stopping,
};

/// Records of this gateway's audit log as they are written, as server-sent events.
///
/// Each has its number as `id`, `record` as `event`, and JSON as `data`. Behind `Last-Event-ID`, or `after`, comes what
/// was missed, as far as it is kept; `missed` says that some is not.
#[utoipa::path(
    get,
    path = "/audit/tail",
    operation_id = "tail_audit",
    tag = "audit",
    params(TailQuery, ("last-event-id" = Option<u64>, Header, description = "The last record that was seen.")),
    responses((status = 200, description = "The stream.", body = AuditMessage, content_type = "text/event-stream")),
    security(("service_key" = ["audit:read", "admin"]))
)]
pub(super) async fn tail(
    State(api): State<Api>,
    Auditor(caller): Auditor,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<TailQuery>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let after = last_seen(&headers, query.after)?;
    let reader = Reader::new(&api, caller, stopping)?;
    let follow = query.follow.unwrap_or(true);
    let live = trail(&api)?.live(after, query.filter()).await?;
    let reading = Reading { reader, live, follow, ready: VecDeque::new() };
    let messages = stream::unfold(reading, |mut reading| async move {
        let message = reading.next().await?;
        Some((Ok(message), reading))
    });
    Ok(Sse::new(messages).keep_alive(heartbeat()))
}

/// One caller who looks on.
struct Reading {
    reader: Reader,
    live: Live,
    follow: bool,
    ready: VecDeque<Message>,
}

impl Reading {
    /// The next message; `None` when there is none to come.
    async fn next(&mut self) -> Option<Message> {
        loop {
            // Whoever lost their key, or the right to read, sees nothing more.
            let may = |caller: Caller| caller.may(&[Scope::AuditRead]);
            if self.reader.is_stopping() || !self.reader.now().is_some_and(may) {
                return None;
            }
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let patience = if self.follow { LOOK_EVERY } else { Duration::ZERO };
            // closed: a log that cannot be read ends the stream, and its reader comes back with the last number
            let part = self.live.next(patience).await.ok()?;
            if part.missed {
                self.ready.push_back(Message::default().event("missed").data("{}"));
            }
            let was_empty = part.is_end;
            self.ready.extend(part.records.iter().filter_map(message));
            if !self.follow && was_empty && self.ready.is_empty() {
                return None;
            }
        }
    }
}

fn message(record: &StoredRecord) -> Option<Message> {
    // What was read from JSON has a form as JSON.
    let text = serde_json::to_string(record).ok()?;
    Some(Message::default().id(record.seq.to_string()).event("record").data(text))
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
