//! The connections of one target and lane, over all its databases.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::IntGauge;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

use super::{
    asking::Asker,
    cancel::CancelHandle,
    connect::connect,
    connection::Connection,
    error::UpstreamError,
    failover::Failover,
    health::{Health, causes},
    lease::Lease,
    line::{Lines, Turn},
    pace::Pace,
    protocol::Protocol,
    settings::{PoolSettings, TargetSettings},
};
use crate::{
    metrics::{Metrics, PoolMetrics, ReturnMetrics, StatementCounts, UpstreamErrors},
    model::target::Lane,
};

/// The connections of one lane: at most `max_connections`, lent newest first, waited for in the lines of principals.
#[derive(Debug)]
pub(crate) struct LanePool<P: Protocol> {
    target: Arc<TargetSettings>,
    known: Arc<P::Known>,
    pace: Arc<Pace>,
    lane: Lane,
    health: Health,
    failover: Failover,
    /// One turn for each lease that may be out.
    lines: Arc<Lines>,
    state: Mutex<State<P>>,
    metrics: PoolMetrics,
    errors: UpstreamErrors,
}

#[derive(Debug)]
struct State<P: Protocol> {
    /// Open connections: out, idle, being opened or reset.
    open: usize,
    /// Longest idle first.
    idle: VecDeque<Idle<P>>,
    /// Databases that had to be left, and when; the latest last.
    vacated: VecDeque<(P::Home, Instant)>,
}

#[derive(Debug)]
struct Idle<P: Protocol> {
    connection: Box<Connection<P>>,
    since: Instant,
}

impl<P: Protocol> LanePool<P> {
    pub(crate) fn new(
        target: Arc<TargetSettings>,
        known: Arc<P::Known>,
        pace: Arc<Pace>,
        lane: Lane,
        metrics: &Metrics,
    ) -> Self {
        Self {
            known,
            pace,
            lane,
            health: Health::default(),
            failover: Failover::new(metrics.pool(&target.name, lane).failovers),
            lines: Lines::new(limit(&target.pool)),
            state: Mutex::new(State { open: 0, idle: VecDeque::new(), vacated: VecDeque::new() }),
            metrics: metrics.pool(&target.name, lane),
            errors: metrics.target(&target.name).upstream_errors,
            target,
        }
    }

    /// A turn of `asker`, if there is one at once.
    pub(super) fn free_turn(&self, asker: &Asker) -> Option<Turn> {
        self.lines.free_turn(&asker.principal, asker.most(limit(&self.target.pool)))
    }

    /// Waits for a turn of `asker`, at most as long as `wait_timeout`.
    ///
    /// # Errors
    /// `Exhausted`.
    pub(super) async fn turn(&self, asker: &Asker) -> Result<Turn, UpstreamError> {
        let _waiting = Counted::new(&self.metrics.waiting);
        let most = asker.most(limit(&self.target.pool));
        let turn = timeout(self.target.pool.wait_timeout, self.lines.turn(&asker.principal, most)).await;
        turn.map_err(|_| {
            self.errors.wait.inc();
            UpstreamError::Exhausted { target: self.target.name.clone(), lane: self.lane }
        })
    }

    /// Counts how long somebody waited for a turn, had in the end or not.
    pub(super) fn note_wait(&self, waited: Duration) {
        self.metrics.wait_seconds.observe(waited.as_secs_f64());
    }

    /// Lends a connection that fits `home` to whoever has the turn: an idle one, or a new one.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) async fn lend(
        self: &Arc<Self>,
        home: &P::Home,
        turn: Turn,
    ) -> Result<Lease<P>, UpstreamError> {
        self.metrics.leases.inc();
        if let Some(connection) = self.take_idle(|idle| idle == home) {
            return Ok(Lease::new(connection, Slot::new(self, turn)));
        }
        let slot = match self.take_idle(|idle| P::can_move(idle, home)) {
            Some(mut connection) => {
                let slot = Slot::new(self, turn);
                let moved = P::move_to(&mut connection, home, self.lane);
                match timeout(self.target.pool.connect_timeout, moved).await {
                    Ok(Ok(())) => return Ok(Lease::new(connection, slot)),
                    Ok(Err(error)) if error.leaves_target_up() => {
                        slot.put_back(connection);
                        return Err(error);
                    }
                    // Why it does not go is told best by a login.
                    Ok(Err(_)) | Err(_) => connection.close(),
                }
                slot
            }
            None => {
                self.make_room();
                Slot::new(self, turn)
            }
        };
        Ok(Lease::new(Box::new(self.open_in_time(home).await?), slot))
    }

    /// Opens one; while a server that went away may be on its way back, or another in its place, tries on for as long
    /// as `failover_wait`.
    ///
    /// Nothing was sent yet, so nothing can be sent twice.
    async fn open_in_time(&self, home: &P::Home) -> Result<Connection<P>, UpstreamError> {
        let until = Instant::now() + self.target.pool.failover_wait;
        loop {
            match self.open(home).await {
                Err(error)
                    if error.may_pass()
                        && self.failover.is_recent()
                        && Instant::now() + TRY_AGAIN < until =>
                {
                    sleep(TRY_AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    /// Opens a connection that does not count, for the gateway's own questions.
    ///
    /// # Errors
    /// `Unavailable`, `TooFast`, or the target's own refusal of the database.
    pub(crate) async fn open(&self, home: &P::Home) -> Result<Connection<P>, UpstreamError> {
        let attempt = self.health.attempt(&self.target)?;
        if !self.pace.turn().await {
            return Err(UpstreamError::TooFast { target: self.target.name.clone() });
        }
        let _connecting = Counted::new(&self.metrics.connecting);
        let (was_down, was_up) = (self.health.is_down(), self.health.is_up());
        // Apart: whoever may have to connect does not carry the room for it about.
        let connected = Box::pin(connect(&self.target, home, self.lane)).await;
        match connected.and_then(|connection| self.still_the_writer(connection)) {
            Ok(connection) => {
                attempt.succeeded();
                if was_down {
                    tracing::info!(target_name = %self.target.name, lane = %self.lane, "target answers again");
                }
                P::opened(&self.known, &connection.session);
                Ok(connection)
            }
            Err(error) => {
                let count = if error.is_of_login() { &self.errors.login } else { &self.errors.dial };
                count.inc();
                if was_up && error.may_pass() {
                    self.failover.note();
                }
                let error = attempt.failed(error);
                if !was_down && self.health.is_down() {
                    let (target_name, lane, causes) = (&self.target.name, self.lane, causes(&error));
                    tracing::warn!(%target_name, %lane, causes, "target does not answer");
                }
                Err(error)
            }
        }
    }

    /// Refuses a server that takes no writes in the place of one that did.
    fn still_the_writer(&self, connection: Connection<P>) -> Result<Connection<P>, UpstreamError> {
        if self.lane == Lane::Read || !self.failover.is_elsewhere(P::takes_writes(&connection.session)) {
            return Ok(connection);
        }
        connection.close();
        self.failover.note();
        Err(UpstreamError::ReadOnly { target: self.target.name.clone(), lane: self.lane })
    }

    /// Closes what has been idle or open for too long, and what the upstream has closed.
    pub(crate) fn reap(&self) {
        self.close_idle(|idle| !self.is_usable(idle));
    }

    /// Closes what is idle in `home`, and what is out there and comes home later.
    pub(crate) fn vacate(&self, home: &P::Home) {
        {
            let mut state = self.state();
            if state.vacated.len() >= VACATED_KEPT {
                state.vacated.pop_front();
            }
            state.vacated.push_back((home.clone(), Instant::now()));
        }
        // Behind that: what comes home in between is closed by itself.
        self.close_idle(|idle| idle.connection.home == *home);
    }

    /// Closes the idle connections of which that is true.
    fn close_idle(&self, mut is_over: impl FnMut(&mut Idle<P>) -> bool) {
        let mut closed = Vec::new();
        {
            let mut state = self.state();
            for mut idle in std::mem::take(&mut state.idle) {
                if is_over(&mut idle) {
                    closed.push(idle);
                } else {
                    state.idle.push_back(idle);
                }
            }
            state.open -= closed.len();
            self.count_idle(&state);
        }
        closed.into_iter().for_each(|idle| idle.connection.close());
    }

    pub(crate) const fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) const fn target(&self) -> &Arc<TargetSettings> {
        &self.target
    }

    /// Takes an idle connection that fits, one of this thread's own before any other; its place in the count goes
    /// with it.
    fn take_idle(&self, fits: impl Fn(&P::Home) -> bool) -> Option<Box<Connection<P>>> {
        loop {
            let mut idle = {
                let mut state = self.state();
                let fits = |idle: &Idle<P>| fits(&idle.connection.home);
                let own = state.idle.iter().rposition(|idle| fits(idle) && idle.connection.is_here());
                let at = own.or_else(|| state.idle.iter().rposition(fits))?;
                let idle = state.idle.remove(at)?;
                self.count_idle(&state);
                idle
            };
            if self.is_usable(&mut idle) && idle.connection.settle_here().is_ok() {
                return Some(idle.connection);
            }
            self.state().open -= 1;
            idle.connection.close();
        }
    }

    fn is_usable(&self, idle: &mut Idle<P>) -> bool {
        let settings = &self.target.pool;
        idle.since.elapsed() < settings.idle_timeout
            && idle.connection.opened_at.elapsed() < settings.max_lifetime
            && !self.failover.is_stale(idle.connection.opened_at)
            && idle.connection.is_quiet()
    }

    /// Takes a place for a new connection; if there is none, the longest idle connection gives up its own.
    fn make_room(&self) {
        let evicted = {
            let mut state = self.state();
            let evicted = if state.open < limit(&self.target.pool) { None } else { state.idle.pop_front() };
            state.open += usize::from(evicted.is_none());
            self.count_idle(&state);
            evicted
        };
        if let Some(idle) = evicted {
            idle.connection.close();
        }
    }

    fn count_idle(&self, state: &State<P>) {
        self.metrics.idle.set(i64::try_from(state.idle.len()).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        // Nothing that can panic runs under the lock; were it to, the counts are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> State<P> {
    /// Whether its database had to be left after it was opened.
    fn is_vacated(&self, connection: &Connection<P>) -> bool {
        let left = |(home, at): &(P::Home, Instant)| *home == connection.home && connection.opened_at <= *at;
        self.vacated.iter().any(left)
    }
}

/// The place of one connection that is out; gone, its place is free.
#[derive(Debug)]
pub(crate) struct Slot<P: Protocol> {
    pool: Arc<LanePool<P>>,
    /// What stops the statement that may be running if the connection is given up.
    pub(crate) running: Option<CancelHandle<P>>,
    _leased: Counted,
    /// Freed after the count below, so that whoever waits finds room.
    turn: Turn,
}

impl<P: Protocol> Slot<P> {
    /// Takes over a place that is counted as open.
    fn new(pool: &Arc<LanePool<P>>, turn: Turn) -> Self {
        Self { pool: Arc::clone(pool), running: None, _leased: Counted::new(&pool.metrics.leased), turn }
    }

    pub(crate) fn target(&self) -> &Arc<TargetSettings> {
        &self.pool.target
    }

    /// Whether somebody waits for a connection of this lane who could have this one.
    pub(crate) fn is_wanted(&self) -> bool {
        // Asked at every turn: the lines are looked at only if somebody waits at all.
        self.pool.metrics.waiting.get() > 0 && self.turn.is_wanted()
    }

    pub(crate) fn lane(&self) -> Lane {
        self.pool.lane
    }

    /// Whether a connection is of a server that went away, or takes no writes any more.
    pub(crate) fn is_stale(&self, opened_at: Instant) -> bool {
        self.pool.failover.is_stale(opened_at)
    }

    /// The server went away, or takes no writes any more: gives up all of its connections.
    pub(crate) fn note_failover(&self) {
        self.pool.failover.note();
    }

    pub(crate) fn errors(&self) -> &UpstreamErrors {
        &self.pool.errors
    }

    pub(crate) fn returns(&self) -> &ReturnMetrics {
        &self.pool.metrics.returns
    }

    pub(crate) fn statements(&self) -> &StatementCounts {
        &self.pool.metrics.statements
    }

    /// Makes a connection that was reset idle.
    pub(crate) fn put_back(self, mut connection: Box<Connection<P>>) {
        connection.trim();
        let pool = &self.pool;
        if pool.lane != Lane::Read && pool.failover.is_elsewhere(P::takes_writes(&connection.session)) {
            pool.failover.note();
        }
        if pool.failover.is_stale(connection.opened_at) {
            connection.close();
            return;
        }
        pool.health.succeeded();
        if connection.opened_at.elapsed() >= pool.target.pool.max_lifetime {
            connection.close();
            return;
        }
        let mut state = self.pool.state();
        if state.is_vacated(&connection) {
            drop(state);
            connection.close();
            return;
        }
        state.open += 1;
        state.idle.push_back(Idle { connection, since: Instant::now() });
        self.pool.count_idle(&state);
    }
}

impl<P: Protocol> Drop for Slot<P> {
    fn drop(&mut self) {
        // A server notices a closed connection only when it has something to send: what runs would run on.
        if let (Some(running), Ok(runtime)) = (self.running.take(), Handle::try_current()) {
            runtime.spawn(async move { running.cancel().await });
        }
        self.pool.state().open -= 1;
    }
}

/// One in a gauge, for as long as it lives.
#[derive(Debug)]
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Databases that had to be left and are remembered, so that connections on their way home do not stay in them.
const VACATED_KEPT: usize = 16;
/// How long until a server that is on its way is looked for again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

fn limit(settings: &PoolSettings) -> usize {
    settings.max_connections.max(1)
}
