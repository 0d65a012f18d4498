//! Which upstream connection a statement goes to, and what makes it ready.

use std::time::Duration;

use super::session::Session;
use crate::{
    model::{
        ids::{DatabaseName, Ident},
        refusal::Refusal,
        target::Lane,
    },
    session::{
        gate::SETUP_TIMEOUT,
        lanes::{self, refusal_of},
        ties::Reason,
        trace::Step,
        waiting::unless_over,
    },
    upstream::{
        UpstreamError,
        mysql::{Home, Mysql, MysqlMessage, SettingValue, Setup},
    },
};

/// The connections of a session.
pub(super) type Lanes = lanes::Lanes<Mysql, Known>;

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct Known {
    /// Its current database; empty is none.
    database: DatabaseName,
    /// It ran the last statement that left an insert id.
    last_insert_id: u64,
    /// Prepared statements that it has and the session no longer holds.
    stale: Vec<u32>,
    /// Locks of GET_LOCK that the session may hold on it.
    locks: Vec<Ident>,
    /// The names of some are not known.
    unnamed_lock: bool,
}

impl Known {
    const fn new(database: DatabaseName) -> Self {
        Self { database, last_insert_id: 0, stale: Vec::new(), locks: Vec::new(), unnamed_lock: false }
    }
}

impl lanes::Known for Known {
    const DROP_TEMPORARY: &'static str = "DROP TEMPORARY TABLE";
}

impl Lanes {
    /// The connection in use is in this database: it went there itself.
    pub(super) fn note_database(&mut self, database: &DatabaseName) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.known.database = database.clone();
        }
    }

    /// The connection in use was used just now.
    pub(super) fn note_used(&mut self, last_insert_id: u64) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.note_used();
            if last_insert_id != 0 {
                borrowed.known.last_insert_id = last_insert_id;
            }
        }
    }

    /// Whether it is read-only is not what it was told.
    pub(super) fn forget_read_only(&mut self) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.read_only = None;
        }
    }

    /// The connection in use may have taken a lock of this name.
    pub(super) fn note_lock(&mut self, name: Option<&Ident>) {
        let Some(borrowed) = self.active_mut() else { return };
        let known = &mut borrowed.known;
        match name {
            Some(name) if known.locks.contains(name) => {}
            Some(name) if known.locks.len() < LOCKS => known.locks.push(name.clone()),
            Some(_) | None => known.unnamed_lock = true,
        }
    }

    /// A prepared statement is to be closed on the connection of `lane` before it is used again.
    pub(super) fn note_stale(&mut self, lane: Lane, statement: u32) {
        if let Some(borrowed) = self.borrowed_mut(lane) {
            borrowed.known.stale.push(statement);
        }
    }
}

impl Session {
    /// The lane for something that needs `needed`; `opens` takes the strongest that the grants allow.
    ///
    /// # Errors
    /// When the open transaction, or a temporary table, is on a weaker one: its connection cannot be changed.
    pub(super) fn choose_lane(&self, needed: Lane, opens: bool) -> Result<Lane, Refusal> {
        let has_temporary = !self.names.context().temporary.is_empty();
        let least = || if opens { self.desk.highest_lane() } else { needed };
        self.lanes.choose(needed, self.bound_lane(), has_temporary, least)
    }

    /// Makes `lane` the one in use, ready for a statement; `read_only` has the database hold it so, `None` leaves it
    /// as it is. Changes nothing while a transaction is open.
    ///
    /// # Errors
    /// When there is no connection to be had, or it does not take the settings.
    pub(super) async fn take_lane(&mut self, lane: Lane, read_only: Option<bool>) -> Result<(), Refusal> {
        self.cancelling.arrived().await;
        if self.bound_lane() == Some(lane) {
            return Ok(());
        }
        let elsewhere = self.lanes.active() != Some(lane) && !self.lanes.is_tied(lane);
        if elsewhere && self.lanes.is_gone(lane, |_| true) {
            // Nobody looked at it while another was in use; nothing is lost with it, and it has nothing to say that was
            // not asked for, but that it goes.
            self.drop_lane(lane);
        }
        let nowhere = self.names.context().database.is_empty();
        let somewhere = self.lanes.borrowed(lane).is_some_and(|it| !it.known.database.is_empty());
        if nowhere && somewhere && !self.lanes.is_tied(lane) {
            // The session's database was dropped, and no command leads a connection back to none.
            self.drop_lane(lane);
        }
        if self.lanes.borrowed(lane).is_none() {
            self.borrow(lane).await?;
        }
        self.lanes.enter(lane);
        let made = self.bring_up_to_date(lane, read_only).await;
        if let Err(error) = made {
            self.drop_lane(lane);
            return Err(refusal_of(&error));
        }
        self.desk.note_step(Step::Connection);
        Ok(())
    }

    async fn borrow(&mut self, lane: Lane) -> Result<(), Refusal> {
        let database = self.names.context().database.clone();
        let home = Home {
            shape: self.capabilities.upstream_shape(),
            database: Some(database.clone()).filter(|database| !database.is_empty()),
        };
        let (pools, target) = (&self.desk.gate.pools, &self.desk.place.target);
        let asking = pools.ask_mysql(target, home.database.as_ref(), lane, self.desk.asker());
        let asking = asking.map_err(|error| refusal_of(&error))?;
        if asking.must_wait() {
            // Sessions that hold what others wait for, and wait for what those hold, would wait for ever.
            self.send_home(Duration::ZERO);
        }
        let asked = unless_over(&mut self.desk, &mut self.client, asking.lease(&home)).await?;
        let lease = asked.map_err(|error| refusal_of(&error))?;
        self.held.forget_lane(lane);
        self.lanes.borrow(lane, lease, Known::new(database));
        Ok(())
    }

    async fn bring_up_to_date(&mut self, lane: Lane, read_only: Option<bool>) -> Result<(), UpstreamError> {
        let version = self.settings.version();
        let database = self.names.context().database.clone();
        let insert_id = self.state.last_insert_id;
        // What the session has said of its transactions holds for what may change something, too.
        let read_only = read_only.map(|held| held || self.settings.read_only());
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return Ok(()) };
        borrowed.note_used();
        for statement in std::mem::take(&mut borrowed.known.stale) {
            borrowed.lease.send_protocol(MysqlMessage::StmtClose(statement))?;
        }
        let mut setups = Vec::new();
        if borrowed.known.database != database && !database.is_empty() {
            setups.push(Setup::Use(&database));
        }
        if borrowed.settings != version {
            setups.extend(self.settings.setups());
            // They may have set it anew.
            borrowed.read_only = None;
            // INVARIANT: the read lane stays read-only whatever the session has set.
            if lane == Lane::Read {
                setups.push(Setup::ReadOnly(true));
            }
        }
        let held = read_only.filter(|held| lane != Lane::Read && borrowed.read_only != Some(*held));
        setups.extend(held.map(Setup::ReadOnly));
        let last_insert_id = "last_insert_id".into();
        if insert_id != borrowed.known.last_insert_id
            && let Ok(number) = i64::try_from(insert_id)
        {
            setups.push(Setup::Set { name: &last_insert_id, value: SettingValue::Number(number) });
        }
        if setups.is_empty() {
            return Ok(());
        }
        borrowed.lease.run_setup(&setups, SETUP_TIMEOUT).await?;
        borrowed.known.database = database;
        borrowed.settings = version;
        borrowed.known.last_insert_id = insert_id;
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
        let Some(borrowed) = self.lanes.active_mut() else { return Ok(()) };
        if borrowed.known.database == *database || database.is_empty() {
            return Ok(());
        }
        let moved = borrowed.lease.run_setup(&[Setup::Use(database)], SETUP_TIMEOUT).await;
        borrowed.known.database = database.clone();
        moved.map_err(|error| refusal_of(&error))
    }

    /// Drops the connection of `lane`, and what was on it.
    pub(super) fn drop_lane(&mut self, lane: Lane) {
        if self.lanes.is_tied(lane) {
            // INVARIANT: what is judged to be a temporary table is one: they went with the connection.
            self.names.forget_temporary();
        }
        self.lanes.drop_lease(lane);
        self.held.forget_lane(lane);
    }

    /// Looks whether something still ties the session to its connection, where that may be given up and the connection is
    /// of use elsewhere. Only while nothing runs and no transaction is open.
    pub(super) async fn look_at_ties(&mut self, idle: Duration) {
        let has_temporary = !self.names.context().temporary.is_empty();
        let has_prepared = self.held.has_named();
        // Asking takes away what the last statement left to be asked for.
        let kept = self.state.diagnostics;
        let Some(borrowed) = self.lanes.doubtful_mut(idle, kept) else { return };
        // What the client waits for does not wait for what we want to know.
        self.client.send_at_once();
        let (lane, known) = (borrowed.lease.lane(), &mut borrowed.known);
        let has_lock = if known.unnamed_lock {
            true
        } else {
            match borrowed.lease.holds_lock(&known.locks, SETUP_TIMEOUT).await {
                Ok(false) => {
                    known.locks.clear();
                    false
                }
                Ok(true) => true,
                // The session was tied to it, and ends with it.
                Err(_) => return self.drop_lane(lane),
            }
        };
        self.lanes.keep_ties(lane, |reason| match reason {
            Reason::Lock => has_lock,
            Reason::Prepared => has_prepared,
            Reason::Temporary => has_temporary,
            Reason::Cursor
            | Reason::Listen
            | Reason::SearchPath
            | Reason::TransactionModes
            | Reason::Unknown
            | Reason::UserVariable => true,
        });
    }

    /// Sends home what was not used for as long as `idle`, and what others wait for. Only while nothing runs and no
    /// transaction is open.
    pub(super) fn send_home(&mut self, idle: Duration) {
        if !self.lanes.has_untied() {
            return;
        }
        let kept = self.lanes.active().filter(|_| self.state.diagnostics);
        for lane in self.lanes.send_home(idle, kept, |lane| self.held.has_cursor_on(lane)) {
            self.held.forget_lane(lane);
        }
    }
}

/// Names of locks that are kept of one connection.
const LOCKS: usize = 64;
