//! Leave to do something, somewhere, for a while.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ids::{GrantId, GroupName, PrincipalName},
    object::{Glob, ObjectPattern},
    permission::PermissionSet,
    window::Window,
};

/// Who holds a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// One principal.
    Principal(PrincipalName),
    /// Every member of a group, as of the moment of use.
    Group(GroupName),
}

/// Holder × target × database × objects × permissions × window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its name in lists, refusals and audit records.
    pub id: GrantName,
    /// Who holds it.
    pub holder: Holder,
    /// Targets it is on.
    pub target: Glob,
    /// Databases it is on.
    pub database: Glob,
    /// Objects it is on; one that matches is enough.
    pub objects: Vec<ObjectPattern>,
    /// What it allows.
    pub permissions: PermissionSet,
    /// When it does.
    pub window: Window,
    /// Why it was given; policy's standing grants give their place in the policy here.
    pub reason: String,
    /// Set when it was revoked; a revoked grant allows nothing from that instant on.
    pub revoked_at: Option<Timestamp>,
}

impl Grant {
    /// Whether it is in force at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none_or(|at| now < at) && self.window.contains(now)
    }

    /// First instant at which it is no longer in force, if there is one.
    pub fn over_at(&self) -> Option<Timestamp> {
        match (self.revoked_at, self.window.ends_at) {
            (Some(revoked), Some(ends)) => Some(revoked.min(ends)),
            (revoked, ends) => revoked.or(ends),
        }
    }
}

/// How a grant is called: granted ones by identifier, standing ones by their place in policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GrantName {
    /// Made by a person, kept in the store.
    Granted(GrantId),
    /// Written in policy ("standing:developers/0").
    Standing(String),
}

impl fmt::Display for GrantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted(id) => fmt::Display::fmt(id, f),
            Self::Standing(place) => f.write_str(place),
        }
    }
}
