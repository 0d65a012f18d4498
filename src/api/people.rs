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
use crate::control::{ControlError, NewPassword};

pub(super) async fn list(State(api): State<Api>, _: PeopleReader) -> Result<Json<PrincipalList>, Problem> {
    Ok(Json(PrincipalList { principals: api.control.list_principals().await? }))
}

pub(super) async fn add(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    JsonBody(new): JsonBody<NewPrincipal>,
) -> Result<(StatusCode, Json<PrincipalView>), Problem> {
    let added = api.control.add_principal(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(added)))
}

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

pub(super) async fn set_password(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(name): Path<String>,
    SecretBody(new): SecretBody<NewPassword>,
) -> Result<StatusCode, Problem> {
    api.control.set_password(&caller.name, name.into(), new).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(name): Path<String>,
) -> Result<Json<Removed>, Problem> {
    Ok(Json(api.control.remove_principal(&caller.name, name.into()).await?))
}
