//! One login, from accept to its outcome.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{
    arrival::{Arrival, LoggedIn},
    close::refuse,
    door::Door,
    error::{Denial, LoginError},
    opening::{Opened, open, say},
    place::choose,
    proof::{Proven, prove},
};
use crate::{
    model::{
        ids::SessionId,
        record::{Actor, Login, LoginFailed, Record},
    },
    net::Stream,
    wire::postgres::{
        backend,
        startup::{Request, Startup},
    },
};

/// Logs a client in.
///
/// Takes at most the door's timeout, and for a failure its delay and a second for the farewell. Every outcome of an
/// attempt is audited before the client hears of it, under the name that was given; a client that goes away when it
/// is asked for a proof has not attempted anything.
///
/// # Errors
/// Why it was not let in; the client has been told what it may know, and the connection is closed.
pub async fn login(
    socket: TcpStream,
    peer: SocketAddr,
    session: SessionId,
    door: &Door,
) -> Result<Arrival, LoginError> {
    let mut visit = Visit { door, session, peer, stream: None, user: String::new(), database: String::new() };
    let outcome = tokio::time::timeout(door.timeout, visit.arrive(socket)).await;
    match outcome.unwrap_or(Err(LoginError::TimedOut(door.timeout))) {
        Ok(arrival) => Ok(arrival),
        Err(error) => {
            visit.turn_away(&error).await;
            Err(error)
        }
    }
}

struct Visit<'a> {
    door: &'a Door,
    session: SessionId,
    peer: SocketAddr,
    /// The connection; `None` while TLS has it, and when TLS broke it.
    stream: Option<Stream>,
    /// Empty until the startup message is read.
    user: String,
    database: String,
}

impl Visit<'_> {
    async fn arrive(&mut self, socket: TcpStream) -> Result<Arrival, LoginError> {
        let Opened { request, end_point } = open(socket, self.peer, self.door, &mut self.stream).await?;
        let startup = match request {
            Request::Startup(startup) => startup,
            Request::Cancel(request) => {
                let stream = self.stream.take().ok_or(LoginError::NoTls)?;
                return Ok(Arrival::Cancel { request, stream });
            }
            // `open` deals with these itself.
            Request::DirectTls | Request::Gss | Request::Ssl => return Err(LoginError::NoTls),
        };
        self.user.clone_from(&startup.user);
        self.database.clone_from(&startup.database);
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        if stream.tls_version().is_none() && !self.door.plaintext {
            return Err(LoginError::Plaintext);
        }
        self.hold_up()?;
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        if startup.negotiate {
            let mut out = BytesMut::new();
            backend::negotiate_protocol_version(&mut out, startup.minor.into(), &startup.unknown_options);
            say(stream, &out).await?;
        }
        let proven = prove(stream, &startup.user, end_point.as_deref(), self.door).await?;
        // Attempts made side by side must not learn more than attempts made in turn.
        self.hold_up()?;
        self.let_in(startup, proven).await
    }

    fn hold_up(&self) -> Result<(), LoginError> {
        let held = self.door.throttle.holds_up(&self.user, self.peer.ip(), self.door.clock.now());
        if held { Err(Denial::Throttled.into()) } else { Ok(()) }
    }

    async fn let_in(&mut self, startup: Startup, proven: Proven) -> Result<Arrival, LoginError> {
        let Proven { principal, method, last_words: mut out } = proven;
        let now = self.door.clock.now();
        let place =
            choose(&startup.database, &self.door.listings, &self.door.snapshot.load(), &principal.name, now)?;
        let application = application(&startup.settings);
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        let tls = stream.tls_version();
        let record = Record::Login(Login {
            actor: &Actor {
                session: self.session,
                principal: &principal.name,
                client: self.peer,
                application: &application,
                target: &place.target,
                database: &place.database,
            },
            method: &method,
            tls,
        });
        // INVARIANT: nobody is let in who is not on record.
        let _receipt =
            self.door.audit.append_one(&record).await.map_err(|source| LoginError::Audit { source })?;
        self.door.metrics.succeeded.inc();
        backend::authentication_ok(&mut out);
        say(stream, &out).await?;
        let stream = self.stream.take().ok_or(LoginError::NoTls)?;
        let Startup { minor, settings, .. } = startup;
        Ok(Arrival::LoggedIn(Box::new(LoggedIn {
            stream,
            principal,
            place,
            minor,
            settings,
            application,
            method,
            tls,
        })))
    }

    /// Counts and audits the failure, then says what the client may know.
    async fn turn_away(&mut self, error: &LoginError) {
        self.count(error);
        let attempted = !self.user.is_empty() && !matches!(error, LoginError::Gone { .. });
        if attempted {
            let reason = error.to_string();
            let record = Record::LoginFailed(LoginFailed {
                client: self.peer,
                principal: &self.user,
                database: &self.database,
                reason: &reason,
            });
            // closed: whether it is on record or not, nobody is let in; the log says itself that it cannot be written.
            let _ = self.door.audit.append_one(&record).await;
        }
        if matches!(error, LoginError::Denied(_)) {
            tokio::time::sleep(self.door.failure_delay).await;
        }
        if let (Some(stream), Some(refusal)) = (self.stream.take(), error.refusal(&self.user)) {
            refuse(stream, &refusal).await;
        }
    }

    fn count(&self, error: &LoginError) {
        let metrics = &self.door.metrics;
        match error {
            LoginError::Denied(Denial::Throttled) => metrics.throttled.inc(),
            LoginError::Denied(
                Denial::Certificate { .. }
                | Denial::Disabled
                | Denial::NoCredentials
                | Denial::TokenOver { .. }
                | Denial::Unknown
                | Denial::Wrong,
            ) => {
                metrics.failed.inc();
                self.door.throttle.failed(&self.user, self.peer.ip(), self.door.clock.now());
            }
            LoginError::Audit { .. }
            | LoginError::ClearWithoutTls
            | LoginError::Place { .. }
            | LoginError::Plaintext => metrics.failed.inc(),
            LoginError::Alpn
            | LoginError::Compare { .. }
            | LoginError::Gone { .. }
            | LoginError::Net(_)
            | LoginError::NoTls
            | LoginError::PlaintextBeforeTls
            | LoginError::Random
            | LoginError::TimedOut(_)
            | LoginError::Wire(_) => metrics.unfinished.inc(),
        }
    }
}

/// What the client calls itself, as the server would show it: other bytes than printable ASCII become `?`.
fn application(settings: &[(String, String)]) -> String {
    let name = settings.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("application_name"));
    let bytes = name.map(|(_, value)| value.bytes()).into_iter().flatten();
    bytes.take(63).map(|byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }).collect()
}
