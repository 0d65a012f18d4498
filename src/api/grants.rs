//! `/api/v1/grants`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{GrantReader, Granter, Revoker},
    bodies::{CreatedGrant, GrantList, GrantQuery, GrantView, NewGrant, Revoke},
    body::{JsonBody, QueryOf, id},
    problem::Problem,
    router::Api,
};
use crate::{
    control::{Caller, Scope},
    model::ids::{GrantId, PrincipalName},
};

/// Grants, newest first; a person sees their own.
#[utoipa::path(
    get,
    path = "/grants",
    operation_id = "list_grants",
    tag = "grants",
    params(GrantQuery),
    responses((status = 200, description = "A page.", body = GrantList)),
    security(("service_key" = ["read", "grants", "person", "request", "admin"]))
)]
pub(super) async fn list(
    State(api): State<Api>,
    GrantReader(caller): GrantReader,
    QueryOf(mut query): QueryOf<GrantQuery>,
) -> Result<Json<GrantList>, Problem> {
    if let Some(person) = own_only(&caller, &[Scope::Read, Scope::Grants]) {
        let asks_for_others =
            query.group.is_some() || query.principal.as_ref().is_some_and(|name| *name != person);
        if asks_for_others {
            let detail = "a person's key shows that person's own grants";
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        query.principal = Some(person);
    }
    Ok(Json(GrantList { grants: api.control.list_grants(query).await? }))
}

/// One grant, however old.
#[utoipa::path(
    get,
    path = "/grants/{id}",
    operation_id = "get_grant",
    tag = "grants",
    params(("id" = GrantId, Path, description = "Which.")),
    responses((status = 200, description = "The grant.", body = GrantView)),
    security(("service_key" = ["read", "grants", "person", "request", "admin"]))
)]
pub(super) async fn one(
    State(api): State<Api>,
    GrantReader(caller): GrantReader,
    Path(grant): Path<String>,
) -> Result<Json<GrantView>, Problem> {
    let grant = id("grant", &grant)?;
    Ok(Json(match own_only(&caller, &[Scope::Read, Scope::Grants]) {
        Some(person) => api.control.grant_of(&person, grant).await?,
        None => api.control.grant(grant).await?,
    }))
}

/// Makes a grant; it is in force when this is answered.
#[utoipa::path(
    post,
    path = "/grants",
    operation_id = "create_grant",
    tag = "grants",
    request_body = NewGrant,
    responses((status = 201, description = "The grant.", body = CreatedGrant)),
    security(("service_key" = ["grants", "admin"]))
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granter(caller): Granter,
    JsonBody(new): JsonBody<NewGrant>,
) -> Result<(StatusCode, Json<CreatedGrant>), Problem> {
    let created = api.control.create_grant(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a grant; it allows nothing when this is answered.
#[utoipa::path(
    post,
    path = "/grants/{id}/revoke",
    operation_id = "revoke_grant",
    tag = "grants",
    params(("id" = GrantId, Path, description = "Which.")),
    request_body = Revoke,
    responses((status = 200, description = "The grant.", body = GrantView)),
    security(("service_key" = ["grants", "person", "admin"]))
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    Revoker(caller): Revoker,
    Path(grant): Path<String>,
    JsonBody(body): JsonBody<Revoke>,
) -> Result<Json<GrantView>, Problem> {
    let grant = id("grant", &grant)?;
    Ok(Json(match own_only(&caller, &[Scope::Grants]) {
        Some(person) => api.control.revoke_grant_as(&person, grant, &body.reason).await?,
        None => api.control.revoke_grant(&caller.name, grant, &body.reason).await?,
    }))
}

/// The person whose own grants alone the key is for, if it has none of the scopes that open all.
fn own_only(caller: &Caller, all: &[Scope]) -> Option<PrincipalName> {
    // A key without a principal and without these scopes is not let in here.
    caller.principal.clone().filter(|_| !caller.may(all))
}
