//! Makes a used connection as it was after login, so that nothing of one person is visible to the next.

use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::timeout;

use super::{State, protocol::Mysql};
use crate::{
    model::{ids::DatabaseName, target::Lane},
    upstream::{connection::Connection, error::UpstreamError},
    wire::mysql::{capability::Capabilities, command::write},
};

/// Resets, and checks that it worked.
///
/// COM_RESET_CONNECTION rolls back, and ends prepared statements, temporary tables, locks of every kind, user variables,
/// LAST_INSERT_ID and settings, which fall back to the server's own. It leaves the database: the connection is at home
/// in the one that it is in now. It leaves the seed of RAND(), which is set anew, and what COM_SET_OPTION did.
///
/// # Errors
/// Any, and the connection is of no further use.
///
/// Source: MySQL manual, "mysql_reset_connection()".
pub(super) async fn reset(connection: &mut Connection<Mysql>, lane: Lane) -> Result<(), UpstreamError> {
    let role = connection.session.state.role.clone();
    let target = connection.target.clone();
    let work = async {
        if connection.session.option_set {
            let on = connection.session.capabilities.has(Capabilities::MULTI_STATEMENTS);
            let next = write::set_multi_statements(&mut connection.output, on);
            connection.done(next).await?;
            connection.session.option_set = false;
        }
        let next = write::reset_connection(&mut connection.output);
        connection.done(next).await?;
        // The reset leaves the database and forgets its collation (`collation_database`) all the same.
        let home = connection.home.database.as_ref().map(|home| format!("USE `{}`", home.replace('`', "``")));
        settled(connection, lane, home.as_deref()).await
    };
    timeout(RESET_TIMEOUT, work)
        .await
        .unwrap_or(Err(UpstreamError::Timeout { target, what: "resetting a connection" }))?;
    if connection.session.state.role != role {
        return Err(connection.unexpected("other roles than after login"));
    }
    Ok(())
}

/// Sets what every session begins with, and reads back what it is.
///
/// # Errors
/// Those of the statements; `Unexpected` if the connection is not held as its lane must be.
pub(super) async fn settle(connection: &mut Connection<Mysql>, lane: Lane) -> Result<(), UpstreamError> {
    settled(connection, lane, None).await
}

async fn settled(
    connection: &mut Connection<Mysql>,
    lane: Lane,
    home: Option<&str>,
) -> Result<(), UpstreamError> {
    let state = State::text(&connection.session.facts);
    let seeds = seeds();
    let mut texts: Vec<&str> = std::iter::once(NAMES).chain(home).chain(std::iter::once(&*seeds)).collect();
    if lane == Lane::Read {
        texts.push("SET SESSION TRANSACTION READ ONLY");
    }
    texts.push(&state);
    let rows = connection.run(&texts).await?;
    let Some(state) = State::read(&rows) else {
        return Err(connection.unexpected("nothing about its settings"));
    };
    if lane == Lane::Read && !state.read_only {
        return Err(connection.unexpected("its read lane is not read-only"));
    }
    connection.home.database.clone_from(&state.database);
    connection.session.state = state;
    Ok(())
}

/// Makes `database` the current one.
///
/// # Errors
/// `Refused` if it is not there, or not for this account; and those of the connection.
pub(super) async fn use_database(
    connection: &mut Connection<Mysql>,
    database: &DatabaseName,
) -> Result<(), UpstreamError> {
    let next = write::init_db(&mut connection.output, database.as_bytes());
    connection.done(next).await?;
    connection.home.database = Some(database.clone());
    connection.session.state.database = Some(database.clone());
    Ok(())
}

fn seeds() -> String {
    let mut seeds = [0; 8];
    // Without fresh randomness the seeds are fixed, which still tells nothing of the session before.
    let _ = rand::fill(&mut seeds);
    let [a, b, c, d, e, f, g, h] = seeds;
    let (one, two) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    // Below 2^30, which is where the server's generator ends.
    format!("SET SESSION rand_seed1 = {}, SESSION rand_seed2 = {}", one >> 2, two >> 2)
}

/// As a login with the collation of number 45 (utf8mb4_general_ci) leaves it, on which a server falls back to its own
/// default. The numbers are those under which results call their columns' texts.
const NAMES: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, \
                     @@SESSION.character_set_client = 45, @@SESSION.character_set_results = 45";

/// Reset takes two or three round trips; a server that is slower than this is not well.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);
