//! `/api/v1/policy`

use axum::{Json, extract::State};

use super::{
    auth::{PolicyKeeper, PolicyReader},
    bodies::PolicyView,
    problem::Problem,
    router::Api,
};

pub(super) async fn status(State(api): State<Api>, _: PolicyReader) -> Json<PolicyView> {
    Json(api.control.policy_status())
}

pub(super) async fn reload(
    State(api): State<Api>,
    PolicyKeeper(caller): PolicyKeeper,
) -> Result<Json<PolicyView>, Problem> {
    Ok(Json(api.control.reload_policy(&caller.name).await?))
}
