//! What a grant can allow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// One thing that a grant can allow.
///
/// Only these imply one another: `export ⇒ select ⇒ explain`, `dml ⇒ explain`, `ddl ⇒ explain`.
/// `admin` implies none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// See how a statement would run.
    Explain,
    /// Read rows.
    Select,
    /// Read rows in bulk (COPY TO).
    Export,
    /// Change rows.
    Dml,
    /// Change the definition of relations.
    Ddl,
    /// Everything that reaches beyond relations: roles, code, server settings and files.
    Admin,
}

impl Permission {
    /// All of them, weakest first.
    pub const ALL: [Self; 6] = [Self::Explain, Self::Select, Self::Export, Self::Dml, Self::Ddl, Self::Admin];

    /// The word of policy, refusals and audit records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explain => "explain",
            Self::Select => "select",
            Self::Export => "export",
            Self::Dml => "dml",
            Self::Ddl => "ddl",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Itself and everything it implies.
    pub const fn implied(self) -> PermissionSet {
        PermissionSet(match self {
            Self::Export => Self::Export.bit() | Self::Select.bit() | Self::Explain.bit(),
            Self::Select | Self::Dml | Self::Ddl => self.bit() | Self::Explain.bit(),
            Self::Explain | Self::Admin => self.bit(),
        })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of the permissions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown permission \"{0}\": it is one of explain, select, export, dml, ddl, admin")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
            .ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// A set of permissions; as written, without what they imply.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet(u8);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `permission` itself is in it, implied or not being no matter.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether some member is `permission` or implies it.
    pub fn allows(self, permission: Permission) -> bool {
        self.iter().any(|held| held.implied().contains(permission))
    }

    /// Adds one.
    pub const fn insert(&mut self, permission: Permission) {
        self.0 |= permission.bit();
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its members, weakest first.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        members.into_iter().for_each(|permission| set.insert(permission));
        set
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Words with ", " between them.
impl fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, permission) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(permission.as_str())?;
        }
        Ok(())
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn export_implies_select_and_explain_but_not_dml() {
        let held: PermissionSet = [Permission::Export].into_iter().collect();
        assert!(held.allows(Permission::Select));
        assert!(held.allows(Permission::Explain));
        assert!(!held.allows(Permission::Dml));
    }

    #[test]
    fn admin_implies_nothing_else() {
        let held: PermissionSet = [Permission::Admin].into_iter().collect();
        for permission in Permission::ALL {
            assert_eq!(held.allows(permission), permission == Permission::Admin);
        }
    }
}
