//! `/api/v1/webhooks`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{Admin, WebhookReader},
    bodies::{Delivery, DeliveryPage, DeliveryQuery, WebhookList},
    body::{QueryOf, id},
    problem::Problem,
    router::Api,
};
use crate::model::ids::{DeliveryId, WebhookName};

/// The webhooks that are configured at this gateway, and how they fare.
#[utoipa::path(
    get,
    path = "/webhooks",
    operation_id = "list_webhooks",
    tag = "webhooks",
    responses((status = 200, description = "All of them.", body = WebhookList)),
    security(("service_key" = ["read", "admin"]))
)]
pub(super) async fn list(State(api): State<Api>, _: WebhookReader) -> Result<Json<WebhookList>, Problem> {
    let webhooks = api.control.list_webhooks(api.webhooks.as_ref()).await?;
    Ok(Json(WebhookList { webhooks }))
}

/// What a webhook was told, or could not be told.
#[utoipa::path(
    get,
    path = "/webhooks/{name}/deliveries",
    operation_id = "list_deliveries",
    tag = "webhooks",
    params(("name" = WebhookName, Path, description = "Which webhook."), DeliveryQuery),
    responses((status = 200, description = "Newest first.", body = DeliveryPage)),
    security(("service_key" = ["read", "admin"]))
)]
pub(super) async fn deliveries(
    State(api): State<Api>,
    _: WebhookReader,
    Path(webhook): Path<WebhookName>,
    QueryOf(query): QueryOf<DeliveryQuery>,
) -> Result<Json<DeliveryPage>, Problem> {
    Ok(Json(api.control.list_deliveries(api.webhooks.as_ref(), &webhook, &query).await?))
}

/// Tells a webhook once, at once, that somebody tries it.
#[utoipa::path(
    post,
    path = "/webhooks/{name}/test",
    operation_id = "test_webhook",
    tag = "webhooks",
    params(("name" = WebhookName, Path, description = "Which.")),
    responses((status = 200, description = "What came of it; a failed attempt, too.", body = Delivery)),
    security(("service_key" = ["admin"]))
)]
pub(super) async fn test(
    State(api): State<Api>,
    Admin(caller): Admin,
    Path(webhook): Path<WebhookName>,
) -> Result<Json<Delivery>, Problem> {
    Ok(Json(api.control.test_webhook(&caller.name, api.webhooks.as_ref(), &webhook).await?))
}

/// Tells a webhook of things again whose address said that it is gone; from now on.
#[utoipa::path(
    post,
    path = "/webhooks/{name}/enable",
    operation_id = "enable_webhook",
    tag = "webhooks",
    params(("name" = WebhookName, Path, description = "Which.")),
    responses((status = 204, description = "It is told of things.")),
    security(("service_key" = ["admin"]))
)]
pub(super) async fn enable(
    State(api): State<Api>,
    Admin(caller): Admin,
    Path(webhook): Path<WebhookName>,
) -> Result<StatusCode, Problem> {
    api.control.enable_webhook(&caller.name, api.webhooks.as_ref(), &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends again what was given up, or delivered: once, at once, under the same identifier.
#[utoipa::path(
    post,
    path = "/webhooks/{name}/deliveries/{id}/replay",
    operation_id = "replay_delivery",
    tag = "webhooks",
    params(
        ("name" = WebhookName, Path, description = "Which webhook."),
        ("id" = DeliveryId, Path, description = "Which delivery."),
    ),
    responses((status = 200, description = "What came of it; a failed attempt, too.", body = Delivery)),
    security(("service_key" = ["admin"]))
)]
pub(super) async fn replay(
    State(api): State<Api>,
    Admin(caller): Admin,
    Path((webhook, delivery)): Path<(WebhookName, String)>,
) -> Result<Json<Delivery>, Problem> {
    let delivery = id::<DeliveryId>("delivery", &delivery)?;
    let replayed =
        api.control.replay_delivery(&caller.name, api.webhooks.as_ref(), &webhook, delivery).await?;
    Ok(Json(replayed))
}
