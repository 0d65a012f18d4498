//! One judged statement of the gateway's own, and the rows that it gives.

use std::time::Duration;

use tokio::time::timeout;

use super::{connection::Connection, error::UpstreamError, lease::Lease, protocol::Protocol};
use crate::{audit::Receipt, policy::Permit};

/// What speaks a protocol can be asked by a statement of the gateway's own.
pub trait Ask: Protocol {
    /// By what the answer is known.
    type Sent: Send;

    /// Appends the statement.
    ///
    /// # Errors
    /// `WrongLane`, `Misuse`; nothing is appended then.
    fn send(
        lease: &mut Lease<Self>,
        text: &str,
        permit: &Permit,
        stored: &Receipt,
    ) -> Result<Self::Sent, UpstreamError>;

    /// The first column of the rows of the answer.
    ///
    /// # Errors
    /// `Refused`, `Lost`, `Protocol`, `Unexpected`.
    fn answer(
        connection: &mut Connection<Self>,
        sent: Self::Sent,
    ) -> impl Future<Output = Result<Vec<String>, UpstreamError>> + Send;
}

impl<P: Ask> Lease<P> {
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
        let sent = P::send(self, text, permit, stored)?;
        let answered = timeout(limit, P::answer(&mut self.connection, sent)).await;
        answered.unwrap_or_else(|_| {
            let target = self.slot.target().name.clone();
            Err(UpstreamError::Timeout { target, what: "the answer to a statement of the gateway's own" })
        })
    }
}
