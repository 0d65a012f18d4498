//! Why a statement is refused, with all that a person needs to know of it.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::model::{
    dialect::Dialect,
    facts::Facts,
    grant::GrantName,
    ids::{EnvironmentName, GroupName, Ident},
    object::Object,
    permission::Permission,
    refusal::Missing,
};

use super::{
    ceiling,
    holdings::{Holdings, grant_in_words},
    index::Entry,
    need::{self, Need},
    view::View,
};

/// A statement is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub(super) reason: Reason,
}

/// The door is shut before any statement is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The principal is disabled.
    Disabled,
    /// The snapshot knows no such principal.
    UnknownPrincipal,
    /// The snapshot knows no such target.
    UnknownTarget,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Closed(Closed),
    Missing(Box<Lack>),
}

/// What is missing and what is there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) missing: Vec<Missing>,
    pub(super) touched: Vec<Touched>,
    pub(super) holdings: Holdings,
    pub(super) forbidden: Vec<ForbiddenHere>,
    pub(super) not_now: Option<NotNow>,
    /// Listed routines that a call would be if it were written with its schema.
    pub(super) spellings: Vec<Ident>,
    /// Policy has flows, so that people can ask for what is missing.
    pub(super) can_ask: bool,
    pub(super) now: Timestamp,
    pub(super) dialect: Dialect,
}

/// One thing that the statement touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) verb: &'static str,
    pub(super) name: String,
    pub(super) is_missing: bool,
}

/// A missing permission that the environment forbids whatever is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForbiddenHere {
    pub(super) permission: Permission,
    pub(super) environment: EnvironmentName,
    /// Groups that every ceiling in the way excepts.
    pub(super) except: Vec<GroupName>,
}

/// A grant that would have helped at another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotNow {
    pub(super) grant: GrantName,
    pub(super) what: String,
    pub(super) when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Ended(Timestamp),
    Revoked(Timestamp),
    Starts(Timestamp),
}

impl Denial {
    pub(super) fn closed(closed: Closed) -> Self {
        Self { reason: Reason::Closed(closed) }
    }

    /// Finds out what is missing; at least one thing is.
    pub(super) fn missing_of(view: &View<'_>, facts: &[&Facts]) -> Self {
        let mut lacking = Lacking::default();
        for need in
            facts.iter().flat_map(|facts| need::needs(facts, view.dialect(), |call| view.is_listed(call)))
        {
            if view.grant_for(&need).is_none() {
                lacking.add(need);
            }
        }
        lacking.settle();
        let lack = Lack {
            touched: touched(view, facts, &lacking),
            holdings: Holdings::of(view),
            forbidden: forbidden(view, &lacking),
            not_now: not_now(view, &lacking),
            spellings: spellings(view, &lacking),
            can_ask: !view.snapshot.policy().flows.is_empty(),
            missing: lacking.needs.iter().map(Need::as_missing).collect(),
            now: view.now,
            dialect: view.dialect(),
        };
        Self { reason: Reason::Missing(Box::new(lack)) }
    }

    /// What the principal would need and does not have; empty if the door was shut before.
    pub fn missing(&self) -> &[Missing] {
        match &self.reason {
            Reason::Closed(_) => &[],
            Reason::Missing(lack) => &lack.missing,
        }
    }

    /// Whether a request could help: policy has flows, and no ceiling forbids what is missing.
    pub fn can_be_asked_for(&self) -> bool {
        match &self.reason {
            Reason::Closed(_) => false,
            Reason::Missing(lack) => lack.can_ask && lack.forbidden.is_empty(),
        }
    }

    /// Why the door was shut before the statement was looked at, if it was.
    pub fn shut(&self) -> Option<Closed> {
        match &self.reason {
            Reason::Closed(closed) => Some(*closed),
            Reason::Missing(_) => None,
        }
    }
}

/// The needs that no grant meets, each once. A statement can have very many: nothing here may look at each pair.
#[derive(Default)]
struct Lacking<'f> {
    needs: Vec<Need<'f>>,
    known: HashSet<Need<'f>>,
}

impl<'f> Lacking<'f> {
    fn add(&mut self, need: Need<'f>) {
        if self.known.insert(need) {
            self.needs.push(need);
        }
    }

    /// Leaves presence only if nothing else is missing; whoever gets the rest gets that with it.
    fn settle(&mut self) {
        self.needs.retain(|need| !need.is_met_by_presence());
        if self.needs.is_empty() {
            self.needs.push(Need::Presence);
        }
    }

    /// The first few, for work that grows with each.
    fn few(&self) -> &[Need<'f>] {
        self.needs.get(..MOST_LOOKED_INTO).unwrap_or(&self.needs)
    }
}

fn touched(view: &View<'_>, facts: &[&Facts], lacking: &Lacking<'_>) -> Vec<Touched> {
    let mut all: Vec<Touched> = Vec::new();
    let mut known = HashSet::new();
    for facts in facts {
        for access in &facts.accesses {
            let need = Need::of_access(access, view.dialect());
            // Catalogs and the like, free to everybody with a grant, are not worth a word beside the rest.
            if !need.is_met_by_presence() && known.insert((need::verb(access.mode), need)) {
                let (verb, name) = (need::verb(access.mode), access.object.to_string());
                all.push(Touched { verb, name, is_missing: lacking.known.contains(&need) });
            }
        }
        for call in facts.calls.iter().filter(|call| !view.is_listed(call)) {
            let need = Need::Run(call);
            if known.insert((CALLS, need)) {
                let is_missing = lacking.known.contains(&need);
                all.push(Touched { verb: CALLS, name: call.name.to_string(), is_missing });
            }
        }
    }
    all.sort_by_key(|touched| !touched.is_missing);
    all
}

fn forbidden(view: &View<'_>, lacking: &Lacking<'_>) -> Vec<ForbiddenHere> {
    let mut all: Vec<ForbiddenHere> = Vec::new();
    for permission in lacking.needs.iter().filter_map(Need::permission) {
        let known = all.iter().any(|forbidden| forbidden.permission == permission);
        if known || !view.forbidden.contains(permission) {
            continue;
        }
        let ceilings = view.site.ceilings.iter().filter(|it| ceiling::upward(it.forbid).contains(permission));
        let except = ceilings
            .map(|ceiling| ceiling.except.clone())
            .reduce(|all, next| all.intersection(&next).cloned().collect())
            .unwrap_or_default();
        all.push(ForbiddenHere {
            permission,
            environment: view.site.target.environment.clone(),
            except: except.into_iter().collect(),
        });
    }
    all
}

/// The grant that would cover something missing and ended last, or else the one that starts first.
fn not_now(view: &View<'_>, lacking: &Lacking<'_>) -> Option<NotNow> {
    let helps = |entry: &Entry| {
        !entry.is_presence()
            && lacking.few().iter().any(|need| {
                need.permission().is_none_or(|permission| !view.forbidden.contains(permission))
                    && view.covers(entry, need)
            })
    };
    let candidates = || view.ever_on_target().filter(|entry| !entry.is_live(view.now) && helps(entry));
    let ended = candidates().filter(|entry| entry.is_over(view.now)).max_by_key(|entry| entry.over_at);
    let starting = || {
        candidates().filter(|entry| !entry.is_over(view.now)).min_by_key(|entry| entry.grant.window.starts_at)
    };
    let entry = ended.or_else(starting)?;
    let when = match (entry.over_at, entry.grant.revoked_at) {
        (Some(at), Some(revoked)) if entry.is_over(view.now) && at == revoked => When::Revoked(at),
        (Some(at), _) if entry.is_over(view.now) => When::Ended(at),
        _ => When::Starts(entry.grant.window.starts_at),
    };
    Some(NotNow { grant: entry.grant.id.clone(), what: grant_in_words(&entry.grant, view.place), when })
}

fn spellings(view: &View<'_>, lacking: &Lacking<'_>) -> Vec<Ident> {
    let missing = lacking.few().iter().filter_map(|need| match need {
        Need::Run(call) => Some(&call.name),
        Need::On(_, Object::Routine { name }) => Some(name),
        Need::Presence | Need::PresenceIn(_) | Need::On(..) => None,
    });
    let mut all: Vec<Ident> = missing.flat_map(|name| view.site.qualified(name)).cloned().collect();
    all.sort();
    all.dedup();
    all
}

const CALLS: &str = "calls";
/// Most missing things for which grants that are over, and other spellings, are looked up.
const MOST_LOOKED_INTO: usize = 16;
