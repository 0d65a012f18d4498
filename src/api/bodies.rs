//! Bodies of requests and answers.

use serde::{Deserialize, Serialize};

pub use crate::control::{
    Answer, BadLifetime, BeginBrowserLogin, BegunBrowserLogin, CreatedGrant, CreatedKey, CreatedToken,
    DeviceLogin, ExplainError, Explanation, Extend, FinishDeviceLogin, GrantQuery, GrantView, KeyView,
    LifeState, Lifetime, NeedView, NewGrant, NewKey, NewLogin, NewPrincipal, NewRequest, NewReview, NewToken,
    NewTokenLogin, PendingLogin, PolicyRejection, PolicyView, PrincipalPatch, PrincipalView, Question,
    RefusalView, Removed, RequestPage, RequestQuery, RequestView, ReviewView, RevocationView, Revoke, Scope,
    SessionView, StatementExplanation, StatementView, TargetHealth, TokenView, UnknownScope,
};
use crate::model::ids::PrincipalName;

/// Answer of `GET /api/v1/grants`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantList {
    /// Newest first.
    pub grants: Vec<GrantView>,
}

/// Answer of `GET /api/v1/principals`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrincipalList {
    /// By name.
    pub principals: Vec<PrincipalView>,
}

/// Answer of `GET /api/v1/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<TokenView>,
}

/// Which tokens to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenQuery {
    /// Of this principal alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
}

/// Answer of `GET /api/v1/keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyList {
    /// Oldest first.
    pub keys: Vec<KeyView>,
}

/// Answer of `GET /api/v1/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionList {
    /// Oldest first.
    pub sessions: Vec<SessionView>,
}

/// Answer of `GET /readyz`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether statements can be judged, recorded and run.
    pub ready: bool,
    /// Whether the store answers; as everything below, told on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Whether the audit log can be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<bool>,
    /// The targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetHealth>,
}

/// Answer to what failed or was refused: `application/problem+json`.
///
/// Source: RFC 9457.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProblemBody {
    /// `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// Which problem it is; never changes its meaning.
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
    /// The field that is wrong, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Finds the request in the gateway's log.
    pub request_id: String,
}
