//! `/api/v1/events`: what happens, as it happens.
//!
//! Source: the HTML standard, "Server-sent events".

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Sse, sse::Event as Message},
};
use futures_util::{Stream, stream};
use tokio::{sync::watch, time::timeout};

use super::{
    auth::EventReader,
    bodies::{EventBody, EventMessage, EventQuery},
    body::QueryOf,
    problem::Problem,
    reader::{Reader, heartbeat, last_seen},
    router::Api,
};
use crate::{control::Control, model::event::ToldEvent, net::Stopping};

/// What happens, as server-sent events; people hear of what they have to do with, scope `read` of everything.
///
/// Each has its number as `id`, its word as `event`, and JSON as `data`. Behind `Last-Event-ID`, or `after`, comes what
/// was missed, from a journal of seven days; `journal_gap` says that some of it is gone. Without either, it begins now.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "events",
    tag = "events",
    params(EventQuery, ("last-event-id" = Option<i64>, Header, minimum = 0, description = "The last event that was seen.")),
    responses((status = 200, description = "The stream.", body = EventMessage, content_type = "text/event-stream")),
    security(("service_key" = ["read", "person", "admin"]))
)]
pub(super) async fn events(
    State(api): State<Api>,
    EventReader(caller): EventReader,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<EventQuery>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let last = last_seen(&headers, query.after)?.map(not_negative).transpose()?;
    let reader = Reader::new(&api, caller, stopping)?;
    let stirred = api.control.stirred();
    let bounds = api.control.event_bounds().await?;
    let newest = bounds.map_or(0, |(_, newest)| newest);
    let mut ready = VecDeque::new();
    let seen = match last {
        None => newest,
        Some(last) => {
            if bounds.is_some_and(|(oldest, _)| last.saturating_add(1) < oldest) && last > 0 {
                ready.push_back(Message::default().event("journal_gap").data("{\"event\":\"journal_gap\"}"));
            }
            last
        }
    };
    let reading = Reading {
        control: api.control.clone(),
        reader,
        stirred,
        seen,
        ready,
        until: (!query.follow).then_some(newest),
    };
    let messages = stream::unfold(reading, |mut reading| async move {
        let message = reading.next().await?;
        Some((Ok(message), reading))
    });
    Ok(Sse::new(messages).keep_alive(heartbeat()))
}

fn not_negative(number: i64) -> Result<i64, Problem> {
    let detail = "last-event-id and after are numbers of events, from 0 on";
    let negative = || Problem::new(StatusCode::BAD_REQUEST, "malformed", detail);
    if number >= 0 { Ok(number) } else { Err(negative()) }
}

/// One caller who reads along.
struct Reading {
    control: Control,
    reader: Reader,
    stirred: watch::Receiver<()>,
    seen: i64,
    ready: VecDeque<Message>,
    /// Up to which event it goes; `None` goes on.
    until: Option<i64>,
}

impl Reading {
    /// The next message; `None` when there is none to come.
    async fn next(&mut self) -> Option<Message> {
        loop {
            // Whoever lost their key or their place in the house hears nothing more, and who lost scopes hears less.
            let now = self.reader.now()?;
            if self.reader.is_stopping() || now.scopes() != self.reader.caller().scopes() {
                return None;
            }
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.until.is_some_and(|until| self.seen >= until) {
                return None;
            }
            self.stirred.mark_unchanged();
            // closed: a store that does not answer ends the stream, and its reader comes back with the last number
            let page = self.control.events_after(self.reader.caller(), self.seen).await.ok()?;
            let moved = page.seen > self.seen;
            self.seen = page.seen;
            self.ready.extend(page.events.iter().filter_map(message));
            if self.ready.is_empty() && !moved {
                self.wait().await;
            }
        }
    }

    /// Until something happened here, or may have happened on another gateway of the same store.
    async fn wait(&mut self) {
        let Self { stirred, reader, .. } = self;
        tokio::select! {
            _ = timeout(LOOK_EVERY, stirred.changed()) => {}
            () = reader.stopped() => {}
        }
    }
}

fn message(told: &ToldEvent) -> Option<Message> {
    let body = EventBody { seq: told.seq, at: told.at, event: told.event.clone() };
    // What was read from JSON has a form as JSON.
    let text = serde_json::to_string(&body).ok()?;
    Some(Message::default().id(told.seq.to_string()).event(told.event.kind()).data(text))
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
