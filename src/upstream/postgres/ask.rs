//! One judged statement of the gateway's own, and the rows that it gives.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;

use super::{protocol::Postgres, setup::own_query};
use crate::{
    audit::Receipt,
    policy::Permit,
    upstream::{error::UpstreamError, lease::Lease},
};

impl Lease<Postgres> {
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
        if text.contains('\0') {
            return Err(UpstreamError::Misuse { what: "a statement has a zero byte" });
        }
        let mut message = BytesMut::new();
        own_query(&mut message, text);
        self.send_statement(&message, permit, stored)?;
        let target = self.slot.target().name.clone();
        let late =
            || UpstreamError::Timeout { target, what: "the answer to a statement of the gateway's own" };
        let answers = timeout(limit, self.connection.collect(1)).await.map_err(|_| late())??;
        let first = answers.rows.iter().filter_map(|row| row.text(0));
        Ok(first.map(str::to_owned).collect())
    }
}
