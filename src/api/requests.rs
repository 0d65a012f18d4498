//! `/api/v1/requests`

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};

use super::{
    auth::{RequestReader, Requester, Reviewer},
    bodies::{Extend, NewRequest, NewReview, RequestPage, RequestQuery, RequestView},
    body::{JsonBody, QueryOf, id},
    problem::Problem,
    router::Api,
};
use crate::control::IdempotencyKey;

pub(super) async fn list(
    State(api): State<Api>,
    RequestReader(caller): RequestReader,
    QueryOf(query): QueryOf<RequestQuery>,
) -> Result<Json<RequestPage>, Problem> {
    Ok(Json(api.control.list_requests(&caller, query).await?))
}

pub(super) async fn one(
    State(api): State<Api>,
    RequestReader(caller): RequestReader,
    Path(request): Path<String>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.request(&caller, id("request", &request)?).await?))
}

pub(super) async fn create(
    State(api): State<Api>,
    Requester(person): Requester,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewRequest>,
) -> Result<(StatusCode, Json<RequestView>), Problem> {
    let key = idempotency_key(&headers)?;
    let made = api.control.create_request(person, new, &*api.explain, key).await;
    Ok((StatusCode::CREATED, Json(made.map_err(Problem::in_body)?)))
}

pub(super) async fn cancel(
    State(api): State<Api>,
    Requester(person): Requester,
    Path(request): Path<String>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.cancel_request(person, id("request", &request)?).await?))
}

pub(super) async fn review(
    State(api): State<Api>,
    Reviewer(person): Reviewer,
    Path(request): Path<String>,
    JsonBody(new): JsonBody<NewReview>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.review_request(person, id("request", &request)?, new).await?))
}

pub(super) async fn extend(
    State(api): State<Api>,
    Requester(person): Requester,
    Path(grant): Path<String>,
    headers: HeaderMap,
    JsonBody(extend): JsonBody<Extend>,
) -> Result<(StatusCode, Json<RequestView>), Problem> {
    let key = idempotency_key(&headers)?;
    let made = api.control.extend_grant(person, id("grant", &grant)?, extend, key).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// The name under which the caller may repeat the call.
///
/// Source: the IETF draft "The Idempotency-Key HTTP Header Field".
fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.to_str().is_ok() => Ok(value.to_str().ok().map(str::to_owned)),
        (Some(_), _) => {
            let detail = "send one idempotency-key, of ASCII";
            Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", detail))
        }
    }
}
