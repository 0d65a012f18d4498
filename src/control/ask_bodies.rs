//! What people send when they ask and answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::model::{
    denial::DenialId,
    ids::{DatabaseName, PrincipalName, RequestId, RoleName, TargetName},
    lifetime::Lifetime,
    object::ObjectPattern,
    permission::PermissionSet,
    request::RequestState,
};

/// A request to be made. What a refusal can tell may be left out beside `denial`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequest {
    /// The refusal that is asked about; it fills in target, database, objects and permissions, or the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<DenialId>,
    /// On which target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// On which database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseName>,
    /// On which objects; `["*"]` is the whole database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ObjectPattern>>,
    /// Which permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionSet>,
    /// The permissions of this role of policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// This statement alone, once, instead of objects and permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The refused statement alone, once; beside `denial`.
    #[serde(default)]
    pub refused_statement: bool,
    /// How long.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// Until when; with `for`, whichever is first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// From when on; from the approval on if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// The ticket or incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub ticket: Option<String>,
    /// It cannot wait: it is approved at once, by oneself, and looked at afterwards.
    #[serde(default)]
    pub break_glass: bool,
}

/// A grant to be carried on: a request for the same from its end on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// How much longer.
    #[serde(rename = "for")]
    pub lifetime: Lifetime,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
    /// The ticket or incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub ticket: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Yes. Afterwards: it was right.
    Approve,
    /// No. Afterwards: it was not.
    Deny,
}

/// An answer to be given.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// Yes or no.
    pub verdict: Answer,
    /// In words.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub comment: String,
    /// These objects alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ObjectPattern>>,
    /// These permissions alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionSet>,
    /// So long at most.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
}

/// Which requests to list. People see their own, and those that they may answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// Only those that wait for the caller's answer.
    #[serde(default)]
    pub to_review: bool,
    /// Made by this principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<PrincipalName>,
    /// In this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RequestState>,
    /// On this target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Only older ones than this: `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<RequestId>,
    /// How many at most: 1 to 200, 50 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// A login of a person, to act on the API.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLogin {
    /// Who.
    pub principal: PrincipalName,
    /// The database password.
    #[serde(deserialize_with = "super::requests::secret")]
    #[schema(value_type = String, format = Password, write_only)]
    pub password: crate::model::secret::Secret<String>,
}

/// A login by a token of the identity provider that somebody has already.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenLogin {
    /// The token, a JWT.
    #[serde(deserialize_with = "super::requests::secret")]
    #[schema(value_type = String, write_only)]
    pub token: crate::model::secret::Secret<String>,
}

/// A login on another device that is to be finished.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishDeviceLogin {
    /// As it was given when the login began.
    pub login: String,
}

/// A login on another device whose person has not answered yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct PendingLogin {
    /// Always true.
    pub pending: bool,
    /// The question came too soon: wait five seconds longer between two of them from now on.
    pub slow_down: bool,
}

/// A login in a browser that is to begin.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginBrowserLogin {
    /// Where the browser comes back to: an address of the configuration, or `http://127.0.0.1:PORT/callback`.
    pub redirect_uri: String,
}

/// A login in a browser that has begun; what the browser keeps comes as a cookie.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BegunBrowserLogin {
    /// Where the browser goes.
    pub authorization_url: String,
    /// Seconds within which it must be back.
    pub expires_in: i64,
}
