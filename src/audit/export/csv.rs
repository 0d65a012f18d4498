//! Records as a table.
//!
//! Source: RFC 4180.

use serde_json::Value;

use crate::audit::trail::FoundRecord;

/// The names of the columns.
pub(super) fn head() -> Vec<u8> {
    let mut out = Vec::new();
    let names: Vec<String> = START.iter().chain(&END).map(|name| (*name).to_owned()).collect();
    row(&names, &mut out);
    out
}

/// Adds the row of a record.
pub(super) fn write(record: &FoundRecord, out: &mut Vec<u8>) {
    let own = |field: &&str| cell(record.found.record.get(*field));
    let end = |field: &&str| cell(record.end.as_ref().and_then(|end| end.record.get(*field)));
    let cells: Vec<String> = START.iter().map(own).chain(END.iter().map(end)).collect();
    row(&cells, out);
}

/// A value in one cell: lists with semicolons, objects of a statement as mode and name.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| cell(Some(item))).collect();
            items.join("; ")
        }
        Some(Value::Object(fields)) => match (fields.get("mode"), fields.get("name")) {
            (Some(Value::String(mode)), Some(Value::String(name))) => format!("{mode} {name}"),
            _ => Value::Object(fields.clone()).to_string(),
        },
        Some(other) => other.to_string(),
    }
}

fn row(cells: &[String], out: &mut Vec<u8>) {
    for (at, text) in cells.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // What a client sent must not become a formula of whoever opens the table.
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if is_formula { format!("'{text}") } else { text.clone() };
        if text.contains(['"', ',', '\n', '\r']) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Columns of the record.
const START: [&str; 20] = [
    "seq",
    "at",
    "event",
    "principal",
    "actor",
    "client",
    "application",
    "target",
    "database",
    "decision",
    "kind",
    "objects",
    "sql",
    "fingerprint",
    "lane",
    "grants",
    "missing",
    "message",
    "session",
    "statement",
];

/// Columns of the statement's end.
const END: [&str; 5] = ["outcome", "rows", "bytes", "duration_us", "sqlstate"];
