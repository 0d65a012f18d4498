//! Line by line: who there was, what was granted, what was decided, and what would be.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    line::{Decided, Line, Logged, Statement},
    report::{ReplayReport, RequestChange, StatementChange, Tally},
};
use crate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        flow::Plan,
        grant::{Grant, GrantName},
        ids::{GrantId, GroupName, PrincipalName, RequestId, TargetName},
        permission::PermissionSet,
        principal::{Credentials, Principal},
        request::{Asked, ExactStatement, Request, RequestState},
        target::{Place, Target},
    },
    policy::{
        Ask, Decision, ExactGrant, History, Past, Policy, Snapshot, SnapshotParts, decide, decide_exact,
        missing_in_words, submit,
    },
};

/// Turns the text of a statement, at a place where a dialect is spoken, into facts.
type Analyze<'a> = dyn FnMut(&str, &Place, Dialect) -> Result<Vec<Facts>, Unanalyzable> + 'a;

/// The line is not one of an audit log.
#[derive(Debug, thiserror::Error)]
#[error("it is not a line of an audit log: {source}")]
pub struct BadLine {
    source: serde_json::Error,
}

/// A replay under way.
pub struct Replay<'a> {
    draft: Arc<Policy>,
    /// Makes a target that is seen for the first time known.
    target: &'a dyn Fn(&TargetName) -> Option<Target>,
    analyze: &'a mut Analyze<'a>,
    with_requests: bool,
    targets: BTreeMap<TargetName, Target>,
    people: BTreeMap<PrincipalName, Vec<GroupName>>,
    grants: BTreeMap<GrantId, Grant>,
    exact: BTreeMap<GrantId, ExactGrant>,
    requests: HashMap<RequestId, Request>,
    /// Requests that became grants whose own line is still to come.
    made_of: HashMap<GrantId, RequestId>,
    past: HashMap<PrincipalName, Vec<(Timestamp, Past)>>,
    /// That of all of the above; `None` once one of them has changed.
    snapshot: Option<Snapshot>,
    changes: HashMap<Kind, usize>,
    report: ReplayReport,
}

/// Who, where, which way, and which statement but for its values.
type Kind = (PrincipalName, Place, bool, String);

/// What a statement is told.
enum Verdict {
    Allowed(String),
    Refused(String),
}

impl<'a> Replay<'a> {
    /// Nothing has happened yet. `target` tells of the targets; `with_requests` judges requests, too.
    pub fn new(
        draft: Arc<Policy>,
        target: &'a dyn Fn(&TargetName) -> Option<Target>,
        analyze: &'a mut Analyze<'a>,
        with_requests: bool,
    ) -> Self {
        Self {
            draft,
            target,
            analyze,
            with_requests,
            targets: BTreeMap::new(),
            people: BTreeMap::new(),
            grants: BTreeMap::new(),
            exact: BTreeMap::new(),
            requests: HashMap::new(),
            made_of: HashMap::new(),
            past: HashMap::new(),
            snapshot: None,
            changes: HashMap::new(),
            report: ReplayReport::default(),
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// `BadLine`.
    pub fn line(&mut self, text: &str) -> Result<(), BadLine> {
        let Line { at, record } = serde_json::from_str(text).map_err(|source| BadLine { source })?;
        self.report.lines += 1;
        match record {
            Logged::GrantCreated { grant } => self.granted(*grant),
            Logged::GrantRevoked { grant } => self.ended(&grant, at),
            Logged::Other => {}
            Logged::PrincipalChanged { principal, change } => self.person(principal, &change),
            Logged::RequestCreated { request, plan } => self.requested(*request, &plan, at),
            Logged::RequestRefused {} if self.with_requests => self.skip(NOT_LOGGED),
            Logged::RequestRefused {} => {}
            Logged::RequestSettled { request, state, grant } => self.settled(request, state, grant, at),
            Logged::StatementStart(statement) => self.statement(&statement, at),
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> ReplayReport {
        self.report
    }

    fn skip(&mut self, why: &'static str) {
        *self.report.skipped.entry(why).or_default() += 1;
    }

    fn granted(&mut self, grant: Grant) {
        let GrantName::Granted(id) = grant.id else { return };
        self.snapshot = None;
        let origin = self.made_of.remove(&id).and_then(|request| self.requests.get(&request));
        if let Some(Request { requester, target, database, what: Asked::Statement(statement), .. }) = origin {
            let exact = ExactGrant {
                id,
                holder: requester.clone(),
                place: Place { target: target.clone(), database: database.clone() },
                statement: Arc::new(statement.clone()),
                window: grant.window,
                revoked_at: None,
                is_used: false,
            };
            self.exact.insert(id, exact);
            // It lets its holder in, and opens nothing there.
            self.grants.insert(id, Grant { permissions: PermissionSet::EMPTY, ..grant });
        } else {
            self.grants.insert(id, grant);
        }
    }

    fn ended(&mut self, grant: &GrantName, at: Timestamp) {
        let GrantName::Granted(id) = grant else { return };
        if let Some(held) = self.grants.get_mut(id) {
            held.revoked_at = Some(at);
        }
        if let Some(held) = self.exact.get_mut(id) {
            held.revoked_at = Some(at);
        }
        self.snapshot = None;
    }

    fn person(&mut self, principal: PrincipalName, change: &str) {
        self.snapshot = None;
        if change == "removed" {
            self.people.remove(&principal);
            return;
        }
        let groups = self.people.entry(principal).or_default();
        let told = change.split("; ").find_map(|part| part.strip_prefix("groups set to "));
        match told {
            Some("none") => groups.clear(),
            Some(names) => *groups = names.split(", ").map(GroupName::from).collect(),
            None => {}
        }
    }

    fn requested(&mut self, request: Request, plan: &Plan, at: Timestamp) {
        if self.with_requests {
            self.judge_request(&request, plan, at);
        }
        self.past.entry(request.requester.clone()).or_default().push((at, Past::Requested));
        self.requests.insert(request.id, request);
    }

    fn settled(&mut self, id: RequestId, state: RequestState, grant: Option<GrantId>, at: Timestamp) {
        if let Some(grant) = grant {
            self.made_of.insert(grant, id);
        }
        let past = match state {
            RequestState::Approved => Past::Granted,
            RequestState::Denied => Past::Denied,
            RequestState::Cancelled | RequestState::Expired | RequestState::Pending => return,
        };
        if let Some(request) = self.requests.get(&id) {
            self.past.entry(request.requester.clone()).or_default().push((at, past));
        }
    }

    fn judge_request(&mut self, request: &Request, plan: &Plan, at: Timestamp) {
        self.see(&request.requester, &request.target);
        let ask = Ask {
            requester: request.requester.clone(),
            target: request.target.clone(),
            database: request.database.clone(),
            what: request.what.clone(),
            role: request.role.clone(),
            term: request.term,
            starts_at: request.starts_at,
            reason: request.reason.clone(),
            ticket: request.ticket.clone(),
            break_glass: request.break_glass,
            extends: request.extends,
        };
        let past = self.past.get(&request.requester).cloned().unwrap_or_default();
        let would = submit(self.snapshot(), &ask, &History::new(past), at);
        self.report.requests += 1;
        let was = (plan.flow.clone(), plan.risk);
        let other_approvers = would.as_ref().is_ok_and(|it| it.plan.steps != plan.steps);
        let would = match would {
            Ok(taken) => Ok((taken.plan.flow, taken.plan.risk)),
            Err(why) => Err(why.to_string()),
        };
        if (would.as_ref() != Ok(&was) || other_approvers) && self.report.changed_requests.len() < MOST_LISTED
        {
            let (request, requester) = (request.id, request.requester.clone());
            self.report.changed_requests.push(RequestChange {
                request,
                requester,
                was,
                would,
                other_approvers,
            });
        }
    }

    fn statement(&mut self, statement: &Statement, at: Timestamp) {
        self.see(&statement.principal, &statement.target);
        let was = match &statement.decision {
            Decided::Allow { .. } => true,
            // Not of policy: not understood, or not run beside another that was refused.
            Decided::Deny { missing } if missing.is_empty() => return self.skip(NOT_OF_POLICY),
            Decided::Deny { .. } => false,
        };
        match self.judge(statement, at) {
            Ok(verdict) => self.count(statement, was, verdict),
            Err(why) => self.skip(why),
        }
    }

    /// What the draft says of a statement.
    fn judge(&mut self, statement: &Statement, at: Timestamp) -> Result<Verdict, &'static str> {
        let place = Place { target: statement.target.clone(), database: statement.database.clone() };
        let dialect = self.targets.get(&place.target).ok_or(NO_TARGET)?.dialect;
        if let Decided::Allow { grants } = &statement.decision {
            let granted = grants.iter().filter_map(|name| match name {
                GrantName::Granted(id) => Some(id),
                GrantName::Standing(_) => None,
            });
            for id in granted {
                let exact = self.exact.get(id).map(|exact| Arc::clone(&exact.statement));
                if let Some(exact) = exact.filter(|it| statement.is(it)) {
                    return self.judge_exact(statement, &place, &exact, dialect, at);
                }
                if !self.grants.contains_key(id) {
                    return Err(OLDER_GRANT);
                }
            }
        }
        let mut batch = (self.analyze)(&statement.sql, &place, dialect).map_err(|_| NOT_UNDERSTOOD)?;
        let (Some(mut facts), true) = (batch.pop(), batch.is_empty()) else { return Err(NOT_UNDERSTOOD) };
        facts.accesses = statement.accesses();
        let snapshot = self.snapshot();
        let Some(principal) = snapshot.principal(&statement.principal) else { return Err(NOBODY) };
        Ok(match decide(snapshot, principal, &place, &facts, at) {
            Decision::Allow(permit) => {
                let names: Vec<_> = permit.grants().iter().map(ToString::to_string).collect();
                Verdict::Allowed(names.join(", "))
            }
            Decision::Deny(denial) => Verdict::Refused(match denial.missing() {
                [] => denial.refusal(principal, &place).message,
                missing => missing.iter().map(missing_in_words).collect::<Vec<_>>().join(", "),
            }),
        })
    }

    /// The same for one that ran because it was approved as it stood.
    fn judge_exact(
        &mut self,
        statement: &Statement,
        place: &Place,
        exact: &ExactStatement,
        dialect: Dialect,
        at: Timestamp,
    ) -> Result<Verdict, &'static str> {
        let mut batch = (self.analyze)(&exact.sql, place, dialect).map_err(|_| NOT_UNDERSTOOD)?;
        let (Some(mut facts), true) = (batch.pop(), batch.is_empty()) else { return Err(NOT_UNDERSTOOD) };
        facts.accesses.clone_from(&exact.accesses);
        facts.fingerprint = exact.fingerprint;
        let snapshot = self.snapshot();
        let Some(principal) = snapshot.principal(&statement.principal) else { return Err(NOBODY) };
        let once = decide_exact(snapshot, principal, place, &exact.sql, &facts, at);
        Ok(match once {
            Some(once) => Verdict::Allowed(once.grant().to_string()),
            None => Verdict::Refused("a ceiling forbids the statement that was approved".to_owned()),
        })
    }

    fn count(&mut self, statement: &Statement, was: bool, verdict: Verdict) {
        let who = (statement.principal.clone(), statement.target.clone());
        let Tally { allowed, refused, lost, gained } = self.report.tallies.entry(who).or_default();
        let (counter, change) = match (was, verdict) {
            (true, Verdict::Allowed(_)) => (allowed, None),
            (false, Verdict::Refused(_)) => (refused, None),
            (true, Verdict::Refused(why)) => (lost, Some((false, why))),
            (false, Verdict::Allowed(why)) => (gained, Some((true, why))),
        };
        *counter += 1;
        if let Some((gained, why)) = change {
            self.list(statement, gained, why);
        }
    }

    fn list(&mut self, statement: &Statement, gained: bool, why: String) {
        let place = Place { target: statement.target.clone(), database: statement.database.clone() };
        let text = statement.fingerprint.as_ref().unwrap_or(&statement.sql).clone();
        let kind = (statement.principal.clone(), place, gained, text);
        if let Some(at) = self.changes.get(&kind) {
            if let Some(known) = self.report.statements.get_mut(*at) {
                known.count += 1;
            }
            return;
        }
        if self.report.statements.len() >= MOST_LISTED {
            self.report.unlisted += 1;
            return;
        }
        self.changes.insert(kind, self.report.statements.len());
        self.report.statements.push(StatementChange {
            principal: statement.principal.clone(),
            target: statement.target.clone(),
            database: statement.database.clone(),
            gained,
            count: 1,
            sql: statement.sql.clone(),
            why,
        });
    }

    /// Makes known whom and what a line names: whoever ran something, or asked, was there.
    fn see(&mut self, principal: &PrincipalName, target: &TargetName) {
        if !self.people.contains_key(principal) && !self.draft.principals.contains_key(principal) {
            self.people.insert(principal.clone(), Vec::new());
            self.snapshot = None;
        }
        if !self.targets.contains_key(target)
            && let Some(known) = (self.target)(target)
        {
            self.targets.insert(target.clone(), known);
            self.snapshot = None;
        }
    }

    /// What the gateway would have decided by, with the draft.
    fn snapshot(&mut self) -> &Snapshot {
        let build = || {
            let principal = |(name, groups): (&PrincipalName, &Vec<GroupName>)| Principal {
                name: name.clone(),
                groups: groups.clone(),
                attributes: BTreeMap::new(),
                disabled: false,
                credentials: Arc::new(Credentials::default()),
            };
            Snapshot::build(SnapshotParts {
                version: 1,
                policy: Arc::clone(&self.draft),
                principals: self.people.iter().map(principal).collect(),
                grants: self.grants.values().cloned().collect(),
                targets: self.targets.values().cloned().collect(),
            })
            .with_exact(self.exact.values().cloned())
        };
        self.snapshot.get_or_insert_with(build)
    }
}

const MOST_LISTED: usize = 1000;
const NOBODY: &str = "of somebody whom the draft does not know";
const NO_TARGET: &str = "on a target that is not known";
const NOT_LOGGED: &str = "requests that policy refused: the log does not tell what was asked for";
const NOT_OF_POLICY: &str =
    "statements that were not refused by policy: not understood, or beside another that was";
const NOT_UNDERSTOOD: &str = "statements that cannot be read without their session";
const OLDER_GRANT: &str = "statements that rested on grants from before the log";
