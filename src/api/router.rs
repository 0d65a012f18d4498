//! Every address.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
};
use tower::util::option_layer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use super::{
    audit, audit_tail, auth, browser, cookie::Cookies, denials, events, explain, grants, guard, health, keys,
    login, openapi, people, policy, provider_login, reader::Places, requests, scim, scim_groups, scim_users,
    sessions, slack, throttle::Throttle, tokens, traces, webhooks,
};
use crate::{
    audit::{AuditLog, Trail},
    control::{Control, Explain, Sessions, Targets, Webhooks},
    metrics::Metrics,
    net::throttle::{Throttle as Names, ThrottleLimits},
    telemetry::Tracer,
};

pub use crate::net::Peer;

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
    /// Tells webhooks.
    pub webhooks: Arc<dyn Webhooks>,
    /// Whether it can be written is part of readiness.
    pub audit: AuditLog,
    /// The same log as it is read; `None` where it is not indexed.
    pub trail: Option<Trail>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Where traces of requests go, if they are made.
    pub tracer: Option<Tracer>,
    /// The console.
    pub rooms: Rooms,
}

/// What is served beside the API, at the same address. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Rooms {
    /// Pages, for everybody.
    pub pages: Router,
    /// What is under `/api/v1/sql`, for whoever shows a key: each request has its `Caller` in the extensions.
    pub keyed: Router,
}

/// What handlers share.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) control: Control,
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) explain: Arc<dyn Explain>,
    pub(super) targets: Arc<dyn Targets>,
    pub(super) webhooks: Arc<dyn Webhooks>,
    pub(super) audit: AuditLog,
    pub(super) trail: Option<Trail>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) throttle: Arc<Throttle>,
    /// Those whose passwords are guessed, wherever the guesses come from.
    pub(super) names: Arc<Names>,
    pub(super) places: Arc<Places>,
    pub(super) cookies: Cookies,
    /// What the identity provider is asked for the sake of people who have proved nothing.
    pub(super) questions: Arc<Throttle>,
    /// Only this machine can reach us: metrics and readiness are told to everybody.
    pub(super) is_loopback: bool,
}

/// All addresses; `is_loopback` says that only this machine can reach them.
pub fn router(parts: ApiParts, is_loopback: bool) -> Router {
    let ApiParts { audit, control, explain, metrics, rooms, sessions, targets, tracer, trail, webhooks } =
        parts;
    let throttle = Arc::new(Throttle::telling(control.clone()));
    let (questions, places) = (Arc::new(Throttle::of(MOST_QUESTIONS)), Arc::default());
    let names = Arc::new(Names::new(&ThrottleLimits::default()));
    let cookies = Cookies::new(is_loopback, control.public_url());
    let api = Api {
        control,
        sessions,
        explain,
        targets,
        webhooks,
        audit,
        trail,
        metrics,
        throttle,
        names,
        places,
        cookies,
        questions,
        is_loopback,
    };
    let keyed = keyed().route_layer(from_fn_with_state(api.clone(), auth::authenticate));
    let directory = directory().route_layer(from_fn_with_state(api.clone(), auth::authenticate));
    // Every address is in this list, and so in the description.
    let (router, description) = OpenApiRouter::with_openapi(openapi::beginning())
        .nest("/api/v1", keyed)
        .nest("/scim/v2", directory)
        .merge(logins())
        .routes(routes!(openapi::openapi))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .split_for_parts();
    let editor = rooms.keyed.layer(from_fn_with_state(api.clone(), auth::authenticate));
    router
        .layer(Extension(openapi::finished(description)))
        .with_state(api)
        .nest("/api/v1/sql", editor)
        .merge(rooms.pages)
        .fallback(guard::no_such_address)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(option_layer(tracer.map(|tracer| from_fn_with_state(tracer, traces::trace))))
        .layer(from_fn(guard::surround))
}

/// Where people come who have no key yet.
fn logins() -> OpenApiRouter<Api> {
    let by_token = routes!(provider_login::by_token).layer(DefaultBodyLimit::max(MAX_TOKEN_BYTES));
    OpenApiRouter::default()
        .routes(routes!(login::log_in))
        .routes(routes!(provider_login::begin_device))
        .routes(routes!(provider_login::finish_device))
        .routes(routes!(provider_login::begin_browser))
        .routes(routes!(provider_login::finish_browser))
        .layer(DefaultBodyLimit::max(MAX_LOGIN_BYTES))
        .routes(by_token)
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
        .routes(routes!(slack::list, slack::link))
        .routes(routes!(slack::unlink))
        .routes(routes!(policy::status))
        .routes(routes!(policy::reload))
        .routes(routes!(events::events))
        .routes(routes!(denials::one))
        .routes(routes!(browser::who, browser::log_out))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::enable))
        .routes(routes!(webhooks::replay))
        .routes(routes!(audit::records))
        .routes(routes!(audit::record))
        .routes(routes!(audit::stats))
        .routes(routes!(audit_tail::tail))
        .routes(routes!(audit::download))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .routes(explain)
}

/// What directories speak.
fn directory() -> OpenApiRouter<Api> {
    let groups = OpenApiRouter::default()
        .routes(routes!(scim_groups::list, scim_groups::create))
        .routes(routes!(scim_groups::one, scim_groups::replace, scim_groups::change, scim_groups::remove))
        .layer(DefaultBodyLimit::max(MAX_GROUP_BYTES));
    OpenApiRouter::default()
        .routes(routes!(scim::service_provider))
        .routes(routes!(scim::resource_types))
        .routes(routes!(scim_users::list, scim_users::create))
        .routes(routes!(scim_users::one, scim_users::replace, scim_users::change, scim_users::remove))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(groups)
}

const MAX_BODY_BYTES: usize = 64 << 10;
/// A group with all its members.
const MAX_GROUP_BYTES: usize = 1 << 20;
const MAX_LOGIN_BYTES: usize = 8 << 10;
/// The longest token, and what is around it.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// A person who logs in on another device is asked after once in five seconds; several people may share an address.
const MOST_QUESTIONS: u32 = 120;
/// A statement of the default limit, with room for what JSON escapes.
const MAX_STATEMENT_BYTES: usize = 4 << 20;
