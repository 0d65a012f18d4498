//! `/api/v1/audit`: the log of this gateway, searched, told, counted and taken away.

use std::io;

use axum::{
    BoxError, Json,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{
    audit_bodies::{AuditFormat, AuditQuery, AuditStatsQuery, DownloadQuery, StoryView},
    auth::Auditor,
    body::QueryOf,
    problem::Problem,
    reader::Reader,
    router::Api,
};
use crate::{
    audit::{Export, Page, Stats, Story, Taking, Trail},
    control::{Caller, Control, ControlError, Scope},
    model::ids::{GrantId, RequestId},
};

/// Records of this gateway's audit log, the newest first.
#[utoipa::path(
    get,
    path = "/audit/records",
    operation_id = "search_audit",
    tag = "audit",
    params(AuditQuery),
    responses((status = 200, description = "A page.", body = Page)),
    security(("service_key" = ["audit:read", "admin"]))
)]
pub(super) async fn records(
    State(api): State<Api>,
    _: Auditor,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<Page>, Problem> {
    Ok(Json(trail(&api)?.search(&query).await?))
}

/// A record and what led to it: statement ← grant ← request ← reviews.
#[utoipa::path(
    get,
    path = "/audit/records/{id}",
    operation_id = "get_audit_story",
    tag = "audit",
    params(("id" = String, Path, description = "Number of a record, or identifier of a statement, session, grant or request.")),
    responses((status = 200, description = "The story.", body = StoryView)),
    security(("service_key" = ["audit:read", "admin"]))
)]
pub(super) async fn record(
    State(api): State<Api>,
    Auditor(caller): Auditor,
    Path(id): Path<String>,
) -> Result<Json<StoryView>, Problem> {
    let story = trail(&api)?.story(&id).await?.ok_or_else(|| {
        let shown: String = id.chars().take(80).collect();
        let detail = format!("this gateway's audit log has no \"{shown}\"");
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })?;
    Ok(Json(with_store(&api.control, &caller, story).await?))
}

/// Who touched what, and how many statements each hour had.
#[utoipa::path(
    get,
    path = "/audit/stats",
    operation_id = "audit_stats",
    tag = "audit",
    params(AuditStatsQuery),
    responses((status = 200, description = "The sums.", body = Stats)),
    security(("service_key" = ["audit:read", "admin"]))
)]
pub(super) async fn stats(
    State(api): State<Api>,
    _: Auditor,
    QueryOf(query): QueryOf<AuditStatsQuery>,
) -> Result<Json<Stats>, Problem> {
    Ok(Json(trail(&api)?.stats(&query).await?))
}

/// All records that are wanted, the oldest first: the lines of the log as they are, or a table, or OCSF events, or a
/// table of typed columns.
#[utoipa::path(
    get,
    path = "/audit/download",
    operation_id = "download_audit",
    tag = "audit",
    params(DownloadQuery),
    responses(
        (status = 200, description = "The file.", content(
            (String = "application/x-ndjson"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet")
        )),
    ),
    security(("service_key" = ["audit:read", "admin"]))
)]
pub(super) async fn download(
    State(api): State<Api>,
    Auditor(caller): Auditor,
    QueryOf(query): QueryOf<DownloadQuery>,
) -> Result<Response, Problem> {
    let reader = Reader::new(&api, caller, None)?;
    let trail = trail(&api)?.clone();
    let export = match query.format.unwrap_or_default() {
        AuditFormat::Csv => Export::Csv,
        AuditFormat::Jsonl => Export::Jsonl,
        AuditFormat::Ocsf => Export::Ocsf,
        AuditFormat::Parquet => Export::Parquet,
    };
    let headers = [
        (header::CONTENT_TYPE, export.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"audit.{}\"", export.ending())),
    ];
    let taking = Taking::new(trail, query.filter(), export)?;
    Ok((headers, Body::from_stream(pieces(reader, taking))).into_response())
}

/// The file, piece by piece, as it is read from the log. It breaks off for whoever may no longer read it.
fn pieces(reader: Reader, taking: Taking) -> impl Stream<Item = Result<Bytes, BoxError>> {
    stream::try_unfold((reader, taking), |(reader, mut taking)| async move {
        if !reader.now().is_some_and(|caller| caller.may(&[Scope::AuditRead])) {
            // An error, so that nobody takes it for the whole file.
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        }
        let piece = taking.next().await?;
        Ok(piece.map(|piece| (Bytes::from(piece.bytes), (reader, taking))))
    })
}

/// The story together with what the store knows of its grants and requests now.
async fn with_store(control: &Control, caller: &Caller, story: Story) -> Result<StoryView, Problem> {
    let (grants, requests) = story.names();
    let (mut current_grants, mut current_requests) = (Vec::new(), Vec::new());
    for id in grants.iter().filter_map(|id| id.parse::<GrantId>().ok()) {
        match control.grant(id).await {
            Ok(grant) => current_grants.push(grant),
            // Its record is kept longer than it is.
            Err(ControlError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let own = requests.iter().filter_map(|id| id.parse::<RequestId>().ok());
    let mut wanted: Vec<RequestId> =
        own.chain(current_grants.iter().filter_map(|grant| grant.request)).collect();
    wanted.sort();
    wanted.dedup();
    for id in wanted {
        match control.request(caller, id).await {
            Ok(request) => current_requests.push(request),
            Err(ControlError::Unknown { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(StoryView { story, current_grants, current_requests })
}

pub(super) fn trail(api: &Api) -> Result<&Trail, Problem> {
    api.trail.as_ref().ok_or_else(|| {
        let detail = "the audit log of this gateway is not indexed: audit.index is false";
        Problem::new(StatusCode::NOT_IMPLEMENTED, "audit_not_indexed", detail)
    })
}
