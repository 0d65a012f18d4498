//! What a fresh connection tells of itself and its server.

use std::sync::Arc;

use super::{ServerFacts, answers::Row, facts::version, protocol::Mysql, reset::settle};
use crate::{
    model::{name_context::MysqlFlavor, target::Lane},
    upstream::{connection::Connection, error::UpstreamError},
};

/// Asks a fresh connection for what the greeting does not say, and holds it as its lane must be held; the caller
/// bounds the time.
///
/// # Errors
/// Those of the statements; `Unexpected` if the connection is not held as its lane must be.
pub(super) async fn introduce(connection: &mut Connection<Mysql>, lane: Lane) -> Result<(), UpstreamError> {
    settle(connection, lane).await?;
    let rows = connection.run(&[INTRODUCTION]).await?;
    let (thread_id, mut facts) = match rows.as_slice() {
        [row] => read(row, &connection.session.facts),
        _ => None,
    }
    .ok_or_else(|| connection.unexpected("nothing about itself"))?;
    facts.sql_mode.clone_from(&connection.session.state.sql_mode);
    connection.session.thread_id = thread_id;
    connection.session.facts = Arc::new(facts);
    Ok(())
}

fn read(row: &Row, greeted: &ServerFacts) -> Option<(u64, ServerFacts)> {
    let told = row.text(0)?;
    let flavor = if told.contains("MariaDB") { MysqlFlavor::Mariadb } else { greeted.flavor };
    let facts = ServerFacts {
        flavor,
        version: version(told, flavor)?,
        lower_case_table_names: row.text(1)?.parse().ok()?,
        max_allowed_packet: row.text(2)?.parse().ok()?,
        ..greeted.clone()
    };
    Some((row.text(3)?.parse().ok()?, facts))
}

const INTRODUCTION: &str =
    "SELECT @@version, @@lower_case_table_names, @@max_allowed_packet, CONNECTION_ID() LIMIT 1";
