//! A look at one lane of a target, for whoever wants to know whether all is well before anybody depends on it.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    connect::connect, error::UpstreamError, excess::only_reads, mysql::Mysql, postgres::Postgres,
    protocol::Protocol, settings::TargetSettings,
};
use crate::model::{dialect::Dialect, ids::DatabaseName, target::Lane};

/// What a fresh connection of a lane tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The server's version, in its own words.
    pub server: String,
    /// The server's clock.
    pub server_at: Timestamp,
    /// What the account may do that its lane does not need, in words; empty for nothing. The admin lane needs all.
    pub excess: String,
    /// Of the read lane: whether the server refused a statement that writes, which was tried.
    pub refuses_writes: Option<bool>,
    /// Whether the server takes writes at all; a standby does not.
    pub takes_writes: bool,
}

/// What a server tells of itself.
pub struct Told {
    /// Its version, in its own words.
    pub(super) server: String,
    /// Its clock, as `2026-11-21T18:00:00.123456Z`.
    pub(super) clock: String,
}

/// Logs in on a lane and looks around; `database` is the one to begin in, and without it the first of the target's.
///
/// # Errors
/// Those of connecting, and of the statements of our own; `Timeout`.
pub async fn survey(
    target: &Arc<TargetSettings>,
    lane: Lane,
    database: Option<&DatabaseName>,
) -> Result<Survey, UpstreamError> {
    let listed = target.databases.as_ref().and_then(|listed| listed.first());
    let database = database.or(listed);
    match target.dialect {
        Dialect::Mysql => of::<Mysql>(target, lane, database).await,
        Dialect::Postgres => of::<Postgres>(target, lane, database).await,
    }
}

async fn of<P: Protocol>(
    target: &Arc<TargetSettings>,
    lane: Lane,
    database: Option<&DatabaseName>,
) -> Result<Survey, UpstreamError> {
    let mut connection = connect::<P>(target, &P::probe_home(database), lane).await?;
    let looking = async {
        let told = P::tell(&mut connection).await?;
        let server_at = told.clock.parse().map_err(|_| connection.unexpected("no instant as its clock"))?;
        let excess = match lane {
            Lane::Admin => String::new(),
            Lane::Read | Lane::Write => P::excess(&mut connection, only_reads(target, lane)).await?,
        };
        let takes_writes = P::takes_writes(&connection.session);
        // The last: an error leaves the connection of no further use.
        let refuses_writes = match lane {
            Lane::Read => Some(P::refuses_writes(&mut connection).await?),
            Lane::Admin | Lane::Write => None,
        };
        Ok(Survey { server: told.server, server_at, excess, refuses_writes, takes_writes })
    };
    let late = || UpstreamError::Timeout { target: target.name.clone(), what: "looking at it" };
    timeout(target.pool.connect_timeout, looking).await.unwrap_or_else(|_| Err(late()))
}
