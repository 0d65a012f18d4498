//! A record and what led to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{feed::integer, key::key, lines::StoredRecord, search::Spot};

/// A record and what led to it, as far as this log has it: statement ← session, grant ← request ← reviews.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Story {
    /// The record; for a statement, that of its start.
    pub record: StoredRecord,
    /// How the statement ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<StoredRecord>,
    /// Login and end of its session.
    pub session: Vec<StoredRecord>,
    /// What became of the grants that it rested on, oldest first.
    pub grants: Vec<StoredRecord>,
    /// The requests that they were made of, and the answers to them, oldest first.
    pub requests: Vec<StoredRecord>,
}

impl Story {
    /// The grants and the requests that it names.
    pub fn names(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let all = || [&self.record].into_iter().chain(&self.grants).chain(&self.requests);
        (all().flat_map(grants_of).collect(), all().filter_map(request_of).collect())
    }
}

/// The places of the records that name something; not those of statements.
pub(super) async fn named(on: &mut SqliteConnection, name: &str) -> Result<Vec<Spot>, sqlx::Error> {
    spots(
        on,
        "SELECT record.seq, record.place FROM link CROSS JOIN record ON record.seq = link.seq \
         WHERE link.key = ? AND record.decision < 0 ORDER BY link.seq LIMIT 200",
        &key(name),
    )
    .await
}

/// The place of the first record that names something.
pub(super) async fn first_named(on: &mut SqliteConnection, name: &str) -> Result<Option<Spot>, sqlx::Error> {
    let found = spots(
        on,
        "SELECT record.seq, record.place FROM link CROSS JOIN record ON record.seq = link.seq \
         WHERE link.key = ? ORDER BY link.seq LIMIT 1",
        &key(name),
    )
    .await?;
    Ok(found.into_iter().next())
}

/// The place of a record.
pub(super) async fn numbered(on: &mut SqliteConnection, seq: u64) -> Result<Option<Spot>, sqlx::Error> {
    let found: Option<(i64, i64)> = sqlx::query_as("SELECT seq, place FROM record WHERE seq = ?")
        .bind(integer(seq))
        .fetch_optional(on)
        .await?;
    Ok(found.map(spot))
}

/// The place of the end of a statement.
pub(super) async fn ended(on: &mut SqliteConnection, start: u64) -> Result<Option<Spot>, sqlx::Error> {
    let found: Option<(i64, i64)> = sqlx::query_as(
        "SELECT record.seq, record.place FROM ending JOIN record ON record.seq = ending.seq WHERE ending.start = ?",
    )
    .bind(integer(start))
    .fetch_optional(on)
    .await?;
    Ok(found.map(spot))
}

async fn spots(on: &mut SqliteConnection, text: &'static str, key: &[u8]) -> Result<Vec<Spot>, sqlx::Error> {
    let found: Vec<(i64, i64)> = sqlx::query_as(text).bind(key.to_vec()).fetch_all(on).await?;
    Ok(found.into_iter().map(spot).collect())
}

fn spot((seq, place): (i64, i64)) -> Spot {
    (u64::try_from(seq).unwrap_or(0), u64::try_from(place).unwrap_or(0))
}

/// The grants that a record names, standing ones left out: policy has those.
pub(super) fn grants_of(record: &StoredRecord) -> BTreeSet<String> {
    let used = record.record.get("grants").and_then(|it| it.as_array()).into_iter().flatten();
    let own = record.record.get("grant").map(|it| it.get("id").unwrap_or(it));
    used.chain(own)
        .filter_map(|it| it.as_str())
        .filter(|it| Uuid::parse_str(it).is_ok())
        .map(str::to_owned)
        .collect()
}

/// The request that a record names.
pub(super) fn request_of(record: &StoredRecord) -> Option<String> {
    let named = record.record.get("request")?;
    named.get("id").unwrap_or(named).as_str().map(str::to_owned)
}
