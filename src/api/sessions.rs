//! `/api/v1/sessions`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{SessionKeeper, SessionReader},
    bodies::SessionList,
    body::id,
    problem::Problem,
    router::Api,
};
use crate::model::ids::SessionId;

/// Open sessions, oldest first.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    responses((status = 200, description = "All of them.", body = SessionList)),
    security(("service_key" = ["read", "sessions", "admin"]))
)]
pub(super) async fn list(State(api): State<Api>, _: SessionReader) -> Json<SessionList> {
    let sessions = api.control.list_sessions(api.sessions.as_ref()).await;
    Json(SessionList { sessions })
}

/// Ends a session.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    operation_id = "terminate_session",
    tag = "sessions",
    params(("id" = SessionId, Path, description = "Which.")),
    responses((status = 204, description = "It is told to end.")),
    security(("service_key" = ["sessions", "admin"]))
)]
pub(super) async fn terminate(
    State(api): State<Api>,
    SessionKeeper(caller): SessionKeeper,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = id("session", &session)?;
    api.control.terminate_session(&caller.name, api.sessions.as_ref(), session).await?;
    Ok(StatusCode::NO_CONTENT)
}
