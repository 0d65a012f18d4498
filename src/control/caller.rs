//! Who calls the administration API, and what its key opens.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::ids::{KeyId, PrincipalName};

/// What a service key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything, also what the other scopes do.
    Admin,
    /// Search and read the audit log, statements and all.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Keep people in step with a directory (SCIM): list, add, deactivate and remove them.
    Directory,
    /// List, make and revoke grants.
    Grants,
    /// Principals, their groups, passwords and tokens.
    People,
    /// Act as the person whose key it is: ask, answer, look at and revoke one's own.
    Person,
    /// Look at the policy and have it read again.
    Policy,
    /// Look at everything but service keys; change nothing.
    Read,
    /// Of what a person may do: ask, and look at one's own.
    Request,
    /// Of what a person may do: answer, and look at what waits for that.
    Review,
    /// List and end sessions.
    Sessions,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Admin,
        Self::AuditRead,
        Self::Directory,
        Self::Grants,
        Self::People,
        Self::Person,
        Self::Policy,
        Self::Read,
        Self::Request,
        Self::Review,
        Self::Sessions,
    ];

    /// The word of the API, the store and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::AuditRead => "audit:read",
            Self::Directory => "directory",
            Self::Grants => "grants",
            Self::People => "people",
            Self::Person => "person",
            Self::Policy => "policy",
            Self::Read => "read",
            Self::Request => "request",
            Self::Review => "review",
            Self::Sessions => "sessions",
        }
    }

    /// Whether it is about acting as somebody, so that only the key of a person can have it.
    pub const fn is_personal(self) -> bool {
        match self {
            Self::Person | Self::Request | Self::Review => true,
            Self::Admin
            | Self::AuditRead
            | Self::Directory
            | Self::Grants
            | Self::People
            | Self::Policy
            | Self::Read
            | Self::Sessions => false,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope \"{0}\": it is one of admin, audit:read, directory, grants, people, person, policy, read, request, review, sessions"
)]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A call's proven origin.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose key it is, or a service key's own name: the actor of audit records.
    pub name: String,
    /// Whose key it is, if it is a person's.
    pub principal: Option<PrincipalName>,
    /// The key.
    pub key: KeyId,
    /// First instant at which the key opens nothing any more; `None` never ends.
    pub ends_at: Option<Timestamp>,
    pub(super) scopes: Vec<Scope>,
}

impl Caller {
    /// What the key opens, in the order of [`Scope`], each once.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes = self.scopes.clone();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// Whether the key has one of `scopes`; `admin` opens everything.
    pub fn may(&self, scopes: &[Scope]) -> bool {
        self.scopes.iter().any(|held| *held == Scope::Admin || scopes.contains(held))
    }
}
