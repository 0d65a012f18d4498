//! `/api/v1/login`

use std::{net::SocketAddr, time::Instant};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};

use super::{
    bodies::{CreatedKey, NewLogin, WhoView},
    body::SecretBody,
    browser,
    problem::Problem,
    router::{Api, Peer},
};
use crate::control::{ControlError, IdentityError};

/// Exchanges a database password for a key that acts as its principal for twelve hours.
#[utoipa::path(
    post,
    path = "/api/v1/login",
    operation_id = "log_in",
    tag = "login",
    request_body = NewLogin,
    responses((status = 201, description = "The key; its secret is told here alone.", body = CreatedKey), (status = 200, description = "To a page of the console: the key is in a cookie.", body = WhoView))
)]
pub(super) async fn log_in(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    SecretBody(login): SecretBody<NewLogin>,
) -> Result<Response, Problem> {
    let is_page = browser::is_page(&headers)?;
    let client = address_of(peer.as_deref());
    listened_to(&api, peer.as_deref())?;
    let name = login.principal.clone();
    not_held_up(&api, &name, client)?;
    let made = api.control.log_in(login, client).await;
    // Again: guesses that are made side by side learn no more than those made one after another.
    not_held_up(&api, &name, client)?;
    if matches!(made, Err(ControlError::WrongPassword)) {
        api.names.failed(&name, client.ip(), api.control.now());
    }
    browser::logged_in(&api, is_page, judged(&api, peer.as_deref(), made)?)
}

/// Refuses a login by a name whose password was guessed at too often, from wherever: also the right one.
fn not_held_up(api: &Api, name: &str, client: SocketAddr) -> Result<(), Problem> {
    if !api.names.holds_up(name, client.ip(), api.control.now()) {
        return Ok(());
    }
    for (name, address) in api.names.take_held_up() {
        api.control.notice_held_up(Some(name), address);
    }
    let detail = "too many wrong passwords for this name, or from this address: wait a moment";
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail))
}

/// Refuses whoever has failed too often: a password can be guessed.
pub(super) fn listened_to(api: &Api, peer: Option<&Peer>) -> Result<(), Problem> {
    if api.throttle.is_shut(address_of(peer).ip(), Instant::now()) { Err(throttled()) } else { Ok(()) }
}

/// Counts what was tried and is wrong.
pub(super) fn judged<T>(
    api: &Api,
    peer: Option<&Peer>,
    outcome: Result<T, ControlError>,
) -> Result<T, Problem> {
    outcome.map_err(|error| {
        let is_guess = matches!(
            &error,
            ControlError::WrongPassword
                | ControlError::Identity { source: IdentityError::NoSuchLogin | IdentityError::Token(_) }
        );
        if is_guess && api.throttle.failed(address_of(peer).ip(), Instant::now()) {
            return throttled();
        }
        error.into()
    })
}

/// Whom a call comes from.
pub(super) fn address_of(peer: Option<&Peer>) -> SocketAddr {
    // closed: without an address all failures count as one caller's
    peer.map_or_else(|| ([0, 0, 0, 0], 0).into(), |Peer(address)| *address)
}

pub(super) fn throttled() -> Problem {
    let detail = "too many attempts from this address: wait a minute";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail)
}
