//! `/api/v1/policy`

use axum::{Json, extract::State};

use super::{
    auth::{Admin, Reader},
    bodies::PolicyView,
    problem::Problem,
    router::Api,
};

pub(super) async fn status(State(api): State<Api>, _: Reader) -> Json<PolicyView> {
    Json(api.control.policy_status())
}

pub(super) async fn reload(
    State(api): State<Api>,
    Admin(caller): Admin,
) -> Result<Json<PolicyView>, Problem> {
    Ok(Json(api.control.reload_policy(&caller.name).await?))
}
