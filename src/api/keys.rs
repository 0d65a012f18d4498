//! `/api/v1/keys`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::Admin,
    bodies::{CreatedKey, KeyList, NewKey},
    body::{JsonBody, id},
    problem::Problem,
    router::Api,
};

pub(super) async fn list(State(api): State<Api>, _: Admin) -> Result<Json<KeyList>, Problem> {
    Ok(Json(KeyList { keys: api.control.list_keys().await? }))
}

pub(super) async fn create(
    State(api): State<Api>,
    Admin(caller): Admin,
    JsonBody(new): JsonBody<NewKey>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(api.control.create_key(&caller.name, new).await.map_err(Problem::in_body)?),
    ))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    Admin(caller): Admin,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    api.control.revoke_key(&caller.name, id("service key", &key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
