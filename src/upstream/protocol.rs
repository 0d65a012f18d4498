//! The seam: what differs between the databases, as far as connections go.

use std::fmt;

use bytes::BytesMut;

use super::{connection::Connection, error::UpstreamError, settings::TargetSettings, survey::Told};
use crate::model::{ids::DatabaseName, secret::Secret, target::Lane};

/// What a target speaks. Everything else of this folder is the same for all of them.
///
/// Whoever calls the `async` parts bounds their time.
pub trait Protocol: Copy + fmt::Debug + Send + Sync + 'static {
    /// What an idle connection has to be like for the session that asks for one.
    type Home: Clone + fmt::Debug + Eq + Send + Sync;
    /// What is known of the upstream's session, from its login on.
    type Session: fmt::Debug + Send + Sync;
    /// Names a running session of the upstream to whoever cancels it.
    type Key: Clone + fmt::Debug + Send + Sync;
    /// What is kept of a whole target.
    type Known: Default + fmt::Debug + Send + Sync;

    /// What the gateway itself asks for when it looks whether a target answers.
    fn probe_home(listed: Option<&DatabaseName>) -> Self::Home;

    /// The database that a session of this kind begins in; `None` for none.
    fn database(home: &Self::Home) -> Option<&DatabaseName>;

    /// Whether an idle connection that is like `idle` can be made like `wanted` by [`Self::move_to`].
    fn can_move(idle: &Self::Home, wanted: &Self::Home) -> bool;

    /// Makes an idle connection like `wanted`.
    ///
    /// # Errors
    /// `Login` with what a login would have been answered, where that leaves the target up: the connection is as it
    /// was then. Any other, and it is of no further use.
    fn move_to(
        connection: &mut Connection<Self>,
        wanted: &Self::Home,
        lane: Lane,
    ) -> impl Future<Output = Result<(), UpstreamError>> + Send;

    /// Dials, secures, logs in, and asks the fresh connection what it has to be known for.
    ///
    /// # Errors
    /// `Dial`, `Tls`, `TlsRefused`, `Login`, and those of the statements of our own.
    fn open(
        target: &TargetSettings,
        home: &Self::Home,
        lane: Lane,
        secret: Secret<String>,
    ) -> impl Future<Output = Result<Connection<Self>, UpstreamError>> + Send;

    /// Makes a used connection as it was after login, and checks that it is.
    ///
    /// # Errors
    /// Any, and the connection is of no further use.
    fn reset(
        connection: &mut Connection<Self>,
        lane: Lane,
        in_transaction: bool,
    ) -> impl Future<Output = Result<(), UpstreamError>> + Send;

    /// Stops what runs on the connection of `key`, over another connection.
    ///
    /// # Errors
    /// As [`Self::open`], and `Lost`.
    fn cancel(
        target: &TargetSettings,
        lane: Lane,
        key: &Self::Key,
    ) -> impl Future<Output = Result<(), UpstreamError>> + Send;

    /// What cancels this session; `None` if the upstream did not say.
    fn key(session: &Self::Session) -> Option<Self::Key>;

    /// What the account of a fresh connection may do that no lane below admin needs, in words; empty for nothing.
    /// With `only_reads` its lane does not even write.
    ///
    /// # Errors
    /// Those of the statements of our own.
    fn excess(
        connection: &mut Connection<Self>,
        only_reads: bool,
    ) -> impl Future<Output = Result<String, UpstreamError>> + Send;

    /// What the server of a fresh connection tells of itself.
    ///
    /// # Errors
    /// Those of the statements of our own.
    fn tell(connection: &mut Connection<Self>) -> impl Future<Output = Result<Told, UpstreamError>> + Send;

    /// Whether the server refuses a statement that would write, because the connection is held read-only. It is tried
    /// with one that changes nothing where it is not refused. The connection is of no further use then.
    ///
    /// # Errors
    /// `Lost`, `Protocol`, `Unexpected`.
    fn refuses_writes(
        connection: &mut Connection<Self>,
    ) -> impl Future<Output = Result<bool, UpstreamError>> + Send;

    /// Whether the server takes writes, as it said when it was last asked.
    fn takes_writes(session: &Self::Session) -> bool;

    /// Whether everything that was begun was sent to its end.
    fn is_whole(session: &Self::Session) -> bool;

    /// Appends the goodbye.
    fn farewell(output: &mut BytesMut);

    /// A connection was opened: keeps what it told of the server.
    fn opened(known: &Self::Known, session: &Self::Session);

    /// Called once a second: gives up what nobody uses.
    fn tick(known: &Self::Known);
}
