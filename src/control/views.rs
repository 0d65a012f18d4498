//! What callers are shown: the answers of the API. Secrets are in `Created…` alone, once.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Scope;
use crate::{
    model::{
        grant::Holder,
        ids::{
            DatabaseName, GatewayName, GrantId, GroupName, KeyId, PrincipalName, RequestId, SessionId,
            TargetName, TokenId,
        },
        object::{Glob, ObjectPattern},
        permission::PermissionSet,
    },
    store::{StoredGrant, StoredKey, StoredToken},
};

/// Where something with a beginning and an end stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LifeState {
    /// Over by the clock.
    Ended,
    /// In force.
    Live,
    /// Over because somebody said so.
    Revoked,
    /// Not begun.
    Upcoming,
}

impl LifeState {
    /// The word of lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Live => "live",
            Self::Revoked => "revoked",
            Self::Upcoming => "upcoming",
        }
    }
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantView {
    /// Names it in refusals, lists and records.
    pub id: GrantId,
    /// Who holds it.
    pub holder: Holder,
    /// On which targets.
    pub target: Glob,
    /// On which databases.
    pub database: Glob,
    /// On which objects.
    pub objects: Vec<ObjectPattern>,
    /// What it allows.
    pub permissions: PermissionSet,
    /// First instant.
    pub starts_at: Timestamp,
    /// First instant after it.
    pub ends_at: Option<Timestamp>,
    /// Why it was made.
    pub reason: String,
    /// Where it stands.
    pub state: LifeState,
    /// Whole seconds to its end, if it is live.
    pub seconds_left: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// How it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationView>,
    /// The request that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Who approved that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<PrincipalName>,
    /// The one statement that it is for, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// When that statement was let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

impl GrantView {
    pub(super) fn new(stored: StoredGrant, now: Timestamp) -> Self {
        let StoredGrant { id, grant, created_at, created_by, revocation, origin, statement, used_at } =
            stored;
        let state = if grant.revoked_at.is_some_and(|at| at <= now) {
            LifeState::Revoked
        } else if grant.window.is_over(now) {
            LifeState::Ended
        } else if grant.is_live(now) {
            LifeState::Live
        } else {
            LifeState::Upcoming
        };
        let live = state == LifeState::Live;
        let left = grant.window.ends_at.filter(|_| live).map(|end| end.duration_since(now).as_secs());
        Self {
            id,
            holder: grant.holder,
            target: grant.target,
            database: grant.database,
            objects: grant.objects,
            permissions: grant.permissions,
            starts_at: grant.window.starts_at,
            ends_at: grant.window.ends_at,
            reason: grant.reason,
            state,
            seconds_left: left,
            created_at,
            created_by,
            revocation: revocation.map(|it| RevocationView { at: it.at, by: it.by, reason: it.reason }),
            request: origin.as_ref().map(|it| it.request),
            approvers: origin.map(|it| it.approvers).unwrap_or_default(),
            statement: statement.map(|it| it.sql.to_string()),
            used_at,
        }
    }
}

/// How a grant was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevocationView {
    /// From when on.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A grant that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedGrant {
    /// The grant.
    pub grant: GrantView,
    /// What its maker should know: what of it will have no effect.
    pub warnings: Vec<String>,
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// The name that clients log in with.
    pub name: PrincipalName,
    /// Its groups, from policy and from here.
    pub groups: Vec<GroupName>,
    /// Attributes from policy.
    pub attributes: BTreeMap<String, String>,
    /// Whether it is kept from logging in.
    pub disabled: bool,
    /// Whether policy names it.
    pub in_policy: bool,
    /// Whether it was added here.
    pub local: bool,
    /// Whether it has a password.
    pub password: bool,
    /// How many of its tokens log in.
    pub tokens: usize,
    /// How many client certificates prove it.
    pub certificates: usize,
}

/// A principal that was just removed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// Grants of its own that were revoked with it.
    pub revoked_grants: Vec<GrantId>,
    /// Policy still names it: it is known, but has no password and no tokens any more.
    pub in_policy: bool,
}

/// A database token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Names it in lists and records.
    pub id: TokenId,
    /// Whom it logs in.
    pub principal: PrincipalName,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub state: LifeState,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which it no longer logs in.
    pub ends_at: Timestamp,
}

impl TokenView {
    pub(super) fn new(token: StoredToken, now: Timestamp) -> Self {
        let state = life(token.revoked_at, Some(token.ends_at), now);
        let StoredToken { id, principal, name, created_at, ends_at, .. } = token;
        Self { id, principal, name, state, created_at, ends_at }
    }
}

/// A database token that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// The token's entry.
    pub token: TokenView,
    /// The token: give it as the password. Not shown again.
    pub secret: String,
}

/// A service key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Names it in lists and records.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// Whose it is; absent for a service's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Where it stands.
    pub state: LifeState,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which it no longer opens anything.
    pub ends_at: Option<Timestamp>,
}

impl KeyView {
    pub(super) fn new(key: StoredKey, now: Timestamp) -> Self {
        let state = life(key.revoked_at, key.ends_at, now);
        let scopes = scopes(&key.scopes);
        let StoredKey { id, name, principal, created_at, ends_at, .. } = key;
        Self { id, name, principal, scopes, state, created_at, ends_at }
    }
}

/// The scopes that the words name; a word that is none gives nothing.
pub(super) fn scopes(words: &[String]) -> Vec<Scope> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

/// A service key that was just made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// The key's entry.
    pub key: KeyView,
    /// The key. Not shown again.
    pub secret: String,
}

/// One login of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Names it in lists and records.
    pub id: SessionId,
    /// Who.
    pub principal: PrincipalName,
    /// From where: address and port.
    #[schema(value_type = String)]
    pub client: SocketAddr,
    /// What the client calls itself.
    pub application: String,
    /// To which target.
    pub target: TargetName,
    /// To which database.
    pub database: DatabaseName,
    /// Since when.
    pub started_at: Timestamp,
    /// What it does ("idle", "active", "in transaction").
    pub state: String,
    /// Statements judged in it.
    pub statements: u64,
    /// The gateway that it is open at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
}

/// The policy in force, and what became of the last attempt to replace it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// SHA-256 of its files, hexadecimal.
    pub digest: String,
    /// How many files it has.
    pub files: usize,
    /// Since when it is in force.
    pub loaded_at: Timestamp,
    /// Who asked for it.
    pub loaded_by: String,
    /// Version of the Snapshot in force.
    pub snapshot: u64,
    /// The last attempt, if it was refused.
    pub rejected: Option<PolicyRejection>,
}

/// A policy that was refused; the one before it stayed in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyRejection {
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// What is wrong with it.
    pub problem: String,
}

fn life(revoked_at: Option<Timestamp>, ends_at: Option<Timestamp>, now: Timestamp) -> LifeState {
    if revoked_at.is_some_and(|at| at <= now) {
        LifeState::Revoked
    } else if ends_at.is_some_and(|end| end <= now) {
        LifeState::Ended
    } else {
        LifeState::Live
    }
}
