//! `/api/v1/explain-access`

use axum::{Json, extract::State, http::StatusCode};

use super::{
    auth::GrantReader,
    bodies::{ExplainError, Explanation, Question},
    body::JsonBody,
    problem::Problem,
    router::Api,
};
use crate::control::Scope;

/// What a statement would be told, without running it.
#[utoipa::path(
    post,
    path = "/explain-access",
    operation_id = "explain_access",
    tag = "grants",
    request_body = Question,
    responses((status = 200, description = "What it does, and what it would be told.", body = Explanation)),
    security(("service_key" = ["read", "grants", "person", "request", "admin"]))
)]
pub(super) async fn explain(
    State(api): State<Api>,
    GrantReader(caller): GrantReader,
    JsonBody(question): JsonBody<Question>,
) -> Result<Json<Explanation>, Problem> {
    let is_own = caller.principal.as_ref() == Some(&question.principal);
    if !is_own && !caller.may(&[Scope::Read, Scope::Grants]) {
        let detail = "a person's key tells what that person may do, and nobody else";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    api.explain.explain(question).await.map(Json).map_err(|error| {
        let field = match error {
            ExplainError::UnknownPrincipal(_) => "principal",
            ExplainError::UnknownTarget(_) => "target",
        };
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_reference", error.to_string());
        Problem { field: Some(field), ..problem }
    })
}
