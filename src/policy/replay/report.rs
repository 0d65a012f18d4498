//! What a replay found.

use std::collections::BTreeMap;

use crate::model::{
    flow::Risk,
    ids::{DatabaseName, PrincipalName, RequestId, TargetName},
};

/// What a draft would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// Lines read.
    pub lines: u64,
    /// Statements by who ran them and where.
    pub tallies: BTreeMap<(PrincipalName, TargetName), Tally>,
    /// Statements that would be decided otherwise, one entry for those that differ in values alone.
    pub statements: Vec<StatementChange>,
    /// Kinds of statement that would change and are not in the list, because it is full.
    pub unlisted: u64,
    /// Statements and requests that could not be judged, by why.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Requests that were judged.
    pub requests: u64,
    /// Requests that would go by another way.
    pub changed_requests: Vec<RequestChange>,
}

/// How many statements of one person on one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Were allowed and would be.
    pub allowed: u64,
    /// Were refused and would be.
    pub refused: u64,
    /// Were allowed and would be refused.
    pub lost: u64,
    /// Were refused and would be allowed.
    pub gained: u64,
}

/// Statements that would be decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementChange {
    /// Who.
    pub principal: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// Whether it was refused and would be allowed; otherwise the reverse.
    pub gained: bool,
    /// How many.
    pub count: u64,
    /// The text of the first.
    pub sql: String,
    /// By what it would be allowed, or what would be missing.
    pub why: String,
}

/// A request that would go by another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestChange {
    /// Which.
    pub request: RequestId,
    /// Who asked.
    pub requester: PrincipalName,
    /// The flow that it went by, and its risk.
    pub was: (String, Risk),
    /// The flow that it would go by, and its risk; or why it would not be taken.
    pub would: Result<(String, Risk), String>,
    /// Other people would have to agree, or another number of them.
    pub other_approvers: bool,
}

impl ReplayReport {
    /// Whether the draft changes nothing of what could be judged.
    pub fn is_same(&self) -> bool {
        self.statements.is_empty() && self.unlisted == 0 && self.changed_requests.is_empty()
    }
}
