//! `/api/v1/policy`

use axum::{Json, extract::State};

use super::{
    auth::{PolicyKeeper, PolicyReader},
    bodies::PolicyView,
    problem::Problem,
    router::Api,
};

/// The policy in force, and the last attempt to replace it if that was refused.
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "get_policy",
    tag = "policy",
    responses((status = 200, description = "Which it is.", body = PolicyView)),
    security(("service_key" = ["read", "policy", "admin"]))
)]
pub(super) async fn status(State(api): State<Api>, _: PolicyReader) -> Json<PolicyView> {
    Json(api.control.policy_status())
}

/// Reads the policy files again and puts them in force.
#[utoipa::path(
    post,
    path = "/policy/reload",
    operation_id = "reload_policy",
    tag = "policy",
    responses((status = 200, description = "Which it is now.", body = PolicyView)),
    security(("service_key" = ["policy", "admin"]))
)]
pub(super) async fn reload(
    State(api): State<Api>,
    PolicyKeeper(caller): PolicyKeeper,
) -> Result<Json<PolicyView>, Problem> {
    Ok(Json(api.control.reload_policy(&caller.name).await?))
}
