//! What the policy files say, checked and ready for use.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    grant::Grant,
    ids::{GroupName, Ident, PrincipalName, RoleName},
    object::Glob,
    permission::PermissionSet,
};

use super::{
    bounds::BoundsRule,
    condition::Condition,
    flows::{Flow, RiskRule},
};

/// A whole policy. Made by `parse`; the default one knows nobody and allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Groups that principals may belong to.
    pub groups: BTreeMap<GroupName, Group>,
    /// Principals that policy knows something of.
    pub principals: BTreeMap<PrincipalName, PolicyPrincipal>,
    /// Named bundles of permissions, written out in full.
    pub roles: BTreeMap<RoleName, PermissionSet>,
    /// Grants without end, in the order of the files.
    pub standing: Vec<Grant>,
    /// What environments forbid, in the order of the files.
    pub ceilings: Vec<Ceiling>,
    /// Routines as harmless as built-in ones, in the order of the files.
    pub routines: Vec<RoutineRule>,
    /// How risky requests are, in the order of the files; the first that holds counts.
    pub risk: Vec<RiskRule>,
    /// By which way requests become grants, in the order of the files; the first that holds counts.
    pub flows: Vec<Flow>,
    /// What people may take up, in the order of the files.
    pub bounds: Vec<BoundsRule>,
}

impl Policy {
    /// Whether what becomes of a request may depend on who is on call.
    pub fn asks_who_is_on_call(&self) -> bool {
        let conditions = self.risk.iter().map(|it| &it.when).chain(self.flows.iter().map(|it| &it.when));
        conditions.into_iter().any(Condition::asks_who_is_on_call)
    }
}

/// A group of principals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// For people to read.
    pub description: String,
    /// What its members may do at the API beside acting as themselves; words of [`GROUP_SCOPES`].
    pub scopes: BTreeSet<String>,
}

/// What a group may be given at the API. Never `admin` or `directory`: these are for the keys of services.
pub const GROUP_SCOPES: [&str; 6] = ["audit:read", "grants", "people", "policy", "read", "sessions"];

/// What policy says of a principal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyPrincipal {
    /// Groups it belongs to, beside those that the store gives it.
    pub groups: BTreeSet<GroupName>,
    /// Free attributes.
    pub attributes: BTreeMap<String, String>,
    /// Client certificates that prove it: exact subject or SAN ("email:…", "dns:…", "uri:…").
    pub certificates: BTreeSet<String>,
    /// It may not log in, whatever the store says.
    pub disabled: bool,
}

/// What environments forbid whatever is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// Environments it holds for.
    pub environment: Glob,
    /// As written; a permission that implies a forbidden one is forbidden with it.
    pub forbid: PermissionSet,
    /// Groups whose members it does not hold for.
    pub except: BTreeSet<GroupName>,
}

/// Routines that are as harmless as built-in ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutineRule {
    /// Targets it holds for.
    pub target: Glob,
    /// Names as calls spell them: "f" is the unqualified call only, "public.f" the qualified one only.
    pub allow: BTreeSet<Ident>,
}
