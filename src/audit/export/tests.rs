//! What exports look like to those who read them.

use serde_json::{Value, json};

use super::{Export, exporter::Exporter};
use crate::audit::trail::{FoundRecord, StoredRecord};

/// Names, types and requirements of OCSF 1.2.0, compiled with ocsf-lib from the schema's own repository.
const SCHEMA: &str = include_str!("../../../tests/corpus/ocsf/datastore_activity-1.2.0.json");

fn stored(record: Value) -> StoredRecord {
    let line = record.to_string().into_bytes();
    StoredRecord { seq: record["seq"].as_u64().unwrap_or(0), intact: true, record, line }
}

fn statement(kind: Option<&str>, decision: &str) -> FoundRecord {
    let mut start = json!({
        "seq": 5, "at": "2026-11-21T12:00:00.123456Z", "event": "statement_start", "hash": "ab",
        "principal": "dana", "client": "10.0.0.7:4000", "application": "=cmd", "target": "hr", "database": "hr_prod",
        "statement": "s-1", "session": "c-1", "sql": "select \"a\",\n1", "fingerprint": "0f", "kind": kind,
        "objects": [{ "name": "public.salary", "mode": "read" }], "decision": decision,
    });
    let fields = start.as_object_mut().unwrap();
    if decision == "allow" {
        fields.insert("grants".to_owned(), json!(["standing:a/0"]));
        fields.insert("lane".to_owned(), json!("read"));
        let end = json!({
            "seq": 6, "at": "2026-11-21T12:00:01Z", "event": "statement_end", "outcome": "completed", "rows": 3,
            "bytes": 30, "duration_us": 1500, "sqlstate": null,
        });
        FoundRecord { found: stored(start), end: Some(stored(end)) }
    } else {
        fields.insert("missing".to_owned(), json!(["select on public.salary"]));
        fields.insert("message".to_owned(), json!("permission denied"));
        fields.insert("sqlstate".to_owned(), json!("42501"));
        FoundRecord { found: stored(start), end: None }
    }
}

fn written(export: Export, found: &FoundRecord) -> Vec<u8> {
    let (mut exporter, mut out) = (Exporter::new(export).unwrap(), Vec::new());
    exporter.write(found, &mut out).unwrap();
    exporter.end(&mut out).unwrap();
    out
}

fn ocsf(found: &FoundRecord) -> Option<Value> {
    let out = written(Export::Ocsf, found);
    (!out.is_empty()).then(|| serde_json::from_slice(&out).unwrap())
}

/// What of `event` is not as the schema has it.
fn wrong(event: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut found = Vec::new();
    check(&schema, &schema["class"], event, "event", &mut found);
    found
}

fn check(schema: &Value, description: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let fields = value.as_object().unwrap();
    let attributes = description["attributes"].as_object().unwrap();
    for (name, attribute) in attributes {
        if attribute["requirement"] == "required" && !fields.contains_key(name) {
            found.push(format!("{place}.{name} is missing"));
        }
    }
    if let Some(one) = description["constraints"]["at_least_one"].as_array()
        && !one.iter().any(|name| fields.contains_key(name.as_str().unwrap()))
    {
        found.push(format!("{place} has none of {one:?}"));
    }
    for (name, value) in fields {
        let Some(attribute) = attributes.get(name) else {
            found.push(format!("{place}.{name} is not known"));
            continue;
        };
        let values = match value {
            Value::Array(values) if attribute["is_array"] == true => values.as_slice(),
            Value::Array(_) => panic!("{place}.{name} is no list"),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let kind = attribute["type"].as_str().unwrap();
            let fits = match kind {
                _ if schema["objects"].get(kind).is_some() && kind != "object" => {
                    check(schema, &schema["objects"][kind], value, &format!("{place}.{name}"), found);
                    true
                }
                "object" | "json_t" => value.is_object(),
                "integer_t" | "long_t" | "timestamp_t" | "port_t" => value.is_i64(),
                "boolean_t" => value.is_boolean(),
                _ => value.is_string(),
            };
            let known = attribute["enum"].as_array();
            let is_known = known.is_none_or(|known| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                known.iter().any(|it| *it == text)
            });
            if !fits || !is_known {
                found.push(format!("{place}.{name} is {value}, not {kind}"));
            }
        }
    }
}

#[test]
fn every_ocsf_event_is_as_its_schema_has_it() {
    for kind in [None, Some("select"), Some("update"), Some("define"), Some("copy_to"), Some("show")] {
        for decision in ["allow", "deny"] {
            let event = ocsf(&statement(kind, decision)).unwrap();
            assert_eq!(wrong(&event), [""; 0], "{event}");
            assert_eq!(event["action_id"], if decision == "allow" { 1 } else { 2 });
            assert_eq!(event["type_uid"], 600_500 + event["activity_id"].as_i64().unwrap());
        }
    }
    let event = ocsf(&statement(Some("select"), "allow")).unwrap();
    assert_eq!((&event["time"], &event["duration"]), (&json!(1_795_262_400_123_i64), &json!(1)));
    assert_eq!(event["actor"]["user"]["name"], "dana");
    let failed = json!({
        "seq": 2, "at": "2026-11-21T12:00:00Z", "event": "login_failed", "client": "10.0.0.7:4000",
        "principal": "eve", "database": "hr", "reason": "wrong password",
    });
    let event = ocsf(&FoundRecord { found: stored(failed), end: None }).unwrap();
    assert_eq!(wrong(&event), [""; 0], "{event}");
    let other = json!({ "seq": 2, "at": "2026-11-21T12:00:00Z", "event": "policy_loaded" });
    assert!(ocsf(&FoundRecord { found: stored(other), end: None }).is_none());
}

#[test]
fn the_schema_sees_what_is_not_as_it_has_it() {
    let mut event = ocsf(&statement(Some("select"), "allow")).unwrap();
    let fields = event.as_object_mut().unwrap();
    fields.remove("time");
    fields.insert("colour".to_owned(), json!("red"));
    fields.insert("severity_id".to_owned(), json!(7));
    assert_eq!(wrong(&event).len(), 3, "{:?}", wrong(&event));
}

#[test]
fn a_table_quotes_what_would_break_it_and_has_no_formulas() {
    let out = written(Export::Csv, &statement(Some("select"), "allow"));
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("seq,at,event,principal,"));
    assert!(
        text.contains(",'=cmd,hr,hr_prod,allow,select,read public.salary,\"select \"\"a\"\",\n1\",0f,"),
        "{text}"
    );
    assert!(text.ends_with(",completed,3,30,1500,\r\n"), "{text}");
}
