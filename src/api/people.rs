//! `/api/v1/principals`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{PeopleKeeper, PeopleReader},
    bodies::{NewPrincipal, PrincipalList, PrincipalPatch, PrincipalView, Removed},
    body::{JsonBody, SecretBody},
    problem::Problem,
    router::Api,
};
use crate::{
    control::{ControlError, NewPassword},
    model::ids::PrincipalName,
};

/// Principals, by name.
#[utoipa::path(
    get,
    path = "/principals",
    operation_id = "list_principals",
    tag = "principals",
    responses((status = 200, description = "All of them.", body = PrincipalList)),
    security(("service_key" = ["read", "people", "admin"]))
)]
pub(super) async fn list(State(api): State<Api>, _: PeopleReader) -> Result<Json<PrincipalList>, Problem> {
    Ok(Json(PrincipalList { principals: api.control.list_principals().await? }))
}

/// Adds a principal, without a password.
#[utoipa::path(
    post,
    path = "/principals",
    operation_id = "add_principal",
    tag = "principals",
    request_body = NewPrincipal,
    responses((status = 201, description = "The principal.", body = PrincipalView)),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn add(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    JsonBody(new): JsonBody<NewPrincipal>,
) -> Result<(StatusCode, Json<PrincipalView>), Problem> {
    let added = api.control.add_principal(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Changes groups, and whether the principal may log in.
#[utoipa::path(
    patch,
    path = "/principals/{name}",
    operation_id = "change_principal",
    tag = "principals",
    params(("name" = PrincipalName, Path, description = "Whom.")),
    request_body = PrincipalPatch,
    responses((status = 200, description = "The principal.", body = PrincipalView)),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn change(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(name): Path<String>,
    JsonBody(patch): JsonBody<PrincipalPatch>,
) -> Result<Json<PrincipalView>, Problem> {
    let changed = api.control.change_principal(&caller.name, name.into(), patch).await;
    Ok(Json(changed.map_err(|error| match error {
        // The principal is named by the address, the groups by the body.
        ControlError::Unknown { what: "group", .. } => Problem::in_body(error),
        error => error.into(),
    })?))
}

/// Sets the password.
#[utoipa::path(
    put,
    path = "/principals/{name}/password",
    operation_id = "set_password",
    tag = "principals",
    params(("name" = PrincipalName, Path, description = "Whose.")),
    request_body = NewPassword,
    responses((status = 204, description = "It is set.")),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn set_password(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(name): Path<String>,
    SecretBody(new): SecretBody<NewPassword>,
) -> Result<StatusCode, Problem> {
    api.control.set_password(&caller.name, name.into(), new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a principal with its password and tokens, and revokes its own grants.
#[utoipa::path(
    delete,
    path = "/principals/{name}",
    operation_id = "remove_principal",
    tag = "principals",
    params(("name" = PrincipalName, Path, description = "Whom.")),
    responses((status = 200, description = "What went with it.", body = Removed)),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn remove(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(name): Path<String>,
) -> Result<Json<Removed>, Problem> {
    Ok(Json(api.control.remove_principal(&caller.name, name.into()).await?))
}
