//! One attempt to log in: held up, counted and audited.

use std::net::SocketAddr;

use super::{
    claim::Proven,
    door::Door,
    error::{Denial, LoginError},
};
use crate::{
    model::{
        ids::SessionId,
        record::{Actor, Login, LoginFailed, Record},
        target::Place,
    },
    net::Stream,
};

/// Who tries to log in, as far as the client has said so.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) session: SessionId,
    pub(super) peer: SocketAddr,
    /// Empty until the client has said it.
    pub(super) user: String,
    /// As asked for.
    pub(super) database: String,
}

impl Attempt {
    /// Nobody has said anything yet.
    pub(super) const fn new(session: SessionId, peer: SocketAddr) -> Self {
        Self { session, peer, user: String::new(), database: String::new() }
    }

    /// The client has said who it is and where it wants to go: whether it may show its proof over `stream`.
    ///
    /// # Errors
    /// `Plaintext` where TLS is asked for, `Throttled` if too many attempts failed before this one.
    pub(super) fn named(
        &mut self,
        user: &str,
        database: &str,
        stream: Option<&Stream>,
        door: &Door,
    ) -> Result<(), LoginError> {
        user.clone_into(&mut self.user);
        database.clone_into(&mut self.database);
        let stream = stream.ok_or(LoginError::NoTls)?;
        if stream.tls_version().is_none() && !door.plaintext {
            return Err(LoginError::Plaintext);
        }
        self.hold_up(door)
    }

    /// Whether too many attempts failed before this one.
    ///
    /// # Errors
    /// `Throttled` if so.
    pub(super) fn hold_up(&self, door: &Door) -> Result<(), LoginError> {
        let held = door.throttle.holds_up(&self.user, self.peer.ip(), door.clock.now());
        if held { Err(Denial::Throttled.into()) } else { Ok(()) }
    }

    /// Audits the success.
    ///
    /// # Errors
    /// `Audit`: nobody is let in then.
    pub(super) async fn succeeded(
        &self,
        door: &Door,
        proven: &Proven,
        place: &Place,
        application: &str,
        tls: Option<&'static str>,
    ) -> Result<(), LoginError> {
        let record = Record::Login(Login {
            actor: &Actor {
                session: self.session,
                principal: &proven.principal.name,
                client: self.peer,
                application,
                target: &place.target,
                database: &place.database,
            },
            method: &proven.method,
            subject: proven.subject.as_ref(),
            tls,
        });
        // INVARIANT: nobody is let in who is not on record.
        let _receipt = door.audit.append_one(&record).await.map_err(|source| LoginError::Audit { source })?;
        door.metrics.succeeded.inc();
        Ok(())
    }

    /// Counts and audits the failure, and waits as long as the client has to.
    pub(super) async fn failed(&self, door: &Door, error: &LoginError) {
        self.count(door, error);
        let attempted =
            !self.user.is_empty() && !matches!(error, LoginError::Gone { .. } | LoginError::NoToken);
        if attempted {
            let reason = error.to_string();
            let record = Record::LoginFailed(LoginFailed {
                client: self.peer,
                principal: &self.user,
                database: &self.database,
                reason: &reason,
            });
            // closed: whether it is on record or not, nobody is let in; the log says itself that it cannot be written.
            let _ = door.audit.append_one(&record).await;
        }
        if matches!(error, LoginError::Denied(_)) {
            tokio::time::sleep(door.failure_delay).await;
        }
    }

    fn count(&self, door: &Door, error: &LoginError) {
        let metrics = &door.metrics;
        match error {
            LoginError::Denied(Denial::Throttled) => metrics.throttled.inc(),
            LoginError::Denied(
                Denial::Certificate { .. }
                | Denial::Disabled
                | Denial::NoCredentials
                | Denial::Token(_)
                | Denial::TokenOver { .. }
                | Denial::Unknown
                | Denial::Wrong,
            ) => {
                metrics.failed.inc();
                door.throttle.failed(&self.user, self.peer.ip(), door.clock.now());
            }
            LoginError::Audit { .. }
            | LoginError::ClearWithoutTls
            | LoginError::Compresses
            | LoginError::Place { .. }
            | LoginError::Plaintext => metrics.failed.inc(),
            LoginError::Alpn
            | LoginError::Compare { .. }
            | LoginError::Gone { .. }
            | LoginError::Net(_)
            | LoginError::NoTls
            | LoginError::NoToken
            | LoginError::PlaintextBeforeTls
            | LoginError::Random
            | LoginError::TimedOut(_)
            | LoginError::Wire(_) => metrics.unfinished.inc(),
        }
    }
}
