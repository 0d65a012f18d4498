//! The judgement, told to people: each need, and which grant meets it or what is missing.

use std::collections::HashSet;

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
    let mut known = HashSet::new();
    let mut all: Vec<ExplainedNeed> = Vec::new();
    for need in facts.iter().flat_map(|facts| need::needs(facts, view.dialect(), |call| view.is_listed(call)))
    {
        if known.insert(need) {
            all.push(told(&need, outcome(view, &need)));
        }
    }
    for call in facts.iter().flat_map(|facts| &facts.calls).filter(|call| view.is_listed(call)) {
        if known.insert(Need::Run(call)) {
            all.push(told(&Need::Run(call), Outcome::Listed));
        }
    }
    if known.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::facts::AccessMode,
        policy::fixture::{at, facts, grant, hr, principal, reads, relation, shipped, snapshot, until},
    };

    fn explained_for(grants: Vec<crate::model::grant::Grant>, facts: &Facts) -> serde_json::Value {
        let explanation =
            explain(&snapshot(&shipped(), grants), &principal("dana", &[]), &hr(), &[facts], at(0));
        serde_json::to_value(explanation).unwrap()
    }

    #[test]
    fn each_need_has_its_grant_or_what_is_missing() {
        let grants = vec![until(grant(1, &[Permission::Select], &["public.employee"]), at(60))];
        let told = explained_for(grants, &reads(&["public.employee", "public.salary"]));
        let outcome = |index: usize, key: &str| told["needs"][index]["outcome"][key].clone();
        assert_eq!(told["needs"][0]["object"], "public.employee");
        assert_eq!(outcome(0, "outcome"), "granted");
        assert_eq!(outcome(0, "grant"), "00000000-0000-0000-0000-000000000001");
        assert_eq!(outcome(0, "until"), "2026-01-01T12:01:00Z");
        assert_eq!(outcome(0, "reason"), "INC-42");
        assert_eq!(outcome(1, "outcome"), "missing");
        assert_eq!(told["verdict"]["decision"], "deny");
        assert_eq!(told["verdict"]["sqlstate"], "42501");
    }

    #[test]
    fn a_ceiling_a_listed_routine_and_a_group_are_told() {
        let statement = facts(
            &[(AccessMode::Administer, relation("a.b")), (AccessMode::Explain, relation("a.b"))],
            &["hr_full_name"],
            true,
        );
        let told = explained_for(vec![], &statement);
        assert_eq!(told["needs"][0]["outcome"]["holder"]["group"], "developers");
        assert_eq!(told["needs"][1]["outcome"]["environment"], "prod");
        assert_eq!(told["needs"][2]["outcome"]["outcome"], "listed");
        assert_eq!(told["needs"][2]["object"], "routine hr_full_name");
    }

    #[test]
    fn a_statement_that_touches_nothing_is_explained_by_any_grant() {
        let told = explained_for(vec![], &facts(&[], &[], true));
        assert_eq!(told["needs"][0]["permission"], serde_json::Value::Null);
        assert_eq!(told["verdict"]["decision"], "allow");
        assert_eq!(told["verdict"]["grants"][0], "standing:developers/0");
    }

    #[test]
    fn the_verdict_is_the_decision() {
        let stranger = explain(
            &snapshot(&shipped(), vec![]),
            &principal("eve", &["developers"]),
            &hr(),
            &[&reads(&["a.b"])],
            at(0),
        );
        assert!(stranger.needs.is_empty() && matches!(stranger.verdict, Verdict::Deny { .. }));
    }
}
