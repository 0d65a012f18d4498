//! `/api/v1/events`: what happens, as it happens.
//!
//! Source: the HTML standard, "Server-sent events".

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{
        Sse,
        sse::{Event as Message, KeepAlive},
    },
};
use futures_util::{Stream, stream};
use tokio::{sync::watch, time::timeout};

use super::{
    auth::EventReader,
    bodies::{EventBody, EventMessage, EventQuery},
    body::QueryOf,
    problem::Problem,
    router::Api,
};
use crate::{
    control::{Caller, Control},
    model::{event::ToldEvent, ids::KeyId},
    net::Stopping,
};

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
    let last = match headers.get("last-event-id") {
        Some(value) => Some(number(value.to_str().unwrap_or_default())?),
        None => query.after,
    };
    let last = last.map(not_negative).transpose()?;
    let place = Places::take(&api.places, caller.key)?;
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
        caller,
        stirred,
        stopping: stopping.map(|Extension(stopping)| stopping),
        seen,
        ready,
        until: (!query.follow).then_some(newest),
        _place: place,
    };
    let messages = stream::unfold(reading, |mut reading| async move {
        let message = reading.next().await?;
        Some((Ok(message), reading))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| no_number())
}

fn not_negative(number: i64) -> Result<i64, Problem> {
    if number >= 0 { Ok(number) } else { Err(no_number()) }
}

fn no_number() -> Problem {
    let detail = "last-event-id and after are numbers of events, from 0 on";
    Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
}

/// One caller who reads along.
struct Reading {
    control: Control,
    caller: Caller,
    stirred: watch::Receiver<()>,
    stopping: Option<Stopping>,
    seen: i64,
    ready: VecDeque<Message>,
    /// Up to which event it goes; `None` goes on.
    until: Option<i64>,
    _place: Place,
}

impl Reading {
    /// The next message; `None` when there is none to come.
    async fn next(&mut self) -> Option<Message> {
        loop {
            // Whoever lost their key or their place in the house hears nothing more, and who lost scopes hears less.
            let now = self.control.again(&self.caller)?;
            if self.stopping.as_ref().is_some_and(Stopping::is_said) || now.scopes() != self.caller.scopes() {
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
            let page = self.control.events_after(&self.caller, self.seen).await.ok()?;
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
        let Self { stirred, stopping, .. } = self;
        let stopped = async {
            match stopping {
                Some(Stopping(stopping)) => drop(stopping.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = timeout(LOOK_EVERY, stirred.changed()) => {}
            () = stopped => {}
        }
    }
}

fn message(told: &ToldEvent) -> Option<Message> {
    let body = EventBody { seq: told.seq, at: told.at, event: told.event.clone() };
    // What was read from JSON has a form as JSON.
    let text = serde_json::to_string(&body).ok()?;
    Some(Message::default().id(told.seq.to_string()).event(told.event.kind()).data(text))
}

/// How many read along, in all and by key.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<KeyId, usize>>);

/// A place among those who read along, given back when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    key: KeyId,
}

impl Places {
    pub(super) fn take(places: &Arc<Self>, key: KeyId) -> Result<Place, Problem> {
        let mut taken = places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.entry(key).or_default();
        if all >= MOST_READERS || *own >= MOST_READERS_OF_A_KEY {
            let detail = "too many read the events already: close one of them";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail));
        }
        *own += 1;
        drop(taken);
        Ok(Place { places: Arc::clone(places), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.key) {
            *own = own.saturating_sub(1);
        }
        taken.retain(|_, own| *own > 0);
    }
}

/// Far below the API's connections, so that others still get in.
const MOST_READERS: usize = 100;
const MOST_READERS_OF_A_KEY: usize = 10;
const HEARTBEAT: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(1);
