//! `/api/v1/tokens`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{PeopleKeeper, PeopleReader},
    bodies::{CreatedToken, NewToken, TokenList, TokenQuery},
    body::{JsonBody, QueryOf, id},
    problem::Problem,
    router::Api,
};
use crate::model::ids::TokenId;

/// Tokens that have not ended, oldest first.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "list_tokens",
    tag = "tokens",
    params(TokenQuery),
    responses((status = 200, description = "All of them.", body = TokenList)),
    security(("service_key" = ["read", "people", "admin"]))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: PeopleReader,
    QueryOf(query): QueryOf<TokenQuery>,
) -> Result<Json<TokenList>, Problem> {
    Ok(Json(TokenList { tokens: api.control.list_tokens(query.principal.as_ref()).await? }))
}

/// Makes a token, which logs its principal in as a password does.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "create_token",
    tag = "tokens",
    request_body = NewToken,
    responses((status = 201, description = "The token; its secret is told here alone.", body = CreatedToken)),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn create(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let created = api.control.create_token(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a token.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    operation_id = "revoke_token",
    tag = "tokens",
    params(("id" = TokenId, Path, description = "Which.")),
    responses((status = 204, description = "It logs nobody in any more.")),
    security(("service_key" = ["people", "admin"]))
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    api.control.revoke_token(&caller.name, id("token", &token)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
