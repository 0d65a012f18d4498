//! Exclusive use of one upstream connection.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;

use super::{
    cancel::CancelHandle,
    connection::{Connection, Progress},
    error::UpstreamError,
    pool::Slot,
    postgres::Postgres,
    protocol::Protocol,
};
use crate::{model::target::Lane, policy::Leave};

/// Exclusive use of one upstream connection of one lane; dropped without [`Lease::go_home`], it is closed.
///
/// The `send_…` methods only append to the outbound buffer; [`Lease::drive`] (or `flush` and `read`) moves the
/// bytes. Given up after a statement was sent (dropped, or [`HomeState::Unknown`]), it is cancelled as well, as far
/// as that reaches the upstream.
#[derive(Debug)]
pub struct Lease<P: Protocol = Postgres> {
    /// Apart: it changes hands, and is large.
    pub(super) connection: Box<Connection<P>>,
    pub(super) slot: Slot<P>,
    /// Whether the connection broke, and was counted.
    lost: bool,
    /// Whether its server may take no writes any more.
    suspect: bool,
}

/// What is known of a connection that is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeState {
    /// Every reply has arrived, and the last ReadyForQuery said that no transaction is open.
    Idle,
    /// Every reply has arrived, and the last ReadyForQuery said that a transaction is open or failed.
    InTransaction,
    /// Anything else.
    Unknown,
    /// As [`Self::Idle`], and nothing was left there that a reset would take away, but the settings that the
    /// connection knows that it has.
    Untouched,
}

impl<P: Protocol> Lease<P> {
    pub(crate) const fn new(connection: Box<Connection<P>>, slot: Slot<P>) -> Self {
        Self { connection, slot, lost: false, suspect: false }
    }

    /// Bytes that are appended and not yet taken by the socket. Whoever appends without end flushes in between.
    pub fn outbound_bytes(&self) -> usize {
        self.connection.output.len()
    }

    /// Whether something waits to be sent.
    pub fn is_outbound(&self) -> bool {
        self.connection.is_outbound()
    }

    /// What has arrived and is not taken yet. Take messages off its front (`split_to`), or parts of them; reads
    /// append to its end and keep its capacity.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.connection.input
    }

    /// Reads once into the buffer; 0 means that the upstream closed. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// Those of the socket; `Other` when 16 MiB lie in the buffer untaken.
    pub async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// Sends everything that is outbound. May be dropped while it waits: what is not sent stays outbound.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends and reads at once, until bytes have arrived or everything outbound is sent.
    ///
    /// With nothing outbound it is a read. Two full directions do not block one another. May be dropped while it
    /// waits: nothing is lost.
    ///
    /// # Errors
    /// As [`Lease::read`] and [`Lease::flush`].
    pub async fn drive(&mut self) -> io::Result<Progress> {
        poll_fn(|cx| self.poll_drive(cx)).await
    }

    /// The step behind [`Lease::read`].
    ///
    /// # Errors
    /// As there.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let step = self.connection.poll_read(cx);
        self.note_loss(matches!(step, Poll::Ready(Ok(0) | Err(_))));
        step
    }

    /// The step behind [`Lease::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let step = self.connection.poll_flush(cx);
        self.note_loss(matches!(step, Poll::Ready(Err(_))));
        step
    }

    /// The step behind [`Lease::drive`].
    ///
    /// # Errors
    /// As there.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Progress>> {
        let step = self.connection.poll_drive(cx);
        self.note_loss(matches!(step, Poll::Ready(Ok(Progress::Received(0)) | Err(_))));
        step
    }

    fn note_loss(&mut self, lost: bool) {
        if lost && !self.lost {
            self.lost = true;
            self.slot.errors().lost.inc();
            self.slot.note_failover();
        }
    }

    /// What cancels the statement that runs on this connection; `None` if the upstream gave no key.
    pub fn cancel_handle(&self) -> Option<CancelHandle<P>> {
        let key = P::key(&self.connection.session)?;
        Some(CancelHandle::new(Arc::clone(self.slot.target()), self.slot.lane(), key))
    }

    /// The server said that it takes no writes: whether that is so is seen when the connection comes home.
    pub const fn suspect(&mut self) {
        self.suspect = true;
    }

    /// Whether its server went away or may take no writes any more: it should come home at once.
    pub fn is_given_up(&self) -> bool {
        self.suspect || self.slot.is_stale(self.connection.opened_at)
    }

    /// Whether somebody waits in line for a connection of this lane.
    pub fn is_wanted(&self) -> bool {
        self.slot.is_wanted()
    }

    /// The lane.
    pub fn lane(&self) -> Lane {
        self.slot.lane()
    }

    /// Gives the connection back. It is reset in a task of its own and then lent again, or lent again at once if it is
    /// untouched; whatever is unclear about it closes it instead.
    ///
    /// Must be called inside the runtime.
    pub fn go_home(self, state: HomeState) {
        let Self { mut connection, mut slot, lost, suspect: _ } = self;
        // Unknown state is never reused.
        let clean = !lost
            && P::is_whole(&connection.session)
            && connection.input.is_empty()
            && !connection.is_outbound();
        let in_transaction = match state {
            HomeState::Idle if clean => false,
            HomeState::InTransaction if clean => true,
            HomeState::Untouched if clean => {
                slot.running = None;
                slot.returns().untouched.inc();
                slot.put_back(connection);
                return;
            }
            HomeState::Idle | HomeState::InTransaction | HomeState::Unknown | HomeState::Untouched => {
                slot.returns().closed.inc();
                connection.close();
                return;
            }
        };
        // Nothing runs any more: every reply is there.
        slot.running = None;
        let returns = slot.returns();
        if in_transaction { &returns.rolled_back } else { &returns.reset }.inc();
        tokio::spawn(async move {
            match P::reset(&mut connection, slot.lane(), in_transaction).await {
                Ok(()) => slot.put_back(connection),
                Err(error) => {
                    slot.errors().reset.inc();
                    tracing::debug!(target_name = %slot.target().name, lane = %slot.lane(), %error, "reset failed");
                    connection.close();
                }
            }
        });
    }

    /// Notes that a statement was sent: given up, it is cancelled.
    pub(super) fn note_running(&mut self) {
        if self.slot.running.is_none() {
            self.slot.running = self.cancel_handle();
        }
    }

    /// The answer to a statement of the gateway's own did not come in time.
    pub(super) fn late(&self) -> UpstreamError {
        UpstreamError::Timeout {
            target: self.slot.target().name.clone(),
            what: "the answer to a statement of the gateway's own",
        }
    }

    /// # Errors
    /// `WrongLane` if the permit is for a higher lane.
    pub(super) fn check_lane(&self, permit: &impl Leave) -> Result<(), UpstreamError> {
        let (permit, lease) = (permit.lane(), self.slot.lane());
        if permit > lease {
            return Err(UpstreamError::WrongLane { permit, lease });
        }
        Ok(())
    }
}
