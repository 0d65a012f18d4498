//! From a record to an OCSF event.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use serde_json::Value;

use super::event::{
    Actor, Authorization, Database, Endpoint, Event, Identified, Metadata, Named, Product, QueryInfo,
};
use crate::audit::trail::FoundRecord;

/// The event of a statement or login; `None` for other records, which are no activity of a datastore.
pub(super) fn event(found: &FoundRecord) -> Option<Event> {
    let record = &found.found.record;
    let text = |field: &str| record.get(field).and_then(Value::as_str).map(str::to_owned);
    let end = |field: &str| found.end.as_ref().and_then(|end| end.record.get(field));
    let (activity_id, activity_name, is_allowed) = match text("event")?.as_str() {
        "login" => (CONNECT, "Connect".to_owned(), true),
        "login_failed" => (CONNECT, "Connect".to_owned(), false),
        "statement_start" => {
            let (id, name) = activity(text("kind").as_deref());
            (id, name, text("decision").as_deref() == Some("allow"))
        }
        _ => return None,
    };
    let client = text("client").and_then(|client| client.parse::<SocketAddr>().ok());
    let objects: Vec<&str> = record
        .get("objects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|it| it.get("name").and_then(Value::as_str))
        .collect();
    let table = match objects.as_slice() {
        [one] => Some(Named { name: (*one).to_owned() }),
        _ => None,
    };
    let at: Timestamp = text("at")?.parse().ok()?;
    let (status_id, status) = status(is_allowed, end("outcome").and_then(Value::as_str), &activity_name);
    let sql = text("sql").map(|query_string| QueryInfo {
        query_string,
        uid: text("statement"),
        bytes: end("bytes").and_then(Value::as_u64),
    });
    Some(Event {
        activity_id,
        category_uid: 6,
        category_name: "Application Activity",
        class_uid: CLASS,
        class_name: "Datastore Activity",
        type_uid: CLASS * 100 + activity_id,
        type_name: format!("Datastore Activity: {activity_name}"),
        activity_name,
        severity_id: if is_allowed { 1 } else { 2 },
        severity: if is_allowed { "Informational" } else { "Low" },
        status_id,
        status,
        status_code: end("sqlstate").and_then(Value::as_str).map(str::to_owned).or_else(|| text("sqlstate")),
        status_detail: text("message").or_else(|| text("reason")),
        time: at.as_millisecond(),
        duration: end("duration_us").and_then(Value::as_u64).map(|us| us / 1000),
        metadata: Metadata {
            version: VERSION,
            product: Product {
                name: "Tidegate",
                vendor_name: "Tidegate",
                version: env!("CARGO_PKG_VERSION"),
            },
            profiles: ["security_control"],
            uid: text("hash"),
            sequence: found.found.seq,
            log_name: "audit",
        },
        actor: Actor {
            user: Named { name: text("principal").unwrap_or_default() },
            session: text("session").map(|uid| Identified { uid }),
            app_name: text("application").filter(|name| !name.is_empty()),
        },
        src_endpoint: Endpoint {
            ip: client.map(|client| client.ip().to_string()),
            port: client.map(|client| client.port()),
            name: client.is_none().then_some("unknown"),
        },
        dst_endpoint: text("target").map(|name| Named { name }),
        database: Database { name: text("database").unwrap_or_default(), type_id: 1, kind: "Relational" },
        type_id: if table.is_some() { 3 } else { 1 },
        table,
        query_info: sql,
        action_id: if is_allowed { 1 } else { 2 },
        action: if is_allowed { "Allowed" } else { "Denied" },
        disposition_id: if is_allowed { 1 } else { 2 },
        disposition: if is_allowed { "Allowed" } else { "Blocked" },
        authorizations: authorizations(record, is_allowed),
        unmapped: unmapped(record, end("rows"), end("outcome")),
    })
}

/// The number and the name of what a statement of this kind does.
fn activity(kind: Option<&str>) -> (u32, String) {
    let (id, name) = match kind {
        Some("copy_to") => (1, "Read"),
        Some("update") => (2, "Update"),
        Some("declare_cursor" | "explain" | "explain_analyze" | "fetch" | "select") => (4, "Query"),
        Some("copy_from" | "insert" | "merge") => (5, "Write"),
        Some("delete") => (7, "Delete"),
        Some("show") => (8, "List"),
        Some(other) => return (99, other.to_owned()),
        None => (0, "Unknown"),
    };
    (id, name.to_owned())
}

fn status(is_allowed: bool, outcome: Option<&str>, activity: &str) -> (u32, &'static str) {
    match (is_allowed, outcome) {
        (true, Some("completed")) => (1, "Success"),
        (true, None) if activity == "Connect" => (1, "Success"),
        (true, None | Some("lost")) => (0, "Unknown"),
        (true, Some(_)) | (false, _) => (2, "Failure"),
    }
}

fn authorizations(record: &Value, is_allowed: bool) -> Vec<Authorization> {
    let list = |field: &str| record.get(field).and_then(Value::as_array).into_iter().flatten().cloned();
    let decision = if is_allowed { "allow" } else { "deny" };
    let named = if is_allowed { list("grants") } else { list("missing") };
    named
        .filter_map(|name| Some(Named { name: name.as_str()?.to_owned() }))
        .map(|policy| Authorization { decision, policy: Some(policy) })
        .collect()
}

fn unmapped(record: &Value, rows: Option<&Value>, outcome: Option<&Value>) -> BTreeMap<&'static str, Value> {
    let own = ["fingerprint", "lane", "method", "objects", "prev", "tls"];
    let own = own.into_iter().filter_map(|field| Some((field, record.get(field)?)));
    let ended = [("rows", rows), ("outcome", outcome)];
    let ended = ended.into_iter().filter_map(|(field, value)| Some((field, value?)));
    own.chain(ended)
        .filter(|(_, value)| !value.is_null())
        .map(|(field, value)| (field, value.clone()))
        .collect()
}

const CLASS: u32 = 6005;
const CONNECT: u32 = 3;
/// The version of OCSF.
const VERSION: &str = "1.2.0";
