//! What callers ask for: the bodies of the API. Fields that are not listed are refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Scope;
use crate::model::{
    grant::Holder,
    ids::{GrantId, GroupName, PrincipalName},
    lifetime::Lifetime,
    object::{Glob, ObjectPattern},
    permission::PermissionSet,
    secret::Secret,
};

/// A grant to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// Who is to hold it.
    pub holder: Holder,
    /// On which targets.
    pub target: Glob,
    /// On which databases.
    pub database: Glob,
    /// On which objects.
    #[schema(min_items = 1, max_items = 100)]
    pub objects: Vec<ObjectPattern>,
    /// What it allows.
    pub permissions: PermissionSet,
    /// How long.
    #[serde(rename = "for")]
    pub lifetime: Lifetime,
    /// From when on; now if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// A revocation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// Why.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// Which grants to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GrantQuery {
    /// Held by this principal itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
    /// Held by this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// On this target, as written in the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Also those that ended or were revoked.
    #[serde(default)]
    pub all: bool,
    /// Only older ones than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<GrantId>,
    /// How many at most: 1 to 1000, 200 if left out.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A principal to be added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrincipal {
    /// The name that clients log in with.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$")]
    pub name: PrincipalName,
    /// Its groups; each must be in policy.
    #[serde(default)]
    pub groups: Vec<GroupName>,
}

/// What to change of a principal; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalPatch {
    /// Its groups from now on, beside those that policy gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupName>>,
    /// Whether it is kept from logging in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// A password to be set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password; its keys are kept, itself never.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, write_only)]
    pub password: Secret<String>,
    /// Keep a key of mysql_native_password, too: its one hash without salt is weak, so it is kept for those only who
    /// have clients that speak nothing newer.
    #[serde(default)]
    pub mysql_native: bool,
}

/// A database token to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whom it is to log in.
    pub principal: PrincipalName,
    /// What people call it.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
    /// How long it is to log in.
    #[serde(rename = "for")]
    pub lifetime: Lifetime,
}

/// A service key to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What people call it; the actor of what is done with it.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$")]
    pub name: String,
    /// Whose it is: what is done with it is done by this person. A service's own if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
    /// What it may do; for a principal's key `person` if left out.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// How long it is to open anything; without end if left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
}

pub(super) fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}
