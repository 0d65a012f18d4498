//! What facts ask for, one thing at a time.

use crate::model::{
    facts::{Access, AccessMode, Call, Facts},
    object::{Object, ObjectPattern},
    permission::Permission,
    refusal::Missing,
};

/// One thing that must be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Need<'f> {
    /// Any live grant on the place.
    Presence,
    /// A permission on an object.
    On(Permission, &'f Object),
    /// Leave to run a routine that policy does not list.
    Run(&'f Call),
}

impl<'f> Need<'f> {
    /// What an access asks for.
    pub(super) fn of_access(access: &'f Access) -> Self {
        match (access.mode.permission(), &access.object) {
            (Some(permission), object) => Self::On(permission, object),
            // Use of another database is no harmless use of this one.
            (None, Object::OtherDatabase { .. }) => Self::On(Permission::Admin, &access.object),
            (
                None,
                Object::Database
                | Object::Relation { .. }
                | Object::Unresolved { .. }
                | Object::Schema { .. }
                | Object::Routine { .. }
                | Object::Server { .. },
            ) => Self::Presence,
        }
    }

    /// The permission it asks for; `None` is any.
    pub(super) fn permission(&self) -> Option<Permission> {
        match self {
            Self::Presence => None,
            Self::On(permission, _) => Some(*permission),
            Self::Run(_) => Some(Permission::Admin),
        }
    }

    /// Whether a grant on `pattern` reaches what it is about.
    pub(super) fn is_reached_by(&self, pattern: &ObjectPattern) -> bool {
        match self {
            Self::Presence => true,
            // A notification belongs to no relation: whoever may change rows somewhere may send one.
            Self::On(Permission::Dml, Object::Database) => true,
            Self::On(_, Object::Database) | Self::Run(_) => matches!(pattern, ObjectPattern::All),
            Self::On(_, object) => pattern.matches(object),
        }
    }

    /// The need as refusals and audit records name it.
    pub(super) fn as_missing(&self) -> Missing {
        let object = match self {
            Self::Presence => Object::Database,
            Self::On(_, object) => (*object).clone(),
            Self::Run(call) => Object::Routine { name: call.name.clone() },
        };
        Missing { permission: self.permission(), object }
    }

    /// Whether any live grant on the place meets it.
    pub(super) fn is_met_by_presence(&self) -> bool {
        matches!(self, Self::Presence)
    }

    /// Whether it is about another database than the place's.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, Self::On(_, Object::OtherDatabase { .. }))
    }

    /// Whether it has to run on the admin lane.
    pub(super) fn is_administrative(&self) -> bool {
        self.permission() == Some(Permission::Admin)
    }
}

/// What `facts` ask for: one need an access, and one a call that `is_listed` does not know.
///
/// Nothing at all still asks for presence; the caller adds it.
pub(super) fn needs<'f>(
    facts: &'f Facts,
    is_listed: impl Fn(&Call) -> bool,
) -> impl Iterator<Item = Need<'f>> {
    let accesses = facts.accesses.iter().map(Need::of_access);
    let calls = facts.calls.iter().filter(move |call| !is_listed(call)).map(Need::Run);
    accesses.chain(calls)
}

/// The verb by which a refusal tells how an object is touched.
pub(super) const fn verb(mode: AccessMode) -> &'static str {
    match mode {
        AccessMode::Use => "uses",
        AccessMode::Explain => "shows the plan on",
        AccessMode::Read => "reads",
        AccessMode::Export => "copies out",
        AccessMode::Write => "changes",
        AccessMode::Define => "defines",
        AccessMode::Administer => "administers",
    }
}
