//! Bodies and queries of `/api/v1/audit`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    audit::{Decided, Filter, Story},
    control::{GrantView, RequestView},
    model::permission::Permission,
};

pub use crate::audit::{SearchQuery as AuditQuery, StatsQuery as AuditStatsQuery};

/// Answer of `GET /api/v1/audit/records/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StoryView {
    /// What this gateway's log has of it.
    #[serde(flatten)]
    pub story: Story,
    /// The grants as the store has them now.
    pub current_grants: Vec<GrantView>,
    /// The requests as the store has them now; also those that were made at other gateways.
    pub current_requests: Vec<RequestView>,
}

/// Which records to send as they are written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct TailQuery {
    /// Those behind this record; `last-event-id` goes before it. Without either, from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Whether to go on with what is written from now on; yes if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
    /// Whose: the person of a session, or who changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// On which target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Statements that touch this object; `*` stands for any letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Statements that need this permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Statements that were let run, or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// Statements of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Records of this event. Without it, all but ends of statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// Statements with these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl TailQuery {
    /// Which records are wanted.
    pub(super) fn filter(self) -> Filter {
        let Self {
            principal, target, database, table, permission, decision, kind, event, session, text, ..
        } = self;
        Filter {
            principal,
            target,
            database,
            table,
            permission,
            decision,
            kind,
            event,
            session,
            text,
            ..Filter::default()
        }
    }
}

/// In which form records are taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditFormat {
    /// A table, RFC 4180.
    Csv,
    /// The lines of the log as they are; behind each start of a statement its end.
    #[default]
    Jsonl,
    /// OCSF events of the class Datastore Activity, one a line; statements and logins alone.
    Ocsf,
    /// A table of typed columns, Apache Parquet.
    Parquet,
}

/// Which records to take away, and in which form.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct DownloadQuery {
    /// In which form; `jsonl` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub format: Option<AuditFormat>,
    /// Whose: the person of a session, or who changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// On which target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Statements that touch this object; `*` stands for any letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Statements that need this permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Statements that were let run, or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decided>,
    /// Statements of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Records of this event. Without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// That name this grant, request or session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Statements with these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// First instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// First instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl DownloadQuery {
    /// Which records are wanted.
    pub(super) fn filter(self) -> Filter {
        let Self { principal, target, database, table, permission, decision, kind, event, session, .. } =
            self;
        let (reference, text, from, until) = (self.reference, self.text, self.from, self.until);
        Filter {
            principal,
            target,
            database,
            table,
            permission,
            decision,
            kind,
            event,
            session,
            reference,
            text,
            from,
            until,
            ..Filter::default()
        }
    }
}

/// One message of the live tail.
#[derive(Clone, Debug, ToSchema)]
pub struct AuditMessage {
    /// Number of the record; absent with `missed`.
    pub id: Option<String>,
    /// `record`, or `missed`: records are gone that were not sent.
    pub event: String,
    /// A `StoredRecord` as JSON.
    #[schema(content_media_type = "application/json")]
    pub data: String,
}
