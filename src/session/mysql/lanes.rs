//! The upstream connections that a session has borrowed, and which of them it is on.

use std::{
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::session::Session;
use crate::{
    model::{
        ids::DatabaseName,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::gate::SETUP_TIMEOUT,
    upstream::{
        HomeState, Lease, UpstreamError,
        mysql::{Home, Mysql, MysqlMessage, SettingValue, Setup},
    },
};

/// At most one connection a lane.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    leases: [Option<Borrowed>; 3],
    active: Option<Lane>,
    sticky: Option<Lane>,
}

#[derive(Debug)]
struct Borrowed {
    lease: Lease<Mysql>,
    /// Its current database; empty is none.
    database: DatabaseName,
    /// Which version of the session's settings it has.
    settings: u64,
    /// Whether it is held read-only although its lane is not; `None` is not known.
    read_only: Option<bool>,
    /// It ran the last statement that left an insert id.
    last_insert_id: u64,
    /// Prepared statements that it has and the session no longer holds.
    stale: Vec<u32>,
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

    fn active_borrowed(&mut self) -> Option<&mut Borrowed> {
        let lane = self.active?;
        self.borrowed(lane)
    }

    /// The lane in use.
    pub(super) const fn active(&self) -> Option<Lane> {
        self.active
    }

    /// The connection in use.
    pub(super) fn active_lease(&self) -> Option<&Lease<Mysql>> {
        let lane = self.active?;
        Some(&self.leases.get(lane as usize)?.as_ref()?.lease)
    }

    /// The connection in use, to send and receive on.
    pub(super) fn active_lease_mut(&mut self) -> Option<&mut Lease<Mysql>> {
        Some(&mut self.active_borrowed()?.lease)
    }

    /// The lane that something of the session is tied to.
    pub(super) const fn sticky(&self) -> Option<Lane> {
        self.sticky
    }

    /// Ties the session to the lane in use.
    pub(super) fn stick(&mut self) {
        self.sticky = self.sticky.max(self.active);
    }

    /// The connection in use has the settings of `version`: it made the last change itself.
    pub(super) fn note_settings(&mut self, before: u64, version: u64) {
        if let Some(borrowed) = self.active_borrowed()
            && borrowed.settings == before
        {
            borrowed.settings = version;
        }
    }

    /// The connection in use is in this database: it went there itself.
    pub(super) fn note_database(&mut self, database: &DatabaseName) {
        if let Some(borrowed) = self.active_borrowed() {
            borrowed.database = database.clone();
        }
    }

    /// The connection in use was used just now.
    pub(super) fn note_used(&mut self, last_insert_id: u64) {
        if let Some(borrowed) = self.active_borrowed() {
            borrowed.used_at = Instant::now();
            if last_insert_id != 0 {
                borrowed.last_insert_id = last_insert_id;
            }
        }
    }

    /// Whether it is read-only is not what it was told.
    pub(super) fn forget_read_only(&mut self) {
        if let Some(borrowed) = self.active_borrowed() {
            borrowed.read_only = None;
        }
    }

    /// A prepared statement is to be closed on the connection of `lane` before it is used again.
    pub(super) fn note_stale(&mut self, lane: Lane, statement: u32) {
        if let Some(borrowed) = self.borrowed(lane) {
            borrowed.stale.push(statement);
        }
    }

    /// Whether the upstream has closed the connection of `lane`.
    fn is_gone(&mut self, lane: Lane) -> bool {
        let Some(borrowed) = self.borrowed(lane) else { return false };
        let mut cx = Context::from_waker(Waker::noop());
        // It has nothing to say that was not asked for, but that it goes.
        !matches!(borrowed.lease.poll_read(&mut cx), Poll::Pending)
    }

    /// The connection in use answered with an error: one of a server that takes no writes does not stay.
    pub(super) fn note_error(&mut self, errno: u16) {
        if READ_ONLY.contains(&errno)
            && let Some(lease) = self.active_lease_mut().filter(|lease| lease.lane() != Lane::Read)
        {
            lease.suspect();
        }
    }

    /// Drops the connection of `lane`: it is closed.
    pub(super) fn drop_lease(&mut self, lane: Lane) {
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

    /// Gives back all connections: the session begins anew, or is over. The one in use is closed if it is `busy`.
    pub(super) fn close(&mut self, busy: bool, in_transaction: bool) {
        let active = self.active;
        for lane in Lane::ALL {
            let Some(borrowed) = self.at(lane).and_then(Option::take) else { continue };
            if Some(lane) != active {
                borrowed.lease.go_home(HomeState::Idle);
            } else if !busy {
                let state = if in_transaction { HomeState::InTransaction } else { HomeState::Idle };
                borrowed.lease.go_home(state);
            }
        }
        self.active = None;
        self.sticky = None;
    }
}

impl Session {
    /// The lane for something that needs `needed`; `opens` takes the strongest that the grants allow.
    ///
    /// # Errors
    /// When the open transaction is on a weaker one: its connection cannot be changed.
    pub(super) fn choose_lane(&self, needed: Lane, opens: bool) -> Result<Lane, Refusal> {
        if let Some(lane) = self.bound_lane() {
            return if needed <= lane { Ok(lane) } else { Err(too_weak(needed, lane)) };
        }
        if let Some(sticky) = self.lanes.sticky
            && !self.names.context().temporary.is_empty()
        {
            // INVARIANT: a name that is judged to be a temporary table is looked up where that table is.
            return if needed <= sticky { Ok(sticky) } else { Err(tied(needed, sticky)) };
        }
        let mut lane = self.lanes.sticky.map_or(needed, |sticky| sticky.max(needed));
        if opens && lane < Lane::Admin {
            lane = lane.max(self.desk.highest_lane());
        }
        Ok(lane)
    }

    /// Makes `lane` the one in use, ready for a statement; `read_only` has the database hold it so, `None` leaves it
    /// as it is. Changes nothing while a transaction is open.
    ///
    /// # Errors
    /// When there is no connection to be had, or it does not take the settings.
    pub(super) async fn take_lane(&mut self, lane: Lane, read_only: Option<bool>) -> Result<(), Refusal> {
        self.await_cancel().await;
        if self.bound_lane() == Some(lane) {
            return Ok(());
        }
        let elsewhere = self.lanes.active() != Some(lane) && self.lanes.sticky() != Some(lane);
        if elsewhere && self.lanes.is_gone(lane) {
            // Nobody looked at it while another was in use; nothing is lost with it.
            self.drop_lane(lane);
        }
        if self.lanes.borrowed(lane).is_none() {
            self.borrow(lane).await?;
        }
        self.lanes.active = Some(lane);
        let made = self.bring_up_to_date(lane, read_only).await;
        if let Err(error) = made {
            self.drop_lane(lane);
            return Err(refusal_of(&error));
        }
        Ok(())
    }

    async fn borrow(&mut self, lane: Lane) -> Result<(), Refusal> {
        let database = self.names.context().database.clone();
        let home = Home {
            shape: self.capabilities.upstream_shape(),
            database: Some(database.clone()).filter(|database| !database.is_empty()),
        };
        let lease = self.desk.gate.pools.lease_mysql(&self.desk.place.target, &home, lane).await;
        let lease = lease.map_err(|error| refusal_of(&error))?;
        self.held.forget_lane(lane);
        let borrowed = Borrowed {
            lease,
            database,
            settings: 0,
            read_only: Some(false),
            last_insert_id: 0,
            stale: Vec::new(),
            borrowed_at: Instant::now(),
            used_at: Instant::now(),
        };
        if let Some(place) = self.lanes.at(lane) {
            *place = Some(borrowed);
        }
        Ok(())
    }

    async fn bring_up_to_date(&mut self, lane: Lane, read_only: Option<bool>) -> Result<(), UpstreamError> {
        let version = self.settings.version();
        let database = self.names.context().database.clone();
        let insert_id = self.state.last_insert_id;
        let Some(borrowed) = self.lanes.borrowed(lane) else { return Ok(()) };
        borrowed.used_at = Instant::now();
        for statement in std::mem::take(&mut borrowed.stale) {
            borrowed.lease.send_protocol(MysqlMessage::StmtClose(statement))?;
        }
        let mut setups = Vec::new();
        if borrowed.database != database && !database.is_empty() {
            setups.push(Setup::Use(&database));
        }
        if borrowed.settings != version {
            setups.extend(self.settings.setups());
            // INVARIANT: the read lane stays read-only whatever the session has set.
            if lane == Lane::Read {
                setups.push(Setup::ReadOnly(true));
            }
        }
        let held = read_only.filter(|held| lane != Lane::Read && borrowed.read_only != Some(*held));
        setups.extend(held.map(Setup::ReadOnly));
        let last_insert_id = "last_insert_id".into();
        if insert_id != borrowed.last_insert_id
            && let Ok(number) = i64::try_from(insert_id)
        {
            setups.push(Setup::Set { name: &last_insert_id, value: SettingValue::Number(number) });
        }
        if setups.is_empty() {
            return Ok(());
        }
        borrowed.lease.run_setup(&setups, SETUP_TIMEOUT).await?;
        borrowed.database = database;
        borrowed.settings = version;
        borrowed.last_insert_id = insert_id;
        if held.is_some() {
            borrowed.read_only = held;
        }
        Ok(())
    }

    /// Goes to another database for a moment on the connection in use, or comes back.
    ///
    /// # Errors
    /// When the upstream does not take it.
    pub(super) async fn visit_database(&mut self, database: &DatabaseName) -> Result<(), Refusal> {
        let Some(borrowed) = self.lanes.active_borrowed() else { return Ok(()) };
        if borrowed.database == *database || database.is_empty() {
            return Ok(());
        }
        let moved = borrowed.lease.run_setup(&[Setup::Use(database)], SETUP_TIMEOUT).await;
        borrowed.database = database.clone();
        moved.map_err(|error| refusal_of(&error))
    }

    /// Drops the connection of `lane`, and what was on it.
    pub(super) fn drop_lane(&mut self, lane: Lane) {
        if self.lanes.sticky() == Some(lane) {
            // INVARIANT: what is judged to be a temporary table is one: they went with the connection.
            self.names.forget_temporary();
            self.state.lost_ties = true;
        }
        self.lanes.drop_lease(lane);
        self.held.forget_lane(lane);
    }

    /// Sends home what was not used for as long as `idle`, and what others wait for. Only while nothing runs and no
    /// transaction is open.
    pub(super) fn send_idle_home(&mut self, idle: Duration) {
        if !self.lanes.has_untied() {
            return;
        }
        let keeps = self.state.diagnostics;
        for lane in Lane::ALL {
            let is_active = self.lanes.active() == Some(lane);
            let is_due = |it: &Borrowed| {
                let wanted =
                    it.lease.is_wanted() && it.borrowed_at.elapsed() >= TURN && !(is_active && keeps);
                it.used_at.elapsed() >= idle || wanted
            };
            let tied = Some(lane) == self.lanes.sticky() || self.held.has_cursor_on(lane);
            if tied || !self.lanes.borrowed(lane).is_some_and(|it| is_due(it)) {
                continue;
            }
            if let Some(borrowed) = self.lanes.at(lane).and_then(Option::take) {
                borrowed.lease.go_home(HomeState::Idle);
                self.lanes.active = self.lanes.active.filter(|active| *active != lane);
                self.held.forget_lane(lane);
            }
        }
    }
}

/// ER_OPTION_PREVENTS_STATEMENT (`--read-only`), ER_READ_ONLY_MODE.
const READ_ONLY: [u16; 2] = [1290, 1836];
/// How long a session may keep a connection that others wait for: giving it back costs a reset.
const TURN: Duration = Duration::from_millis(20);

fn too_weak(needed: Lane, lane: Lane) -> Refusal {
    let message =
        format!("this transaction is on the {lane} lane, and the statement needs the {needed} lane");
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_detail("A transaction keeps the lane that the grants at its beginning allowed.")
        .with_hint("End the transaction (ROLLBACK) and begin it again.")
}

fn tied(needed: Lane, lane: Lane) -> Refusal {
    let message = format!(
        "this session's temporary tables are on the {lane} lane, and the statement needs the {needed} lane"
    );
    Refusal::new(RefusalCode::ReadOnlyTransaction, message)
        .with_hint("Drop the temporary tables and make them again after this statement, or connect again.")
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
