//! PostgreSQL as a protocol of connections.

use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;

use super::{Catalogs, Statements, accounts, cancel::cancel, login::log_in, reset::reset};
use crate::{
    model::{
        ids::{DatabaseName, Ident},
        secret::Secret,
        target::Lane,
    },
    upstream::{
        connection::Connection, error::UpstreamError, protocol::Protocol, settings::TargetSettings,
        survey::Told,
    },
    wire::postgres::upstream::{BackendKey, LoggedIn},
};

/// PostgreSQL and Aurora PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub enum Postgres {}

/// Values of settings by name; `None` is the default.
pub type Settings = BTreeMap<Ident, Option<String>>;

/// What is known of a PostgreSQL session.
#[derive(Debug, Default)]
pub struct Session {
    /// ParameterStatus and BackendKeyData.
    pub(crate) logged_in: LoggedIn,
    /// `search_path` as it is after login.
    pub(crate) search_path: String,
    /// Whether its server takes writes, when it was last asked: it is no standby.
    pub(crate) takes_writes: bool,
    /// Settings that it has beside those of its login, and that it keeps while it is idle.
    pub(crate) settings: Arc<Settings>,
    /// What the gateway had it call itself last; `None` where a session, or nobody, has said.
    pub(crate) tag: Option<Arc<str>>,
    /// Prepared statements that stand there under names of the gateway's, and go on to stand there while it is idle.
    pub(crate) statements: Statements,
    /// NotificationResponses that came between the answers to statements of our own, whole.
    pub(crate) notifications: BytesMut,
    /// Bytes of a CopyData that was begun and are still to be sent.
    pub(crate) copy_data_owed: usize,
}

impl Protocol for Postgres {
    /// The database: a connection stays in the one that it began in.
    type Home = DatabaseName;
    type Session = Session;
    type Key = BackendKey;
    type Known = Catalogs;

    fn probe_home(listed: Option<&DatabaseName>) -> DatabaseName {
        listed.cloned().unwrap_or_else(|| PROBE_DATABASE.into())
    }

    fn database(home: &DatabaseName) -> Option<&DatabaseName> {
        Some(home)
    }

    /// A connection stays in its database.
    fn can_move(_idle: &DatabaseName, _wanted: &DatabaseName) -> bool {
        false
    }

    async fn move_to(
        _: &mut Connection<Self>,
        _wanted: &DatabaseName,
        _lane: Lane,
    ) -> Result<(), UpstreamError> {
        Err(UpstreamError::Misuse { what: "a PostgreSQL connection stays in its database" })
    }

    async fn open(
        target: &TargetSettings,
        home: &DatabaseName,
        lane: Lane,
        secret: Secret<String>,
    ) -> Result<Connection<Self>, UpstreamError> {
        let mut connection = log_in(target, home, lane, secret).await?;
        accounts::introduce(&mut connection, lane).await?;
        Ok(connection)
    }

    async fn reset(
        connection: &mut Connection<Self>,
        lane: Lane,
        in_transaction: bool,
    ) -> Result<(), UpstreamError> {
        reset(connection, lane, in_transaction).await
    }

    async fn cancel(target: &TargetSettings, lane: Lane, key: &BackendKey) -> Result<(), UpstreamError> {
        cancel(target, lane, key).await
    }

    fn key(session: &Session) -> Option<BackendKey> {
        session.logged_in.key.clone()
    }

    async fn excess(connection: &mut Connection<Self>, only_reads: bool) -> Result<String, UpstreamError> {
        accounts::excess(connection, only_reads).await
    }

    async fn tell(connection: &mut Connection<Self>) -> Result<Told, UpstreamError> {
        accounts::tell(connection).await
    }

    async fn refuses_writes(connection: &mut Connection<Self>) -> Result<bool, UpstreamError> {
        accounts::refuses_writes(connection).await
    }

    fn takes_writes(session: &Session) -> bool {
        session.takes_writes
    }

    fn is_whole(session: &Session) -> bool {
        session.copy_data_owed == 0
    }

    fn farewell(output: &mut BytesMut) {
        postgres_protocol::message::frontend::terminate(output);
    }

    /// Catalogs are read when they are asked for.
    fn opened(_: &Catalogs, _: &Session) {}

    fn tick(catalogs: &Catalogs) {
        catalogs.tick();
    }
}

/// Asked for where the configuration lists no database; that it does not exist is an answer, too.
const PROBE_DATABASE: &str = "postgres";
