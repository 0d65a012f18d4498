//! The verdict on facts.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    facts::Facts,
    grant::GrantName,
    permission::Permission,
    principal::Principal,
    target::{Lane, Place},
};

use super::{
    denial::Denial,
    index::Entry,
    need::{self, Need},
    permit::Permit,
    snapshot::Snapshot,
    view::View,
};

/// The verdict on one statement or batch.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// It may run, once, with this proof.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// Judges one statement.
///
/// Every access needs a live grant that the principal holds, directly or through a group, on the target, the
/// database and the object, whose permissions allow it under the environment's ceilings; every call that is
/// neither built in nor listed needs a database-wide `admin`; and every statement needs at least one live grant
/// on the place. Unknown and disabled principals and unknown targets are refused.
///
/// `principal` is looked up by name in `snapshot`: what counts is what the snapshot says of it.
pub fn decide(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &Facts,
    now: Timestamp,
) -> Decision {
    decide_all(snapshot, principal, place, &[facts], now)
}

/// Judges several facts that run as one: a statement and what it runs by name.
///
/// All of them must be allowed; the Permit has the highest of their lanes.
pub fn decide_all(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &[&Facts],
    now: Timestamp,
) -> Decision {
    let view = match View::open(snapshot, principal, place, now) {
        Ok(view) => view,
        Err(closed) => return Decision::Deny(Denial::closed(closed)),
    };
    let mut support = Support::default();
    let mut lane = Lane::Read;
    let mut met = true;
    let mut rests_here = false;
    for facts in facts {
        if !facts.read_only {
            lane = lane.max(Lane::Write);
        }
        for need in need::needs(facts, |call| view.is_listed(call)) {
            if need.is_administrative() {
                lane = Lane::Admin;
            }
            if !need.is_met_by_presence() {
                met = met && support.rest_on(view.grant_for(&need));
                rests_here |= !need.is_elsewhere();
            }
        }
    }
    // Whatever is met here is met by a grant on the place; presence is asked for only where nothing else is, so
    // that the Permit names no grant that the statement does not need.
    if !rests_here {
        met = met && support.rest_on(view.grant_for(&Need::Presence));
    }
    if met {
        Decision::Allow(Permit::new(lane, support.names(), support.until, snapshot.version()))
    } else {
        Decision::Deny(Denial::missing_of(&view, facts))
    }
}

/// The strongest lane that the principal's live grants on the place allow; a transaction opens on it.
///
/// Without any grant, and for whoever would be refused anyway, it is the weakest.
pub fn highest_lane(snapshot: &Snapshot, principal: &Principal, place: &Place, now: Timestamp) -> Lane {
    // closed: who is not let in gets the weakest lane.
    let Ok(view) = View::open(snapshot, principal, place, now) else { return Lane::Read };
    if view.holds(Permission::Admin) {
        Lane::Admin
    } else if view.holds(Permission::Dml) || view.holds(Permission::Ddl) {
        Lane::Write
    } else {
        Lane::Read
    }
}

/// The grants that an allowing decision rests on, gathered without allocating while there is only one.
#[derive(Default)]
struct Support<'s> {
    first: Option<&'s Entry>,
    more: Vec<&'s Entry>,
    until: Option<Timestamp>,
}

impl<'s> Support<'s> {
    /// Takes the grant that meets a need; false if there is none.
    fn rest_on(&mut self, entry: Option<&'s Entry>) -> bool {
        let Some(entry) = entry else { return false };
        self.until = match (self.until, entry.over_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match self.first {
            None => self.first = Some(entry),
            Some(first) if std::ptr::eq(first, entry) => {}
            Some(_) if self.more.iter().any(|other| std::ptr::eq(*other, entry)) => {}
            Some(_) => self.more.push(entry),
        }
        true
    }

    fn names(&self) -> Arc<[GrantName]> {
        match self.first {
            None => Arc::from([]),
            Some(first) if self.more.is_empty() => Arc::clone(&first.alone),
            Some(first) => {
                std::iter::once(&first).chain(&self.more).map(|entry| entry.grant.id.clone()).collect()
            }
        }
    }
}
