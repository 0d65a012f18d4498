//! The shape of a `*.test.yaml` file: a list of examples.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::model::{dialect::Dialect, flow::Risk};

pub(super) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleEntry {
    #[serde(default)]
    pub(super) name: String,
    pub(super) given: Given,
    /// The statement that is judged; without it, the request.
    #[serde(default)]
    pub(super) statement: Option<String>,
    /// The request that is judged; beside a statement, for that one alone.
    #[serde(default)]
    pub(super) request: Option<RequestEntry>,
    pub(super) expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestEntry {
    #[serde(default)]
    pub(super) objects: Vec<Text>,
    #[serde(default)]
    pub(super) permissions: Vec<Text>,
    #[serde(default, rename = "for")]
    pub(super) lifetime: Option<Text>,
    #[serde(default)]
    pub(super) until: Option<Text>,
    #[serde(default)]
    pub(super) starts_at: Option<Text>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) ticket: Option<String>,
    #[serde(default)]
    pub(super) break_glass: bool,
    #[serde(default)]
    pub(super) history: HistoryEntry,
    /// Schedules on which the requester is on call.
    #[serde(default)]
    pub(super) on_call: Vec<String>,
}

/// How often something happened of late, an hour ago.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryEntry {
    #[serde(default)]
    pub(super) granted: u8,
    #[serde(default)]
    pub(super) denied: u8,
    #[serde(default)]
    pub(super) requested: u8,
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
    /// Labels of the target, where the configuration is not at hand.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
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

/// `allow`, `deny`, `refuse`, `{ deny: [ … ] }` or `{ flow: …, risk: … }`.
#[derive(Debug)]
pub(super) enum Expect {
    Allow,
    Deny,
    DenyFor(Vec<MissingEntry>),
    /// A request is taken, and goes by this flow, with this risk; what is left out may be any.
    Flow {
        flow: Option<String>,
        risk: Option<Risk>,
    },
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
        f.write_str("allow, deny, refuse, { deny: [ { permission: …, object: … } ] } or { flow: …, risk: … }")
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
        let (mut missing, mut flow, mut risk) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "deny" => missing = Some(map.next_value()?),
                "flow" => flow = Some(map.next_value()?),
                "risk" => risk = Some(map.next_value()?),
                _ => return Err(A::Error::unknown_field(&key, &["deny", "flow", "risk"])),
            }
        }
        match (missing, flow, risk) {
            (Some(missing), None, None) => Ok(Expect::DenyFor(missing)),
            (None, None, None) => Err(A::Error::missing_field("deny")),
            (None, flow, risk) => Ok(Expect::Flow { flow, risk }),
            (Some(_), _, _) => Err(A::Error::custom("write either deny, or flow and risk")),
        }
    }
}
