//! `/scim/v2/Users`: who is in, and who is not any more.

use axum::{
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    auth::Directory,
    router::Api,
    scim::{Asked, Refused, USER, Wanted, answer, made, read},
    scim_patch::wanted,
};
use crate::control::{DirectoryChange, DirectoryEntry, NewDirectoryEntry};

/// A user as a directory writes one; what is not listed is not kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    user_name: String,
    external_id: Option<String>,
    active: Option<bool>,
}

/// Users, found by `userName` or `externalId`.
#[utoipa::path(
    get,
    path = "/Users",
    operation_id = "scim_list_users",
    tag = "directory",
    params(Asked),
    responses((status = 200, description = "A page.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Directory,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Refused> {
    let asked = Asked::of(query)?;
    let mut found = api.control.directory();
    if let Some(filter) = &asked.filter {
        let wanted = Wanted::read(filter, "userName")?;
        found.retain(|it| wanted.is(&it.name, it.external_id.as_deref()));
    }
    Ok(asked.page(&found, |it| resource(&api, it)))
}

/// One user.
#[utoipa::path(
    get,
    path = "/Users/{id}",
    operation_id = "scim_get_user",
    tag = "directory",
    params(("id" = String, Path, description = "The name of the user.")),
    responses((status = 200, description = "The user.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn one(
    State(api): State<Api>,
    _: Directory,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    shown(&api, id)
}

/// Puts somebody in.
#[utoipa::path(
    post,
    path = "/Users",
    operation_id = "scim_create_user",
    tag = "directory",
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 201, description = "The user.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn create(
    State(api): State<Api>,
    Directory(caller): Directory,
    body: Bytes,
) -> Result<Response, Refused> {
    let Written { user_name, external_id, active } = read(&body)?;
    let new = NewDirectoryEntry { name: user_name.into(), external_id, active: active.unwrap_or(true) };
    let entry = api.control.add_to_directory(&caller.name, new).await?;
    Ok(made(&place(&entry.name), &resource(&api, &entry)))
}

/// Activates or deactivates somebody.
#[utoipa::path(
    put,
    path = "/Users/{id}",
    operation_id = "scim_replace_user",
    tag = "directory",
    params(("id" = String, Path, description = "The name of the user.")),
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 200, description = "The user.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
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
    shown(&api, id)
}

/// Activates or deactivates somebody.
#[utoipa::path(
    patch,
    path = "/Users/{id}",
    operation_id = "scim_change_user",
    tag = "directory",
    params(("id" = String, Path, description = "The name of the user.")),
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 200, description = "The user.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn change(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let change = wanted(&id, &read::<Value>(&body)?)?;
    api.control.change_in_directory(&caller.name, id.as_str().into(), change).await?;
    shown(&api, id)
}

/// Takes somebody out: sessions, keys, tokens and grants go with it.
#[utoipa::path(
    delete,
    path = "/Users/{id}",
    operation_id = "scim_remove_user",
    tag = "directory",
    params(("id" = String, Path, description = "The name of the user.")),
    responses((status = 204, description = "They are out.")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn remove(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    let change = DirectoryChange { removed: true, ..DirectoryChange::default() };
    api.control.change_in_directory(&caller.name, id.into(), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(api: &Api, id: String) -> Result<Response, Refused> {
    Ok(answer(StatusCode::OK, &resource(api, &api.control.directory_entry(&id.into())?)))
}

fn resource(api: &Api, entry: &DirectoryEntry) -> Value {
    let kept = api.control.directory_groups_of(&entry.name);
    let elsewhere = entry.groups.iter().filter(|name| kept.iter().all(|group| group.name != **name));
    let elsewhere = elsewhere.map(|name| json!({ "value": name, "display": name }));
    let groups = kept.iter().map(|group| json!({ "value": group.id, "display": group.name }));
    let groups: Vec<Value> = groups.chain(elsewhere).collect();
    let mut user = json!({
        "schemas": [USER], "id": entry.name, "userName": entry.name, "active": entry.active, "groups": groups,
        "meta": { "resourceType": "User", "location": place(&entry.name) },
    });
    if let (Some(id), Some(fields)) = (&entry.external_id, user.as_object_mut()) {
        fields.insert("externalId".to_owned(), id.as_str().into());
    }
    user
}

fn place(name: &str) -> String {
    format!("/scim/v2/Users/{name}")
}
