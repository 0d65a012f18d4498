//! Answers to a request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ids::PrincipalName, object::ObjectPattern, permission::PermissionSet};

/// One answer of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who answered.
    pub reviewer: PrincipalName,
    /// In which step of the flow, from 0.
    pub step: u32,
    /// The answer.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// In words.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// It looks back on what its requester approved alone.
    #[serde(default)]
    pub afterwards: bool,
}

/// Yes or no. Afterwards: it was right, or it was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Yes, all of it or less.
    Approve {
        /// What is cut off.
        #[serde(default)]
        narrowing: Narrowing,
    },
    /// No.
    Deny,
}

/// What an approver gives instead of what was asked; never more than that. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// These objects alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ObjectPattern>>,
    /// These permissions alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionSet>,
    /// So many seconds at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

impl Narrowing {
    /// Whether nothing is cut off.
    pub const fn is_none(&self) -> bool {
        self.objects.is_none() && self.permissions.is_none() && self.seconds.is_none()
    }
}
