//! `/api/v1/grants`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{GrantReader, Granter},
    bodies::{CreatedGrant, GrantList, GrantQuery, GrantView, NewGrant, Revoke},
    body::{JsonBody, QueryOf, id},
    problem::Problem,
    router::Api,
};

pub(super) async fn list(
    State(api): State<Api>,
    _: GrantReader,
    QueryOf(query): QueryOf<GrantQuery>,
) -> Result<Json<GrantList>, Problem> {
    Ok(Json(GrantList { grants: api.control.list_grants(query).await? }))
}

pub(super) async fn one(
    State(api): State<Api>,
    _: GrantReader,
    Path(grant): Path<String>,
) -> Result<Json<GrantView>, Problem> {
    Ok(Json(api.control.grant(id("grant", &grant)?).await?))
}

pub(super) async fn create(
    State(api): State<Api>,
    Granter(caller): Granter,
    JsonBody(new): JsonBody<NewGrant>,
) -> Result<(StatusCode, Json<CreatedGrant>), Problem> {
    let created = api.control.create_grant(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    Granter(caller): Granter,
    Path(grant): Path<String>,
    JsonBody(body): JsonBody<Revoke>,
) -> Result<Json<GrantView>, Problem> {
    Ok(Json(api.control.revoke_grant(&caller.name, id("grant", &grant)?, &body.reason).await?))
}
