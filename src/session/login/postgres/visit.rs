//! One login, from accept to its outcome.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{
    arrival::{Arrival, LoggedIn},
    opening::{Opened, open},
    proof::prove,
};
use crate::{
    model::ids::SessionId,
    net::Stream,
    session::login::{
        attempt::Attempt, claim::Proven, close::say_last, door::Door, error::LoginError, line::say,
        place::choose,
    },
    wire::postgres::{
        backend::{self, Severity},
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
    let mut visit = Visit { door, attempt: Attempt::new(session, peer), stream: None };
    let outcome = door.in_time(visit.arrive(socket)).await;
    if let Err(error) = &outcome {
        visit.turn_away(error).await;
    }
    outcome
}

struct Visit<'a> {
    door: &'a Door,
    attempt: Attempt,
    /// The connection; `None` while TLS has it, and when TLS broke it.
    stream: Option<Stream>,
}

impl Visit<'_> {
    async fn arrive(&mut self, socket: TcpStream) -> Result<Arrival, LoginError> {
        let Opened { request, end_point } =
            open(socket, self.attempt.peer, self.door, &mut self.stream).await?;
        let startup = match request {
            Request::Startup(startup) => startup,
            Request::Cancel(request) => {
                let stream = self.stream.take().ok_or(LoginError::NoTls)?;
                return Ok(Arrival::Cancel { request, stream });
            }
            // `open` deals with these itself.
            Request::DirectTls | Request::Gss | Request::Ssl => return Err(LoginError::NoTls),
        };
        self.attempt.named(&startup.user, &startup.database, self.stream.as_ref(), self.door)?;
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        if startup.negotiate {
            let mut out = BytesMut::new();
            backend::negotiate_protocol_version(&mut out, startup.minor.into(), &startup.unknown_options);
            say(stream, &out).await?;
        }
        let proven = prove(stream, &startup.user, end_point.as_deref(), self.door).await?;
        // Attempts made side by side must not learn more than attempts made in turn.
        self.attempt.hold_up(self.door)?;
        self.let_in(startup, proven).await
    }

    async fn let_in(&mut self, startup: Startup, proven: (Proven, BytesMut)) -> Result<Arrival, LoginError> {
        let (proven, mut out) = proven;
        let now = self.door.clock.now();
        let place = choose(
            &startup.database,
            &self.door.listings,
            &self.door.snapshot.load(),
            &proven.principal.name,
            now,
        )?;
        let application = application(&startup.settings);
        let stream = self.stream.as_mut().ok_or(LoginError::NoTls)?;
        let tls = stream.tls_version();
        self.attempt.succeeded(self.door, &proven, &place, &application, tls).await?;
        backend::authentication_ok(&mut out);
        say(stream, &out).await?;
        let stream = self.stream.take().ok_or(LoginError::NoTls)?;
        let Proven { principal, method, .. } = proven;
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
        self.attempt.failed(self.door, error).await;
        if let (Some(stream), Some(refusal)) = (self.stream.take(), error.refusal(&self.attempt.user)) {
            let mut out = BytesMut::new();
            backend::error_response(&mut out, Severity::Fatal, &refusal);
            say_last(stream, &out).await;
        }
    }
}

/// What the client calls itself, as the server would show it: other bytes than printable ASCII become `?`.
fn application(settings: &[(String, String)]) -> String {
    let name = settings.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("application_name"));
    let bytes = name.map(|(_, value)| value.bytes()).into_iter().flatten();
    bytes.take(63).map(|byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }).collect()
}
