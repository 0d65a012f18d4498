//! Exclusive use of one upstream connection.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;

use super::{
    cancel::CancelHandle,
    connection::{Connection, Progress},
    error::UpstreamError,
    message::{self, Proof, ProtocolMessage},
    pool::Slot,
    reset,
    setup::Setup,
};
use crate::{
    audit::Receipt,
    model::{ids::DatabaseName, target::Lane},
    policy::Permit,
    wire::postgres::upstream::set_parameter,
};

/// Exclusive use of one upstream connection of one lane; dropped without [`Lease::go_home`], it is closed.
///
/// The `send_…` methods only append to the outbound buffer; [`Lease::drive`] (or `flush` and `read`) moves the
/// bytes. Given up after a statement was sent (dropped, or [`HomeState::Unknown`]), it is cancelled as well, as far
/// as that reaches the upstream.
#[derive(Debug)]
pub struct Lease {
    connection: Connection,
    slot: Slot,
    copy_data_owed: usize,
    /// Whether the connection broke, and was counted.
    lost: bool,
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
}

impl Lease {
    pub(crate) const fn new(connection: Connection, slot: Slot) -> Self {
        Self { connection, slot, copy_data_owed: 0, lost: false }
    }

    /// Appends a Query or an Execute: it runs.
    ///
    /// # Errors
    /// `WrongLane` if the permit is for a higher lane, `Misuse` if `message` is not exactly one such message;
    /// nothing is appended then.
    pub fn send_statement(
        &mut self,
        message: &[u8],
        permit: &Permit,
        _stored: &Receipt,
    ) -> Result<(), UpstreamError> {
        self.check_lane(permit)?;
        self.append(message, Proof::PermitAndReceipt)?;
        if self.slot.running.is_none() {
            self.slot.running = self.cancel_handle();
        }
        Ok(())
    }

    /// Appends a Parse: its text is parsed, and does not run yet.
    ///
    /// # Errors
    /// As [`Lease::send_statement`].
    pub fn send_prepare(&mut self, message: &[u8], permit: &Permit) -> Result<(), UpstreamError> {
        self.check_lane(permit)?;
        self.append(message, Proof::Permit)
    }

    /// Appends a message that carries no SQL and starts nothing.
    ///
    /// # Errors
    /// `Misuse` for every other message, or when a CopyData that was begun is not complete; nothing is appended then.
    pub fn send_protocol(&mut self, message: ProtocolMessage<'_>) -> Result<(), UpstreamError> {
        match message {
            ProtocolMessage::Framed(framed) => self.append(framed, Proof::None),
            ProtocolMessage::Flush => self.append(b"H\0\0\0\x04", Proof::None),
            ProtocolMessage::Sync => self.append(b"S\0\0\0\x04", Proof::None),
            ProtocolMessage::CopyDataStart(start) => {
                self.check_whole()?;
                self.copy_data_owed = message::copy_data_owed(start)?;
                self.connection.output.extend_from_slice(start);
                Ok(())
            }
            ProtocolMessage::CopyDataRest(rest) => {
                let Some(owed) = self.copy_data_owed.checked_sub(rest.len()) else {
                    return Err(UpstreamError::Misuse { what: "a CopyData goes beyond its length" });
                };
                self.copy_data_owed = owed;
                self.connection.output.extend_from_slice(rest);
                Ok(())
            }
        }
    }

    /// Appends a statement of the gateway's own; its replies are the caller's to read.
    ///
    /// # Errors
    /// `Misuse` if a value cannot be quoted, or if it would let the read lane write; nothing is appended then.
    pub fn send_setup(&mut self, setup: Setup<'_>) -> Result<(), UpstreamError> {
        self.check_whole()?;
        setup.on_lane(self.slot.lane())?.encode(&mut self.connection.output)
    }

    /// Runs statements of the gateway's own, one after the other, and waits for their answers. Only while nothing
    /// else is under way; what the upstream reports of its parameters is kept.
    ///
    /// # Errors
    /// `Misuse`, `Refused`, `Timeout`, `Lost`, `Unexpected`; the lease is of no further use then.
    pub async fn run_setup(&mut self, setups: &[Setup<'_>], limit: Duration) -> Result<(), UpstreamError> {
        for setup in setups {
            self.send_setup(*setup)?;
        }
        let target = &self.slot.target().name;
        match tokio::time::timeout(limit, self.connection.collect(setups.len())).await {
            Ok(answers) => answers.map(|_| ()),
            Err(_) => Err(UpstreamError::Timeout {
                target: target.clone(),
                what: "the answer to a statement of the gateway's own",
            }),
        }
    }

    /// Takes the NotificationResponses that came while [`Lease::run_setup`] waited.
    pub fn take_notifications(&mut self) -> BytesMut {
        self.connection.notifications.split()
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
        }
    }

    /// ParameterStatus as of the login or the last reset, in the order of arrival.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.connection.session.parameters
    }

    /// Keeps a ParameterStatus that arrived during the lease, so that the next one knows it.
    pub fn record_parameter(&mut self, name: &str, value: &str) {
        set_parameter(&mut self.connection.session.parameters, name, value);
    }

    /// The `search_path` of the connection after login and after every reset, as `current_setting` shows it.
    pub fn search_path(&self) -> &str {
        &self.connection.search_path
    }

    /// The process of the upstream's session; `None` if it did not say.
    pub fn process_id(&self) -> Option<i32> {
        self.connection.session.key.as_ref().map(|key| key.process_id)
    }

    /// What cancels the statement that runs on this connection; `None` if the upstream gave no key.
    pub fn cancel_handle(&self) -> Option<CancelHandle> {
        let key = self.connection.session.key.clone()?;
        Some(CancelHandle::new(Arc::clone(self.slot.target()), key))
    }

    /// Whether somebody waits in line for a connection of this lane.
    pub fn is_wanted(&self) -> bool {
        self.slot.is_wanted()
    }

    /// The lane.
    pub fn lane(&self) -> Lane {
        self.slot.lane()
    }

    /// The database.
    pub const fn database(&self) -> &DatabaseName {
        &self.slot.database
    }

    /// Gives the connection back. It is reset in a task of its own and then lent again; whatever is unclear
    /// about it closes it instead.
    ///
    /// Must be called inside the runtime.
    pub fn go_home(self, state: HomeState) {
        let Self { mut connection, mut slot, copy_data_owed, lost } = self;
        // Unknown state is never reused.
        let clean = !lost && copy_data_owed == 0 && connection.input.is_empty() && !connection.is_outbound();
        let in_transaction = match state {
            HomeState::Idle if clean => false,
            HomeState::InTransaction if clean => true,
            HomeState::Idle | HomeState::InTransaction | HomeState::Unknown => {
                connection.close();
                return;
            }
        };
        // Nothing runs any more: every reply is there.
        slot.running = None;
        tokio::spawn(async move {
            match reset::reset(&mut connection, slot.lane(), in_transaction).await {
                Ok(()) => slot.put_back(connection),
                Err(error) => {
                    slot.errors().reset.inc();
                    tracing::debug!(target_name = %slot.target().name, lane = %slot.lane(), %error, "reset failed");
                    connection.close();
                }
            }
        });
    }

    fn check_lane(&self, permit: &Permit) -> Result<(), UpstreamError> {
        let (permit, lease) = (permit.lane(), self.slot.lane());
        if permit > lease {
            return Err(UpstreamError::WrongLane { permit, lease });
        }
        Ok(())
    }

    fn check_whole(&self) -> Result<(), UpstreamError> {
        if self.copy_data_owed > 0 {
            return Err(UpstreamError::Misuse { what: "a CopyData that was begun is not complete" });
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], held: Proof) -> Result<(), UpstreamError> {
        self.check_whole()?;
        message::check(bytes, held)?;
        self.connection.output.extend_from_slice(bytes);
        Ok(())
    }
}
