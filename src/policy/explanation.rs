//! The judgement, told to people: each need, and which grant meets it or what is missing.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{
    facts::Facts,
    grant::{GrantName, Holder},
    ids::{DatabaseName, PrincipalName, TargetName},
    permission::Permission,
    principal::Principal,
    target::{Lane, Place},
};

use super::{
    decide::{Decision, decide_all},
    index::Entry,
    need::{self, Need},
    snapshot::Snapshot,
    view::View,
};

/// Why a statement is allowed or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who.
    pub principal: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// What is asked for, each thing once; empty if the door is shut before.
    pub needs: Vec<ExplainedNeed>,
    /// What is decided.
    pub verdict: Verdict,
}

/// The decision in plain values. It is no proof: nothing runs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Verdict {
    /// It would run.
    Allow {
        /// On which lane.
        lane: Lane,
        /// By which grants.
        grants: Vec<GrantName>,
        /// Until when, if it ends.
        until: Option<Timestamp>,
    },
    /// It would be refused.
    Deny {
        /// SQLSTATE.
        sqlstate: &'static str,
        /// The refusal's message.
        message: String,
        /// The refusal's detail.
        detail: Option<String>,
        /// The refusal's hint.
        hint: Option<String>,
    },
}

/// One need and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedNeed {
    /// The permission; `None` is any.
    pub permission: Option<Permission>,
    /// On what, as refusals name it.
    pub object: String,
    /// What meets it, or does not.
    pub outcome: Outcome,
}

/// What meets a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// A grant does; the one that lasts longest.
    Granted {
        /// Which.
        grant: GrantName,
        /// Whose it is: the principal's own or a group's.
        holder: Holder,
        /// Why it was given.
        reason: String,
        /// Its end.
        until: Option<Timestamp>,
    },
    /// The ceiling of the environment forbids it.
    Forbidden {
        /// The environment.
        environment: String,
    },
    /// No grant does.
    Missing,
    /// Policy lists the routine as harmless.
    Listed,
}

/// Judges `facts` as [`decide_all`] does and tells why.
pub fn explain(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &[&Facts],
    now: Timestamp,
) -> Explanation {
    let needs = match View::open(snapshot, principal, place, now) {
        Ok(view) => explained(&view, facts),
        Err(_) => Vec::new(),
    };
    let verdict = match decide_all(snapshot, principal, place, facts, now) {
        Decision::Allow(permit) => {
            Verdict::Allow { lane: permit.lane(), grants: permit.grants().to_vec(), until: permit.until() }
        }
        Decision::Deny(denial) => {
            let refusal = denial.refusal(principal, place);
            Verdict::Deny {
                sqlstate: refusal.code.sqlstate(),
                message: refusal.message,
                detail: refusal.detail,
                hint: refusal.hint,
            }
        }
    };
    Explanation {
        principal: principal.name.clone(),
        target: place.target.clone(),
        database: place.database.clone(),
        needs,
        verdict,
    }
}

fn explained(view: &View<'_>, facts: &[&Facts]) -> Vec<ExplainedNeed> {
    let mut all: Vec<ExplainedNeed> = Vec::new();
    let mut push = |need: ExplainedNeed| {
        if !all.contains(&need) {
            all.push(need);
        }
    };
    for need in facts.iter().flat_map(|facts| need::needs(facts, |call| view.is_listed(call))) {
        push(told(&need, outcome(view, &need)));
    }
    for call in facts.iter().flat_map(|facts| &facts.calls).filter(|call| view.is_listed(call)) {
        push(told(&Need::Run(call), Outcome::Listed));
    }
    if all.is_empty() {
        all.push(told(&Need::Presence, outcome(view, &Need::Presence)));
    }
    all
}

fn told(need: &Need<'_>, outcome: Outcome) -> ExplainedNeed {
    let missing = need.as_missing();
    ExplainedNeed { permission: missing.permission, object: missing.object.to_string(), outcome }
}

fn outcome(view: &View<'_>, need: &Need<'_>) -> Outcome {
    if let Some(Entry { grant, over_at, .. }) = view.grant_for(need) {
        return Outcome::Granted {
            grant: grant.id.clone(),
            holder: grant.holder.clone(),
            reason: grant.reason.clone(),
            until: *over_at,
        };
    }
    if need.permission().is_some_and(|permission| view.forbidden.contains(permission)) {
        return Outcome::Forbidden { environment: view.site.target.environment.to_string() };
    }
    Outcome::Missing
}
