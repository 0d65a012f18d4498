//! All targets: the door of this folder.

use std::{collections::HashMap, sync::Arc};

use super::{
    asking::{Asker, Asking},
    error::UpstreamError,
    health::TargetHealth,
    lease::Lease,
    mysql::{self, Mysql},
    postgres::{CatalogSource, Postgres, ServerFacts},
    protocol::Protocol,
    settings::{Attribution, TargetSettings},
    target::TargetPools,
};
use crate::{
    metrics::Metrics,
    model::{
        catalog::Catalog,
        dialect::Dialect,
        ids::{DatabaseName, Ident, PrincipalName, TargetName},
        target::Lane,
    },
};

/// The connections to all targets; cheap to clone. What is idle is closed when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Pools(Arc<Groups>);

/// The targets by what they speak; a session asks among those of its own protocol.
#[derive(Debug, Default)]
struct Groups {
    mysql: Group<Mysql>,
    postgres: Group<Postgres>,
}

/// The targets that speak one protocol.
type Group<P> = HashMap<TargetName, Arc<TargetPools<P>>>;

impl Pools {
    /// Opens nothing yet, but looks after idle connections, and after targets that nobody asks for, from now on.
    ///
    /// Must be called inside the runtime.
    pub fn new(targets: impl IntoIterator<Item = TargetSettings>, metrics: &Metrics) -> Self {
        let mut groups = Groups::default();
        for target in targets {
            let name = target.name.clone();
            match target.dialect {
                Dialect::Mysql => drop(groups.mysql.insert(name, TargetPools::start(target, metrics))),
                Dialect::Postgres => drop(groups.postgres.insert(name, TargetPools::start(target, metrics))),
            }
        }
        Self(Arc::new(groups))
    }

    /// Asks for a connection to a PostgreSQL target.
    ///
    /// # Errors
    /// `UnknownTarget`, `UnknownDatabase`.
    pub fn ask(
        &self,
        target: &TargetName,
        database: &DatabaseName,
        lane: Lane,
        asker: Asker,
    ) -> Result<Asking<Postgres>, UpstreamError> {
        Ok(Asking::new(place(&self.0.postgres, target, Some(database))?.lane(lane), asker))
    }

    /// Asks for a connection to a MySQL target.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_mysql(
        &self,
        target: &TargetName,
        database: Option<&DatabaseName>,
        lane: Lane,
        asker: Asker,
    ) -> Result<Asking<Mysql>, UpstreamError> {
        Ok(Asking::new(place(&self.0.mysql, target, database)?.lane(lane), asker))
    }

    /// Lends a connection to a PostgreSQL target; waits in the line of `principal` for one if need be.
    ///
    /// # Errors
    /// As [`Self::ask`] and [`Asking::lease`].
    pub async fn lease(
        &self,
        target: &TargetName,
        database: &DatabaseName,
        lane: Lane,
        principal: &PrincipalName,
    ) -> Result<Lease, UpstreamError> {
        self.ask(target, database, lane, Asker::unbounded(principal.clone()))?.lease(database).await
    }

    /// Lends a connection to a MySQL target; waits in the line of `principal` for one if need be.
    ///
    /// # Errors
    /// As [`Self::lease`].
    pub async fn lease_mysql(
        &self,
        target: &TargetName,
        home: &mysql::Home,
        lane: Lane,
        principal: &PrincipalName,
    ) -> Result<Lease<Mysql>, UpstreamError> {
        let asker = Asker::unbounded(principal.clone());
        self.ask_mysql(target, Mysql::database(home), lane, asker)?.lease(home).await
    }

    /// What a MySQL server says of itself: from the newest connection to it, or from one that is opened now.
    ///
    /// # Errors
    /// `UnknownTarget`, and those of connecting.
    pub async fn mysql_facts(&self, target: &TargetName) -> Result<Arc<mysql::ServerFacts>, UpstreamError> {
        let pools = place(&self.0.mysql, target, None)?;
        if let Some(facts) = pools.known.current() {
            return Ok(facts);
        }
        let listed = pools.settings.databases.as_ref().and_then(|listed| listed.first());
        let connection = pools.lane(Lane::Read).open(&Mysql::probe_home(listed)).await?;
        let facts = Arc::clone(&connection.session.facts);
        connection.close();
        Ok(facts)
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
        let pools = place(&self.0.postgres, target, Some(database))?;
        // What follows the writer shows definitions late.
        let lane = if pools.settings.reader.is_some() { Lane::Write } else { Lane::Read };
        Ok(pools.known.of(database, pools.lane(lane)))
    }

    /// Definitions of a database changed: its catalog is read again before it is next used.
    pub fn catalog_changed(&self, target: &TargetName, database: &DatabaseName) {
        if let Some(pools) = self.0.postgres.get(target) {
            pools.known.changed(database);
        }
    }

    /// A statement needs a database of PostgreSQL without connections: what is idle there, and what comes home, is closed.
    ///
    /// Must be called inside the runtime.
    pub fn vacate(&self, target: &TargetName, database: &DatabaseName) {
        let Some(pools) = self.0.postgres.get(target) else { return };
        pools.known.vacate(database);
        for lane in Lane::ALL {
            pools.lane(lane).vacate(database);
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
        let groups = &self.0;
        let postgres = groups.postgres.get(target).map(|pools| &pools.accounts);
        let accounts = postgres.or_else(|| groups.mysql.get(target).map(|pools| &pools.accounts));
        accounts.map_or_else(|| Arc::from([]), Arc::clone)
    }

    /// How the servers of a target are told whose statements they run; not at all for an unknown one.
    pub fn attribution(&self, target: &TargetName) -> Attribution {
        let groups = &self.0;
        let postgres = groups.postgres.get(target).map(|pools| pools.settings.attribution);
        let found = postgres.or_else(|| groups.mysql.get(target).map(|pools| pools.settings.attribution));
        found.unwrap_or(Attribution::Off)
    }

    /// What is known of every target, by name.
    pub fn health(&self) -> Vec<(TargetName, TargetHealth)> {
        let mut all: Vec<_> = health(&self.0.postgres).chain(health(&self.0.mysql)).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

fn health<P: Protocol>(group: &Group<P>) -> impl Iterator<Item = (TargetName, TargetHealth)> {
    group.iter().map(|(name, pools)| (name.clone(), pools.health()))
}

fn place<'a, P: Protocol>(
    group: &'a Group<P>,
    target: &TargetName,
    database: Option<&DatabaseName>,
) -> Result<&'a TargetPools<P>, UpstreamError> {
    let Some(pools) = group.get(target) else {
        return Err(UpstreamError::UnknownTarget { target: target.clone() });
    };
    if let (Some(listed), Some(database)) = (&pools.settings.databases, database)
        && !listed.contains(database)
    {
        return Err(UpstreamError::UnknownDatabase { target: target.clone(), database: database.clone() });
    }
    Ok(pools)
}
