//! `/scim/v2`: a directory says who is in, and who is not any more. What users and groups have in common.
//!
//! A subset of SCIM 2.0: users and groups, found by their name or `externalId`; no bulk, no sorting.
//!
//! Source: RFC 7643, sections 4 and 5; RFC 7644, section 3.

use axum::{
    body::Bytes,
    extract::{Query, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::auth::Directory;
use crate::control::ControlError;

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

    pub(super) const fn unknown(detail: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: None, detail }
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

/// Which users or groups are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    /// A name or `externalId`: `userName eq "dana"`, `displayName eq "developers"`.
    pub(super) filter: Option<String>,
    /// The first that is sent; they are counted from 1.
    start_index: Option<i64>,
    /// How many are sent, at most 200.
    count: Option<i64>,
    /// `members` leaves out who is in the groups.
    excluded_attributes: Option<String>,
}

impl Asked {
    /// # Errors
    /// What is wrong with the query.
    pub(super) fn of(query: Result<Query<Self>, QueryRejection>) -> Result<Self, Refused> {
        query.map(|Query(asked)| asked).map_err(|error| Refused::bad("invalidValue", error.body_text()))
    }

    /// Whether the members of groups are sent.
    pub(super) fn wants_members(&self) -> bool {
        let mut excluded = self.excluded_attributes.iter().flat_map(|all| all.split(','));
        !excluded.any(|name| name.trim().eq_ignore_ascii_case("members"))
    }

    /// The page of `found` that is asked for.
    pub(super) fn page<T>(&self, found: &[T], resource: impl FnMut(&T) -> Value) -> Response {
        let start = usize::try_from(self.start_index.unwrap_or(1).max(1)).unwrap_or(1);
        let count = usize::try_from(self.count.unwrap_or(MOST_LISTED).clamp(0, MOST_LISTED)).unwrap_or(0);
        let page: Vec<Value> = found.iter().skip(start - 1).take(count).map(resource).collect();
        let body = json!({
            "schemas": [LIST],
            "totalResults": found.len(), "startIndex": start, "itemsPerPage": page.len(), "Resources": page,
        });
        answer(StatusCode::OK, &body)
    }
}

/// A value that a filter asks for, of one of two attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// `externalId`.
    ExternalId(String),
    /// The name.
    Name(String),
}

impl Wanted {
    /// Reads a filter: `NAME eq "…"` or `externalId eq "…"`, where NAME is what the name's attribute is called.
    ///
    /// # Errors
    /// `invalidFilter` for every other one.
    pub(super) fn read(filter: &str, name: &str) -> Result<Self, Refused> {
        let unknown = || {
            let detail = format!("the filters are {name} eq \"…\" and externalId eq \"…\"");
            Refused::bad("invalidFilter", detail)
        };
        let mut words = filter.trim().splitn(3, ' ');
        let (attribute, operator, value) = (words.next(), words.next(), words.next());
        let wanted = match attribute {
            Some(attribute) if attribute.eq_ignore_ascii_case(name) => Self::Name,
            Some(attribute) if attribute.eq_ignore_ascii_case("externalId") => Self::ExternalId,
            Some(_) | None => return Err(unknown()),
        };
        if !operator.is_some_and(|operator| operator.eq_ignore_ascii_case("eq")) {
            return Err(unknown());
        }
        // A value is JSON: RFC 7644, section 3.4.2.2.
        let value = value.and_then(|value| serde_json::from_str::<String>(value.trim()).ok());
        value.map(wanted).ok_or_else(unknown)
    }

    /// Whether it is somebody's, or some group's. Names are told apart without regard to case: RFC 7643, sections
    /// 4.1.1 and 4.2.
    pub(super) fn is(&self, name: &str, external_id: Option<&str>) -> bool {
        match self {
            Self::ExternalId(value) => external_id == Some(value),
            Self::Name(value) => name.eq_ignore_ascii_case(value),
        }
    }
}

/// What this side of SCIM can do.
#[utoipa::path(
    get,
    path = "/ServiceProviderConfig",
    operation_id = "scim_service_provider_config",
    tag = "directory",
    responses((status = 200, description = "It.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
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

/// What is kept here.
#[utoipa::path(
    get,
    path = "/ResourceTypes",
    operation_id = "scim_resource_types",
    tag = "directory",
    responses((status = 200, description = "Users and groups.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn resource_types(_: Directory) -> Response {
    let resource_type = |name: &str, endpoint: &str, schema: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name, "name": name, "endpoint": endpoint, "schema": schema,
        })
    };
    let all = [resource_type("User", "/Users", USER), resource_type("Group", "/Groups", GROUP)];
    let body = json!({
        "schemas": [LIST],
        "totalResults": all.len(), "startIndex": 1, "itemsPerPage": all.len(), "Resources": all,
    });
    answer(StatusCode::OK, &body)
}

/// Reads a body.
///
/// # Errors
/// `invalidSyntax`.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::bad("invalidSyntax", error.to_string()))
}

/// An answer in SCIM's own type.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/scim+json")];
    (status, kind, body.to_string()).into_response()
}

/// The answer to what was made, and where it is.
pub(super) fn made(place: &str, body: &Value) -> Response {
    let mut response = answer(StatusCode::CREATED, body);
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The schema of users.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of groups.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const MOST_LISTED: i64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_one_attribute_and_its_value() {
        let read = |filter| Wanted::read(filter, "userName");
        assert_eq!(read("userName eq \"a b\"").unwrap(), Wanted::Name("a b".to_owned()));
        assert_eq!(read("externalid EQ \"1\\\"2\"").unwrap(), Wanted::ExternalId("1\"2".to_owned()));
        for wrong in [
            "",
            "userName",
            "userName eq dana",
            "userName co \"d\"",
            "userName eq \"a\" or true",
            "displayName eq \"x\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_are_left_out_where_they_are_excluded_by_name() {
        let wants = |excluded: Option<&str>| {
            Asked { excluded_attributes: excluded.map(str::to_owned), ..Asked::default() }.wants_members()
        };
        assert!(wants(None) && wants(Some("meta")) && wants(Some("membership")));
        assert!(!wants(Some("members")) && !wants(Some("meta, Members")));
    }
}
