//! Makes a used connection as it was after login, so that nothing of one person is visible to the next.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::rand;
use tokio::time::timeout;

use super::{protocol::Postgres, setup::own_query};
use crate::{
    model::target::Lane,
    upstream::{connection::Connection, error::UpstreamError},
    wire::postgres::backend::TransactionStatus,
};

/// Resets, and checks that it worked.
///
/// DISCARD ALL ends prepared statements, cursors, temporary tables, LISTEN, advisory locks, sequence states, roles
/// and settings; settings fall back to those of the startup. It leaves the seed of `random()`, which is set anew.
///
/// # Errors
/// Any, and the connection is of no further use.
///
/// Source: PostgreSQL manual, "DISCARD".
pub(super) async fn reset(
    connection: &mut Connection<Postgres>,
    lane: Lane,
    in_transaction: bool,
) -> Result<(), UpstreamError> {
    if in_transaction {
        own_query(&mut connection.output, "ROLLBACK");
    }
    own_query(&mut connection.output, "DISCARD ALL");
    own_query(&mut connection.output, &check_text());
    let queries = 2 + usize::from(in_transaction);
    let answers = timeout(RESET_TIMEOUT, connection.collect(queries)).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: connection.target.clone(), what: "resetting a connection" })
    })?;
    connection.session.settings = Arc::default();
    connection.session.tag = None;
    // They were for the one who listened.
    connection.session.notifications.clear();
    let expected: &[&str] =
        if in_transaction { &["ROLLBACK", "DISCARD ALL", "SELECT 1"] } else { &["DISCARD ALL", "SELECT 1"] };
    if answers.tags != expected || answers.statuses.iter().any(|status| *status != TransactionStatus::Idle) {
        return Err(connection.unexpected("a reset that did not do what it must"));
    }
    let row = answers.rows.first();
    let column = |at| row.and_then(|row| row.text(at));
    if lane == Lane::Read && column(0) != Some("on") {
        return Err(connection.unexpected("its read lane is no longer read-only"));
    }
    connection.session.takes_writes = column(3) == Some("f");
    let same_path = column(1) == Some(connection.session.search_path.as_str());
    if !same_path || column(2) != Some("on") {
        return Err(connection.unexpected("other settings than after login"));
    }
    Ok(())
}

fn check_text() -> String {
    let mut seed = [0; 4];
    // Without fresh randomness the seed is fixed, which still tells nothing of the session before.
    let _ = rand::fill(&mut seed);
    let seed = f64::from(i32::from_be_bytes(seed)) / f64::from(i32::MIN);
    format!(
        "SELECT pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_setting('search_path'), \
         pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.pg_is_in_recovery(), \
         pg_catalog.setseed({seed:.9})"
    )
}

/// Reset is a round trip; a server that is slower than this is not well.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);
