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
use crate::model::ids::KeyId;

/// Service keys, oldest first.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "list_keys",
    tag = "keys",
    responses((status = 200, description = "All of them.", body = KeyList)),
    security(("service_key" = ["admin"]))
)]
pub(super) async fn list(State(api): State<Api>, _: Admin) -> Result<Json<KeyList>, Problem> {
    Ok(Json(KeyList { keys: api.control.list_keys().await? }))
}

/// Makes a service key.
#[utoipa::path(
    post,
    path = "/keys",
    operation_id = "create_key",
    tag = "keys",
    request_body = NewKey,
    responses((status = 201, description = "The key; its secret is told here alone.", body = CreatedKey)),
    security(("service_key" = ["admin"]))
)]
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

/// Revokes a service key.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    operation_id = "revoke_key",
    tag = "keys",
    params(("id" = KeyId, Path, description = "Which.")),
    responses((status = 204, description = "It opens nothing any more.")),
    security(("service_key" = ["admin"]))
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    Admin(caller): Admin,
    Path(key): Path<String>,
) -> Result<StatusCode, Problem> {
    api.control.revoke_key(&caller.name, id("service key", &key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
