//! What a PATCH of SCIM asks for.
//!
//! Source: RFC 7644, section 3.5.2. Directories differ in how they write it: Okta sends values without a path, Entra ID
//! the word "False" as text and operations with a capital.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::scim::{Refused, Wanted};
use crate::{
    control::{DirectoryChange, DirectoryGroupChange, MembersChange},
    model::ids::PrincipalName,
};

/// The change that the operations of `body` make of the user `id`.
///
/// # Errors
/// What is wrong with it; attributes that are not kept are passed over, as SCIM wants it.
pub(super) fn wanted(id: &str, body: &Value) -> Result<DirectoryChange, Refused> {
    let mut change = DirectoryChange::default();
    for Operation { word, path, value } in operations(body)? {
        match (&*word, path, value) {
            ("add" | "replace", None, Value::Object(values)) => several(id, values, &mut change)?,
            ("add" | "replace", Some(path), value) => one(id, path, value, &mut change)?,
            ("remove", Some(path), _) if path.eq_ignore_ascii_case("active") => change.active = Some(false),
            ("remove", Some(_), _) => {}
            _ => return Err(no_operation()),
        }
    }
    Ok(change)
}

/// The change that the operations of `body` make of a group.
///
/// # Errors
/// What is wrong with it; attributes that are not kept are passed over, as SCIM wants it.
pub(super) fn wanted_of_group(body: &Value) -> Result<DirectoryGroupChange, Refused> {
    let mut change = DirectoryGroupChange::default();
    for Operation { word, path, value } in operations(body)? {
        match (&*word, path, value) {
            ("add" | "replace", None, Value::Object(values)) => {
                for (path, value) in values {
                    one_of_group(&word, path, value, &mut change)?;
                }
            }
            ("add" | "replace", Some(path), value) => one_of_group(&word, path, value, &mut change)?,
            ("remove", Some(path), value) => {
                let lower = path.to_ascii_lowercase();
                if lower == "members" && value.is_null() {
                    change.members.push(MembersChange::Set(BTreeSet::new()));
                } else if lower == "members" {
                    change.members.push(MembersChange::Remove(members(value)?));
                } else if lower.starts_with("members") {
                    change.members.push(MembersChange::Remove(BTreeSet::from([member_at(path)?])));
                }
            }
            _ => return Err(no_operation()),
        }
    }
    Ok(change)
}

/// Who is named in a list of members.
///
/// # Errors
/// `invalidValue` for a list of anything but users: groups are not members of groups here.
pub(super) fn members(value: &Value) -> Result<BTreeSet<PrincipalName>, Refused> {
    let wrong = || Refused::bad("invalidValue", "members: a list of users, each with its value");
    let one = |member: &Value| {
        let is_user = member.get("type").is_none_or(|kind| kind.as_str().is_some_and(|it| it == "User"));
        let name = member.get("value").and_then(Value::as_str).filter(|_| is_user);
        name.map(PrincipalName::from).ok_or_else(wrong)
    };
    match value {
        Value::Array(all) => all.iter().map(one).collect(),
        Value::Object(_) => Ok(BTreeSet::from([one(value)?])),
        _ => Err(wrong()),
    }
}

/// The member in `members[value eq "…"]`.
fn member_at(path: &str) -> Result<PrincipalName, Refused> {
    let wrong = || Refused::bad("invalidPath", "a path of members is members or members[value eq \"…\"]");
    let filter = path.get("members".len()..).and_then(|it| it.strip_prefix('[')?.strip_suffix(']'));
    match filter.map(|filter| Wanted::read(filter, "value")) {
        Some(Ok(Wanted::Name(name))) => Ok(name.into()),
        Some(Ok(Wanted::ExternalId(_)) | Err(_)) | None => Err(wrong()),
    }
}

fn one_of_group(
    word: &str,
    path: &str,
    value: &Value,
    change: &mut DirectoryGroupChange,
) -> Result<(), Refused> {
    let text = |what: &str| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| Refused::bad("invalidValue", format!("{what} is a text")))
    };
    match path.to_ascii_lowercase().as_str() {
        "displayname" => change.name = Some(text("displayName")?.into()),
        "externalid" => change.external_id = Some(text("externalId")?),
        "members" if word == "add" => change.members.push(MembersChange::Add(members(value)?)),
        "members" => change.members.push(MembersChange::Set(members(value)?)),
        // Nothing of a member can be changed.
        path if path.starts_with("members") => {
            return Err(Refused::bad("invalidPath", "members are added, removed or replaced as they are"));
        }
        _ => {}
    }
    Ok(())
}

struct Operation<'b> {
    /// In lower case.
    word: String,
    path: Option<&'b str>,
    value: &'b Value,
}

fn operations(body: &Value) -> Result<impl Iterator<Item = Operation<'_>>, Refused> {
    let all = body.get("Operations").or_else(|| body.get("operations")).and_then(Value::as_array);
    let all = all.filter(|all| !all.is_empty() && all.len() <= MOST_OPERATIONS);
    let all = all.ok_or_else(|| Refused::bad("invalidSyntax", "Operations: a list of 1 to 100"))?;
    Ok(all.iter().map(|operation| Operation {
        word: operation.get("op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase(),
        path: operation.get("path").and_then(Value::as_str),
        value: operation.get("value").unwrap_or(&Value::Null),
    }))
}

fn no_operation() -> Refused {
    Refused::bad("invalidSyntax", "an operation is add, replace or remove")
}

fn several(id: &str, values: &Map<String, Value>, change: &mut DirectoryChange) -> Result<(), Refused> {
    values.iter().try_for_each(|(path, value)| one(id, path, value, change))
}

fn one(id: &str, path: &str, value: &Value, change: &mut DirectoryChange) -> Result<(), Refused> {
    match path.to_ascii_lowercase().as_str() {
        "active" => change.active = Some(truth(value)?),
        "externalid" => {
            let id = value.as_str().ok_or_else(|| Refused::bad("invalidValue", "externalId is a text"))?;
            change.external_id = Some(id.to_owned());
        }
        "username" if value.as_str() != Some(id) => {
            let detail = "userName is the name of a principal, which does not change";
            return Err(Refused::bad("mutability", detail));
        }
        _ => {}
    }
    Ok(())
}

fn truth(value: &Value) -> Result<bool, Refused> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Refused::bad("invalidValue", "active is true or false")),
    }
}

const MOST_OPERATIONS: usize = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn active(operations: Value) -> Option<Option<bool>> {
        wanted("dana", &json!({ "Operations": operations })).ok().map(|change| change.active)
    }

    #[test]
    fn people_are_deactivated_in_every_way_that_directories_write_it() {
        for operations in [
            json!([{ "op": "replace", "value": { "active": false } }]),
            json!([{ "op": "Replace", "path": "active", "value": "False" }]),
            json!([{ "op": "replace", "path": "active", "value": false }]),
            json!([{ "op": "remove", "path": "active" }]),
            json!([{ "op": "replace", "path": "displayName", "value": "D" }, { "op": "add", "path": "active", "value": false }]),
        ] {
            assert_eq!(active(operations.clone()), Some(Some(false)), "{operations}");
        }
        assert_eq!(active(json!([{ "op": "replace", "value": { "active": true } }])), Some(Some(true)));
        assert_eq!(active(json!([{ "op": "replace", "path": "title", "value": "x" }])), Some(None));
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        for operations in [
            json!([]),
            json!([{ "op": "replace", "path": "active", "value": "no" }]),
            json!([{ "op": "replace", "value": "active" }]),
            json!([{ "op": "move", "path": "active", "value": false }]),
            json!([{ "op": "replace", "path": "userName", "value": "omar" }]),
        ] {
            assert_eq!(active(operations.clone()), None, "{operations}");
        }
        assert_eq!(active(json!([{ "op": "replace", "path": "userName", "value": "dana" }])), Some(None));
    }

    fn of_group(operations: Value) -> Option<DirectoryGroupChange> {
        wanted_of_group(&json!({ "Operations": operations })).ok()
    }

    #[test]
    fn members_come_and_go_in_every_way_that_directories_write_it() {
        let names =
            |names: &[&str]| names.iter().map(|name| PrincipalName::from(*name)).collect::<BTreeSet<_>>();
        let dana = json!([{ "value": "dana", "display": "Dana" }]);
        let add = MembersChange::Add(names(&["dana"]));
        let remove = MembersChange::Remove(names(&["dana"]));
        for (operation, wanted) in [
            (json!({ "op": "add", "path": "members", "value": dana }), &add),
            (json!({ "op": "Add", "path": "members", "value": { "value": "dana" } }), &add),
            (json!({ "op": "add", "value": { "members": dana } }), &add),
            (json!({ "op": "remove", "path": "members[value eq \"dana\"]" }), &remove),
            (json!({ "op": "Remove", "path": "members", "value": dana }), &remove),
            (json!({ "op": "remove", "path": "members" }), &MembersChange::Set(names(&[]))),
            (
                json!({ "op": "replace", "path": "members", "value": dana }),
                &MembersChange::Set(names(&["dana"])),
            ),
        ] {
            let change = of_group(json!([operation])).unwrap();
            assert_eq!(change.members, std::slice::from_ref(wanted), "{operation}");
        }
        let renamed = of_group(json!([{ "op": "replace", "value": { "id": "1", "displayName": "leads" } }]));
        assert_eq!(renamed.unwrap().name, Some("leads".into()));
    }

    #[test]
    fn what_is_not_understood_of_a_group_changes_nothing() {
        for operations in [
            json!([]),
            json!([{ "op": "add", "path": "members", "value": "dana" }]),
            json!([{ "op": "add", "path": "members", "value": [{ "display": "dana" }] }]),
            json!([{ "op": "add", "path": "members", "value": [{ "value": "x", "type": "Group" }] }]),
            json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]),
            json!([{ "op": "remove", "path": "members[value eq \"dana\"].display" }]),
            json!([{ "op": "replace", "path": "members[value eq \"dana\"].value", "value": "omar" }]),
            json!([{ "op": "replace", "path": "displayName", "value": 7 }]),
            json!([{ "op": "clear", "path": "members" }]),
        ] {
            assert_eq!(of_group(operations.clone()), None, "{operations}");
        }
    }
}
