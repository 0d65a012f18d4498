//! A line of an audit log, as far as replaying needs it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::{
    facts::{Access, AccessMode},
    flow::Plan,
    grant::{Grant, GrantName},
    ids::{DatabaseName, GrantId, PrincipalName, RequestId, TargetName},
    object::Object,
    request::{ExactStatement, Request, RequestState},
};

#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    #[serde(flatten)]
    pub(super) record: Logged,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Logged {
    GrantCreated {
        grant: Box<Grant>,
    },
    GrantRevoked {
        grant: GrantName,
    },
    PrincipalChanged {
        principal: PrincipalName,
        change: String,
    },
    RequestCreated {
        request: Box<Request>,
        plan: Box<Plan>,
    },
    RequestRefused {},
    RequestSettled {
        request: RequestId,
        state: RequestState,
        #[serde(default)]
        grant: Option<GrantId>,
    },
    StatementStart(Box<Statement>),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub(super) struct Statement {
    pub(super) principal: PrincipalName,
    pub(super) target: TargetName,
    pub(super) database: DatabaseName,
    pub(super) sql: String,
    #[serde(default)]
    pub(super) fingerprint: Option<String>,
    pub(super) objects: Vec<Touched>,
    #[serde(flatten)]
    pub(super) decision: Decided,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub(super) enum Decided {
    Allow { grants: Vec<GrantName> },
    Deny { missing: Vec<String> },
}

#[derive(Debug, Deserialize)]
pub(super) struct Touched {
    pub(super) name: String,
    pub(super) mode: AccessMode,
}

impl Statement {
    /// Whether it is the statement that was approved, as far as the log tells.
    pub(super) fn is(&self, exact: &ExactStatement) -> bool {
        self.fingerprint.as_ref().is_some_and(|it| *it == format!("{:016x}", exact.fingerprint))
    }

    /// What it touched, as its session understood the names.
    pub(super) fn accesses(&self) -> Vec<Access> {
        let mut all: Vec<_> =
            self.objects.iter().map(|it| Access { object: object(&it.name), mode: it.mode }).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// The object that is written so; what is none of the others is something of the server.
fn object(name: &str) -> Object {
    if name == "the database" {
        return Object::Database;
    }
    if let Some(own) = name.strip_suffix(" (schema unknown)") {
        return Object::Unresolved { name: own.into() };
    }
    match name.split_once(' ') {
        Some(("schema", rest)) => Object::Schema { name: rest.into() },
        Some(("routine", rest)) => Object::Routine { name: rest.into() },
        Some(("database", rest)) => Object::OtherDatabase { name: rest.into() },
        _ => match name.split_once('.') {
            Some((schema, own)) => Object::Relation { schema: schema.into(), name: own.into() },
            None => Object::Server { what: name.into() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_reads_back_as_it_is_written() {
        for known in [
            Object::Database,
            Object::Relation { schema: "public".into(), name: "salary".into() },
            Object::Unresolved { name: "salary".into() },
            Object::Schema { name: "public".into() },
            Object::Routine { name: "public.f".into() },
            Object::OtherDatabase { name: "hr_test".into() },
            Object::Server { what: "role".into() },
        ] {
            assert_eq!(object(&known.to_string()), known);
        }
    }
}
