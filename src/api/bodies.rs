//! Bodies of requests and answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use super::audit_bodies::{
    AuditFormat, AuditMessage, AuditQuery, AuditStatsQuery, DownloadQuery, StoryView, TailQuery,
};
pub use crate::audit::{Decided, FoundRecord, Hour, Page as AuditPage, Stats, StoredRecord, Story, Touch};
pub use crate::control::{
    Answer, BadLifetime, BeginBrowserLogin, BegunBrowserLogin, CreatedGrant, CreatedKey, CreatedToken,
    DeliveryPage, DeliveryQuery, DenialView, DeviceLogin, ExplainError, Explanation, Extend,
    FinishDeviceLogin, GrantQuery, GrantView, KeyView, LifeState, Lifetime, LinkSlack, NeedView, NewGrant,
    NewKey, NewLogin, NewPrincipal, NewRequest, NewReview, NewToken, NewTokenLogin, PendingLogin,
    PolicyRejection, PolicyView, PrincipalPatch, PrincipalView, Question, RefusalView, Removed, RequestPage,
    RequestQuery, RequestView, ReviewView, RevocationView, Revoke, Scope, SessionView, SlackLinkAnswer,
    SlackLinkView, StatementExplanation, StatementView, TargetHealth, TokenView, UnknownScope, WebhookView,
    WhoView,
};
pub use crate::model::webhook::{Delivery, DeliveryState};
use crate::model::{
    event::Event,
    ids::{GatewayName, PrincipalName},
};

/// Answer of `GET /api/v1/grants`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GrantList {
    /// Newest first.
    pub grants: Vec<GrantView>,
}

/// Answer of `GET /api/v1/principals`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PrincipalList {
    /// By name.
    pub principals: Vec<PrincipalView>,
}

/// Answer of `GET /api/v1/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Oldest first.
    pub tokens: Vec<TokenView>,
}

/// Which tokens to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TokenQuery {
    /// Of this principal alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
}

/// Answer of `GET /api/v1/keys`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyList {
    /// Oldest first.
    pub keys: Vec<KeyView>,
}

/// Answer of `GET /api/v1/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// Oldest first.
    pub sessions: Vec<SessionView>,
}

/// Answer of `GET /api/v1/webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookList {
    /// In the order of the configuration.
    pub webhooks: Vec<WebhookView>,
}

/// Answer of `GET /api/v1/slack/links`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SlackLinkList {
    /// By principal.
    pub links: Vec<SlackLinkView>,
}

/// Which events to send.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Those behind this number; `last-event-id` goes before it. 0 is all that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Whether to go on with what happens from now on.
    #[serde(default = "yes")]
    pub follow: bool,
}

const fn yes() -> bool {
    true
}

/// One message of the stream of events.
#[derive(Clone, Debug, ToSchema)]
pub struct EventMessage {
    /// The event's number; absent where it is not one of the journal's.
    pub id: Option<String>,
    /// The word of the event, or `journal_gap`: some of what was asked for is not kept any more.
    pub event: String,
    /// An `EventBody` as JSON.
    #[schema(content_media_type = "application/json")]
    pub data: String,
}

/// The `data` of one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventBody {
    /// Its number; rises, with gaps.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Answer of `GET /readyz`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether statements can be judged, recorded and run.
    pub ready: bool,
    /// Whether the gateway is about to stop; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopping: bool,
    /// Whether the store answers; as everything below, told on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Whether the audit log can be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<bool>,
    /// The targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetHealth>,
    /// Other gateways of the store that judge by another policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways_with_another_policy: Vec<GatewayName>,
}

/// Answer to what failed or was refused: `application/problem+json`.
///
/// Source: RFC 9457.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemBody {
    /// `about:blank`: the code says which problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// Which problem it is; never changes its meaning.
    #[schema(schema_with = super::openapi::codes)]
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
    /// The field that is wrong, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Finds the request in the gateway's log.
    pub request_id: String,
}
