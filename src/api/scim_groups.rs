//! `/scim/v2/Groups`: who is in which of the directory's groups.

use std::collections::BTreeSet;

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
    scim::{Asked, GROUP, Refused, Wanted, answer, made, read},
    scim_patch::{members, wanted_of_group},
};
use crate::{
    control::{DirectoryGroupChange, MembersChange, NewDirectoryGroup, StoredDirectoryGroup},
    model::ids::{DirectoryGroupId, PrincipalName},
};

/// A group as a directory writes one; what is not listed is not kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    display_name: String,
    external_id: Option<String>,
    #[serde(default)]
    members: Value,
}

impl Written {
    fn members(&self) -> Result<BTreeSet<PrincipalName>, Refused> {
        if self.members.is_null() { Ok(BTreeSet::new()) } else { members(&self.members) }
    }
}

/// Groups, found by `displayName` or `externalId`.
#[utoipa::path(
    get,
    path = "/Groups",
    operation_id = "scim_list_groups",
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
    let mut found = api.control.directory_groups();
    if let Some(filter) = &asked.filter {
        let wanted = Wanted::read(filter, "displayName")?;
        found.retain(|it| wanted.is(&it.name, it.external_id.as_deref()));
    }
    Ok(asked.page(&found, |it| resource(it, asked.wants_members())))
}

/// One group.
#[utoipa::path(
    get,
    path = "/Groups/{id}",
    operation_id = "scim_get_group",
    tag = "directory",
    params(("id" = DirectoryGroupId, Path, description = "Which."), Asked),
    responses((status = 200, description = "The group.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn one(
    State(api): State<Api>,
    _: Directory,
    Path(id): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Refused> {
    let group = api.control.directory_group(known(&id)?)?;
    Ok(answer(StatusCode::OK, &resource(&group, Asked::of(query)?.wants_members())))
}

/// Makes a group. Its members count as members of policy's group of that name.
#[utoipa::path(
    post,
    path = "/Groups",
    operation_id = "scim_create_group",
    tag = "directory",
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 201, description = "The group.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn create(
    State(api): State<Api>,
    Directory(caller): Directory,
    body: Bytes,
) -> Result<Response, Refused> {
    let written: Written = read(&body)?;
    let members = written.members()?;
    let new =
        NewDirectoryGroup { name: written.display_name.into(), external_id: written.external_id, members };
    let group = api.control.add_directory_group(&caller.name, new).await?;
    Ok(made(&place(group.id), &resource(&group, true)))
}

/// Says anew what a group is called and who is in it.
#[utoipa::path(
    put,
    path = "/Groups/{id}",
    operation_id = "scim_replace_group",
    tag = "directory",
    params(("id" = DirectoryGroupId, Path, description = "Which.")),
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 200, description = "The group.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn replace(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let written: Written = read(&body)?;
    let members = vec![MembersChange::Set(written.members()?)];
    let change = DirectoryGroupChange {
        name: Some(written.display_name.into()),
        external_id: written.external_id,
        members,
    };
    let group = api.control.change_directory_group(&caller.name, known(&id)?, change).await?;
    Ok(answer(StatusCode::OK, &resource(&group, true)))
}

/// Puts people into a group, takes them out, or calls it otherwise.
#[utoipa::path(
    patch,
    path = "/Groups/{id}",
    operation_id = "scim_change_group",
    tag = "directory",
    params(("id" = DirectoryGroupId, Path, description = "Which.")),
    request_body(content = Value, content_type = "application/scim+json"),
    responses((status = 200, description = "The group.", body = Value, content_type = "application/scim+json")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn change(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Refused> {
    let change = wanted_of_group(&read::<Value>(&body)?)?;
    let group = api.control.change_directory_group(&caller.name, known(&id)?, change).await?;
    Ok(answer(StatusCode::OK, &resource(&group, true)))
}

/// Removes a group: nobody is in it any more.
#[utoipa::path(
    delete,
    path = "/Groups/{id}",
    operation_id = "scim_remove_group",
    tag = "directory",
    params(("id" = DirectoryGroupId, Path, description = "Which.")),
    responses((status = 204, description = "It is gone.")),
    security(("service_key" = ["directory", "admin"]))
)]
pub(super) async fn remove(
    State(api): State<Api>,
    Directory(caller): Directory,
    Path(id): Path<String>,
) -> Result<StatusCode, Refused> {
    api.control.remove_directory_group(&caller.name, known(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// # Errors
/// 404 for what cannot be the identifier of a group.
fn known(id: &str) -> Result<DirectoryGroupId, Refused> {
    id.parse().map_err(|_| Refused::unknown(format!("there is no group \"{}\"", id.escape_debug())))
}

fn resource(group: &StoredDirectoryGroup, with_members: bool) -> Value {
    let mut body = json!({
        "schemas": [GROUP], "id": group.id, "displayName": group.name,
        "meta": { "resourceType": "Group", "created": group.created_at, "location": place(group.id) },
    });
    let Some(fields) = body.as_object_mut() else { return body };
    if let Some(id) = &group.external_id {
        fields.insert("externalId".to_owned(), id.as_str().into());
    }
    if with_members {
        let members = group.members.iter();
        let members = members.map(|name| json!({ "value": name, "display": name, "type": "User" }));
        fields.insert("members".to_owned(), members.collect());
    }
    body
}

fn place(id: DirectoryGroupId) -> String {
    format!("/scim/v2/Groups/{id}")
}
