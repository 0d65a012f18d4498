//! Named locks that a session holds on a connection.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    protocol::Mysql,
    setup::{SettingValue, literal},
};
use crate::{
    model::ids::Ident,
    upstream::{error::UpstreamError, lease::Lease},
};

impl Lease<Mysql> {
    /// Whether the session holds one of these locks on this connection. Only while nothing else is under way.
    ///
    /// # Errors
    /// As [`Lease::run_setup`].
    ///
    /// Source: MySQL manual, "IS_USED_LOCK()".
    pub async fn holds_lock(&mut self, names: &[Ident], limit: Duration) -> Result<bool, UpstreamError> {
        let held: Vec<String> = names
            .iter()
            .map(|name| format!("IS_USED_LOCK({}) <=> CONNECTION_ID()", literal(SettingValue::Literal(name))))
            .collect();
        if held.is_empty() {
            return Ok(false);
        }
        let text = format!("SELECT {} LIMIT 1", held.join(" OR "));
        let rows = match timeout(limit, self.connection.run(&[&text])).await {
            Ok(rows) => rows?,
            Err(_) => return Err(self.late()),
        };
        match rows.first().and_then(|row| row.text(0)) {
            Some("0") => Ok(false),
            Some("1") => Ok(true),
            _ => Err(self.connection.unexpected("nothing about its locks")),
        }
    }
}
