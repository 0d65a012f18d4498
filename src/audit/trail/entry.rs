//! What of a record the index goes by.

use std::{borrow::Cow, fmt, ops::Deref};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use uuid::Uuid;

use super::quick;
use crate::model::{facts::AccessMode, permission::Permission};

/// What of a record the index goes by.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Entry<'l> {
    pub(super) at: Timestamp,
    #[serde(borrow)]
    pub(super) event: Text<'l>,
    #[serde(borrow)]
    pub(super) principal: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) actor: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) target: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) database: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) kind: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) decision: Option<Text<'l>>,
    #[serde(borrow)]
    pub(super) sql: Option<Text<'l>>,
    pub(super) statement: Option<Uuid>,
    pub(super) session: Option<Uuid>,
    #[serde(default, borrow)]
    pub(super) objects: Vec<Object<'l>>,
    #[serde(default, borrow)]
    pub(super) grants: Vec<Text<'l>>,
    pub(super) grant: Option<Mention>,
    pub(super) request: Option<Mention>,
}

/// An object of a statement.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Object<'l> {
    #[serde(borrow)]
    pub(super) name: Text<'l>,
    pub(super) mode: AccessMode,
}

/// A text of a line, taken out of it where nothing in it is escaped.
#[derive(Debug, PartialEq)]
pub(super) struct Text<'l>(Cow<'l, str>);

impl<'l> Text<'l> {
    pub(super) const fn of(text: Cow<'l, str>) -> Self {
        Self(text)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'l, 'l> Deserialize<'de> for Text<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A grant or request: its name, or all of it.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Mention {
    /// Its name.
    Name(String),
    /// All of it.
    Whole(Whole),
}

/// What of a grant or request is looked at.
#[derive(Debug, PartialEq, Deserialize)]
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

impl<'l> Entry<'l> {
    /// That of a line.
    ///
    /// # Errors
    /// If it is no JSON, or not of this form.
    pub(super) fn read(line: &'l [u8]) -> Result<Self, serde_json::Error> {
        quick::read(line).map_or_else(|| serde_json::from_slice(line), Ok)
    }

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
