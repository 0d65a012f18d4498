//! `/scim/v2`: a directory says who is in, and who is not any more.
//!
//! A subset of SCIM 2.0: users, found by `userName` or `externalId`; no groups, no bulk, no sorting.
//!
//! Source: RFC 7643, sections 4.1 and 5; RFC 7644, section 3.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{auth::Directory, guard, router::Api, scim_patch::wanted};
use crate::control::{ControlError, DirectoryChange, DirectoryEntry, NewDirectoryEntry};

/// What is refused, as SCIM writes it.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    kind: Option<&'static str>,
    detail: String,
}

impl Refused {
    pub(super) fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: Some(kind), detail: detail.into() }
    }
}

impl From<ControlError> for Refused {
    fn from(error: ControlError) -> Self {
        let (detail, kind) = match &error {
            ControlError::Exists { .. } => (error.to_string(), Some("uniqueness")),
            ControlError::Invalid { .. } => (error.to_string(), Some("invalidValue")),
            _ => (error.to_string(), None),
        };
        // Logs the cause, and knows the status.
        let status = match super::problem::Problem::from(error).status {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self { status, kind, detail }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(fields)) = (self.kind, body.as_object_mut()) {
            fields.insert("scimType".to_owned(), kind.into());
        }
        answer(self.status, &body)
    }
}

/// A user as a directory writes one; what is not listed is not kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    user_name: String,
    external_id: Option<String>,
    active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
}

/// Its addresses. They are no part of the API's own description: a directory asks for `/ServiceProviderConfig`.
pub(super) fn routes(most_bytes: usize) -> Router<Api> {
    Router::new()
        .route("/ServiceProviderConfig", get(service_provider))
        .route("/ResourceTypes", get(resource_types))
        .route("/Users", get(list).post(create))
        .route("/Users/{id}", get(one).put(replace).patch(change).delete(remove))
        .layer(DefaultBodyLimit::max(most_bytes))
        .method_not_allowed_fallback(guard::no_such_method)
}

pub(super) async fn list(
    State(api): State<Api>,
    _: Directory,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refused> {
    let Query(asked) = query.map_err(|error| Refused::bad("invalidValue", error.body_text()))?;
    let all = api.control.directory();
    let found: Vec<DirectoryEntry> = match &asked.filter {
        None => all,
        Some(filter) => {
            let (by_name, value) = read_filter(filter)?;
            all.into_iter()
                .filter(|it| match by_name {
                    // RFC 7643, section 4.1.1: user names are told apart without regard to case.
                    true => it.name.eq_ignore_ascii_case(&value),
                    false => it.external_id.as_ref() == Some(&value),
                })
                .collect()
        }
    };
    let start = usize::try_from(asked.start_index.unwrap_or(1).max(1)).unwrap_or(1);
    let count = usize::try_from(asked.count.unwrap_or(MOST_LISTED).clamp(0, MOST_LISTED)).unwrap_or(0);
    let page: Vec<Value> = found.iter().skip(start - 1).take(count).map(resource).collect();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": found.len(), "startIndex": start, "itemsPerPage": page.len(), "Resources": page,
    });
    Ok(answer(StatusCode::OK, &body))
}

pub(super) async fn one(
    State(api): State<Api>,
    _: Directory,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    Ok(answer(StatusCode::OK, &resource(&api.control.directory_entry(&id.into())?)))
}

pub(super) async fn create(
    State(api): State<Api>,
    Directory(caller): Directory,
    body: Bytes,
) -> Result<Response, Refused> {
    let Written { user_name, external_id, active } = read(&body)?;
    let new = NewDirectoryEntry { name: user_name.into(), external_id, active: active.unwrap_or(true) };
    let made = api.control.add_to_directory(&caller.name, new).await?;
    let mut response = answer(StatusCode::CREATED, &resource(&made));
    if let Ok(place) = HeaderValue::from_str(&format!("/scim/v2/Users/{}", made.name)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(super) async fn replace(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let written: Written = read(&body)?;
    if written.user_name != id {
        return Err(Refused::bad("mutability", "userName is the name of a principal, which does not change"));
    }
    let change = DirectoryChange {
        // RFC 7644, section 3.5.1: what is left out may be taken for its default.
        active: Some(written.active.unwrap_or(true)),
        external_id: written.external_id,
        removed: false,
    };
    api.control.change_in_directory(&caller.name, id.as_str().into(), change).await?;
    Ok(answer(StatusCode::OK, &resource(&api.control.directory_entry(&id.into())?)))
}

pub(super) async fn change(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let change = wanted(&id, &read::<Value>(&body)?)?;
    api.control.change_in_directory(&caller.name, id.as_str().into(), change).await?;
    Ok(answer(StatusCode::OK, &resource(&api.control.directory_entry(&id.into())?)))
}

pub(super) async fn remove(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let change = DirectoryChange { removed: true, ..DirectoryChange::default() };
    api.control.change_in_directory(&caller.name, id.into(), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn service_provider(_: Directory) -> Response {
    let no = json!({ "supported": false });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST_LISTED },
        "changePassword": no, "sort": no, "etag": no,
        "authenticationSchemes": [{ "type": "oauthbearertoken", "name": "service key",
            "description": "a service key of scope directory, as a bearer token" }],
    });
    answer(StatusCode::OK, &body)
}

pub(super) async fn resource_types(_: Directory) -> Response {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User", "name": "User", "endpoint": "/Users", "schema": USER,
    });
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [user],
    });
    answer(StatusCode::OK, &body)
}

fn resource(entry: &DirectoryEntry) -> Value {
    let groups: Vec<Value> = entry.groups.iter().map(|group| json!({ "value": group })).collect();
    let mut user = json!({
        "schemas": [USER], "id": entry.name, "userName": entry.name, "active": entry.active, "groups": groups,
        "meta": { "resourceType": "User", "location": format!("/scim/v2/Users/{}", entry.name) },
    });
    if let (Some(id), Some(fields)) = (&entry.external_id, user.as_object_mut()) {
        fields.insert("externalId".to_owned(), id.as_str().into());
    }
    user
}

/// `userName eq "…"` (true) or `externalId eq "…"` (false), and the value.
fn read_filter(filter: &str) -> Result<(bool, String), Refused> {
    let unknown =
        || Refused::bad("invalidFilter", "the filters are userName eq \"…\" and externalId eq \"…\"");
    let mut words = filter.trim().splitn(3, ' ');
    let (attribute, operator, value) = (words.next(), words.next(), words.next());
    let by_name = match attribute.map(str::to_ascii_lowercase).as_deref() {
        Some("username") => true,
        Some("externalid") => false,
        Some(_) | None => return Err(unknown()),
    };
    if !operator.is_some_and(|operator| operator.eq_ignore_ascii_case("eq")) {
        return Err(unknown());
    }
    // A value is JSON: RFC 7644, section 3.4.2.2.
    let value = value.and_then(|value| serde_json::from_str::<String>(value.trim()).ok());
    value.map(|value| (by_name, value)).ok_or_else(unknown)
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad("invalidSyntax", error.to_string()))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/scim+json")];
    (status, kind, body.to_string()).into_response()
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const MOST_LISTED: i64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_one_attribute_and_its_value() {
        assert_eq!(read_filter("userName eq \"a b\"").unwrap(), (true, "a b".to_owned()));
        assert_eq!(read_filter("externalid EQ \"1\\\"2\"").unwrap(), (false, "1\"2".to_owned()));
        for wrong in [
            "",
            "userName",
            "userName eq dana",
            "userName co \"d\"",
            "userName eq \"a\" or true",
            "emails eq \"x\"",
        ] {
            assert!(read_filter(wrong).is_err(), "{wrong}");
        }
    }
}
