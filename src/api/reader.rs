//! Who reads what goes on for long: how many may, and for how long each does.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    http::{HeaderMap, StatusCode},
    response::sse::KeepAlive,
};

use super::{problem::Problem, router::Api};
use crate::{
    control::{Caller, Control},
    model::ids::{KeyId, PrincipalName},
    net::Stopping,
};

/// A caller who reads along, with their place, given back when it is dropped.
pub(super) struct Reader {
    control: Control,
    caller: Caller,
    stopping: Option<Stopping>,
    _place: Place,
}

impl Reader {
    /// Takes a place.
    ///
    /// # Errors
    /// 429 if there are as many as there may be.
    pub(super) fn new(
        api: &Api,
        caller: Caller,
        stopping: Option<Extension<Stopping>>,
    ) -> Result<Self, Problem> {
        let place = Places::take(&api.places, &caller)?;
        let stopping = stopping.map(|Extension(stopping)| stopping);
        Ok(Self { control: api.control.clone(), caller, stopping, _place: place })
    }

    /// Who they were when they began.
    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Who they are now; `None` once they lost their key or their place in the house.
    pub(super) fn now(&self) -> Option<Caller> {
        self.control.again(&self.caller)
    }

    /// Whether the gateway is about to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.as_ref().is_some_and(Stopping::is_said)
    }

    /// Waits until the gateway is about to stop.
    pub(super) async fn stopped(&mut self) {
        match &mut self.stopping {
            Some(Stopping(stopping)) => drop(stopping.changed().await),
            None => std::future::pending().await,
        }
    }
}

/// Where a stream goes on: the number behind which its reader wants more, as browsers tell it by themselves, or else
/// as it was asked for.
///
/// # Errors
/// 400 for what is no such number.
pub(super) fn last_seen<T: FromStr>(headers: &HeaderMap, asked: Option<T>) -> Result<Option<T>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(asked) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        let detail = "last-event-id is the number of an event or a record, from 0 on";
        Problem::new(StatusCode::BAD_REQUEST, "malformed", detail)
    })
}

/// So that proxies see that a stream in which nothing happens is not over.
pub(super) fn heartbeat() -> KeepAlive {
    KeepAlive::new().interval(Duration::from_secs(15))
}

/// How many read along, in all and by whose they are.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<Whose, usize>>);

/// A person has as many places with several keys as with one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Person(PrincipalName),
    Service(KeyId),
}

struct Place {
    places: Arc<Places>,
    whose: Whose,
}

impl Places {
    fn take(places: &Arc<Self>, caller: &Caller) -> Result<Place, Problem> {
        let whose = caller.principal.clone().map_or(Whose::Service(caller.key), Whose::Person);
        let mut taken = places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&whose).copied().unwrap_or_default();
        if all >= MOST_READERS || own >= MOST_READERS_OF_ONE {
            let detail = "too many events, tails and downloads are being read already: close one of them";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail));
        }
        taken.insert(whose.clone(), own + 1);
        drop(taken);
        Ok(Place { places: Arc::clone(places), whose })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.whose) {
            *own = own.saturating_sub(1);
        }
        taken.retain(|_, own| *own > 0);
    }
}

/// Far below the API's connections, so that others still get in.
const MOST_READERS: usize = 100;
const MOST_READERS_OF_ONE: usize = 10;
