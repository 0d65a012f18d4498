//! `/api/v1/sql`: what pages ask for statements. Made for the console's own pages, and may change with them.

use std::convert::Infallible;

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequestParts, Path, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{editor::Editor, error::EditorError, ports::TargetInfo};
use crate::{
    control::{Caller, InBrowser, Scope},
    model::{
        dialect::Dialect,
        failure::{Classify, FailureClass},
        ids::{DatabaseName, PrincipalName, TargetName},
    },
    net::Peer,
};

impl Editor {
    /// The addresses below `/api/v1/sql`. Whoever serves them has proved the caller before, and put it, and its address,
    /// into the extensions of the request.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/targets", get(targets))
            .route("/tabs", post(open))
            .route("/tabs/{id}", delete(close))
            .route("/tabs/{id}/run", post(run))
            .route("/tabs/{id}/cancel", post(cancel))
            .route("/tabs/{id}/export", post(export))
            .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
            .with_state(self.clone())
    }
}

/// A person who is signed in: a key alone does not log in to databases.
struct Person(PrincipalName, Caller);

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let detail = "this is for the session of a browser, signed in at the console";
        let problem = Problem::new(StatusCode::FORBIDDEN, "not_in_browser", detail);
        parts.extensions.get::<InBrowser>().ok_or(problem)?;
        // closed: who was not proved is nobody
        let caller = parts.extensions.get::<Caller>().filter(|caller| caller.may(&[Scope::Person])).cloned();
        let person = caller.and_then(|caller| Some(Self(caller.principal.clone()?, caller)));
        let detail = "this takes the key of a person, with the scope person";
        person.ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "not_a_person", detail))
    }
}

async fn targets(State(editor): State<Editor>, _: Person) -> Json<Vec<TargetInfo>> {
    Json(editor.targets())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTab {
    target: TargetName,
    database: DatabaseName,
}

#[derive(Serialize)]
struct OpenTab {
    tab: Uuid,
    dialect: Dialect,
}

async fn open(
    State(editor): State<Editor>,
    Person(owner, caller): Person,
    from: Option<Extension<Peer>>,
    Json(NewTab { target, database }): Json<NewTab>,
) -> Result<(StatusCode, Json<OpenTab>), Problem> {
    let from = from.map_or_else(|| ([0, 0, 0, 0], 0).into(), |Extension(Peer(from))| from);
    let (tab, dialect) = editor.open((owner, caller), from, target, database).await?;
    Ok((StatusCode::CREATED, Json(OpenTab { tab, dialect })))
}

async fn close(
    State(editor): State<Editor>,
    Person(owner, _): Person,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    editor.tab(&owner, id)?;
    editor.close(id);
    Ok(StatusCode::NO_CONTENT)
}

async fn cancel(
    State(editor): State<Editor>,
    Person(owner, _): Person,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let tab = editor.tab(&owner, id)?;
    editor.cancel(&tab).await;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToRun {
    sql: String,
    /// So many rows of a result are sent.
    #[serde(default = "most_rows")]
    rows: u64,
}

const fn most_rows() -> u64 {
    MOST_ROWS
}

async fn run(
    State(editor): State<Editor>,
    Person(owner, _): Person,
    Path(id): Path<Uuid>,
    Json(ToRun { sql, rows }): Json<ToRun>,
) -> Result<Response, Problem> {
    let told = editor.run(&owner, id, sql, rows.min(MOST_ROWS))?;
    let lines = stream::unfold(told, |mut told| async move {
        let line = told.recv().await?;
        Some((Ok::<_, Infallible>(line), told))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToExport {
    sql: String,
}

async fn export(
    State(editor): State<Editor>,
    Person(owner, _): Person,
    Path(id): Path<Uuid>,
    Json(ToExport { sql }): Json<ToExport>,
) -> Result<Response, Problem> {
    let sent = match editor.export(&owner, id, &sql).await? {
        Ok(sent) => sent,
        Err(report) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(report)).into_response()),
    };
    let pieces = stream::unfold(sent, |mut sent| async move {
        let piece = sent.recv().await?;
        Some((piece, sent))
    });
    let kind = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"result.csv\""),
    ];
    Ok((kind, Body::from_stream(pieces)).into_response())
}

/// A refusal, as the API writes its own.
struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl From<EditorError> for Problem {
    fn from(error: EditorError) -> Self {
        let (status, code) = match (&error, error.class()) {
            (EditorError::Busy, _) => (StatusCode::CONFLICT, "busy"),
            (EditorError::Stopping, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            (EditorError::UnknownTab, _) => (StatusCode::GONE, "tab_closed"),
            (EditorError::UnknownTarget(_), _) => (StatusCode::NOT_FOUND, "not_found"),
            (EditorError::NoExport, _) => (StatusCode::NOT_IMPLEMENTED, "no_export"),
            (_, FailureClass::Denied) => (StatusCode::FORBIDDEN, "refused"),
            (_, FailureClass::Limit) => (StatusCode::CONFLICT, "limit_reached"),
            (_, FailureClass::Storage) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            (_, FailureClass::Upstream) => (StatusCode::BAD_GATEWAY, "gate_unavailable"),
            (_, FailureClass::Client | FailureClass::Configuration | FailureClass::Internal) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = serde_json::json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, body.to_string()).into_response()
    }
}

const MOST_BODY_BYTES: usize = 4 << 20;
const MOST_ROWS: u64 = 100_000;
