//! What of a record the index goes by.

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use crate::model::{facts::AccessMode, permission::Permission};

/// What of a record the index goes by.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) event: String,
    principal: Option<String>,
    actor: Option<String>,
    target: Option<String>,
    database: Option<String>,
    pub(super) kind: Option<String>,
    decision: Option<String>,
    pub(super) sql: Option<String>,
    pub(super) statement: Option<Uuid>,
    pub(super) session: Option<Uuid>,
    #[serde(default)]
    pub(super) objects: Vec<Object>,
    #[serde(default)]
    pub(super) grants: Vec<String>,
    pub(super) grant: Option<Mention>,
    pub(super) request: Option<Mention>,
}

/// An object of a statement.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) mode: AccessMode,
}

/// A grant or request: its name, or all of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Mention {
    /// Its name.
    Name(String),
    /// All of it.
    Whole(Whole),
}

/// What of a grant or request is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Whole {
    id: String,
    requester: Option<String>,
    target: Option<String>,
    database: Option<String>,
}

impl Mention {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Whole(whole) => &whole.id,
        }
    }

    const fn whole(&self) -> Option<&Whole> {
        match self {
            Self::Name(_) => None,
            Self::Whole(whole) => Some(whole),
        }
    }
}

impl Entry {
    /// Whom it is about, or who did it.
    pub(super) fn person(&self) -> Option<&str> {
        let asked = || self.whole().and_then(|it| it.requester.as_deref());
        self.principal.as_deref().or(self.actor.as_deref()).or_else(asked)
    }

    pub(super) fn target(&self) -> Option<&str> {
        self.target.as_deref().or_else(|| self.whole()?.target.as_deref())
    }

    pub(super) fn database(&self) -> Option<&str> {
        self.database.as_deref().or_else(|| self.whole()?.database.as_deref())
    }

    fn whole(&self) -> Option<&Whole> {
        let request = self.request.as_ref().and_then(Mention::whole);
        request.or_else(|| self.grant.as_ref().and_then(Mention::whole))
    }

    /// Whether a statement was allowed; `None` where nothing was decided.
    pub(super) fn is_allowed(&self) -> Option<bool> {
        match self.decision.as_deref() {
            Some("allow") => Some(true),
            // closed: whatever else it says, it was not let run
            Some(_) => Some(false),
            None => None,
        }
    }
}

/// Numbers of the index for what an access needs.
pub(super) const fn permission_code(permission: Option<Permission>) -> i64 {
    match permission {
        None => 0,
        Some(Permission::Explain) => 1,
        Some(Permission::Select) => 2,
        Some(Permission::Export) => 3,
        Some(Permission::Dml) => 4,
        Some(Permission::Ddl) => 5,
        Some(Permission::Admin) => 6,
    }
}

/// The permission of a number of the index.
pub(super) fn permission_of(code: i64) -> Option<Permission> {
    Permission::ALL.into_iter().find(|it| permission_code(Some(*it)) == code)
}

/// Numbers of the index for what was decided.
pub(super) const fn decision_code(is_allowed: bool) -> i64 {
    if is_allowed { 0 } else { 1 }
}
