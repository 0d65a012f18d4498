//! What facts ask for, one thing at a time.

use crate::model::{
    dialect::Dialect,
    facts::{Access, AccessMode, Call, Facts},
    object::{Object, ObjectPattern},
    permission::Permission,
    refusal::Missing,
};

/// One thing that must be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Need<'f> {
    /// Any live grant on the place; where a session spans the databases of its server, on the target.
    Presence,
    /// Any live grant on another database of the server that the session spans.
    PresenceIn(&'f str),
    /// A permission on an object.
    On(Permission, &'f Object),
    /// Leave to run a routine that policy does not list.
    Run(&'f Call),
}

impl<'f> Need<'f> {
    /// What an access asks for.
    pub(super) fn of_access(access: &'f Access, dialect: Dialect) -> Self {
        match (access.mode.permission(), &access.object) {
            (None, Object::Relation { schema: database, .. } | Object::Schema { name: database })
                if dialect.spans_databases() =>
            {
                Self::PresenceIn(database)
            }
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
            Self::Presence | Self::PresenceIn(_) => None,
            Self::On(permission, _) => Some(*permission),
            Self::Run(_) => Some(Permission::Admin),
        }
    }

    /// Whether a grant on `pattern` reaches what it is about.
    pub(super) fn is_reached_by(&self, pattern: &ObjectPattern, dialect: Dialect) -> bool {
        match self {
            Self::Presence | Self::PresenceIn(_) => true,
            // A notification belongs to no relation: whoever may change rows somewhere may send one.
            Self::On(Permission::Dml, Object::Database) => true,
            // A temporary relation belongs to the session: whoever may define something may make one.
            Self::On(Permission::Ddl, Object::Relation { schema, .. }) if is_temporary(schema, dialect) => {
                true
            }
            Self::On(_, Object::Database) | Self::Run(_) => matches!(pattern, ObjectPattern::All),
            Self::On(_, object) => pattern.matches(object, dialect),
        }
    }

    /// The need as refusals and audit records name it.
    pub(super) fn as_missing(&self) -> Missing {
        let object = match self {
            Self::Presence => Object::Database,
            Self::PresenceIn(name) => Object::Schema { name: (*name).into() },
            Self::On(_, object) => (*object).clone(),
            Self::Run(call) => Object::Routine { name: call.name.clone() },
        };
        Missing { permission: self.permission(), object }
    }

    /// Whether any live grant on the place meets it.
    pub(super) fn is_met_by_presence(&self) -> bool {
        matches!(self, Self::Presence)
    }

    /// Whether it is about another database than the place's, and a session does not span them.
    pub(super) fn is_elsewhere(&self, dialect: Dialect) -> bool {
        !dialect.spans_databases() && matches!(self, Self::On(_, Object::OtherDatabase { .. }))
    }

    /// The database on which it must be granted; `None` is that of the place.
    pub(super) fn database(&self, dialect: Dialect) -> Option<&str> {
        match self {
            Self::PresenceIn(database) => Some(database),
            Self::On(_, Object::OtherDatabase { name }) => Some(name),
            Self::On(_, Object::Relation { schema: database, .. } | Object::Schema { name: database })
                if dialect.spans_databases() =>
            {
                Some(database)
            }
            // Written with its database in front.
            Self::Run(Call { name }) | Self::On(_, Object::Routine { name }) if dialect.spans_databases() => {
                name.split_once('.').map(|(database, _)| database)
            }
            Self::Presence
            | Self::On(
                _,
                Object::Database
                | Object::Relation { .. }
                | Object::Unresolved { .. }
                | Object::Schema { .. }
                | Object::Routine { .. }
                | Object::Server { .. },
            )
            | Self::Run(_) => None,
        }
    }

    /// Whether it has to run on the admin lane.
    pub(super) fn is_administrative(&self) -> bool {
        self.permission() == Some(Permission::Admin)
    }
}

/// Whether it is the schema of PostgreSQL in which a session makes its temporary relations; nobody else can.
fn is_temporary(schema: &str, dialect: Dialect) -> bool {
    dialect == Dialect::Postgres && schema == "pg_temp"
}

/// What `facts` ask for: one need an access, and one a call that `is_listed` does not know.
///
/// Nothing at all still asks for presence; the caller adds it.
pub(super) fn needs<'f>(
    facts: &'f Facts,
    dialect: Dialect,
    is_listed: impl Fn(&Call) -> bool,
) -> impl Iterator<Item = Need<'f>> {
    let accesses = facts.accesses.iter().map(move |access| Need::of_access(access, dialect));
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
