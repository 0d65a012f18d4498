//! What a fresh connection tells of itself: its own search path, and what its account may do.

use super::{protocol::Postgres, setup::own_query};
use crate::{
    model::target::Lane,
    upstream::{connection::Connection, error::UpstreamError},
    wire::postgres::backend::TransactionStatus,
};

/// Asks a fresh connection for what ParameterStatus does not say; the caller bounds the time.
///
/// # Errors
/// Those of the statement; `Unexpected` if the connection is not held as its lane must be.
pub(super) async fn introduce(
    connection: &mut Connection<Postgres>,
    lane: Lane,
) -> Result<(), UpstreamError> {
    own_query(&mut connection.output, INTRODUCTION);
    let answers = connection.collect(1).await?;
    let Some(row) = answers.rows.first().filter(|_| answers.statuses == [TransactionStatus::Idle]) else {
        return Err(connection.unexpected("nothing about itself"));
    };
    if lane == Lane::Read && row.text(1) != Some("on") {
        return Err(connection.unexpected("its read lane is not read-only"));
    }
    if row.text(2) != Some("on") {
        return Err(connection.unexpected("standard_conforming_strings is off"));
    }
    row.text(0).unwrap_or_default().clone_into(&mut connection.session.search_path);
    row.text(3).unwrap_or_default().clone_into(&mut connection.session.excess);
    Ok(())
}

/// Qualified throughout: nothing that somebody put on the account's search path is run.
const INTRODUCTION: &str = "SELECT pg_catalog.current_setting('search_path'), \
    pg_catalog.current_setting('transaction_read_only'), \
    pg_catalog.current_setting('standard_conforming_strings'), \
    (SELECT pg_catalog.concat_ws(', ', \
        CASE WHEN r.rolsuper THEN 'SUPERUSER' END, \
        CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, \
        CASE WHEN r.rolreplication THEN 'REPLICATION' END, \
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, \
        CASE WHEN r.rolcreatedb THEN 'CREATEDB' END) \
     FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) current_user)";
