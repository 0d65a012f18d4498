//! What a search answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::StoredRecord;

/// Records that were asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// The newest first. There may be fewer than asked for, or none, and more on the next page: a search ends after two
    /// seconds.
    pub records: Vec<FoundRecord>,
    /// Where the next page begins (`before`); absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Records of the log that the index does not have yet: newer ones cannot be found.
    pub unindexed: u64,
}

/// A record that was found, and for a statement how it ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FoundRecord {
    /// The record.
    #[serde(flatten)]
    pub found: StoredRecord,
    /// The record of the statement's end; absent where it was refused, still runs, or was lost with the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<StoredRecord>,
}
