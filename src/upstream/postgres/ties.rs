//! What a session holds on a connection that nothing but the connection knows.

use std::time::Duration;

use tokio::time::timeout;

use super::{protocol::Postgres, setup::own_query};
use crate::upstream::{error::UpstreamError, lease::Lease};

/// What is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldThere {
    /// Channels are listened to.
    pub channels: bool,
    /// Cursors WITH HOLD are open.
    pub cursors: bool,
    /// Advisory locks are held.
    pub locks: bool,
    /// Statements were prepared by SQL.
    pub prepared: bool,
    /// The temporary schema has something in it.
    pub temporary: bool,
}

impl Lease<Postgres> {
    /// Asks what the session holds on this connection. Only while nothing else is under way and no transaction is open;
    /// it ends the unnamed prepared statement, as any Query does.
    ///
    /// # Errors
    /// `Refused`, `Timeout`, `Lost`, `Protocol`, `Unexpected`; the lease is of no further use then.
    pub async fn ties(&mut self, limit: Duration) -> Result<HeldThere, UpstreamError> {
        own_query(&mut self.connection.output, QUESTION);
        let answers = match timeout(limit, self.connection.collect(1)).await {
            Ok(answers) => answers?,
            Err(_) => return Err(self.late()),
        };
        let row = answers.rows.first();
        let flag = |column| match row.and_then(|row| row.text(column)) {
            Some("t") => Some(true),
            Some("f") => Some(false),
            _ => None,
        };
        let there = || {
            Some(HeldThere {
                channels: flag(0)?,
                cursors: flag(1)?,
                locks: flag(2)?,
                prepared: flag(3)?,
                temporary: flag(4)?,
            })
        };
        there().ok_or_else(|| self.connection.unexpected("nothing about what the session holds"))
    }
}

/// No name and no operator of it depends on the session's `search_path`. What the temporary schema has is found as the
/// server finds it to drop it.
///
/// Source: PostgreSQL manual, "System Views", "pg_depend".
const QUESTION: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_listening_channels()), \
    EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable), \
    EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' \
        AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()), \
    EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql), \
    EXISTS (SELECT FROM pg_catalog.pg_depend \
        WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid \
        AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())";
