//! What OpenTelemetry's protocol has in common for logs and traces, in JSON over HTTP.
//!
//! Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding"; its resource semantic conventions.

use std::{borrow::Cow, path::PathBuf};

use reqwest::Client;
use serde::{Deserialize, Serialize};

use crate::{
    model::secret::Secret,
    net::{NetError, http_client, http_send},
};

/// Where a receiver is.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// All of its address, as in `https://collector.example/v1/logs`.
    pub url: String,
    /// Authorities (PEM); `None` is the system's.
    pub ca: Option<PathBuf>,
    /// A bearer token.
    pub token: Option<Secret<String>>,
    /// What the gateway is called.
    pub gateway: String,
}

/// A receiver.
#[derive(Debug)]
pub struct OtlpReceiver {
    settings: OtlpSettings,
    client: Client,
}

impl OtlpReceiver {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Unreadable`, `Request`.
    pub fn new(settings: OtlpSettings) -> Result<Self, NetError> {
        let client = http_client(&settings.url, settings.ca.as_deref())?;
        Ok(Self { settings, client })
    }

    /// The gateway.
    pub fn resource(&self) -> Resource {
        Resource {
            attributes: vec![
                KeyValue::text("service.name", "tidegate"),
                KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::text("service.instance.id", self.settings.gateway.clone()),
            ],
        }
    }

    /// Sends an export request; gives what the receiver says of it where it took a part only.
    ///
    /// # Errors
    /// `Refused`, `Request`.
    pub async fn send(&self, export: &impl Serialize) -> Result<Option<PartialSuccess>, NetError> {
        let mut request = self.client.post(&self.settings.url).json(export);
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = http_send(request).await?;
        let partial =
            serde_json::from_slice::<Answer>(&answer).ok().and_then(|answer| answer.partial_success);
        Ok(partial.filter(|partial| !partial.is_nothing()))
    }
}

/// Whose logs or spans they are.
#[derive(Debug, Serialize)]
pub struct Resource {
    attributes: Vec<KeyValue>,
}

/// What part of it they are of.
#[derive(Debug, Serialize)]
pub struct Scope {
    /// Its name.
    pub name: &'static str,
}

/// An attribute.
#[derive(Clone, Debug, Serialize)]
pub struct KeyValue {
    key: &'static str,
    value: AnyValue,
}

impl KeyValue {
    /// One that is a text.
    pub fn text(key: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { key, value: AnyValue::Text { string_value: value.into() } }
    }

    /// Its name.
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// One that is a number.
    pub fn int(key: &'static str, value: u64) -> Self {
        Self { key, value: AnyValue::Int { int_value: value.to_string() } }
    }
}

impl AnyValue {
    /// A text that is not kept.
    pub fn text(value: Cow<'_, str>) -> Self {
        Self::Text { string_value: Cow::Owned(value.into_owned()) }
    }
}

/// A value; numbers are written as text, because JSON's do not hold 64 bits.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum AnyValue {
    /// A number.
    #[serde(rename_all = "camelCase")]
    Int {
        /// In decimal digits.
        int_value: String,
    },
    /// A text.
    #[serde(rename_all = "camelCase")]
    Text {
        /// The text.
        string_value: Cow<'static, str>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    partial_success: Option<PartialSuccess>,
}

/// What a receiver says that did not take everything.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PartialSuccess {
    /// So many were not taken: a number, or a text of one.
    #[serde(alias = "rejectedLogRecords", alias = "rejectedSpans")]
    pub rejected: serde_json::Value,
    /// Why.
    pub error_message: String,
}

impl PartialSuccess {
    /// How many were not taken.
    pub fn count(&self) -> u64 {
        let text = self.rejected.as_str().and_then(|text| text.parse().ok());
        text.or_else(|| self.rejected.as_u64()).unwrap_or_default()
    }

    fn is_nothing(&self) -> bool {
        self.rejected.is_null() || self.rejected == 0 || self.rejected == "0"
    }
}
