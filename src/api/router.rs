//! Every address.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use super::{
    auth, events, explain, grants, guard, health, keys, login, openapi, people, policy, requests, sessions,
    throttle::Throttle, tokens,
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
    pub(super) places: Arc<events::Places>,
    /// Only this machine can reach us: metrics and readiness are told to everybody.
    pub(super) is_loopback: bool,
}

/// All addresses; `is_loopback` says that only this machine can reach them.
pub fn router(parts: ApiParts, is_loopback: bool) -> Router {
    let ApiParts { control, sessions, explain, targets, audit, metrics } = parts;
    let throttle = Arc::new(Throttle::new(control.clone()));
    let places = Arc::default();
    let api = Api { control, sessions, explain, targets, audit, metrics, throttle, places, is_loopback };
    let keyed = keyed().route_layer(from_fn_with_state(api.clone(), auth::authenticate));
    let log_in = routes!(login::log_in).layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES));
    // Every address is in this list, and so in the description.
    let (router, description) = OpenApiRouter::with_openapi(openapi::beginning())
        .nest("/api/v1", keyed)
        .routes(log_in)
        .routes(routes!(openapi::openapi))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts();
    router
        .layer(Extension(openapi::finished(description)))
        .fallback(guard::no_such_address)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(from_fn(guard::surround))
        .with_state(api)
}

fn keyed() -> OpenApiRouter<Api> {
    let explain = routes!(explain::explain).layer(DefaultBodyLimit::max(MAX_STATEMENT_BYTES));
    OpenApiRouter::default()
        .routes(routes!(grants::list, grants::create))
        .routes(routes!(grants::one))
        .routes(routes!(requests::extend))
        .routes(routes!(grants::revoke))
        .routes(routes!(requests::list, requests::create))
        .routes(routes!(requests::one))
        .routes(routes!(requests::cancel))
        .routes(routes!(requests::review))
        .routes(routes!(people::list, people::add))
        .routes(routes!(people::change, people::remove))
        .routes(routes!(people::set_password))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::terminate))
        .routes(routes!(policy::status))
        .routes(routes!(policy::reload))
        .routes(routes!(events::events))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .routes(explain)
}

const MAX_BODY_BYTES: usize = 64 << 10;
const MAX_LOGIN_BYTES: usize = 4 << 10;
/// A statement of the default limit, with room for what JSON escapes.
const MAX_STATEMENT_BYTES: usize = 4 << 20;
