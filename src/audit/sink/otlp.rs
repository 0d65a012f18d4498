//! Records as OpenTelemetry logs, in JSON over HTTP.
//!
//! Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding"; its logs data model.

use jiff::Timestamp;
use reqwest::Client;
use serde::{Deserialize, Serialize};

use super::{
    error::SinkError,
    head::Head,
    http::{Ca, client, send},
};
use crate::{audit::follow::Chunk, model::secret::Secret};

/// Where a receiver of OTLP is.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// All of its address, as in `https://collector.example/v1/logs`.
    pub url: String,
    /// Authorities (PEM); `None` is the system's.
    pub ca: Ca,
    /// A bearer token.
    pub token: Option<Secret<String>>,
    /// What the gateway is called.
    pub gateway: String,
}

/// A receiver of OTLP.
#[derive(Debug)]
pub struct Otlp {
    settings: OtlpSettings,
    client: Client,
}

impl Otlp {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Request`.
    pub fn new(settings: OtlpSettings) -> Result<Self, SinkError> {
        let client = client(&settings.url, settings.ca.as_deref())?;
        Ok(Self { settings, client })
    }

    pub(super) async fn send(&self, chunk: &Chunk) -> Result<(), SinkError> {
        let records = chunk.lines().map(|line| record(line.seq, line.bytes)).collect();
        let resource = Resource {
            attributes: vec![
                text("service.name", "tidegate"),
                text("service.version", env!("CARGO_PKG_VERSION")),
                text("service.instance.id", &self.settings.gateway),
            ],
        };
        let scope_logs = vec![ScopeLogs { scope: Scope { name: "tidegate.audit" }, log_records: records }];
        let body = Export { resource_logs: vec![ResourceLogs { resource, scope_logs }] };
        let mut request = self.client.post(&self.settings.url).json(&body);
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = send(request).await?;
        let partial =
            serde_json::from_slice::<Answer>(&answer).ok().and_then(|answer| answer.partial_success);
        if let Some(partial) = partial.filter(|partial| !partial.is_nothing()) {
            // The protocol forbids to send them again.
            tracing::error!(
                rejected = %partial.rejected_log_records,
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
    let number = AnyValue::Int { int_value: seq.to_string() };
    LogRecord {
        observed_time_unix_nano: at.clone(),
        time_unix_nano: at,
        severity_number: if is_denied { 13 } else { 9 },
        severity_text: if is_denied { "WARN" } else { "INFO" },
        attributes: vec![
            KeyValue { key: "tidegate.audit.seq", value: number },
            text("event.name", &head.event),
        ],
        event_name: head.event,
        body: AnyValue::Text { string_value: String::from_utf8_lossy(line).into_owned() },
    }
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue { key, value: AnyValue::Text { string_value: value.to_owned() } }
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
struct Resource {
    attributes: Vec<KeyValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    scope: Scope,
    log_records: Vec<LogRecord>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
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

#[derive(Serialize)]
struct KeyValue {
    key: &'static str,
    value: AnyValue,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyValue {
    #[serde(rename_all = "camelCase")]
    Int { int_value: String },
    #[serde(rename_all = "camelCase")]
    Text { string_value: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    partial_success: Option<PartialSuccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct PartialSuccess {
    /// A number, or a text of one.
    rejected_log_records: serde_json::Value,
    error_message: String,
}

impl PartialSuccess {
    fn is_nothing(&self) -> bool {
        let none = self.rejected_log_records.is_null();
        none || self.rejected_log_records == 0 || self.rejected_log_records == "0"
    }
}
