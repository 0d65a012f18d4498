//! The pools of one target.

use std::{sync::Arc, time::Duration};

use prometheus::IntGauge;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    excess::Excess,
    health::{TargetHealth, causes},
    pace::Pace,
    pool::LanePool,
    protocol::Protocol,
    settings::TargetSettings,
};
use crate::{
    metrics::Metrics,
    model::{ids::Ident, target::Lane},
};

/// The pools of one target, one for each lane, and what is known of it.
#[derive(Debug)]
pub(crate) struct TargetPools<P: Protocol> {
    pub(crate) settings: Arc<TargetSettings>,
    pub(crate) accounts: Arc<[Ident]>,
    pub(crate) known: Arc<P::Known>,
    up: IntGauge,
    excess: [Excess; 3],
    read: Arc<LanePool<P>>,
    write: Arc<LanePool<P>>,
    admin: Arc<LanePool<P>>,
}

impl<P: Protocol> TargetPools<P> {
    /// Opens nothing yet, but looks after idle connections from now on, for as long as it lives.
    ///
    /// Must be called inside the runtime.
    pub(crate) fn start(settings: TargetSettings, metrics: &Metrics) -> Arc<Self> {
        let (settings, known) = (Arc::new(settings), Arc::<P::Known>::default());
        let metrics_of_target = metrics.target(&settings.name);
        let pool = &settings.pool;
        let pace =
            Pace::new(pool.new_connections_per_second, pool.connect_timeout, metrics_of_target.held_up);
        let pace = Arc::new(pace);
        let lane = |lane| {
            let (settings, known, pace) = (Arc::clone(&settings), Arc::clone(&known), Arc::clone(&pace));
            Arc::new(LanePool::new(settings, known, pace, lane, metrics))
        };
        let pools = Arc::new(Self {
            accounts: settings.accounts.names(),
            up: metrics_of_target.up,
            excess: Lane::ALL.map(|lane| Excess::new(lane, metrics.pool(&settings.name, lane).excess)),
            read: lane(Lane::Read),
            write: lane(Lane::Write),
            admin: lane(Lane::Admin),
            known,
            settings,
        });
        let held = Arc::downgrade(&pools);
        tokio::spawn(async move {
            let mut ticks = interval(Duration::from_secs(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut first = true;
            loop {
                ticks.tick().await;
                let Some(target) = held.upgrade() else { return };
                target.look_after(first).await;
                first = false;
            }
        });
        pools
    }

    pub(crate) const fn lane(&self, lane: Lane) -> &Arc<LanePool<P>> {
        match lane {
            Lane::Read => &self.read,
            Lane::Write => &self.write,
            Lane::Admin => &self.admin,
        }
    }

    /// What is known of it: the problem of a lane that has one.
    pub(crate) fn health(&self) -> TargetHealth {
        let mut all = Lane::ALL.map(|lane| self.lane(lane).health().now()).into_iter();
        let read = self.read.health().now();
        let mut health = all.find(|health| health.problem.is_some()).unwrap_or(read);
        health.warnings = self.excess.iter().filter_map(|it| it.words(&self.settings)).collect();
        health
    }

    /// Once a second: closes what is too old, and asks a target that nobody has reached lately.
    ///
    /// The first time it logs in on every lane, so that a wrong account is known at start.
    async fn look_after(&self, first: bool) {
        for lane in Lane::ALL {
            self.lane(lane).reap();
        }
        P::tick(&self.known);
        for lane in Lane::ALL {
            let pool = self.lane(lane);
            let quiet = lane == Lane::Read && !pool.health().succeeded_within(PROBE_AFTER);
            let down = pool.health().is_down();
            if first || quiet || down {
                self.probe(pool, lane, first).await;
            }
        }
        self.up.set(self.health().is_up().into());
    }

    async fn probe(&self, pool: &LanePool<P>, lane: Lane, first: bool) {
        let listed = self.settings.databases.as_ref().and_then(|listed| listed.first());
        match pool.open(&P::probe_home(listed)).await {
            Ok(mut connection) => {
                for excess in self.excess.iter().filter(|it| it.lane() == lane) {
                    excess.look(&self.settings, &mut connection).await;
                }
                connection.close();
            }
            // No reason to keep sessions of other databases from trying, and a mistake in the configuration or there.
            Err(error) if first && !pool.health().is_down() => {
                let Some(database) = listed else { return };
                let causes = causes(&error);
                tracing::warn!(target_name = %self.settings.name, %lane, %database, causes, "target refuses a listed database");
            }
            Err(_) => {}
        }
    }
}

/// A target that somebody reached within this time is not asked.
const PROBE_AFTER: Duration = Duration::from_secs(15);
