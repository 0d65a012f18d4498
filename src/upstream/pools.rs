//! All targets: the door of this folder.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::IntGauge;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    catalog::{CatalogSource, ServerFacts},
    error::UpstreamError,
    health::{TargetHealth, causes},
    lease::Lease,
    pool::LanePool,
    settings::TargetSettings,
};
use crate::{
    metrics::Metrics,
    model::{
        catalog::Catalog,
        ids::{DatabaseName, Ident, TargetName},
        target::Lane,
    },
};

/// The connections to all targets; cheap to clone. What is idle is closed when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Pools(Arc<HashMap<TargetName, TargetPools>>);

#[derive(Debug)]
struct TargetPools {
    settings: Arc<TargetSettings>,
    accounts: Arc<[Ident]>,
    up: IntGauge,
    read: Arc<LanePool>,
    write: Arc<LanePool>,
    admin: Arc<LanePool>,
    catalogs: Mutex<HashMap<DatabaseName, CatalogSource>>,
}

impl Pools {
    /// Opens nothing yet, but looks after idle connections, and after targets that nobody asks for, from now on.
    ///
    /// Must be called inside the runtime.
    pub fn new(targets: impl IntoIterator<Item = TargetSettings>, metrics: &Metrics) -> Self {
        let pools: HashMap<_, _> = targets
            .into_iter()
            .map(|target| (target.name.clone(), TargetPools::new(target, metrics)))
            .collect();
        let pools = Arc::new(pools);
        for name in pools.keys() {
            let (pools, name) = (Arc::downgrade(&pools), name.clone());
            tokio::spawn(async move {
                let mut ticks = interval(Duration::from_secs(1));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut first = true;
                loop {
                    ticks.tick().await;
                    let Some(pools) = pools.upgrade() else { return };
                    let Some(target) = pools.get(&name) else { return };
                    target.look_after(first).await;
                    first = false;
                }
            });
        }
        Self(pools)
    }

    /// Lends a connection; waits in line for one if need be.
    ///
    /// # Errors
    /// `UnknownTarget`, `UnknownDatabase`, `Exhausted` after the pool's `wait_timeout`, `Unavailable`, and
    /// `Login` if the server itself does not have the database or refuses the account there.
    pub async fn lease(
        &self,
        target: &TargetName,
        database: &DatabaseName,
        lane: Lane,
    ) -> Result<Lease, UpstreamError> {
        self.place(target, database)?.lane(lane).lease(database).await
    }

    /// The catalog of a database; see [`CatalogSource::fresh`]. Sessions hold on to [`Self::catalog_source`].
    ///
    /// # Errors
    /// `UnknownTarget`, `UnknownDatabase`, `Catalog`.
    pub async fn catalog(
        &self,
        target: &TargetName,
        database: &DatabaseName,
    ) -> Result<Arc<Catalog>, UpstreamError> {
        self.catalog_source(target, database)?.fresh().await
    }

    /// Where a session gets the catalog of its database, statement by statement.
    ///
    /// # Errors
    /// `UnknownTarget`, `UnknownDatabase`.
    pub fn catalog_source(
        &self,
        target: &TargetName,
        database: &DatabaseName,
    ) -> Result<CatalogSource, UpstreamError> {
        let pools = self.place(target, database)?;
        let new = || CatalogSource::new(Arc::clone(&pools.read), database.clone());
        Ok(pools.catalogs().entry(database.clone()).or_insert_with(new).clone())
    }

    /// Definitions of a database changed: its catalog is read again before it is next used.
    pub fn catalog_changed(&self, target: &TargetName, database: &DatabaseName) {
        let source = self.0.get(target).and_then(|pools| pools.catalogs().get(database).cloned());
        if let Some(source) = source {
            source.changed();
        }
    }

    /// What sessions of a database begin with: version, parameters, search path.
    ///
    /// # Errors
    /// As [`Self::catalog`].
    pub async fn server_parameters(
        &self,
        target: &TargetName,
        database: &DatabaseName,
    ) -> Result<Arc<ServerFacts>, UpstreamError> {
        self.catalog_source(target, database)?.facts().await
    }

    /// The upstream accounts of a target; none for an unknown one.
    pub fn accounts(&self, target: &TargetName) -> Arc<[Ident]> {
        self.0.get(target).map_or_else(|| Arc::from([]), |pools| Arc::clone(&pools.accounts))
    }

    /// What is known of every target, by name.
    pub fn health(&self) -> Vec<(TargetName, TargetHealth)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, pools)| (name.clone(), pools.health())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    fn place(&self, target: &TargetName, database: &DatabaseName) -> Result<&TargetPools, UpstreamError> {
        let Some(pools) = self.0.get(target) else {
            return Err(UpstreamError::UnknownTarget { target: target.clone() });
        };
        if pools.settings.databases.as_ref().is_some_and(|listed| !listed.contains(database)) {
            return Err(UpstreamError::UnknownDatabase {
                target: target.clone(),
                database: database.clone(),
            });
        }
        Ok(pools)
    }
}

impl TargetPools {
    fn new(settings: TargetSettings, metrics: &Metrics) -> Self {
        let settings = Arc::new(settings);
        let lane = |lane| Arc::new(LanePool::new(Arc::clone(&settings), lane, metrics));
        Self {
            accounts: settings.accounts.names(),
            up: metrics.target(&settings.name).up,
            read: lane(Lane::Read),
            write: lane(Lane::Write),
            admin: lane(Lane::Admin),
            catalogs: Mutex::default(),
            settings,
        }
    }

    const fn lane(&self, lane: Lane) -> &Arc<LanePool> {
        match lane {
            Lane::Read => &self.read,
            Lane::Write => &self.write,
            Lane::Admin => &self.admin,
        }
    }

    fn health(&self) -> TargetHealth {
        let mut all = Lane::ALL.map(|lane| self.lane(lane).health().now()).into_iter();
        let read = self.read.health().now();
        match all.find(|health| health.problem.is_some()) {
            Some(problem) => problem,
            None => read,
        }
    }

    /// Once a second: closes what is too old, and asks a target that nobody has reached lately.
    ///
    /// The first time it logs in on every lane, so that a wrong account is known at start.
    async fn look_after(&self, first: bool) {
        for lane in Lane::ALL {
            self.lane(lane).reap();
        }
        self.catalogs().retain(|_, source| source.tick());
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

    async fn probe(&self, pool: &LanePool, lane: Lane, first: bool) {
        let listed = self.settings.databases.as_ref().and_then(|listed| listed.first());
        let database = listed.cloned().unwrap_or_else(|| PROBE_DATABASE.into());
        match pool.open(&database).await {
            Ok(connection) => connection.close(),
            // No reason to keep sessions of other databases from trying, and a mistake in the configuration or there.
            Err(error) if first && listed.is_some() && !pool.health().is_down() => {
                let causes = causes(&error);
                tracing::warn!(target_name = %self.settings.name, %lane, %database, causes, "target refuses a listed database");
            }
            Err(_) => {}
        }
    }

    fn catalogs(&self) -> MutexGuard<'_, HashMap<DatabaseName, CatalogSource>> {
        self.catalogs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target that somebody reached within this time is not asked.
const PROBE_AFTER: Duration = Duration::from_secs(15);
/// Asked for where the configuration lists no database; that it does not exist is an answer, too.
const PROBE_DATABASE: &str = "postgres";
