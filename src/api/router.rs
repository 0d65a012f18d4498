//! Every address.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{delete, get, patch, post, put},
};

use super::{
    auth, explain, grants, guard, health, keys, login, people, policy, provider_login, requests, scim,
    sessions, throttle::Throttle, tokens,
};
use crate::{
    audit::AuditLog,
    control::{Control, Explain, Sessions, Targets},
    metrics::Metrics,
};

/// What the API is built from.
#[derive(Clone)]
pub struct ApiParts {
    /// Makes the changes.
    pub control: Control,
    /// The open sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Judges statements without running them.
    pub explain: Arc<dyn Explain>,
    /// The health of the targets.
    pub targets: Arc<dyn Targets>,
    /// Whether it can be written is part of readiness.
    pub audit: AuditLog,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
}

/// Whom a connection comes from; in the extensions of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What handlers share.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) control: Control,
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) explain: Arc<dyn Explain>,
    pub(super) targets: Arc<dyn Targets>,
    pub(super) audit: AuditLog,
    pub(super) metrics: Arc<Metrics>,
    pub(super) throttle: Arc<Throttle>,
    /// What the identity provider is asked for the sake of people who have proved nothing.
    pub(super) questions: Arc<Throttle>,
    /// Only this machine can reach us: metrics and readiness are told to everybody.
    pub(super) is_loopback: bool,
}

/// All addresses; `is_loopback` says that only this machine can reach them.
pub fn router(parts: ApiParts, is_loopback: bool) -> Router {
    let ApiParts { control, sessions, explain, targets, audit, metrics } = parts;
    let (throttle, questions) = (Arc::new(Throttle::default()), Arc::new(Throttle::of(MOST_QUESTIONS)));
    let api = Api { control, sessions, explain, targets, audit, metrics, throttle, questions, is_loopback };
    let keyed = keyed().route_layer(from_fn_with_state(api.clone(), auth::authenticate));
    let scim = scim().route_layer(from_fn_with_state(api.clone(), auth::authenticate));
    Router::new()
        .nest("/api/v1", keyed)
        .nest("/scim/v2", scim)
        .merge(logins())
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .fallback(guard::no_such_address)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(from_fn(guard::surround))
        .with_state(api)
}

/// Where people come who have no key yet.
fn logins() -> Router<Api> {
    Router::new()
        .route("/api/v1/login", post(login::log_in))
        .route("/api/v1/login/device", post(provider_login::begin_device))
        .route("/api/v1/login/device/finish", post(provider_login::finish_device))
        .route("/api/v1/login/browser", post(provider_login::begin_browser))
        .route("/api/v1/login/browser/finish", post(provider_login::finish_browser))
        .layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES))
        .route(
            "/api/v1/login/token",
            post(provider_login::by_token).layer(DefaultBodyLimit::max(MAX_TOKEN_BYTES)),
        )
}

/// What directories speak.
fn scim() -> Router<Api> {
    Router::new()
        .route("/ServiceProviderConfig", get(scim::service_provider))
        .route("/ResourceTypes", get(scim::resource_types))
        .route("/Users", get(scim::list).post(scim::create))
        .route("/Users/{id}", get(scim::one).put(scim::replace).patch(scim::change).delete(scim::remove))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .method_not_allowed_fallback(guard::no_such_method)
}

fn keyed() -> Router<Api> {
    let explain = post(explain::explain).layer(DefaultBodyLimit::max(MAX_STATEMENT_BYTES));
    Router::new()
        .route("/grants", get(grants::list).post(grants::create))
        .route("/grants/{id}", get(grants::one))
        .route("/grants/{id}/extend", post(requests::extend))
        .route("/grants/{id}/revoke", post(grants::revoke))
        .route("/requests", get(requests::list).post(requests::create))
        .route("/requests/{id}", get(requests::one))
        .route("/requests/{id}/cancel", post(requests::cancel))
        .route("/requests/{id}/reviews", post(requests::review))
        .route("/principals", get(people::list).post(people::add))
        .route("/principals/{name}", patch(people::change).delete(people::remove))
        .route("/principals/{name}/password", put(people::set_password))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::revoke))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{id}", delete(keys::revoke))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{id}", delete(sessions::terminate))
        .route("/policy", get(policy::status))
        .route("/policy/reload", post(policy::reload))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route("/explain-access", explain)
        .method_not_allowed_fallback(guard::no_such_method)
}

const MAX_BODY_BYTES: usize = 64 << 10;
const MAX_LOGIN_BYTES: usize = 8 << 10;
/// The longest token, and what is around it.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// A person who logs in on another device is asked after once in five seconds; several people may share an address.
const MOST_QUESTIONS: u32 = 120;
/// A statement of the default limit, with room for what JSON escapes.
const MAX_STATEMENT_BYTES: usize = 4 << 20;
