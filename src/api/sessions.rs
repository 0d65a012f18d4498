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

pub(super) async fn list(State(api): State<Api>, _: SessionReader) -> Json<SessionList> {
    let sessions = api.control.list_sessions(api.sessions.as_ref()).await;
    Json(SessionList { sessions })
}

pub(super) async fn terminate(
    State(api): State<Api>,
    SessionKeeper(caller): SessionKeeper,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = id("session", &session)?;
    api.control.terminate_session(&caller.name, api.sessions.as_ref(), session).await?;
    Ok(StatusCode::NO_CONTENT)
}
