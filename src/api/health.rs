//! What machines look at: `/healthz`, `/readyz`, `/metrics`.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use tracing::error;

use super::{
    auth::proven,
    bodies::Readiness,
    problem::Problem,
    router::{Api, Peer},
};
use crate::control::Scope;

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "health",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Statements can be judged, recorded and run; 503 if not, and when the gateway is about to stop. One target that is down
/// does not make the others wait: the gateway is ready while any target answers.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    responses((status = 200, description = "They can.", body = Readiness), (status = 503, description = "They cannot.", body = Readiness))
)]
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let store = api.control.ping_store().await.is_ok();
    let audit = api.audit.is_writable();
    let targets = api.targets.health();
    let reachable = targets.is_empty() || targets.iter().any(|target| target.up);
    let stopping = api.control.is_stopping();
    let ready = store && audit && reachable && !stopping;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = if api.is_loopback {
        let gateways_with_another_policy = api.control.differing_gateways();
        let (store, audit) = (Some(store), Some(audit));
        Readiness { ready, stopping, store, audit, targets, gateways_with_another_policy }
    } else {
        Readiness { ready, stopping, ..Readiness::default() }
    };
    (status, Json(body)).into_response()
}

/// Prometheus' text format; off loopback for keys of scope `read` alone.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "health",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !api.is_loopback && !proven(&api, &headers, peer.map(|Extension(peer)| peer))?.may(&[Scope::Read]) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this takes the scope read or admin"));
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    api.control.measure();
    let text = api.metrics.render().map_err(|error| {
        error!(%error, "metrics could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the metrics could not be written")
    })?;
    Ok((kind, text).into_response())
}
