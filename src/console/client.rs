//! A session at the gate, in either protocol.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

use super::{
    error::EditorError,
    line::{Report, Transaction},
    mysql,
    postgres::{self, Copied},
    sink::Sink,
};
use crate::{
    model::{dialect::Dialect, ids::PrincipalName, secret::Secret},
    wire::postgres::upstream::BackendKey,
};

/// A session at the gate.
pub(super) enum Client {
    Mysql(mysql::Session),
    Postgres(postgres::Session),
}

/// What cancels the statements of a session.
#[derive(Clone)]
pub(super) enum Canceller {
    /// The number that KILL takes.
    Mysql(u32),
    Postgres(Option<BackendKey>),
}

impl Client {
    /// Logs `principal` in on `stream`, in ten seconds at most.
    ///
    /// # Errors
    /// `Refused`, `Lost`, `Protocol`, `TimedOut`.
    pub(super) async fn log_in(
        stream: TcpStream,
        dialect: Dialect,
        principal: &PrincipalName,
        database: &str,
        secret: Secret<String>,
    ) -> Result<Self, EditorError> {
        let login = async {
            Ok(match dialect {
                Dialect::Mysql => {
                    Self::Mysql(mysql::Session::log_in(stream, principal, database, secret).await?)
                }
                Dialect::Postgres => {
                    Self::Postgres(postgres::Session::log_in(stream, principal, database, secret).await?)
                }
            })
        };
        timeout(LOGIN, login).await.unwrap_or(Err(EditorError::TimedOut))
    }

    pub(super) fn canceller(&self) -> Canceller {
        match self {
            Self::Mysql(session) => Canceller::Mysql(session.id),
            Self::Postgres(session) => Canceller::Postgres(session.key()),
        }
    }

    pub(super) const fn transaction(&self) -> Transaction {
        match self {
            Self::Mysql(session) => session.transaction(),
            Self::Postgres(session) => session.transaction(),
        }
    }

    /// Runs `sql` and tells everything of it to `sink`.
    ///
    /// # Errors
    /// `Lost` and `Protocol`: the session is over.
    pub(super) async fn run(&mut self, sql: &str, sink: &mut Sink) -> Result<(), EditorError> {
        match self {
            Self::Mysql(session) => session.run(sql, sink).await,
            Self::Postgres(session) => session.run(sql, sink).await,
        }
    }

    /// Begins to send rows as CSV.
    ///
    /// # Errors
    /// `NoExport` for MySQL, which has no statement for it but SELECT; in the result, why it is refused; `Lost` and
    /// `Protocol`: the session is over.
    pub(super) async fn begin_export(&mut self, sql: &str) -> Result<Result<(), Report>, EditorError> {
        match self {
            Self::Mysql(_) => Err(EditorError::NoExport),
            Self::Postgres(session) => session.begin_export(sql).await,
        }
    }

    /// More of what was begun.
    ///
    /// # Errors
    /// As [`Self::begin_export`].
    pub(super) async fn export(&mut self) -> Result<Copied, EditorError> {
        match self {
            Self::Mysql(_) => Err(EditorError::NoExport),
            Self::Postgres(session) => session.export().await,
        }
    }
}

const LOGIN: Duration = Duration::from_secs(10);
