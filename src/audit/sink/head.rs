//! What receivers are told of a record beside its line.

use jiff::Timestamp;
use serde::Deserialize;

/// The fields of a line that its envelope needs; empty where the line cannot be read.
#[derive(Default, Deserialize)]
pub(super) struct Head {
    pub(super) at: Option<Timestamp>,
    #[serde(default)]
    pub(super) event: String,
    pub(super) decision: Option<String>,
}

impl Head {
    pub(super) fn of(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }
}
