//! Records as OpenTelemetry logs, in JSON over HTTP.
//!
//! Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding"; its logs data model.

use jiff::Timestamp;
use serde::Serialize;

use super::{error::SinkError, head::Head};
use crate::{
    audit::follow::Chunk,
    telemetry::{AnyValue, KeyValue, OtlpReceiver, OtlpSettings, Resource, Scope},
};

/// A receiver of OTLP.
#[derive(Debug)]
pub struct Otlp(OtlpReceiver);

impl Otlp {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Net`.
    pub fn new(settings: OtlpSettings) -> Result<Self, SinkError> {
        Ok(Self(OtlpReceiver::new(settings)?))
    }

    pub(super) async fn send(&self, chunk: &Chunk) -> Result<(), SinkError> {
        let records = chunk.lines().map(|line| record(line.seq, line.bytes)).collect();
        let scope_logs = vec![ScopeLogs { scope: Scope { name: "tidegate.audit" }, log_records: records }];
        let body = Export { resource_logs: vec![ResourceLogs { resource: self.0.resource(), scope_logs }] };
        if let Some(partial) = self.0.send(&body).await? {
            // The protocol forbids to send them again.
            tracing::error!(
                rejected = %partial.rejected,
                why = partial.error_message,
                "a receiver of the audit log took a part of the records only"
            );
        }
        Ok(())
    }
}

fn record(seq: u64, line: &[u8]) -> LogRecord {
    let head = Head::of(line);
    let at = head.at.map_or(0, Timestamp::as_nanosecond).to_string();
    let is_denied = head.decision.as_deref() == Some("deny") || head.event == "login_failed";
    LogRecord {
        observed_time_unix_nano: at.clone(),
        time_unix_nano: at,
        severity_number: if is_denied { 13 } else { 9 },
        severity_text: if is_denied { "WARN" } else { "INFO" },
        attributes: vec![
            KeyValue::int("tidegate.audit.seq", seq),
            KeyValue::text("event.name", head.event.clone()),
        ],
        event_name: head.event,
        body: AnyValue::text(String::from_utf8_lossy(line)),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export {
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    resource: Resource,
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    scope: Scope,
    log_records: Vec<LogRecord>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord {
    time_unix_nano: String,
    observed_time_unix_nano: String,
    severity_number: u32,
    severity_text: &'static str,
    event_name: String,
    body: AnyValue,
    attributes: Vec<KeyValue>,
}
