//! What a PATCH of SCIM asks for.
//!
//! Source: RFC 7644, section 3.5.2. Directories differ in how they write it: Okta sends values without a path, Entra ID
//! the word "False" as text and operations with a capital.

use serde_json::{Map, Value};

use super::scim::Refused;
use crate::control::DirectoryChange;

/// The change that the operations of `body` make of the user `id`.
///
/// # Errors
/// What is wrong with it; attributes that are not kept are passed over, as SCIM wants it.
pub(super) fn wanted(id: &str, body: &Value) -> Result<DirectoryChange, Refused> {
    let operations = body.get("Operations").or_else(|| body.get("operations")).and_then(Value::as_array);
    let operations = operations.filter(|all| !all.is_empty() && all.len() <= MOST_OPERATIONS);
    let operations =
        operations.ok_or_else(|| Refused::bad("invalidSyntax", "Operations: a list of 1 to 100"))?;
    let mut change = DirectoryChange::default();
    for operation in operations {
        let word = operation.get("op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let path = operation.get("path").and_then(Value::as_str);
        let value = operation.get("value").unwrap_or(&Value::Null);
        match (word.as_str(), path, value) {
            ("add" | "replace", None, Value::Object(values)) => several(id, values, &mut change)?,
            ("add" | "replace", Some(path), value) => one(id, path, value, &mut change)?,
            ("remove", Some(path), _) if path.eq_ignore_ascii_case("active") => change.active = Some(false),
            ("remove", Some(_), _) => {}
            _ => return Err(Refused::bad("invalidSyntax", "an operation is add, replace or remove")),
        }
    }
    Ok(change)
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
}
