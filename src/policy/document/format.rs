//! The shape of a policy file. Every text keeps its place, so that problems can name it.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::model::flow::Risk;

/// A text and where it stands.
pub(super) type Text = Spanned<String>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) groups: Entries<Option<GroupEntry>>,
    #[serde(default)]
    pub(super) principals: Entries<Option<PrincipalEntry>>,
    #[serde(default)]
    pub(super) roles: Entries<Vec<Text>>,
    #[serde(default)]
    pub(super) standing: Vec<Spanned<StandingEntry>>,
    #[serde(default)]
    pub(super) ceilings: Vec<Spanned<CeilingEntry>>,
    #[serde(default)]
    pub(super) routines: Vec<Spanned<RoutineEntry>>,
    /// The time zone of this file's conditions.
    #[serde(default)]
    pub(super) zone: Option<Text>,
    #[serde(default)]
    pub(super) risk: Vec<Spanned<RiskEntry>>,
    #[serde(default)]
    pub(super) flows: Vec<Spanned<FlowEntry>>,
    #[serde(default)]
    pub(super) limits: Vec<Spanned<BoundsEntry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundsEntry {
    #[serde(default)]
    pub(super) to: Option<Spanned<ToEntry>>,
    pub(super) target: Text,
    #[serde(default)]
    pub(super) permissions: Option<Spanned<Vec<Text>>>,
    #[serde(default)]
    pub(super) sessions: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) connections: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) connections_percent: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) statement_timeout: Option<Text>,
    #[serde(default)]
    pub(super) idle_in_transaction_timeout: Option<Text>,
    #[serde(default)]
    pub(super) transaction_timeout: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RiskEntry {
    pub(super) name: Text,
    pub(super) level: Risk,
    pub(super) when: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowEntry {
    pub(super) name: Text,
    pub(super) when: Text,
    #[serde(default)]
    pub(super) automatic: bool,
    #[serde(default)]
    pub(super) break_glass: bool,
    #[serde(default)]
    pub(super) steps: Vec<StepEntry>,
    #[serde(default)]
    pub(super) denials: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) longest: Entries<Text>,
    #[serde(default)]
    pub(super) expires_after: Option<Text>,
    #[serde(default)]
    pub(super) escalate: Option<EscalateEntry>,
    #[serde(default)]
    pub(super) estimate: bool,
    #[serde(default)]
    pub(super) reason: Option<Text>,
    #[serde(default)]
    pub(super) ticket: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepEntry {
    pub(super) approvers: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) quorum: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EscalateEntry {
    pub(super) after: Text,
    pub(super) to: Spanned<Vec<Text>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupEntry {
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) scopes: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrincipalEntry {
    #[serde(default)]
    pub(super) groups: Vec<Text>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) certificates: Vec<Text>,
    #[serde(default)]
    pub(super) disabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandingEntry {
    pub(super) to: Spanned<ToEntry>,
    pub(super) target: Text,
    pub(super) database: Text,
    pub(super) objects: Spanned<Vec<Text>>,
    pub(super) permissions: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToEntry {
    #[serde(default)]
    pub(super) group: Option<Text>,
    #[serde(default)]
    pub(super) principal: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CeilingEntry {
    pub(super) environment: Text,
    pub(super) forbid: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) except: ExceptEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExceptEntry {
    #[serde(default)]
    pub(super) groups: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoutineEntry {
    pub(super) target: Text,
    pub(super) allow: Spanned<Vec<Text>>,
}

/// A mapping in the order of the file, whose keys keep their places.
#[derive(Debug)]
pub(super) struct Entries<V>(pub(super) Vec<(Text, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names, each with its entry (`name: { … }`)")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}
