//! The upstream connections that a session has borrowed, and which of them it is on.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::ties::{Reason, Ties};
use crate::{
    metrics::TargetMetrics,
    model::{
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    upstream::{HomeState, Lease, Protocol, UpstreamError},
};

/// At most one connection a lane; `K` is what is known of one beside what every protocol has.
#[derive(Debug)]
pub(super) struct Lanes<P: Protocol, K> {
    leases: [Option<Borrowed<P, K>>; 3],
    active: Option<Lane>,
    /// What ties the session to the connection of each.
    ties: [Ties; 3],
    /// A connection that the session was tied to is gone.
    lost_ties: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Borrowed<P: Protocol, K> {
    pub(super) lease: Lease<P>,
    /// Which version of the session's settings it has.
    pub(super) settings: u64,
    /// Whether it is held read-only although its lane is not; `None` is not known.
    pub(super) read_only: Option<bool>,
    pub(super) known: K,
    /// Something may be left there that only a reset takes away.
    touched: bool,
    borrowed_at: Instant,
    used_at: Instant,
}

/// What a protocol knows of a connection.
pub(super) trait Known {
    /// How temporary tables are dropped.
    const DROP_TEMPORARY: &'static str;
}

impl<P: Protocol, K> Borrowed<P, K> {
    /// It was used just now.
    pub(super) fn note_used(&mut self) {
        self.used_at = Instant::now();
    }

    /// Nothing was left there yet but settings that the connection knows of; until it is said that something was, it
    /// is given back as it is.
    pub(super) const fn begin_untouched(&mut self) {
        self.touched = false;
    }

    /// Whether it may be given to others who wait: at once if that costs no reset.
    fn had_its_turn(&self) -> bool {
        !self.touched || self.borrowed_at.elapsed() >= TURN
    }

    fn go_home(self, state: HomeState) {
        let untouched = state == HomeState::Idle && !self.touched;
        self.lease.go_home(if untouched { HomeState::Untouched } else { state });
    }
}

impl<P: Protocol, K> Default for Lanes<P, K> {
    fn default() -> Self {
        Self { leases: [None, None, None], active: None, ties: Default::default(), lost_ties: false }
    }
}

impl<P: Protocol, K> Lanes<P, K> {
    /// The lane in use.
    pub(super) const fn active(&self) -> Option<Lane> {
        self.active
    }

    /// The connection in use.
    pub(super) fn active_lease(&self) -> Option<&Lease<P>> {
        Some(&self.borrowed(self.active?)?.lease)
    }

    /// The connection in use, to send and receive on.
    pub(super) fn active_lease_mut(&mut self) -> Option<&mut Lease<P>> {
        Some(&mut self.active_mut()?.lease)
    }

    /// The connection in use, and what is known of it.
    pub(super) fn active_mut(&mut self) -> Option<&mut Borrowed<P, K>> {
        let lane = self.active?;
        self.borrowed_mut(lane)
    }

    /// The connection of `lane`, and what is known of it.
    pub(super) fn borrowed(&self, lane: Lane) -> Option<&Borrowed<P, K>> {
        self.leases.get(lane as usize)?.as_ref()
    }

    /// The same, to change.
    pub(super) fn borrowed_mut(&mut self, lane: Lane) -> Option<&mut Borrowed<P, K>> {
        self.leases.get_mut(lane as usize)?.as_mut()
    }

    /// A fresh connection is that of `lane`.
    pub(super) fn borrow(&mut self, lane: Lane, lease: Lease<P>, known: K) {
        let now = Instant::now();
        let fresh = Borrowed {
            lease,
            settings: 0,
            read_only: Some(false),
            known,
            touched: true,
            borrowed_at: now,
            used_at: now,
        };
        if let Some(place) = self.leases.get_mut(lane as usize) {
            *place = Some(fresh);
        }
    }

    /// The connection of `lane` is the one in use.
    pub(super) const fn enter(&mut self, lane: Lane) {
        self.active = Some(lane);
    }

    /// Whether nothing was left on the connection in use yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.active.and_then(|lane| self.borrowed(lane)).is_some_and(|borrowed| !borrowed.touched)
    }

    /// Something may be left on the connection in use that only a reset takes away.
    pub(super) fn note_left(&mut self) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.touched = true;
        }
    }

    /// Whether something ties the session to the connection of `lane`.
    pub(super) fn is_tied(&self, lane: Lane) -> bool {
        self.ties.get(lane as usize).is_some_and(|ties| !ties.is_empty())
    }

    /// The strongest lane that the session is tied to.
    fn sticky(&self) -> Option<Lane> {
        Lane::ALL.into_iter().rev().find(|lane| self.is_tied(*lane))
    }

    /// Ties the session to the lane in use, and counts why.
    pub(super) fn stick(&mut self, reason: Reason, metrics: &TargetMetrics) {
        if let Some(ties) = self.active_ties() {
            ties.add(reason, metrics);
        }
    }

    /// Whether the session is tied by `reason`.
    pub(super) fn is_tied_by(&self, reason: Reason) -> bool {
        self.ties.iter().any(|ties| ties.has(reason))
    }

    /// Nothing ties the session any longer: it began anew on the connection in use, and what it was tied to on others
    /// goes home at once. Gives their lanes.
    pub(super) fn unstick(&mut self) -> Vec<Lane> {
        let others = Lane::ALL.into_iter().filter(|lane| Some(*lane) != self.active && self.is_tied(*lane));
        let others: Vec<Lane> = others.collect();
        self.ties = Default::default();
        for borrowed in others.iter().filter_map(|lane| self.take(*lane)) {
            borrowed.go_home(HomeState::Idle);
        }
        others
    }

    /// Only what `still_ties` ties the session to the connection of `lane`.
    pub(super) fn keep_ties(&mut self, lane: Lane, still_ties: impl Fn(Reason) -> bool) {
        if let Some(ties) = self.ties.get_mut(lane as usize) {
            ties.keep(still_ties);
        }
    }

    /// Something that tied the session to the connection in use may have been given up.
    pub(super) fn doubt_ties(&mut self) {
        if let Some(ties) = self.active_ties() {
            ties.doubt();
        }
    }

    fn active_ties(&mut self) -> Option<&mut Ties> {
        self.ties.get_mut(self.active? as usize)
    }

    /// Whether the session may no longer be tied to the connection of `lane`: somebody has to look.
    fn is_doubtful(&self, lane: Lane) -> bool {
        self.ties.get(lane as usize).is_some_and(|ties| !ties.is_empty() && ties.is_doubtful())
    }

    /// A connection to look at whether something still ties the session to it: others wait for it (and it is not
    /// `kept` from them), or it was not used for as long as `idle`.
    pub(super) fn doubtful_mut(&mut self, idle: Duration, kept: bool) -> Option<&mut Borrowed<P, K>> {
        let lane = Lane::ALL.into_iter().find(|lane| {
            let is_of_use =
                |it: &Borrowed<P, K>| (it.lease.is_wanted() && !kept) || it.used_at.elapsed() >= idle;
            self.is_doubtful(*lane) && self.borrowed(*lane).is_some_and(is_of_use)
        })?;
        self.borrowed_mut(lane)
    }

    /// Whether a connection that the session was tied to is gone: the session cannot go on as it was.
    pub(super) const fn lost_ties(&self) -> bool {
        self.lost_ties
    }

    /// The connection in use has the settings of `version`: it made the last change itself.
    pub(super) fn note_settings(&mut self, before: u64, version: u64) {
        if let Some(borrowed) = self.active_mut()
            && borrowed.settings == before
        {
            borrowed.settings = version;
        }
    }

    /// Whether the upstream has closed the connection of `lane`, or is about to: then what it `said` unasked is its
    /// last.
    pub(super) fn is_gone(&mut self, lane: Lane, said: impl FnOnce(&[u8]) -> bool) -> bool {
        let Some(borrowed) = self.borrowed_mut(lane) else { return false };
        let mut cx = Context::from_waker(Waker::noop());
        match borrowed.lease.poll_read(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => true,
            Poll::Ready(Ok(_)) => said(borrowed.lease.buffer_mut()),
        }
    }

    /// Drops the connection of `lane`: it is closed.
    pub(super) fn drop_lease(&mut self, lane: Lane) {
        self.lost_ties |= self.is_tied(lane);
        self.keep_ties(lane, |_| false);
        drop(self.take(lane));
    }

    /// Whether there is a connection that nothing ties, or may not tie any longer.
    pub(super) fn has_untied(&self) -> bool {
        let is_untied = |lane| !self.is_tied(lane) || self.is_doubtful(lane);
        Lane::ALL.into_iter().any(|lane| self.borrowed(lane).is_some() && is_untied(lane))
    }

    /// The server of the connection in use said that it takes no writes: unless it is the reading one, it goes home
    /// to be asked.
    pub(super) fn note_read_only(&mut self) {
        if let Some(lease) = self.active_lease_mut().filter(|lease| lease.lane() != Lane::Read) {
            lease.suspect();
        }
    }

    /// Sends home the connections that nothing ties and that were not used for as long as `idle`, that others
    /// wait for and this session has had its turn with, or whose server is no longer the right one. `kept` is not given to others before it was idle for so long.
    /// Gives their lanes.
    pub(super) fn send_home(
        &mut self,
        idle: Duration,
        kept: Option<Lane>,
        is_tied: impl Fn(Lane) -> bool,
    ) -> Vec<Lane> {
        let mut sent = Vec::new();
        for lane in Lane::ALL {
            let is_due = |it: &Borrowed<P, K>| {
                let wanted = Some(lane) != kept && it.lease.is_wanted() && it.had_its_turn();
                it.used_at.elapsed() >= idle || wanted || it.lease.is_given_up()
            };
            if self.is_tied(lane) || is_tied(lane) || !self.borrowed(lane).is_some_and(is_due) {
                continue;
            }
            if let Some(borrowed) = self.take(lane) {
                borrowed.go_home(HomeState::Idle);
                sent.push(lane);
            }
        }
        sent
    }

    /// Gives back all connections: the session begins anew, or is over. The one in use is in `state`; `None` closes
    /// it.
    pub(super) fn close(&mut self, state: Option<HomeState>) {
        let active = self.active;
        for lane in Lane::ALL {
            let state = if Some(lane) == active { state } else { Some(HomeState::Idle) };
            if let (Some(borrowed), Some(state)) = (self.take(lane), state) {
                borrowed.go_home(state);
            }
        }
        *self = Self::default();
    }

    fn take(&mut self, lane: Lane) -> Option<Borrowed<P, K>> {
        self.active = self.active.filter(|active| *active != lane);
        self.leases.get_mut(lane as usize)?.take()
    }
}

impl<P: Protocol, K: Known> Lanes<P, K> {
    /// The lane for something that needs `needed`: the one that the session is `bound` to, or that of its temporary
    /// tables if it `has_temporary`; else one that is strong enough, and at least `least`.
    ///
    /// # Errors
    /// When the open transaction, or a temporary table, is on a weaker one: its connection cannot be changed.
    pub(super) fn choose(
        &self,
        needed: Lane,
        bound: Option<Lane>,
        has_temporary: bool,
        least: impl FnOnce() -> Lane,
    ) -> Result<Lane, Refusal> {
        let sticky = self.sticky();
        if let Some(lane) = sticky.filter(|_| has_temporary) {
            // INVARIANT: a name that is judged to be a temporary table is looked up where that table is.
            let is_here = bound.is_none_or(|bound| bound == lane);
            return if needed <= lane && is_here {
                Ok(lane)
            } else {
                Err(holds_temporary(needed, lane, K::DROP_TEMPORARY))
            };
        }
        if let Some(lane) = bound {
            return if needed <= lane { Ok(lane) } else { Err(too_weak(needed, lane)) };
        }
        let lane = sticky.map_or(needed, |sticky| sticky.max(needed));
        Ok(if lane < Lane::Admin { lane.max(least()) } else { lane })
    }
}

/// How long a session may keep a connection that others wait for, if giving it back costs a reset.
const TURN: Duration = Duration::from_millis(5);

fn too_weak(needed: Lane, lane: Lane) -> Refusal {
    let message =
        format!("this transaction is on the {lane} lane, and the statement needs the {needed} lane");
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_detail("A transaction keeps the lane that the grants at its beginning allowed.")
        .with_hint("End the transaction (ROLLBACK) and begin it again.")
}

fn holds_temporary(needed: Lane, lane: Lane, drop: &str) -> Refusal {
    let message = format!(
        "this session's temporary tables are on the {lane} lane, and the statement needs the {needed} lane"
    );
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_detail("Temporary tables stay on the lane that the grants allowed when they were made.")
        .with_hint(format!(
            "Drop them ({drop}) outside a transaction and make them again after this statement, or connect again."
        ))
}

/// What a client is told of an upstream that cannot be had.
pub(super) fn refusal_of(error: &UpstreamError) -> Refusal {
    let hint = match error.code() {
        RefusalCode::TooManyConnections => "Try again in a moment; the target's connections are all in use.",
        RefusalCode::InvalidCatalogName => "Choose a database that the target has.",
        _ => "Try again in a moment; if it stays so, the gateway's administrator finds the cause in its log.",
    };
    Refusal::new(error.code(), error.to_string()).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{metrics::Metrics, upstream::Postgres};

    impl Known for () {
        const DROP_TEMPORARY: &'static str = "DISCARD TEMP";
    }

    fn tied(to: impl IntoIterator<Item = Lane>) -> Lanes<Postgres, ()> {
        let metrics = Metrics::new("0").unwrap().target(&"hr".into());
        let mut lanes = Lanes::default();
        for lane in to {
            lanes.enter(lane);
            lanes.stick(Reason::Lock, &metrics);
        }
        lanes
    }

    #[test]
    fn what_ties_to_one_connection_is_followed_apart_from_what_ties_to_another() {
        let mut lanes = tied([Lane::Read, Lane::Write]);
        assert_eq!(lanes.sticky(), Some(Lane::Write));
        lanes.keep_ties(Lane::Write, |_| false);
        assert_eq!(lanes.sticky(), Some(Lane::Read));
        lanes.drop_lease(Lane::Write);
        assert!(!lanes.lost_ties());
        lanes.drop_lease(Lane::Read);
        assert!(lanes.lost_ties());
    }

    #[test]
    fn a_session_that_begins_anew_is_tied_to_nothing() {
        let mut lanes = tied([Lane::Read, Lane::Write]);
        assert_eq!(lanes.unstick(), [Lane::Read]);
        assert_eq!(lanes.sticky(), None);
    }

    #[test]
    fn a_transaction_stays_on_its_lane() {
        let choose = |needed| tied(None).choose(needed, Some(Lane::Write), false, || Lane::Admin);
        assert_eq!(choose(Lane::Read), Ok(Lane::Write));
        assert_eq!(choose(Lane::Write), Ok(Lane::Write));
        assert_eq!(choose(Lane::Admin).unwrap_err().code, RefusalCode::ReadOnlyTransaction);
    }

    #[test]
    fn what_uses_temporary_tables_runs_where_they_are_or_not_at_all() {
        let choose = |needed, bound| tied([Lane::Write]).choose(needed, bound, true, || Lane::Admin);
        assert_eq!(choose(Lane::Read, None), Ok(Lane::Write));
        assert_eq!(choose(Lane::Read, Some(Lane::Write)), Ok(Lane::Write));
        for (needed, bound) in [(Lane::Admin, None), (Lane::Read, Some(Lane::Admin))] {
            let refused = choose(needed, bound).unwrap_err();
            assert!(refused.message.contains("temporary tables are on the write lane"), "{refused:?}");
        }
    }

    #[test]
    fn elsewhere_a_statement_takes_the_strongest_of_what_it_needs_and_what_ties_it() {
        let choose = |sticky, needed, least| tied(sticky).choose(needed, None, false, || least).unwrap();
        assert_eq!(choose(None, Lane::Read, Lane::Read), Lane::Read);
        assert_eq!(choose(None, Lane::Read, Lane::Write), Lane::Write);
        assert_eq!(choose(Some(Lane::Write), Lane::Read, Lane::Read), Lane::Write);
        assert_eq!(choose(Some(Lane::Write), Lane::Admin, Lane::Read), Lane::Admin);
    }
}
