//! Makes a used connection as it was after login, so that nothing of one person is visible to the next.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::rand;
use tokio::time::timeout;

use super::{protocol::Postgres, setup::own_query, statements::RESERVED};
use crate::{
    model::target::Lane,
    upstream::{connection::Connection, error::UpstreamError},
    wire::postgres::backend::TransactionStatus,
};

/// Resets, and checks that it worked.
///
/// DISCARD ALL ends prepared statements, cursors, temporary tables, LISTEN, advisory locks, sequence states, roles
/// and settings; settings fall back to those of the startup. It leaves the seed of `random()`, which is set anew.
/// Where prepared statements of the gateway's own names stand, what it does is done one by one, but for them; if then
/// not exactly those stand there that should, they all go.
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
    let statements = &mut connection.session.statements;
    let keeps = !statements.is_empty() && statements.is_certain();
    if !keeps {
        statements.clear();
    }
    let discard = if keeps { DISCARD_BUT_STATEMENTS } else { &[DISCARD_ALL] };
    if in_transaction {
        own_query(&mut connection.output, "ROLLBACK");
    }
    own_query(&mut connection.output, &texts(discard));
    own_query(&mut connection.output, &check_text());
    let queries = 2 + usize::from(in_transaction);
    let answers = timeout(RESET_TIMEOUT, connection.collect(queries)).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: connection.target.clone(), what: "resetting a connection" })
    })?;
    connection.session.settings = Arc::default();
    connection.session.tag = None;
    // They were for the one who listened.
    connection.session.notifications.clear();
    let expected = in_transaction.then_some("ROLLBACK").into_iter();
    let expected = expected.chain(discard.iter().map(|(_, tag)| *tag)).chain(["SELECT 1"]);
    let is_idle = |status: &TransactionStatus| *status == TransactionStatus::Idle;
    if !answers.tags.iter().map(String::as_str).eq(expected) || !answers.statuses.iter().all(is_idle) {
        return Err(connection.unexpected("a reset that did not do what it must"));
    }
    // What the check gives comes last; giving locks back has an answer of its own.
    let row = answers.rows.last();
    let column = |at| row.and_then(|row| row.text(at));
    if lane == Lane::Read && column(0) != Some("on") {
        return Err(connection.unexpected("its read lane is no longer read-only"));
    }
    connection.session.takes_writes = column(3) == Some("f");
    let same_path = column(1) == Some(connection.session.search_path.as_str());
    if !same_path || column(2) != Some("on") {
        return Err(connection.unexpected("other settings than after login"));
    }
    let stand = connection.session.statements.len().to_string();
    if column(4) != Some(stand.as_str()) || column(5) != Some(stand.as_str()) {
        return deallocate_all(connection).await;
    }
    Ok(())
}

/// Ends all prepared statements: others stand there than should.
async fn deallocate_all(connection: &mut Connection<Postgres>) -> Result<(), UpstreamError> {
    connection.session.statements.clear();
    own_query(&mut connection.output, "DEALLOCATE ALL");
    let answers = timeout(RESET_TIMEOUT, connection.collect(1)).await.unwrap_or_else(|_| {
        Err(UpstreamError::Timeout { target: connection.target.clone(), what: "resetting a connection" })
    })?;
    if answers.tags == ["DEALLOCATE ALL"] {
        Ok(())
    } else {
        Err(connection.unexpected("a reset that did not do what it must"))
    }
}

fn texts(discard: &[(&str, &str)]) -> String {
    discard.iter().map(|(text, _)| *text).collect::<Vec<_>>().join("; ")
}

fn check_text() -> String {
    let mut seed = [0; 4];
    // Without fresh randomness the seed is fixed, which still tells nothing of the session before.
    let _ = rand::fill(&mut seed);
    let seed = f64::from(i32::from_be_bytes(seed)) / f64::from(i32::MIN);
    format!(
        "SELECT pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_setting('search_path'), \
         pg_catalog.current_setting('standard_conforming_strings'), pg_catalog.pg_is_in_recovery(), \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements), \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql \
            AND pg_catalog.left(name, {length}) OPERATOR(pg_catalog.=) '{RESERVED}'), \
         pg_catalog.setseed({seed:.9})",
        length = RESERVED.len(),
    )
}

/// What ends everything, and its tag.
const DISCARD_ALL: (&str, &str) = ("DISCARD ALL", "DISCARD ALL");

/// The same but for prepared statements, in the same order: closing portals may run code.
///
/// Plans that were made under settings of the session go, too.
///
/// Source: PostgreSQL manual, "DISCARD".
const DISCARD_BUT_STATEMENTS: &[(&str, &str)] = &[
    ("CLOSE ALL", "CLOSE CURSOR ALL"),
    ("SET SESSION AUTHORIZATION DEFAULT", "SET"),
    ("RESET ALL", "RESET"),
    ("UNLISTEN *", "UNLISTEN"),
    ("SELECT pg_catalog.pg_advisory_unlock_all()", "SELECT 1"),
    ("DISCARD PLANS", "DISCARD PLANS"),
    ("DISCARD TEMP", "DISCARD TEMP"),
    ("DISCARD SEQUENCES", "DISCARD SEQUENCES"),
];

/// Reset is a round trip; a server that is slower than this is not well.
const RESET_TIMEOUT: Duration = Duration::from_secs(5);
