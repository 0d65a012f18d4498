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

pub(super) async fn list(
    State(api): State<Api>,
    _: PeopleReader,
    QueryOf(query): QueryOf<TokenQuery>,
) -> Result<Json<TokenList>, Problem> {
    Ok(Json(TokenList { tokens: api.control.list_tokens(query.principal.as_ref()).await? }))
}

pub(super) async fn create(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    JsonBody(new): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let created = api.control.create_token(&caller.name, new).await.map_err(Problem::in_body)?;
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    PeopleKeeper(caller): PeopleKeeper,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    api.control.revoke_token(&caller.name, id("token", &token)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
