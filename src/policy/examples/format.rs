//! The shape of a `*.test.yaml` file: a list of examples.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::model::dialect::Dialect;

pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleEntry {
    #[serde(default)]
    pub(super) name: String,
    pub(super) given: Given,
    pub(super) statement: String,
    pub(super) expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    pub(super) principal: Text,
    /// Groups that the store gives it; wanted for a principal that the policy does not name.
    #[serde(default)]
    pub(super) groups: Option<Vec<String>>,
    pub(super) target: Text,
    pub(super) database: String,
    /// What the target speaks, where the configuration is not at hand; PostgreSQL if left out.
    #[serde(default)]
    pub(super) dialect: Option<Dialect>,
    /// Environment of the target, where the configuration is not at hand.
    #[serde(default)]
    pub(super) environment: Option<String>,
    #[serde(default)]
    pub(super) grants: Vec<GrantEntry>,
    #[serde(default)]
    pub(super) now: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantEntry {
    pub(super) permissions: Vec<Text>,
    pub(super) objects: Vec<Text>,
    #[serde(default)]
    pub(super) starts_at: Option<Text>,
    #[serde(default)]
    pub(super) ends_at: Option<Text>,
    #[serde(default)]
    pub(super) revoked_at: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MissingEntry {
    pub(super) permission: String,
    pub(super) object: String,
}

/// `allow`, `deny`, `refuse` or `{ deny: [ … ] }`.
#[derive(Debug)]
pub(super) enum Expect {
    Allow,
    Deny,
    DenyFor(Vec<MissingEntry>),
    Refuse,
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExpectVisitor)
    }
}

struct ExpectVisitor;

impl<'de> Visitor<'de> for ExpectVisitor {
    type Value = Expect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("allow, deny, refuse or { deny: [ { permission: …, object: … } ] }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Expect, E> {
        match word {
            "allow" => Ok(Expect::Allow),
            "deny" => Ok(Expect::Deny),
            "refuse" => Ok(Expect::Refuse),
            other => Err(E::unknown_variant(other, &["allow", "deny", "refuse"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expect, A::Error> {
        let mut missing = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "deny" {
                return Err(A::Error::unknown_field(&key, &["deny"]));
            }
            missing = Some(map.next_value()?);
        }
        missing.map(Expect::DenyFor).ok_or_else(|| A::Error::missing_field("deny"))
    }
}
