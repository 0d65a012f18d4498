//! The upstream connections that a session has borrowed, and which of them it is on.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::{names::parse_path, session::Session};
use crate::{
    model::{
        facts::{Facts, SessionEffect, TransactionEffect},
        ids::Ident,
        name_context::SearchPath,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::gate::SETUP_TIMEOUT,
    upstream::{HomeState, Lease, SettingValue, Setup, UpstreamError},
};

/// At most one connection a lane.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    leases: [Option<Borrowed>; 3],
    active: Option<Lane>,
    sticky: Option<Lane>,
    /// The connection that the session was tied to is gone.
    lost_ties: bool,
}

#[derive(Debug)]
struct Borrowed {
    lease: Lease,
    /// Which version of the session's settings it has.
    settings: u64,
    /// Whether it is held read-only although its lane is not; `None` is not known.
    read_only: Option<bool>,
    /// The client has asked for READ ONLY itself: nothing of the gateway's takes that back.
    own_read_only: bool,
    /// Prepared statements that it has and the session no longer holds.
    stale: Vec<Ident>,
    borrowed_at: Instant,
    used_at: Instant,
}

impl Lanes {
    fn at(&mut self, lane: Lane) -> Option<&mut Option<Borrowed>> {
        self.leases.get_mut(lane as usize)
    }

    fn borrowed(&mut self, lane: Lane) -> Option<&mut Borrowed> {
        self.at(lane)?.as_mut()
    }

    /// The lane in use.
    pub(super) const fn active(&self) -> Option<Lane> {
        self.active
    }

    /// The connection in use.
    pub(super) fn active_lease(&self) -> Option<&Lease> {
        let lane = self.active?;
        Some(&self.leases.get(lane as usize)?.as_ref()?.lease)
    }

    /// The connection in use, to send and receive on.
    pub(super) fn active_lease_mut(&mut self) -> Option<&mut Lease> {
        let lane = self.active?;
        Some(&mut self.borrowed(lane)?.lease)
    }

    /// The lane that something of the session is tied to.
    pub(super) const fn sticky(&self) -> Option<Lane> {
        self.sticky
    }

    /// Ties the session to the lane in use.
    pub(super) fn stick(&mut self) {
        self.sticky = self.sticky.max(self.active);
    }

    /// Whether the connection that the session was tied to is gone: the session cannot go on as it was.
    pub(super) const fn lost_ties(&self) -> bool {
        self.lost_ties
    }

    /// Nothing ties the session any longer.
    pub(super) const fn unstick(&mut self) {
        self.sticky = None;
    }

    /// The connection in use has the settings of `version`: it made the last change itself.
    pub(super) fn note_settings(&mut self, before: u64, version: u64) {
        if let Some(lane) = self.active
            && let Some(borrowed) = self.borrowed(lane)
            && borrowed.settings == before
        {
            borrowed.settings = version;
        }
    }

    /// The connection in use was used just now.
    pub(super) fn note_used(&mut self) {
        if let Some(lane) = self.active
            && let Some(borrowed) = self.borrowed(lane)
        {
            borrowed.used_at = Instant::now();
        }
    }

    /// Whether the client itself made the transactions of the connection in use read-only.
    pub(super) fn is_own_read_only(&self) -> bool {
        let borrowed = self.active.and_then(|lane| self.leases.get(lane as usize)?.as_ref());
        borrowed.is_some_and(|borrowed| borrowed.own_read_only)
    }

    /// The client asks for READ ONLY itself on the connection in use, or no longer does.
    fn note_own_read_only(&mut self, own: bool) {
        if let Some(lane) = self.active
            && let Some(borrowed) = self.borrowed(lane)
        {
            borrowed.own_read_only = own;
            borrowed.read_only = None;
        }
    }

    /// A prepared statement is to be deallocated on a lane that is not in use.
    pub(super) fn note_stale(&mut self, lane: Lane, name: &str) {
        if let Some(borrowed) = self.borrowed(lane) {
            borrowed.stale.push(name.into());
        }
    }

    /// The prepared statements that are to be deallocated, lane by lane.
    pub(super) fn stale(&self) -> [Vec<Ident>; 3] {
        self.leases.each_ref().map(|lease| lease.as_ref().map(|it| it.stale.clone()).unwrap_or_default())
    }

    /// Puts back what [`Self::stale`] gave.
    pub(super) fn set_stale(&mut self, stale: [Vec<Ident>; 3]) {
        for (lease, stale) in self.leases.iter_mut().zip(stale) {
            if let Some(borrowed) = lease {
                borrowed.stale = stale;
            }
        }
    }

    /// Whether the upstream has closed the connection of `lane`, or is about to.
    fn is_gone(&mut self, lane: Lane) -> bool {
        let Some(borrowed) = self.borrowed(lane) else { return false };
        let mut cx = Context::from_waker(Waker::noop());
        match borrowed.lease.poll_read(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(0) | Err(_)) => true,
            // An error that nobody asked for is the last that a server says.
            Poll::Ready(Ok(_)) => borrowed.lease.buffer_mut().first() == Some(&b'E'),
        }
    }

    /// Whether the connection of `lane` is in use, with these settings, and need not be told anything before a
    /// statement.
    pub(super) fn is_ready(&self, lane: Lane, read_only: bool, settings: u64) -> bool {
        let borrowed = self.leases.get(lane as usize).and_then(Option::as_ref);
        self.active == Some(lane)
            && borrowed.is_some_and(|it| {
                (lane == Lane::Read || it.read_only == Some(read_only || it.own_read_only))
                    && it.settings == settings
                    && it.stale.is_empty()
            })
    }

    /// Drops the connection of `lane`: it is closed.
    pub(super) fn drop_lease(&mut self, lane: Lane) {
        self.lost_ties |= self.sticky == Some(lane);
        if let Some(place) = self.at(lane) {
            *place = None;
        }
        self.active = self.active.filter(|active| *active != lane);
    }

    /// Whether there is a connection that nothing ties.
    pub(super) fn has_untied(&self) -> bool {
        Lane::ALL.into_iter().any(|lane| {
            Some(lane) != self.sticky && self.leases.get(lane as usize).is_some_and(Option::is_some)
        })
    }

    /// Sends home the connections that nothing ties and that were not used for as long as `idle`, or that others
    /// wait for and this session has had its turn with. Gives their lanes.
    fn send_home(&mut self, idle: Duration) -> Vec<Lane> {
        let mut sent = Vec::new();
        for lane in Lane::ALL {
            let is_due = |it: &Borrowed| {
                it.used_at.elapsed() >= idle || (it.lease.is_wanted() && it.borrowed_at.elapsed() >= TURN)
            };
            if Some(lane) == self.sticky || !self.borrowed(lane).is_some_and(|it| is_due(it)) {
                continue;
            }
            if let Some(borrowed) = self.at(lane).and_then(Option::take) {
                borrowed.lease.go_home(HomeState::Idle);
                self.active = self.active.filter(|active| *active != lane);
                sent.push(lane);
            }
        }
        sent
    }

    /// The session is over: its connections go home if they are idle, and are closed otherwise.
    pub(super) fn close(&mut self, busy: bool) {
        let active = self.active;
        for lane in Lane::ALL {
            if let Some(borrowed) = self.at(lane).and_then(Option::take)
                && !(busy && Some(lane) == active)
            {
                borrowed.lease.go_home(HomeState::Idle);
            }
        }
    }
}

impl Session {
    /// The lane for something that needs `needed`; `opens` takes the strongest that the grants allow.
    ///
    /// # Errors
    /// When the open transaction, or a temporary table, is on a weaker one: its connection cannot be changed.
    pub(super) fn choose_lane(&self, needed: Lane, opens: bool) -> Result<Lane, Refusal> {
        let tied = self.lanes.sticky.filter(|_| !self.names.context().temporary.is_empty());
        if let Some(lane) = tied {
            // INVARIANT: a name that is judged to be a temporary table is looked up where that table is.
            let is_here = self.bound_lane().is_none_or(|bound| bound == lane);
            return if needed <= lane && is_here { Ok(lane) } else { Err(holds_temporary(needed, lane)) };
        }
        if let Some(lane) = self.bound_lane() {
            return if needed <= lane { Ok(lane) } else { Err(too_weak(needed, lane)) };
        }
        let mut lane = self.lanes.sticky.map_or(needed, |sticky| sticky.max(needed));
        if opens && lane < Lane::Admin {
            lane = lane.max(self.desk.highest_lane());
        }
        Ok(lane)
    }

    /// Makes `lane` the one in use, ready for a statement; `read_only` has the database hold it so.
    /// Changes nothing while a transaction is open. Only while nothing is owed.
    ///
    /// # Errors
    /// When there is no connection to be had, or it does not take the settings.
    pub(super) async fn take_lane(&mut self, lane: Lane, read_only: bool) -> Result<(), Refusal> {
        if self.bound_lane() == Some(lane) {
            return Ok(());
        }
        self.go_onto(lane).await?;
        self.hold_read_only(lane, read_only).await
    }

    /// Goes onto `lane`: borrows a connection if there is none, and brings it up to the session's settings.
    /// Only while nothing is owed.
    ///
    /// # Errors
    /// When there is none to be had, or it does not take the settings.
    async fn go_onto(&mut self, lane: Lane) -> Result<(), Refusal> {
        let elsewhere = self.lanes.active() != Some(lane) && self.lanes.sticky() != Some(lane);
        if elsewhere && self.lanes.is_gone(lane) {
            // Nobody looked at it while another was in use; nothing is lost with it.
            self.lanes.drop_lease(lane);
        }
        if self.lanes.borrowed(lane).is_none() {
            let place = &self.desk.place;
            let lease = self.desk.gate.pools.lease(&place.target, &place.database, lane).await;
            let lease = lease.map_err(|error| refusal_of(&error))?;
            self.held.forget_lane(lane);
            let borrowed = Borrowed {
                lease,
                settings: 0,
                read_only: Some(false),
                own_read_only: false,
                stale: Vec::new(),
                borrowed_at: Instant::now(),
                used_at: Instant::now(),
            };
            if let Some(place) = self.lanes.at(lane) {
                *place = Some(borrowed);
            }
        }
        self.lanes.active = Some(lane);
        let made = self.bring_up_to_date(lane).await;
        if made.is_err() {
            self.drop_lane(lane);
        }
        made.map_err(|error| refusal_of(&error))
    }

    async fn bring_up_to_date(&mut self, lane: Lane) -> Result<(), UpstreamError> {
        let version = self.settings.version();
        let Some(borrowed) = self.lanes.borrowed(lane) else { return Ok(()) };
        borrowed.used_at = Instant::now();
        let mut setups = Vec::new();
        if borrowed.settings != version {
            if borrowed.settings != 0 {
                setups.push(Setup::ResetAll);
            }
            setups.extend(self.settings.iter().map(|(name, value)| setting(name, value)));
            // INVARIANT: the read lane stays read-only whatever the session has set.
            if lane == Lane::Read {
                setups.push(Setup::ReadOnly(true));
            }
        }
        let stale = std::mem::take(&mut borrowed.stale);
        setups.extend(stale.iter().map(Setup::Deallocate));
        if setups.is_empty() {
            return Ok(());
        }
        borrowed.lease.run_setup(&setups, SETUP_TIMEOUT).await?;
        self.client.outbound.extend_from_slice(&borrowed.lease.take_notifications());
        if borrowed.settings != version {
            borrowed.settings = version;
            borrowed.read_only = None;
        }
        self.held.forget_unnamed(lane);
        Ok(())
    }

    /// Has the database hold the connection read-only for statements judged so, on a lane that is not.
    /// Only while nothing is owed and no transaction is open.
    ///
    /// # Errors
    /// When the connection does not take it.
    async fn hold_read_only(&mut self, lane: Lane, read_only: bool) -> Result<(), Refusal> {
        let Some(borrowed) = self.lanes.borrowed(lane) else { return Ok(()) };
        let read_only = read_only || borrowed.own_read_only;
        if lane == Lane::Read || borrowed.read_only == Some(read_only) {
            return Ok(());
        }
        let made = borrowed.lease.run_setup(&[Setup::ReadOnly(read_only)], SETUP_TIMEOUT).await;
        borrowed.read_only = Some(read_only);
        self.client.outbound.extend_from_slice(&borrowed.lease.take_notifications());
        self.held.forget_unnamed(lane);
        made.map_err(|error| {
            self.drop_lane(lane);
            refusal_of(&error)
        })
    }

    /// Drops the connection of `lane`, and what was on it.
    fn drop_lane(&mut self, lane: Lane) {
        if self.lanes.sticky() == Some(lane) {
            // INVARIANT: what is judged to be a temporary table is one: they went with the connection.
            self.names.forget_temporary();
        }
        self.lanes.drop_lease(lane);
        self.held.forget_lane(lane);
    }

    /// Notes that statements of `does` ran on the lane in use: what they leave there may tie the session to it.
    pub(super) fn note_ties(&mut self, facts: &Facts, text: &str) {
        if super::task::pins(facts) || sets_untold_path(facts) {
            self.lanes.stick();
        }
        if let TransactionEffect::SetModes { session: true, read_write } = facts.transaction {
            // The other modes (isolation, deferrable) have no such word.
            if read_write || text.to_ascii_lowercase().contains("only") {
                self.lanes.note_own_read_only(!read_write);
            }
        }
        if facts.effects.iter().any(|effect| matches!(effect, SessionEffect::DiscardAll)) {
            self.lanes.unstick();
        }
        let resets =
            |effect: &SessionEffect| matches!(effect, SessionEffect::DiscardAll | SessionEffect::ResetAll);
        if facts.effects.iter().any(resets) {
            self.lanes.note_own_read_only(false);
        }
    }

    /// Sends home what was not used for as long as `idle`, and what others wait for. Only while nothing runs and no
    /// transaction is open.
    pub(super) fn send_idle_home(&mut self, idle: Duration) {
        if !self.lanes.has_untied() || self.held.has_holding() {
            return;
        }
        for lane in self.lanes.send_home(idle) {
            self.held.forget_lane(lane);
        }
    }
}

/// Whether a path was set that cannot be set again elsewhere, because it was not understood.
fn sets_untold_path(facts: &Facts) -> bool {
    facts.effects.iter().any(|effect| match effect {
        SessionEffect::Set { name, value: Some(value), .. } => {
            &**name == "search_path" && parse_path(value) == SearchPath::Unknown
        }
        _ => false,
    })
}

/// How long a session may keep a connection that others wait for: giving it back costs a reset.
const TURN: Duration = Duration::from_millis(20);

fn too_weak(needed: Lane, lane: Lane) -> Refusal {
    let message =
        format!("this transaction is on the {lane} lane, and the statement needs the {needed} lane");
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_detail("A transaction keeps the lane that the grants at its beginning allowed.")
        .with_hint("End the transaction (ROLLBACK) and begin it again.")
}

fn holds_temporary(needed: Lane, lane: Lane) -> Refusal {
    let message = format!(
        "this session's temporary tables are on the {lane} lane, and the statement needs the {needed} lane"
    );
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_detail("Temporary tables stay on the lane that the grants allowed when they were made.")
        .with_hint(
            "Drop them (DISCARD TEMP), outside a transaction, and make them again after this statement.",
        )
}

/// A setting as the gateway makes it on a connection.
pub(super) fn setting<'a>(name: &'a Ident, value: Option<&'a str>) -> Setup<'a> {
    let value = match value {
        None => SettingValue::Default,
        Some(list) if &**name == "search_path" => SettingValue::Path(list),
        Some(value) => SettingValue::Literal(value),
    };
    Setup::Set { name, value, local: false }
}

/// What a client is told of an upstream that cannot be had.
pub(super) fn refusal_of(error: &UpstreamError) -> Refusal {
    let hint = match error.code() {
        RefusalCode::TooManyConnections => "Try again in a moment; the target's connections are all in use.",
        RefusalCode::InvalidCatalogName => "Connect to a database that the target has.",
        _ => "Try again in a moment; if it stays so, the gateway's administrator finds the cause in its log.",
    };
    Refusal::new(error.code(), error.to_string()).with_hint(hint)
}
