//! The parts of an OCSF event.
//!
//! Source: OCSF 1.2.0, class Datastore Activity (6005) with the profile Security Control; the objects that it names.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Datastore Activity.
#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) activity_id: u32,
    pub(super) activity_name: String,
    pub(super) category_uid: u32,
    pub(super) category_name: &'static str,
    pub(super) class_uid: u32,
    pub(super) class_name: &'static str,
    pub(super) type_uid: u32,
    pub(super) type_name: String,
    pub(super) severity_id: u32,
    pub(super) severity: &'static str,
    pub(super) status_id: u32,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_detail: Option<String>,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
    pub(super) metadata: Metadata,
    pub(super) actor: Actor,
    pub(super) src_endpoint: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dst_endpoint: Option<Named>,
    pub(super) database: Database,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<Named>,
    pub(super) type_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) query_info: Option<QueryInfo>,
    pub(super) action_id: u32,
    pub(super) action: &'static str,
    pub(super) disposition_id: u32,
    pub(super) disposition: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) authorizations: Vec<Authorization>,
    /// What the class has no place for, under the names of docs/audit.md.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unmapped: BTreeMap<&'static str, Value>,
}

/// Where the event comes from.
#[derive(Debug, Serialize)]
pub(super) struct Metadata {
    pub(super) version: &'static str,
    pub(super) product: Product,
    pub(super) profiles: [&'static str; 1],
    /// The record's own hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
    /// The record's number.
    pub(super) sequence: u64,
    pub(super) log_name: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Product {
    pub(super) name: &'static str,
    pub(super) vendor_name: &'static str,
    pub(super) version: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Actor {
    pub(super) user: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<Identified>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_name: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Identified {
    pub(super) uid: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Endpoint {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    /// Only where there is no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) type_id: u32,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct QueryInfo {
    pub(super) query_string: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Authorization {
    pub(super) decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<Named>,
}
