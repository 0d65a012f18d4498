//! Hearing of what other gateways changed.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::{
    database::Store,
    error::{StoreError, doing},
    pool::{Pool, late},
    row::value,
    sql::query,
};

/// Tells when it is time to look at a store that others change, too: when its server says so, and once a second whatever
/// it says.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    /// Where the triggers of the migrations tell of it.
    channel: &'static str,
    listener: Option<PgListener>,
    /// Not before this it is listened anew, however often the server is lost.
    listen_at: Instant,
    look_at: Instant,
}

/// Why it is time to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Somebody may have changed something.
    Changed,
    /// A second is over.
    Routine,
}

impl Store {
    /// Follows what others change; `None` if there are no others.
    pub fn follow(&self) -> Option<Follower> {
        self.follow_on("tidegate_snapshot")
    }

    /// Follows what others ask of the sessions here; `None` if there are no others.
    pub fn follow_errands(&self) -> Option<Follower> {
        self.follow_on("tidegate_errands")
    }

    fn follow_on(&self, channel: &'static str) -> Option<Follower> {
        let now = Instant::now();
        self.is_shared().then(|| Follower {
            store: self.clone(),
            channel,
            listener: None,
            listen_at: now,
            look_at: now,
        })
    }

    /// The number of the last change, and how long ago it was made by the server's clock; for a store that is shared.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn age_of(&self, name: &str) -> Result<Option<Duration>, StoreError> {
        let row = query(
            "SELECT CAST(1000000 * EXTRACT(EPOCH FROM clock_timestamp() - changed_at) AS BIGINT) AS age FROM meta \
             WHERE name = $1",
        )
        .bind(name)
        .fetch_optional(&self.pool)
        .await
        .map_err(doing("read the age of a value"))?;
        let age: Option<i64> = row.map(|row| value(&row, "age")).transpose()?;
        Ok(age.map(|age| Duration::from_micros(u64::try_from(age).unwrap_or(0))))
    }
}

impl Follower {
    /// Waits until it is time to look.
    pub async fn next(&mut self) -> Look {
        if self.listener.is_none() && self.listen_at <= Instant::now() {
            self.listen_at = Instant::now() + EVERY;
            self.listener = self.listen().await.inspect_err(|error| debug!(%error, "not listening")).ok();
            if self.listener.is_some() {
                // What was said before is not heard any more.
                return Look::Changed;
            }
        }
        let look_at = self.look_at;
        let heard = async {
            match &mut self.listener {
                Some(listener) => listener.try_recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            heard = heard => match heard {
                Ok(Some(_)) => {
                    self.drain();
                    Look::Changed
                }
                // The connection was lost: nobody knows what was said meanwhile.
                Ok(None) | Err(_) => {
                    warn!("the store's server is not heard any more; it is listened to again");
                    self.listener = None;
                    self.look_at = Instant::now() + EVERY;
                    Look::Changed
                }
            },
            () = sleep_until(look_at) => {
                self.look_at = Instant::now() + EVERY;
                Look::Routine
            }
        }
    }

    /// To be called when a look that nobody asked for found something: the server may no longer be heard.
    pub fn missed(&mut self) {
        self.listener = None;
    }

    /// What was said several times is looked at once.
    fn drain(&mut self) {
        while self.listener.as_mut().and_then(PgListener::next_buffered).is_some() {}
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let Pool::Postgres(pool) = &*self.store.pool else { return Err(sqlx::Error::PoolClosed) };
        let listening = async {
            let mut listener = PgListener::connect_with(&pool.connections).await?;
            listener.eager_reconnect(false);
            listener.listen(self.channel).await?;
            Ok(listener)
        };
        timeout(LISTEN_TIMEOUT, listening).await.unwrap_or_else(|_| Err(late()))
    }
}

const EVERY: Duration = Duration::from_secs(1);
const LISTEN_TIMEOUT: Duration = Duration::from_secs(3);
