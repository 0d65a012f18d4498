//! Connections to either database. Those to a server are never waited for without an end.

use std::{
    io,
    sync::Mutex,
    time::{Duration, Instant},
};

use sqlx::{PgConnection, PgPool, Postgres, SqlitePool, pool::PoolConnection};
use tokio::time::{error::Elapsed, timeout};

use super::transaction::Transaction;

/// The connections of a store.
#[derive(Debug)]
pub(super) enum Pool {
    Postgres(PostgresPool),
    Sqlite(SqlitePool),
}

impl Pool {
    /// Begins a transaction that will write.
    pub(super) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
            Self::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.connections.close().await,
            Self::Sqlite(pool) => pool.close().await,
        }
    }
}

/// Connections to a PostgreSQL.
///
/// A server that hangs (its host is gone, a cable is cut) is noticed by the clock, not by TCP: a connection that does not
/// answer in time is thrown away. While no connection can be made, one caller a second tries; the others fail at once.
#[derive(Debug)]
pub(super) struct PostgresPool {
    pub(super) connections: PgPool,
    failed_at: Mutex<Option<Instant>>,
}

impl PostgresPool {
    pub(super) fn new(connections: PgPool) -> Self {
        Self { connections, failed_at: Mutex::new(None) }
    }

    async fn begin(&self) -> Result<OpenPostgres, sqlx::Error> {
        let mut open = self.open().await?;
        let begun = timeout(PATIENCE, sqlx::query("BEGIN").execute(open.connection()?)).await;
        open.settle(begun)?;
        open.state = State::Begun;
        Ok(open)
    }

    /// A connection of one's own.
    pub(super) async fn open(&self) -> Result<OpenPostgres, sqlx::Error> {
        let failed_at = self.failed_at();
        if failed_at.is_some_and(|at| at.elapsed() < TRY_AGAIN_AFTER) {
            return Err(late());
        }
        match self.connections.acquire().await {
            Ok(connection) => {
                self.set_failed_at(None);
                Ok(OpenPostgres { connection: Some(connection), state: State::Plain })
            }
            Err(error) => {
                // All in use is not out of reach.
                let is_full = self.connections.size() >= self.connections.options().get_max_connections();
                if !is_full {
                    self.set_failed_at(Some(Instant::now()));
                }
                Err(error)
            }
        }
    }

    fn failed_at(&self) -> Option<Instant> {
        *self.failed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_failed_at(&self, at: Option<Instant>) {
        *self.failed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = at;
    }
}

/// A connection in use. What is begun on it is undone by its end, unless it is committed.
#[derive(Debug)]
pub(super) struct OpenPostgres {
    /// `None` once it was thrown away.
    connection: Option<PoolConnection<Postgres>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a transaction.
    Begun,
    /// In a transaction of which a statement failed: the server would take its COMMIT for a ROLLBACK, without a word.
    Failed,
    /// In none.
    Plain,
}

impl OpenPostgres {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or_else(late)
    }

    /// What became of a statement that was given [`PATIENCE`]; a connection that took longer is thrown away.
    pub(super) fn settle<T>(
        &mut self,
        done: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, sqlx::Error> {
        let done = done.unwrap_or_else(|_| {
            self.throw_away();
            Err(late())
        });
        if done.is_err() && self.state == State::Begun {
            self.state = State::Failed;
        }
        done
    }

    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        if self.state == State::Failed {
            return Err(sqlx::Error::Protocol("a part of the transaction failed".to_owned()));
        }
        let done = timeout(PATIENCE, sqlx::query("COMMIT").execute(self.connection()?)).await;
        self.settle(done)?;
        self.state = State::Plain;
        Ok(())
    }

    /// Closes the connection without a word; the server undoes what was begun on it.
    fn throw_away(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(connection.detach());
        }
    }
}

impl Drop for OpenPostgres {
    fn drop(&mut self) {
        if self.state == State::Plain {
            return;
        }
        let Some(mut connection) = self.connection.take() else { return };
        // Undone in the background: whoever drops it need not wait, and a connection that cannot do it is closed.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let undone = timeout(PATIENCE, sqlx::query("ROLLBACK").execute(&mut *connection)).await;
                if !matches!(undone, Ok(Ok(_))) {
                    drop(connection.detach());
                }
            });
        }
    }
}

pub(super) fn late() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database server does not answer"))
}

/// How long a server may take for one statement. Its own `statement_timeout` is a little less.
pub(super) const PATIENCE: Duration = Duration::from_secs(6);
/// How long a server that could not be reached is left alone.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
