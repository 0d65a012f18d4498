//! Asking for leave: what is asked, and how far the asking has come.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    facts::{Access, StatementKind},
    flow::Plan,
    ids::{DatabaseName, GrantId, Ident, PrincipalName, RequestId, RoleName, TargetName},
    object::ObjectPattern,
    permission::PermissionSet,
    review::Review,
    window::Window,
};

/// A request as it was made; never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Names it in lists and records.
    pub id: RequestId,
    /// Who asks, and is to hold the grant.
    pub requester: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// For what.
    pub what: Asked,
    /// The role of policy by which the permissions were named, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// How long, or until when.
    pub term: Term,
    /// From when on; `None` is from the approval on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// The ticket or incident, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The requester cannot wait and answers for it afterwards.
    #[serde(default)]
    pub break_glass: bool,
    /// The grant that it is to follow on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which nobody can approve it any more.
    pub expires_at: Timestamp,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "asks_for", rename_all = "snake_case")]
pub enum Asked {
    /// Permissions on objects, for a while.
    Access {
        /// On which objects; [`ObjectPattern::All`] is the whole database.
        objects: Vec<ObjectPattern>,
        /// Which permissions.
        permissions: PermissionSet,
    },
    /// One statement, once.
    Statement(ExactStatement),
}

impl Asked {
    /// The permissions that are asked for.
    pub fn permissions(&self) -> PermissionSet {
        match self {
            Self::Access { permissions, .. } => *permissions,
            Self::Statement(statement) => statement.permissions(),
        }
    }

    /// The objects that are asked for, in words.
    pub fn objects(&self) -> Vec<String> {
        match self {
            Self::Access { objects, .. } => objects.iter().map(ToString::to_string).collect(),
            Self::Statement(statement) => {
                let mut all: Vec<_> = statement.accesses.iter().map(|it| it.object.to_string()).collect();
                all.extend(statement.calls.iter().map(|call| format!("routine {call}")));
                all.dedup();
                all
            }
        }
    }
}

/// One exact statement and what it was seen to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactStatement {
    /// Its text, without white space around it.
    pub sql: Arc<str>,
    /// Its fingerprint.
    pub fingerprint: u64,
    /// Its kind.
    pub kind: StatementKind,
    /// Its command ("DELETE").
    pub command: String,
    /// Whether the database would take it in a READ ONLY transaction.
    pub read_only: bool,
    /// Everything it touches; what an approver saw, and all that it may touch when it runs.
    pub accesses: Vec<Access>,
    /// Routines that it runs and that are not built in.
    pub calls: Vec<Ident>,
}

impl ExactStatement {
    /// The permissions that its accesses and calls ask for.
    pub fn permissions(&self) -> PermissionSet {
        let accesses = self.accesses.iter().filter_map(|access| access.mode.permission());
        let calls = self.calls.first().map(|_| super::permission::Permission::Admin);
        accesses.chain(calls).collect()
    }
}

/// How long, until when, or whichever ends first; one of the two is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// So many seconds from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Not at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Term {
    /// The window of something that may begin at `starts_at` and not before `now`; `None` when nothing is left of it,
    /// or it would never end.
    pub fn window(self, starts_at: Option<Timestamp>, now: Timestamp) -> Option<Window> {
        let starts_at = starts_at.map_or(now, |at| at.max(now));
        let by_length = match self.seconds {
            Some(seconds) => Some(starts_at.checked_add(SignedDuration::from_secs(seconds)).ok()?),
            None => None,
        };
        let ends_at = match (by_length, self.until) {
            (Some(a), Some(b)) => a.min(b),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => return None,
        };
        (starts_at < ends_at).then_some(Window { starts_at, ends_at: Some(ends_at) })
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// A grant was made of it.
    Approved,
    /// The requester took it back.
    Cancelled,
    /// Somebody who may said no.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// It waits for answers.
    Pending,
}

impl RequestState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Approved, Self::Cancelled, Self::Denied, Self::Expired, Self::Pending];

    /// The word of lists, records and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Cancelled => "cancelled",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Pending => "pending",
        }
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether somebody still has to look at what was approved by its requester alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Aftermath {
    /// Nobody has to.
    #[default]
    None,
    /// Somebody has to, and has not yet.
    Open,
    /// Somebody did.
    Done,
}

impl Aftermath {
    /// The word of lists and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Done => "done",
        }
    }
}

/// What a database reckons that a statement would cost, as it planned it and did not run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// Rows that it would give or change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// In the planner's own units, rounded up; not every server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When it was asked.
    pub at: Timestamp,
}

/// A request and all that has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is asked.
    pub request: Request,
    /// By which way.
    pub plan: Plan,
    /// Where it stands.
    pub state: RequestState,
    /// What the database reckoned of its statement when it was made, where its flow wants that.
    pub estimate: Option<Estimate>,
    /// The answers, oldest first.
    pub reviews: Vec<Review>,
    /// Whether somebody has to look at it afterwards.
    pub aftermath: Aftermath,
    /// The grant that was made of it.
    pub grant: Option<GrantId>,
    /// When it stopped being pending.
    pub decided_at: Option<Timestamp>,
    /// When it was announced that nobody answers.
    pub escalated_at: Option<Timestamp>,
    /// Rises with every change; whoever changes the case names the one that they saw.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_is_asked_survives_its_keeping() {
        let statement = ExactStatement {
            sql: "DELETE FROM public.salary".into(),
            fingerprint: u64::MAX,
            kind: StatementKind::Delete,
            command: "DELETE".to_owned(),
            read_only: false,
            accesses: vec![Access {
                object: crate::model::object::Object::Relation { schema: "a.b".into(), name: "c".into() },
                mode: crate::model::facts::AccessMode::Write,
            }],
            calls: vec!["f".into()],
        };
        let access = Asked::Access {
            objects: vec![ObjectPattern::All],
            permissions: [crate::model::permission::Permission::Select].into_iter().collect(),
        };
        for asked in [Asked::Statement(statement), access] {
            let text = serde_json::to_string(&asked).unwrap();
            assert_eq!(serde_json::from_str::<Asked>(&text).unwrap(), asked, "{text}");
        }
    }

    #[test]
    fn a_term_ends_by_its_length_or_its_end_whichever_is_first() {
        let window = |seconds, until: Option<i64>, starts: Option<i64>| {
            let term = Term { seconds, until: until.map(at) };
            term.window(starts.map(at), at(100)).map(|window| (window.starts_at, window.ends_at))
        };
        assert_eq!(window(Some(60), None, None), Some((at(100), Some(at(160)))));
        assert_eq!(window(Some(60), Some(130), None), Some((at(100), Some(at(130)))));
        assert_eq!(window(Some(60), None, Some(200)), Some((at(200), Some(at(260)))));
        assert_eq!(window(Some(60), None, Some(50)), Some((at(100), Some(at(160)))), "not in the past");
        assert_eq!(window(None, Some(100), None), None);
        assert_eq!(window(Some(0), None, None), None);
        assert_eq!(window(None, None, None), None, "without an end there is no grant");
    }
}
