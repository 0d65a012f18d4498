//! One judged statement of the gateway's own, and the rows that it gives.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;

use super::protocol::Mysql;
use crate::{
    audit::Receipt,
    policy::Permit,
    upstream::{error::UpstreamError, lease::Lease},
    wire::mysql::{command::write, execute::Attributes},
};

impl Lease<Mysql> {
    /// Runs a statement and gives the first column of its rows. Only while nothing else is under way; dropped before its
    /// end, or late, it is cancelled.
    ///
    /// # Errors
    /// `WrongLane`, `Misuse`, `Refused`, `Timeout`, `Lost`, `Protocol`, `Unexpected`; the lease is of no further use then.
    pub async fn ask(
        &mut self,
        text: &str,
        permit: &Permit,
        stored: &Receipt,
        limit: Duration,
    ) -> Result<Vec<String>, UpstreamError> {
        let mut command = BytesMut::new();
        let shape = self.capabilities();
        write::query(&mut command, text.as_bytes(), Attributes::default(), shape);
        let next = self.send_statement(&command, permit, stored)?;
        let target = self.slot.target().name.clone();
        let late =
            || UpstreamError::Timeout { target, what: "the answer to a statement of the gateway's own" };
        let rows = timeout(limit, self.connection.rows(next)).await.map_err(|_| late())??;
        Ok(rows.iter().filter_map(|row| row.text(0)).map(str::to_owned).collect())
    }
}
