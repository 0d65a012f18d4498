//! The protected servers, as far as decisions need to know them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    dialect::Dialect,
    ids::{DatabaseName, EnvironmentName, TargetName},
};

/// A protected database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in policy, grants and refusals.
    pub name: TargetName,
    /// What it speaks.
    pub dialect: Dialect,
    /// Which ceilings hold for it.
    pub environment: EnvironmentName,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

/// Where a session is: a target and a database on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The target.
    pub target: TargetName,
    /// The database.
    pub database: DatabaseName,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.target, self.database)
    }
}

/// One of the shared upstream accounts of a target, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Held read-only by the database.
    Read,
    /// Changes rows and definitions.
    Write,
    /// Everything else.
    Admin,
}

impl Lane {
    /// All lanes, weakest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The word of configuration, metrics and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
