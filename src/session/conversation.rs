//! The seam: what differs between the protocols in the life of a session.

use bytes::BytesMut;

use super::{client::ClientSide, desk::Desk, end::End, running::Running, who::Doing};
use crate::{
    model::refusal::Refusal,
    upstream::{Lease, Protocol},
};

/// A session of one protocol, as what [runs](super::run) it sees it.
pub(super) trait Conversation: Sized {
    /// What its upstream speaks.
    type Upstream: Protocol;

    /// Its desk, and its two ends.
    fn ends(&mut self) -> Ends<'_, Self::Upstream>;

    /// The desk, and the statements that were let through and are not over.
    fn under_way(&mut self) -> (&mut Desk, impl Iterator<Item = &mut Running>);

    /// Deals with what has come from both sides, as far as it can be dealt with now.
    ///
    /// # Errors
    /// How the session ends.
    async fn go_on(&mut self) -> Result<(), End>;

    /// What it does.
    fn doing(&self) -> Doing;

    /// Whether the client is read beyond what is read ahead.
    fn awaits_more(&self) -> bool;

    /// Sends home the connections that it need not keep. Only while it is idle.
    async fn send_idle_home(&mut self);

    /// Whether it has a connection that could go home.
    fn has_untied(&self) -> bool;

    /// Decides everything again that runs now, or waits for its COMMIT.
    ///
    /// # Errors
    /// `Terminated` when the principal may not be here any longer.
    fn recheck(&mut self) -> Result<(), End>;

    /// Asks the upstream to stop what runs on the connection in use, if something does.
    fn cancel_running(&mut self);

    /// The upstream connection in use is gone. If nothing is lost with it, the session goes on with another.
    ///
    /// # Errors
    /// `Upstream` otherwise.
    fn on_upstream_closed(&mut self, reason: &str) -> Result<(), End>;

    /// The upstream's session on the connection in use.
    fn upstream_pid(&self) -> Option<i32>;

    /// Cancels what runs, and waits until the upstream knows: the session is over.
    async fn stop(&mut self);

    /// Whether the client has been told that the session ends, and why.
    fn has_said(&self, end: &End) -> bool;

    /// The message that says why the session ends.
    fn last_message(&mut self, refusal: &Refusal) -> BytesMut;

    /// Gives the connections back at the end of the session, or closes them.
    fn close_lanes(&mut self, end: &End);
}

/// Whose session it is, and the two connections that it is between.
pub(super) struct Ends<'a, P: Protocol> {
    /// Whose it is.
    pub(super) desk: &'a mut Desk,
    /// The client's connection.
    pub(super) client: &'a mut ClientSide,
    /// The upstream connection in use.
    pub(super) lease: Option<&'a mut Lease<P>>,
}
