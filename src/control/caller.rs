//! Who calls the administration API, and what its key opens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::ids::{KeyId, PrincipalName};

/// What a service key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything, also what the other scopes do.
    Admin,
    /// List, make and revoke grants.
    Grants,
    /// Act as the person whose key it is: ask, answer, look at and revoke one's own.
    Person,
    /// Look at everything but service keys; change nothing.
    Read,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Grants, Self::Person, Self::Read];

    /// The word of the API, the store and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Grants => "grants",
            Self::Person => "person",
            Self::Read => "read",
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
#[error("unknown scope \"{0}\": it is one of admin, grants, person, read")]
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
    pub(super) scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the key has one of `scopes`; `admin` opens everything.
    pub fn may(&self, scopes: &[Scope]) -> bool {
        self.scopes.iter().any(|held| *held == Scope::Admin || scopes.contains(held))
    }
}
