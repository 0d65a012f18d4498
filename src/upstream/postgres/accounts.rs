//! What a fresh connection tells of itself and its server, and what its account may do beyond its needs.

use super::{protocol::Postgres, setup::own_query};
use crate::{
    model::target::Lane,
    upstream::{connection::Connection, error::UpstreamError, login_problem::ServerWords, survey::Told},
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
    connection.session.takes_writes = row.text(3) == Some("f");
    Ok(())
}

/// What the account may do that no lane below admin needs, in words; with `only_reads` also where it may write, looking
/// at the database of the connection.
///
/// # Errors
/// Those of the statement.
pub(super) async fn excess(
    connection: &mut Connection<Postgres>,
    only_reads: bool,
) -> Result<String, UpstreamError> {
    let writes = if only_reads { WRITES } else { "" };
    own_query(&mut connection.output, &[EXCESS, writes, ")", OF_ACCOUNT].concat());
    let answers = connection.collect(1).await?;
    let row = answers.rows.first().ok_or_else(|| connection.unexpected("nothing about its account"))?;
    Ok(row.text(0).unwrap_or_default().to_owned())
}

/// What the server tells of itself.
///
/// # Errors
/// Those of the statement; `Unexpected`.
pub(super) async fn tell(connection: &mut Connection<Postgres>) -> Result<Told, UpstreamError> {
    own_query(&mut connection.output, ABOUT);
    let answers = connection.collect(1).await?;
    let told = answers.rows.first().and_then(|row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
    let (version, clock) = told.ok_or_else(|| connection.unexpected("nothing about itself"))?;
    Ok(Told { server: format!("PostgreSQL {version}"), clock })
}

/// Whether the server refuses to write because the connection is held read-only; looked at before any right is.
///
/// # Errors
/// Those of the statement, other than that it is refused.
pub(super) async fn refuses_writes(connection: &mut Connection<Postgres>) -> Result<bool, UpstreamError> {
    own_query(&mut connection.output, WRITE_OF_NOTHING);
    match connection.collect(1).await {
        Ok(_) => Ok(false),
        Err(UpstreamError::Refused { source: ServerWords::Postgres(words), .. }) => {
            Ok(words.sqlstate == READ_ONLY_SQL_TRANSACTION)
        }
        Err(error) => Err(error),
    }
}

const ABOUT: &str = "SELECT pg_catalog.current_setting('server_version'), \
    pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.clock_timestamp()), \
        'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// No row is touched, whatever the account may do.
const WRITE_OF_NOTHING: &str = "UPDATE pg_catalog.pg_description SET description = description WHERE false";
const READ_ONLY_SQL_TRANSACTION: &str = "25006";

/// Qualified throughout: nothing that somebody put on the account's search path is run.
const INTRODUCTION: &str = "SELECT pg_catalog.current_setting('search_path'), \
    pg_catalog.current_setting('transaction_read_only'), \
    pg_catalog.current_setting('standard_conforming_strings'), \
    pg_catalog.pg_is_in_recovery()";

/// Attributes, and roles that reach beyond rows and definitions. A superuser has all roles: that says enough.
///
/// Source: PostgreSQL manual, "Predefined Roles"; RDS documentation, "Understanding the rds_superuser role".
const EXCESS: &str = "SELECT pg_catalog.concat_ws(', ', \
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END, \
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, \
    CASE WHEN r.rolreplication THEN 'REPLICATION' END, \
    CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, \
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, \
    (SELECT pg_catalog.string_agg(m.rolname, ', ' ORDER BY m.rolname) FROM pg_catalog.pg_roles AS m \
     WHERE NOT r.rolsuper AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER') \
       AND m.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_checkpoint', 'pg_create_subscription', \
           'pg_execute_server_program', 'pg_monitor', 'pg_read_all_stats', 'pg_read_server_files', \
           'pg_signal_backend', 'pg_write_server_files', 'rds_password', 'rds_replication', 'rds_superuser']::pg_catalog.name[]))";

/// Where an account that only reads may write: the first of each kind that is found, so that no more is looked at.
///
/// Numbers from 16384 on are of objects that were made after the database was.
const WRITES: &str = ", (SELECT pg_catalog.concat('writing ', pg_catalog.quote_ident(n.nspname), '.', \
        pg_catalog.quote_ident(c.relname)) \
     FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE NOT r.rolsuper AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid \
       AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'f']::pg_catalog.\"char\"[]) \
       AND pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') LIMIT 1), \
    (SELECT pg_catalog.concat('creating in ', pg_catalog.quote_ident(n.nspname)) FROM pg_catalog.pg_namespace AS n \
     WHERE NOT r.rolsuper AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE') LIMIT 1)";

const OF_ACCOUNT: &str = " FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) current_user";
