//! `/api/v1/denials`

use axum::{
    Json,
    extract::{Path, State},
};

use super::{auth::Requester, bodies::DenialView, body::id, problem::Problem, router::Api};
use crate::model::denial::DenialId;

/// What was refused to the caller, and what a request for it would ask.
#[utoipa::path(
    get,
    path = "/denials/{id}",
    operation_id = "get_denial",
    tag = "requests",
    params(("id" = DenialId, Path, description = "Which, as the hint of the refusal names it.")),
    responses((status = 200, description = "The refusal; nobody sees another's.", body = DenialView)),
    security(("service_key" = ["person", "request"]))
)]
pub(super) async fn one(
    State(api): State<Api>,
    Requester(principal): Requester,
    Path(denial): Path<String>,
) -> Result<Json<DenialView>, Problem> {
    Ok(Json(api.control.denial_view(&principal, id("denial", &denial)?).await?))
}
