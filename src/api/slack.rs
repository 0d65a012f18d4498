//! `/api/v1/slack/links`

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    auth::{Oneself, PeopleOrOneself, ReadsLinks},
    bodies::{LinkSlack, SlackLinkAnswer, SlackLinkList},
    body::JsonBody,
    problem::Problem,
    router::Api,
};
use crate::control::{Caller, ControlError, Scope};

/// Who is who in Slack; people see their own link.
#[utoipa::path(
    get,
    path = "/slack/links",
    operation_id = "list_slack_links",
    tag = "slack",
    responses((status = 200, description = "All of them.", body = SlackLinkList)),
    security(("service_key" = ["read", "people", "person", "admin"]))
)]
pub(super) async fn list(
    State(api): State<Api>,
    ReadsLinks(caller): ReadsLinks,
) -> Result<Json<SlackLinkList>, Problem> {
    Ok(Json(SlackLinkList { links: api.control.slack_links(&caller).await? }))
}

/// Shows what a code of Slack's links, and, where the account is named, links it to whoever asks.
#[utoipa::path(
    post,
    path = "/slack/links",
    operation_id = "link_slack",
    tag = "slack",
    request_body = LinkSlack,
    responses((status = 200, description = "What is linked, or would be.", body = SlackLinkAnswer)),
    security(("service_key" = ["person"]))
)]
pub(super) async fn link(
    State(api): State<Api>,
    Oneself(person): Oneself,
    JsonBody(confirm): JsonBody<LinkSlack>,
) -> Result<Json<SlackLinkAnswer>, Problem> {
    let confirmed = api.control.confirm_slack_link(person, confirm).await;
    Ok(Json(confirmed.map_err(Problem::in_body)?))
}

/// Takes the link to Slack from a principal; people take their own.
#[utoipa::path(
    delete,
    path = "/slack/links/{principal}",
    operation_id = "unlink_slack",
    tag = "slack",
    params(("principal" = String, Path, description = "Whose.")),
    responses((status = 204, description = "Nobody acts as them in Slack any more.")),
    security(("service_key" = ["people", "person", "admin"]))
)]
pub(super) async fn unlink(
    State(api): State<Api>,
    PeopleOrOneself(caller): PeopleOrOneself,
    Path(principal): Path<String>,
) -> Result<StatusCode, Problem> {
    let Caller { name, principal: own, .. } = &caller;
    if !caller.may(&[Scope::People]) && own.as_deref() != Some(principal.as_str()) {
        // As for somebody who has no link: who has one is nobody else's business.
        return Err(ControlError::Unknown { what: "link to Slack", name: principal }.into());
    }
    api.control.unlink_slack(name, principal.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
