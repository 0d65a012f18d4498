//! What people are shown of requests.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{
        denial::DenialId,
        flow::Risk,
        ids::{DatabaseName, GrantId, GroupName, PrincipalName, RequestId, RoleName, TargetName},
        object::ObjectPattern,
        permission::PermissionSet,
        request::{Aftermath, Asked, Case, Estimate, RequestState},
        review::Verdict,
    },
    policy,
};

use super::ask_bodies::Answer;

/// A request and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// Names it in lists and records.
    pub id: RequestId,
    /// Where it stands.
    pub state: RequestState,
    /// Who asks.
    pub requester: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// On which objects.
    pub objects: Vec<String>,
    /// For which permissions.
    pub permissions: PermissionSet,
    /// The role by which they were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// The one statement that is asked for, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<StatementView>,
    /// What the database reckons that this would cost, where the flow asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// How long, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// From when on; from the approval on if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// It was approved by its requester alone.
    pub break_glass: bool,
    /// Whether somebody still has to look at that (`none`, `open`, `done`).
    pub aftermath: Aftermath,
    /// The grant that it is to follow on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// The risk that policy sees.
    pub risk: Risk,
    /// The flow by which it goes.
    pub flow: String,
    /// Members of these groups can answer now.
    pub waits_for: Vec<GroupName>,
    /// The answers, oldest first.
    pub reviews: Vec<ReviewView>,
    /// The grant that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which nobody can approve it any more.
    pub expires_at: Timestamp,
    /// When it stopped being pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
}

/// What was refused to somebody, and what a request for it would ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DenialView {
    /// Names it to the one who was refused.
    pub id: DenialId,
    /// On which target.
    pub target: TargetName,
    /// In which database.
    pub database: DatabaseName,
    /// The text of the statement.
    pub sql: String,
    /// What was missing, as patterns; none where only the statement itself can be asked for.
    pub objects: Vec<ObjectPattern>,
    /// Which permissions were missing on them.
    pub permissions: PermissionSet,
}

/// One exact statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementView {
    /// Its text.
    pub sql: String,
    /// Its command.
    pub command: String,
    /// Its fingerprint, 16 hexadecimal digits.
    pub fingerprint: String,
    /// Whether the database would take it in a READ ONLY transaction.
    pub read_only: bool,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewView {
    /// Who.
    pub reviewer: PrincipalName,
    /// Yes or no.
    pub verdict: Answer,
    /// In words.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// It looks back on break-glass.
    pub afterwards: bool,
    /// The objects that it was cut down to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<String>>,
    /// The permissions that it was cut down to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionSet>,
    /// The seconds that it was cut down to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// A page of requests.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestPage {
    /// Newest first.
    pub requests: Vec<RequestView>,
    /// `before` of the next page, if there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RequestId>,
}

impl RequestView {
    pub(super) fn new(case: &Case, now: Timestamp) -> Self {
        let request = &case.request;
        let is_pending = case.state == RequestState::Pending;
        // Between its end and the moment at which that is written down, it is over all the same.
        let is_over = is_pending && request.expires_at <= now;
        let waits = (is_pending && !is_over) || case.aftermath == Aftermath::Open;
        Self {
            id: request.id,
            state: if is_over { RequestState::Expired } else { case.state },
            requester: request.requester.clone(),
            target: request.target.clone(),
            database: request.database.clone(),
            objects: request.what.objects(),
            permissions: request.what.permissions(),
            role: request.role.clone(),
            statement: statement(&request.what),
            estimate: case.estimate.clone(),
            seconds: request.term.seconds,
            until: request.term.until,
            starts_at: request.starts_at,
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            break_glass: request.break_glass,
            aftermath: case.aftermath,
            extends: request.extends,
            risk: case.plan.risk,
            flow: case.plan.flow.clone(),
            waits_for: if waits { policy::approvers(case, now) } else { Vec::new() },
            reviews: case.reviews.iter().map(review).collect(),
            grant: case.grant,
            created_at: request.created_at,
            expires_at: request.expires_at,
            decided_at: case.decided_at,
        }
    }
}

fn statement(what: &Asked) -> Option<StatementView> {
    match what {
        Asked::Access { .. } => None,
        Asked::Statement(it) => Some(StatementView {
            sql: it.sql.to_string(),
            command: it.command.clone(),
            fingerprint: format!("{:016x}", it.fingerprint),
            read_only: it.read_only,
        }),
    }
}

fn review(review: &crate::model::review::Review) -> ReviewView {
    let (verdict, narrowing) = match &review.verdict {
        Verdict::Approve { narrowing } => (Answer::Approve, narrowing.clone()),
        Verdict::Deny => (Answer::Deny, crate::model::review::Narrowing::default()),
    };
    ReviewView {
        reviewer: review.reviewer.clone(),
        verdict,
        comment: review.comment.clone(),
        at: review.at,
        afterwards: review.afterwards,
        objects: narrowing.objects.map(|objects| objects.iter().map(ToString::to_string).collect()),
        permissions: narrowing.permissions,
        seconds: narrowing.seconds,
    }
}
