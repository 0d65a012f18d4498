//! `/api/v1/explain-access`

use axum::{Json, extract::State, http::StatusCode};

use super::{
    auth::GrantReader,
    bodies::{ExplainError, Explanation, Question},
    body::JsonBody,
    problem::Problem,
    router::Api,
};

pub(super) async fn explain(
    State(api): State<Api>,
    _: GrantReader,
    JsonBody(question): JsonBody<Question>,
) -> Result<Json<Explanation>, Problem> {
    api.explain.explain(question).await.map(Json).map_err(|error| {
        let field = match error {
            ExplainError::UnknownPrincipal(_) => "principal",
            ExplainError::UnknownTarget(_) => "target",
        };
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_reference", error.to_string());
        Problem { field: Some(field), ..problem }
    })
}
