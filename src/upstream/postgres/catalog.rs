//! What each database holds, read over a read-lane connection of the gateway's own and kept up to date.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as StdMutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    catalog_text::{CATALOG_TEXT, read},
    protocol::Postgres,
    setup::own_query,
};
use crate::{
    model::{catalog::Catalog, ids::DatabaseName, refusal::RefusalCode},
    upstream::{connection::Connection, error::UpstreamError, health::causes, pool::LanePool},
};

/// The next catalog's version: no two of the process have the same.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// The catalog of one database; cheap to clone, all clones share one reading.
///
/// The connection it reads over is one more than the pool's, and is closed when the catalog is not in use.
#[derive(Clone, Debug)]
pub struct CatalogSource(Arc<Source>);

/// What a database's sessions begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Major version of the server ("15"); 0 if it did not say.
    pub version: u32,
    /// ParameterStatus of a fresh session, in the order of arrival.
    pub parameters: Vec<(String, String)>,
    /// Its `search_path`, as `current_setting` shows it.
    pub search_path: String,
}

/// The catalogs of a target's databases that are or were in use.
#[derive(Debug, Default)]
pub struct Catalogs(StdMutex<HashMap<DatabaseName, CatalogSource>>);

#[derive(Debug)]
struct Source {
    pool: Arc<LanePool<Postgres>>,
    database: DatabaseName,
    /// Rises whenever somebody knows of a change; a reading is good if it began after that.
    wanted: AtomicU64,
    loaded: ArcSwapOption<Loaded>,
    /// Held while reading, so that one reads and the others wait for it.
    connection: Mutex<Option<Connection<Postgres>>>,
    refreshing: AtomicBool,
    /// Sessions that begin now may begin otherwise than the connection did.
    doubted: AtomicBool,
    idle_seconds: AtomicU32,
}

#[derive(Debug)]
struct Loaded {
    catalog: Arc<Catalog>,
    facts: Arc<ServerFacts>,
    wanted: u64,
    at: Instant,
}

impl Catalogs {
    /// The one of `database`, which is read over `pool`.
    pub(crate) fn of(&self, database: &DatabaseName, pool: &Arc<LanePool<Postgres>>) -> CatalogSource {
        let new = || CatalogSource::new(Arc::clone(pool), database.clone());
        self.all().entry(database.clone()).or_insert_with(new).clone()
    }

    /// Definitions of a database changed: its catalog, if there is one, is read again before it is next used.
    pub(crate) fn changed(&self, database: &DatabaseName) {
        let source = self.all().get(database).cloned();
        if let Some(source) = source {
            source.changed();
        }
    }

    /// Nobody is to be connected to a database: the connection over which its catalog is read is closed.
    pub(crate) fn vacate(&self, database: &DatabaseName) {
        let Some(source) = self.all().get(database).cloned() else { return };
        tokio::spawn(async move {
            // Once whoever reads over it is done.
            if let Some(connection) = source.0.connection.lock().await.take() {
                connection.close();
            }
        });
    }

    /// Called once a second: forgets what nobody uses.
    pub(crate) fn tick(&self) {
        self.all().retain(|_, source| source.tick());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<DatabaseName, CatalogSource>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CatalogSource {
    fn new(pool: Arc<LanePool<Postgres>>, database: DatabaseName) -> Self {
        Self(Arc::new(Source {
            pool,
            database,
            wanted: AtomicU64::new(1),
            loaded: ArcSwapOption::empty(),
            connection: Mutex::new(None),
            refreshing: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            idle_seconds: AtomicU32::new(0),
        }))
    }

    /// The catalog, if the last reading still holds; takes no lock. `None` asks for [`Self::fresh`].
    ///
    /// Sees to it that what is in use is read again every `catalog_refresh`, in the background. Must be called
    /// inside the runtime.
    pub fn current(&self) -> Option<Arc<Catalog>> {
        self.loaded().map(|loaded| Arc::clone(&loaded.catalog))
    }

    /// The catalog, read now if need be. It is the same `Arc` as before unless its content changed.
    ///
    /// # Errors
    /// `Catalog`. Closed: without it, nothing is known of the database.
    pub async fn fresh(&self) -> Result<Arc<Catalog>, UpstreamError> {
        self.reading().await.map(|loaded| Arc::clone(&loaded.catalog))
    }

    /// What sessions of this database begin with.
    ///
    /// # Errors
    /// As [`Self::fresh`].
    pub async fn facts(&self) -> Result<Arc<ServerFacts>, UpstreamError> {
        self.reading().await.map(|loaded| Arc::clone(&loaded.facts))
    }

    /// Definitions changed: readings that began before now no longer hold.
    pub fn changed(&self) {
        self.0.wanted.fetch_add(1, Ordering::SeqCst);
    }

    /// What sessions begin with may have changed: it is read again, over a connection that is made then.
    pub fn doubt_facts(&self) {
        self.0.doubted.store(true, Ordering::SeqCst);
        self.changed();
    }

    /// Called once a second. Closes the connection when nobody uses the catalog; false when it may be forgotten.
    fn tick(&self) -> bool {
        let idle = self.0.idle_seconds.fetch_add(1, Ordering::Relaxed);
        if idle > CONNECTION_IDLE_SECONDS
            && let Ok(mut connection) = self.0.connection.try_lock()
            && let Some(connection) = connection.take()
        {
            connection.close();
        }
        let keep =
            if self.0.loaded.load().is_some() { FORGET_AFTER_SECONDS } else { CONNECTION_IDLE_SECONDS };
        idle < keep
    }

    async fn reading(&self) -> Result<Arc<Loaded>, UpstreamError> {
        match self.loaded() {
            Some(loaded) => Ok(loaded),
            None => self.0.load(true).await,
        }
    }

    fn loaded(&self) -> Option<Arc<Loaded>> {
        let source = &self.0;
        source.idle_seconds.store(0, Ordering::Relaxed);
        let loaded = source.loaded.load_full()?;
        if loaded.wanted < source.wanted.load(Ordering::SeqCst) {
            return None;
        }
        let (age, refresh) = (loaded.at.elapsed(), source.pool.target().pool.catalog_refresh);
        if age >= refresh.saturating_mul(3) {
            // Closed: a catalog that could not be renewed for so long is not believed any more.
            return None;
        }
        if age >= refresh && !source.refreshing.swap(true, Ordering::SeqCst) {
            let source = Arc::clone(source);
            tokio::spawn(async move {
                // A failure is told of where it happens.
                let _ = source.load(false).await;
                source.refreshing.store(false, Ordering::SeqCst);
            });
        }
        Some(loaded)
    }
}

impl Source {
    /// Reads, or waits for whoever reads; `shared` takes that reading for ours.
    async fn load(&self, shared: bool) -> Result<Arc<Loaded>, UpstreamError> {
        let asked = self.wanted.load(Ordering::SeqCst);
        let mut kept = self.connection.lock().await;
        let refresh = self.pool.target().pool.catalog_refresh;
        // A reading that began before we asked is good, too, if no change was known of when it began.
        let holds = |it: &Arc<Loaded>| shared && it.wanted >= asked && it.at.elapsed() < refresh;
        if let Some(loaded) = self.loaded.load_full().filter(holds) {
            return Ok(loaded);
        }
        // INVARIANT: taken before the reading begins, so that a change during it asks for another.
        let wanted = self.wanted.load(Ordering::SeqCst);
        let at = Instant::now();
        let reusable = kept.take().filter(|_| !self.doubted.swap(false, Ordering::SeqCst));
        let (connection, found) = self.read(reusable).await.map_err(|source| self.failed(source))?;
        let facts = facts(&connection);
        *kept = Some(connection);
        let loaded = Arc::new(self.renew(found, facts, wanted, at));
        self.loaded.store(Some(Arc::clone(&loaded)));
        Ok(loaded)
    }

    fn failed(&self, source: UpstreamError) -> UpstreamError {
        let target = self.pool.target().name.clone();
        // Told of once, where it is found out, and clearer than that there is no catalog.
        if matches!(source, UpstreamError::Unavailable { .. }) {
            return source;
        }
        // A database that does not exist is the client's mistake.
        if source.code() != RefusalCode::InvalidCatalogName {
            let causes = causes(&source);
            tracing::warn!(target_name = %target, database = %self.database, causes, "catalog could not be read");
        }
        UpstreamError::Catalog { target, database: self.database.clone(), source: Box::new(source) }
    }

    fn renew(&self, mut found: Catalog, facts: ServerFacts, wanted: u64, at: Instant) -> Loaded {
        let before = self.loaded.load_full();
        let (mut catalog, mut kept_facts) = (None, None);
        if let Some(before) = &before {
            found.version = before.catalog.version;
            // The same Arc while nothing changed: facts that were worked out with it stay valid.
            catalog = Some(&before.catalog).filter(|it| ***it == found).map(Arc::clone);
            kept_facts = Some(&before.facts).filter(|it| ***it == facts).map(Arc::clone);
        }
        // Not one more than before: a catalog that was forgotten in between began anew.
        found.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
        Loaded {
            catalog: catalog.unwrap_or_else(|| Arc::new(found)),
            facts: kept_facts.unwrap_or_else(|| Arc::new(facts)),
            wanted,
            at,
        }
    }

    async fn read(
        &self,
        kept: Option<Connection<Postgres>>,
    ) -> Result<(Connection<Postgres>, Catalog), UpstreamError> {
        if let Some(mut connection) = kept
            && connection.is_quiet()
            && let Ok(catalog) = ask(&mut connection).await
        {
            return Ok((connection, catalog));
        }
        let mut connection = self.pool.open(&self.database).await?;
        let catalog = ask(&mut connection).await?;
        Ok((connection, catalog))
    }
}

async fn ask(connection: &mut Connection<Postgres>) -> Result<Catalog, UpstreamError> {
    own_query(&mut connection.output, CATALOG_TEXT);
    let answers = timeout(READ_TIMEOUT, connection.collect(1)).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: connection.target.clone(), what: "reading the catalog" })
    })?;
    if answers.tags.last().map(String::as_str) != Some("COMMIT") {
        return Err(connection.unexpected("a catalog without an end"));
    }
    read(&answers.rows).ok_or_else(|| connection.unexpected("a catalog that cannot be read"))
}

fn facts(connection: &Connection<Postgres>) -> ServerFacts {
    let parameters = connection.session.logged_in.parameters.clone();
    let version = parameters.iter().find(|(name, _)| name == "server_version");
    let major = version.map(|(_, value)| value.chars().take_while(char::is_ascii_digit).collect::<String>());
    ServerFacts {
        version: major.and_then(|digits| digits.parse().ok()).unwrap_or_default(),
        parameters,
        search_path: connection.session.search_path.clone(),
    }
}

/// Tens of thousands of relations take well under a second.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECTION_IDLE_SECONDS: u32 = 60;
const FORGET_AFTER_SECONDS: u32 = 3600;
