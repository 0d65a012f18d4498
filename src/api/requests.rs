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
    openapi::IdempotencyHeader,
    problem::Problem,
    router::Api,
};
use crate::{
    control::IdempotencyKey,
    model::ids::{GrantId, RequestId},
};

/// Requests, newest first; people see their own, and those that they may have to answer.
#[utoipa::path(
    get,
    path = "/requests",
    operation_id = "list_requests",
    tag = "requests",
    params(RequestQuery),
    responses((status = 200, description = "A page.", body = RequestPage)),
    security(("service_key" = ["read", "person", "request", "review", "admin"]))
)]
pub(super) async fn list(
    State(api): State<Api>,
    RequestReader(caller): RequestReader,
    QueryOf(query): QueryOf<RequestQuery>,
) -> Result<Json<RequestPage>, Problem> {
    Ok(Json(api.control.list_requests(&caller, query).await?))
}

/// One request and the answers to it.
#[utoipa::path(
    get,
    path = "/requests/{id}",
    operation_id = "get_request",
    tag = "requests",
    params(("id" = RequestId, Path, description = "Which.")),
    responses((status = 200, description = "The request.", body = RequestView)),
    security(("service_key" = ["read", "person", "request", "review", "admin"]))
)]
pub(super) async fn one(
    State(api): State<Api>,
    RequestReader(caller): RequestReader,
    Path(request): Path<String>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.request(&caller, id("request", &request)?).await?))
}

/// Asks for a grant.
#[utoipa::path(
    post,
    path = "/requests",
    operation_id = "create_request",
    tag = "requests",
    params(IdempotencyHeader),
    request_body = NewRequest,
    responses((status = 201, description = "The request; approved already, where a flow approves by itself.", body = RequestView)),
    security(("service_key" = ["person", "request"]))
)]
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

/// Takes one's own request back.
#[utoipa::path(
    post,
    path = "/requests/{id}/cancel",
    operation_id = "cancel_request",
    tag = "requests",
    params(("id" = RequestId, Path, description = "Which.")),
    responses((status = 200, description = "The request.", body = RequestView)),
    security(("service_key" = ["person", "request"]))
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Requester(person): Requester,
    Path(request): Path<String>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.cancel_request(person, id("request", &request)?).await?))
}

/// Answers a request of somebody else.
#[utoipa::path(
    post,
    path = "/requests/{id}/reviews",
    operation_id = "review_request",
    tag = "requests",
    params(("id" = RequestId, Path, description = "Which.")),
    request_body = NewReview,
    responses((status = 200, description = "The request.", body = RequestView)),
    security(("service_key" = ["person", "review"]))
)]
pub(super) async fn review(
    State(api): State<Api>,
    Reviewer(person): Reviewer,
    Path(request): Path<String>,
    JsonBody(new): JsonBody<NewReview>,
) -> Result<Json<RequestView>, Problem> {
    Ok(Json(api.control.review_request(person, id("request", &request)?, new).await?))
}

/// Asks for the same as a grant of one's own, from its end on.
#[utoipa::path(
    post,
    path = "/grants/{id}/extend",
    operation_id = "extend_grant",
    tag = "requests",
    params(("id" = GrantId, Path, description = "Which."), IdempotencyHeader),
    request_body = Extend,
    responses((status = 201, description = "The request.", body = RequestView)),
    security(("service_key" = ["person", "request"]))
)]
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
