//! By which way a request becomes a grant: the risk that policy sees in it, and who has to agree.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::GroupName;

/// How much harm a request could do, as policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Little.
    Low,
    /// Some.
    Moderate,
    /// Much, or nobody knows.
    High,
}

impl Risk {
    /// The word of policy, records and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Moderate => "moderate",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The way of one request, laid down when it was made: a later policy changes nothing about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The flow's name in policy.
    pub flow: String,
    /// The risk that policy saw.
    pub risk: Risk,
    /// Who has to agree, one step after the other; none is automatic approval. With break-glass, who looks at it
    /// afterwards.
    pub steps: Vec<Step>,
    /// So many denials end it; at least 1.
    pub denials: u32,
    /// What happens when nobody answers.
    pub escalation: Option<Escalation>,
    /// The database is asked what a requested statement would cost.
    #[serde(default)]
    pub estimate: bool,
    /// The requester approves it alone, and somebody else looks at it afterwards.
    pub break_glass: bool,
}

/// One step of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Members of any of these may agree.
    pub approvers: Vec<GroupName>,
    /// So many of them have to; at least 1.
    pub quorum: u32,
}

/// Who else may answer when nobody does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// So long after the request, or the last answer to it, in seconds.
    pub after_seconds: i64,
    /// Members of these may then agree, too, in whatever step it is.
    pub to: Vec<GroupName>,
}
