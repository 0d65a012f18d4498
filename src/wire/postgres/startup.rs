//! What a client sends before it is a session: TLS and GSS requests, cancel requests, the startup message.

use super::startup_parameters::read_parameters;
use crate::wire::WireError;

/// The newest minor version of protocol 3 that is spoken.
pub const NEWEST_MINOR: u16 = 2;

/// One thing that a client asks for before login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To end what another connection runs.
    Cancel(CancelRequest),
    /// The first byte of a TLS handshake, without asking: it was taken and belongs to the handshake.
    DirectTls,
    /// To go on under GSSAPI encryption.
    Gss,
    /// To go on in TLS.
    Ssl,
    /// To log in.
    Startup(Startup),
}

/// The key of a running session, shown to end what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRequest {
    /// As BackendKeyData gave it.
    pub process_id: i32,
    /// As BackendKeyData gave it: 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub key: Vec<u8>,
}

/// A startup message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// The minor version to speak: the client's, or [`NEWEST_MINOR`] if that is older.
    pub minor: u16,
    /// Whether NegotiateProtocolVersion is owed: a newer minor version or an unknown protocol option was asked for.
    pub negotiate: bool,
    /// Protocol options (`_pq_.…`) asked for; none is known.
    pub unknown_options: Vec<String>,
    /// Who; not empty.
    pub user: String,
    /// To which database; the user's name if none was given.
    pub database: String,
    /// Settings in the order in which the server would apply them: those of `options`, then the parameters.
    pub settings: Vec<(String, String)>,
}

/// Reads requests off the front of a connection, without ever taking a byte behind one.
///
/// What a client pushes behind an SSLRequest in plain text must stay in the socket: there it breaks the TLS handshake
/// instead of being taken for something said in confidence.
///
/// Source: PostgreSQL manual, "Message Flow", "Start-up", "SSL Session Encryption".
#[derive(Debug, Default)]
pub struct Opening {
    read: Vec<u8>,
    asked_gss: bool,
    asked_tls: bool,
    asked: bool,
}

impl Opening {
    /// At the first byte of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes may be read from the connection now, at least 1: they all belong to the present request.
    pub fn wanted(&self) -> usize {
        // The first byte alone tells a TLS handshake from a request.
        let whole = if self.read.is_empty() {
            1
        } else {
            self.length().map_or(REQUEST_BYTES, |it| it.max(REQUEST_BYTES))
        };
        whole.saturating_sub(self.read.len())
    }

    /// Takes bytes off the front of `input` up to the end of one request; what is behind it stays there.
    ///
    /// `Ok(None)` when `input` is used up and the request is not whole. A request can be followed by another only
    /// if it was a TLS or GSS request.
    ///
    /// # Errors
    /// `StartupLength`, `UnsupportedProtocol`, `Repeated`, `Malformed`, `NotUtf8`, `NoUser`, `DuplicateParameter`,
    /// `Option`, `Replication`.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Request>, WireError> {
        while !input.is_empty() {
            let (taken, rest) = input.split_at(self.wanted().min(input.len()));
            *input = rest;
            self.read.extend_from_slice(taken);
            if !self.asked && self.read.as_slice() == [TLS_HANDSHAKE] {
                self.read.clear();
                self.asked = true;
                self.inside_tls();
                return Ok(Some(Request::DirectTls));
            }
            if let Some(length_bytes) = self.length()
                && !(REQUEST_BYTES..=LONGEST_BYTES).contains(&length_bytes)
            {
                return Err(WireError::StartupLength { length_bytes });
            }
            if self.read.len() > 1 && self.wanted() == 0 {
                let whole = std::mem::take(&mut self.read);
                self.asked = true;
                return self.request(&whole).map(Some);
            }
        }
        Ok(None)
    }

    /// TLS is up: from here on neither TLS nor GSS can be asked for.
    pub const fn inside_tls(&mut self) {
        self.asked_tls = true;
        self.asked_gss = true;
    }

    fn length(&self) -> Option<usize> {
        let (length, _) = self.read.split_first_chunk::<4>()?;
        Some(u32::from_be_bytes(*length) as usize)
    }

    fn request(&mut self, whole: &[u8]) -> Result<Request, WireError> {
        let malformed = WireError::Malformed { message: "startup" };
        let (_, rest) = whole.split_first_chunk::<4>().ok_or_else(|| malformed.clone())?;
        let (code, body) = rest.split_first_chunk::<4>().ok_or(malformed)?;
        let [a, b, c, d] = *code;
        let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match (major, minor) {
            (1234, 5678) => read_cancel(body).map(Request::Cancel),
            (1234, 5679) => once(&mut self.asked_tls, body, "SSLRequest").map(|()| Request::Ssl),
            (1234, 5680) => once(&mut self.asked_gss, body, "GSSENCRequest").map(|()| Request::Gss),
            (3, asked) => read_startup(asked, body).map(Request::Startup),
            _ => Err(WireError::UnsupportedProtocol { major, minor }),
        }
    }
}

fn once(asked: &mut bool, body: &[u8], request: &'static str) -> Result<(), WireError> {
    if !body.is_empty() {
        return Err(WireError::Malformed { message: request });
    }
    if std::mem::replace(asked, true) {
        return Err(WireError::Repeated { request });
    }
    Ok(())
}

fn read_cancel(body: &[u8]) -> Result<CancelRequest, WireError> {
    match body.split_first_chunk::<4>() {
        Some((process_id, key)) if (4..=256).contains(&key.len()) => {
            Ok(CancelRequest { process_id: i32::from_be_bytes(*process_id), key: key.to_vec() })
        }
        Some(_) | None => Err(WireError::Malformed { message: "CancelRequest" }),
    }
}

fn read_startup(asked: u16, body: &[u8]) -> Result<Startup, WireError> {
    let parameters = read_parameters(body)?;
    Ok(Startup {
        minor: asked.min(NEWEST_MINOR),
        negotiate: asked > NEWEST_MINOR || !parameters.unknown_options.is_empty(),
        unknown_options: parameters.unknown_options,
        user: parameters.user,
        database: parameters.database,
        settings: parameters.settings,
    })
}

/// First byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// Length and code: the shortest request.
const REQUEST_BYTES: usize = 8;

/// The longest request with its length field: the server's own bound of 10,000 bytes behind it.
const LONGEST_BYTES: usize = 10_004;
