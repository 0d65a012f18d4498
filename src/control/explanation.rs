//! What a statement would be told, in plain values for people and programs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    model::{
        facts::{AccessMode, Facts, Runs, Unanalyzable},
        grant::{GrantName, Holder},
        ids::{DatabaseName, PrincipalName, TargetName},
        permission::Permission,
        principal::Principal,
        refusal::RefusalCode,
        target::{Lane, Place},
    },
    policy::{
        Snapshot,
        explanation::{ExplainedNeed, Outcome, Verdict, explain},
    },
};

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who would run it.
    pub principal: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database; the target's first if left out and the target lists some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseName>,
    /// The statement, or several with semicolons between them.
    pub sql: String,
}

/// What a batch would be told. It is no proof: nothing runs on it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Who.
    pub principal: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// Version of the Snapshot that judged.
    pub snapshot: u64,
    /// Whether all of it would run.
    pub allowed: bool,
    /// The refusal of the whole text, if it is not understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// The statements, in order.
    pub statements: Vec<StatementExplanation>,
}

/// What one statement does, and what it would be told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatementExplanation {
    /// Its text.
    pub sql: String,
    /// Its command ("SELECT").
    pub command: String,
    /// Whether the database would take it in a READ ONLY transaction.
    pub read_only: bool,
    /// What it touches.
    pub objects: Vec<ObjectView>,
    /// Routines that are not built in.
    pub calls: Vec<String>,
    /// What it needs, and what meets that.
    pub needs: Vec<NeedView>,
    /// Whether it would run.
    pub allowed: bool,
    /// On which lane, if it would run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// By which grants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantName>,
    /// Until when these last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What the client would read, if it would not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What this judgement cannot see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One object of a statement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ObjectView {
    /// As refusals name it.
    pub name: String,
    /// How it is touched ("read", "write", …).
    pub mode: String,
}

/// One need and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NeedView {
    /// The permission; absent when any grant will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// On what.
    pub object: String,
    /// `granted`, `forbidden`, `missing` or `listed`.
    pub outcome: String,
    /// The grant that meets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantName>,
    /// Whose that grant is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Why it was given, or what forbids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a client would read.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RefusalView {
    /// SQLSTATE.
    pub sqlstate: String,
    /// ERROR.
    pub message: String,
    /// DETAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// HINT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Explanation {
    /// Judges what the analysis of `sql` gave, for `principal` at `place`, without running or recording anything.
    pub fn new(
        snapshot: &Snapshot,
        principal: &Principal,
        place: &Place,
        sql: &str,
        analysis: &Result<Vec<Facts>, Unanalyzable>,
        now: Timestamp,
    ) -> Self {
        let (statements, refusal) = match analysis {
            Ok(batch) => {
                let each = batch
                    .iter()
                    .map(|facts| statement(snapshot, principal, place, sql, facts, now))
                    .collect();
                (each, None)
            }
            Err(reason) => (Vec::new(), Some(not_understood(reason))),
        };
        Self {
            principal: principal.name.clone(),
            target: place.target.clone(),
            database: place.database.clone(),
            snapshot: snapshot.version(),
            allowed: refusal.is_none() && statements.iter().all(|it: &StatementExplanation| it.allowed),
            refusal,
            statements,
        }
    }
}

fn statement(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    sql: &str,
    facts: &Facts,
    now: Timestamp,
) -> StatementExplanation {
    let explained = explain(snapshot, principal, place, &[facts], now);
    let mut view = StatementExplanation {
        sql: sql.get(facts.span.clone()).unwrap_or(sql).trim().to_owned(),
        command: facts.command.to_owned(),
        read_only: facts.read_only,
        objects: facts.accesses.iter().map(|it| object(it.object.to_string(), it.mode)).collect(),
        calls: facts.calls.iter().map(|call| call.name.to_string()).collect(),
        needs: explained.needs.into_iter().map(need).collect(),
        allowed: false,
        lane: None,
        grants: Vec::new(),
        until: None,
        refusal: None,
        note: facts.runs.as_ref().map(runs),
    };
    match explained.verdict {
        Verdict::Allow { lane, grants, until } => {
            view.allowed = true;
            view.lane = Some(lane);
            view.grants = grants;
            view.until = until;
        }
        Verdict::Deny { sqlstate, message, detail, hint } => {
            view.refusal = Some(RefusalView { sqlstate: sqlstate.to_owned(), message, detail, hint });
        }
    }
    view
}

fn object(name: String, mode: AccessMode) -> ObjectView {
    let mode = match mode {
        AccessMode::Use => "use",
        AccessMode::Explain => "explain",
        AccessMode::Read => "read",
        AccessMode::Export => "export",
        AccessMode::Write => "write",
        AccessMode::Define => "define",
        AccessMode::Administer => "administer",
    };
    ObjectView { name, mode: mode.to_owned() }
}

fn need(need: ExplainedNeed) -> NeedView {
    let ExplainedNeed { permission, object, outcome } = need;
    let plain = |outcome: &str, because| NeedView {
        permission,
        object: object.clone(),
        outcome: outcome.to_owned(),
        grant: None,
        holder: None,
        because,
        until: None,
    };
    match outcome {
        Outcome::Granted { grant, holder, reason, until } => {
            NeedView { grant: Some(grant), holder: Some(holder), until, ..plain("granted", Some(reason)) }
        }
        Outcome::Forbidden { environment } => {
            plain("forbidden", Some(format!("the ceiling of environment {environment}")))
        }
        Outcome::Missing => plain("missing", None),
        Outcome::Listed => plain("listed", None),
    }
}

fn runs(runs: &Runs) -> String {
    let what = match runs {
        Runs::Prepared { name, .. } => format!("the prepared statement \"{name}\""),
        Runs::Cursor(name) => format!("the cursor \"{name}\""),
    };
    format!("it is judged together with {what}, which only the open session knows")
}

fn not_understood(reason: &Unanalyzable) -> RefusalView {
    let (code, hint) = match reason {
        Unanalyzable::Syntax { .. } => (RefusalCode::SyntaxError, None),
        Unanalyzable::Unknown { .. } => (RefusalCode::NotSupported, None),
        Unanalyzable::Never { instead, .. } => (RefusalCode::NotSupported, Some((*instead).to_owned())),
        Unanalyzable::NoDatabase => (RefusalCode::NoDatabase, None),
        Unanalyzable::TooLarge { .. } => (RefusalCode::ProgramLimitExceeded, None),
    };
    RefusalView { sqlstate: code.sqlstate().to_owned(), message: reason.to_string(), detail: None, hint }
}
