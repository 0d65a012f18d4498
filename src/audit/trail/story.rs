//! A record and what led to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    files::StoredRecord,
    filter::{Direction, Filter},
    search::FoundRecord,
    seek::Seek,
};
use crate::audit::AuditError;

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

/// The story of a record by its number, or of what has this identifier.
pub(super) async fn story(seek: &mut Seek, id: &str) -> Result<Option<Story>, AuditError> {
    let Some(FoundRecord { found: mut record, mut end }) = first_of(seek, id).await? else { return Ok(None) };
    if record.text("event") == Some("statement_end")
        && let Some(statement) = record.text("statement").map(str::to_owned)
        && let Some(start) = first_of(seek, &statement).await?
    {
        (record, end) = (start.found, start.end);
    }
    let session = match record.text("session").map(str::to_owned) {
        Some(session) => seek.named(&BTreeSet::from([session]), MOST_NAMED).await?,
        None => Vec::new(),
    };
    let mut wanted = grants_of(&record);
    let mut asked: BTreeSet<String> = request_of(&record).into_iter().collect();
    let mut grants = seek.named(&wanted, MOST_NAMED).await?;
    asked.extend(grants.iter().filter_map(request_of));
    let requests = seek.named(&asked, MOST_NAMED).await?;
    wanted.extend(requests.iter().flat_map(grants_of));
    if grants.is_empty() {
        grants = seek.named(&wanted, MOST_NAMED).await?;
    }
    let of_requests: BTreeSet<u64> = requests.iter().map(|it| it.seq).collect();
    grants.retain(|it| !of_requests.contains(&it.seq));
    Ok(Some(Story { record, end, session, grants, requests }))
}

async fn first_of(seek: &mut Seek, id: &str) -> Result<Option<FoundRecord>, AuditError> {
    let found = match id.parse::<u64>() {
        Ok(seq) => seek.numbered(seq).await?,
        Err(_) => {
            let filter = Filter { reference: Some(id.to_owned()), ..Filter::default() };
            seek.find(&filter, Direction::Oldest, 1).await?.0
        }
    };
    Ok(found.into_iter().next())
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

/// Records of one session, grant or request.
const MOST_NAMED: usize = 200;
