//! Logging in to an upstream, as its client: from its greeting to the first OK.
//!
//! Sans-IO: the caller moves the bytes. Source: MySQL source documentation, "Connection Phase".

use bytes::{BufMut, BytesMut};
use zeroize::Zeroizing;

use super::{
    auth::{AuthMethod, fast_proof, hide, native_proof},
    capability::Capabilities,
    error::ServerError,
    fields::{Fields, put_string, put_zero_ended},
    greeting::{Greeting, NONCE_BYTES, Nonce},
    handshake::{AuthState, CACHING_KEY_REQUEST},
    packet::{Packet, write_packet},
    response::Completion,
};
use crate::{model::secret::Secret, wire::WireError};

/// What is asked of the upstream.
#[derive(Clone, Debug)]
pub struct LoginRequest<'a> {
    /// The account.
    pub user: &'a str,
    /// The database; empty is none.
    pub database: &'a str,
    /// What replies have to look like ([`Capabilities::upstream_shape`]). What the server does not have is left out.
    pub shape: Capabilities,
    /// TLS is used, and a server without it is refused.
    pub tls: bool,
    /// The collation of the session's texts; the lower 8 bits of the number (45 is utf8mb4_general_ci).
    pub charset: u8,
    /// Attributes of the connection, which the server shows to its administrators.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// What the caller does after a packet was taken in; what is in `out` goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginStep {
    /// The upstream let us in.
    Done(LoggedIn),
    /// Wait for the next packet.
    Next,
    /// Begin TLS on the connection, then call [`Login::tls_started`].
    StartTls,
}

/// What a login gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// What the upstream said first.
    pub greeting: Greeting,
    /// What both sides speak.
    pub capabilities: Capabilities,
    /// The first OK.
    pub ok: Completion,
}

/// Why a login failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// It asks for a secret in clear text, over a transport that shows it.
    #[error("it asks for the password in clear text over a connection without TLS")]
    CleartextWithoutTls,
    /// Its RSA key is none that a password can be hidden with.
    #[error("its RSA key cannot be used")]
    Key,
    /// It does not speak TLS, which is asked for.
    #[error("it does not speak TLS")]
    NoTls,
    /// Its packets do not come in the order of a login.
    #[error("it does not log in as the protocol says: {what}")]
    Protocol {
        /// What is wrong.
        what: &'static str,
    },
    /// The server said no.
    #[error("it refused the login")]
    Server {
        /// In its words.
        source: ServerError,
    },
    /// It asks for a method that the gateway does not use.
    #[error("it asks for the authentication method \"{plugin}\", which the gateway does not use")]
    UnsupportedMethod {
        /// Which.
        plugin: String,
    },
    /// Bytes that are no packet of the protocol.
    #[error("it does not speak the MySQL protocol")]
    Wire {
        /// What is wrong.
        #[from]
        source: WireError,
    },
    /// A name or the password holds what the protocol cannot carry.
    #[error("{what} holds a zero byte")]
    ZeroByte {
        /// Which of them.
        what: &'static str,
    },
}

/// A login that is going on.
#[derive(Debug)]
pub struct Login {
    user: String,
    database: String,
    shape: Capabilities,
    wants_tls: bool,
    charset: u8,
    attributes: BytesMut,
    secret: Secret<String>,
    secure: bool,
    sequence: u8,
    state: State,
    greeting: Option<Greeting>,
    capabilities: Capabilities,
    nonce: Nonce,
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Tls,
    /// The answer to a proof of this method.
    Proved(AuthMethod),
    /// The public key was asked for.
    Key(AuthMethod),
    /// The password itself was sent.
    Shown,
    Over,
}

impl Login {
    /// Begins: the server speaks first. `secret` is the password or token.
    ///
    /// # Errors
    /// `ZeroByte`.
    pub fn new(request: &LoginRequest<'_>, secret: Secret<String>) -> Result<Self, LoginError> {
        let texts = [
            ("the account", request.user),
            ("the database", request.database),
            ("the password", secret.expose()),
        ];
        for (what, text) in texts {
            if text.contains('\0') {
                return Err(LoginError::ZeroByte { what });
            }
        }
        let mut attributes = BytesMut::new();
        for (name, value) in request.attributes {
            put_string(&mut attributes, name.as_bytes());
            put_string(&mut attributes, value.as_bytes());
        }
        Ok(Self {
            user: request.user.to_owned(),
            database: request.database.to_owned(),
            shape: request.shape.upstream_shape(),
            wants_tls: request.tls,
            charset: request.charset,
            attributes,
            secret,
            secure: false,
            sequence: 0,
            state: State::Greeting,
            greeting: None,
            capabilities: Capabilities::NONE,
            nonce: [0; NONCE_BYTES],
            rounds: 0,
        })
    }

    /// Takes in the upstream's next packet and appends the answer to `out`.
    ///
    /// # Errors
    /// As [`LoginError`]; the connection is of no use then.
    pub fn receive(&mut self, packet: &Packet, out: &mut BytesMut) -> Result<LoginStep, LoginError> {
        packet.expect_sequence(self.sequence)?;
        self.sequence = packet.next_sequence();
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds > MAX_ROUNDS {
            return Err(LoginError::Protocol { what: "too many rounds" });
        }
        let payload = packet.payload();
        if payload.first() == Some(&0xff) {
            return Err(LoginError::Server { source: ServerError::read(payload)? });
        }
        match self.state {
            State::Greeting => self.greeted(payload, out),
            State::Proved(_) | State::Key(_) | State::Shown => self.answered(payload, out),
            State::Tls => Err(LoginError::Protocol { what: "a packet ahead of TLS" }),
            State::Over => Err(LoginError::Protocol { what: "a packet behind the login" }),
        }
    }

    /// TLS with a verified peer is up: the login goes on inside it.
    ///
    /// # Errors
    /// `Protocol` when it was not to begin; otherwise as [`Login::receive`].
    pub fn tls_started(&mut self, out: &mut BytesMut) -> Result<(), LoginError> {
        if self.state != State::Tls {
            return Err(LoginError::Protocol { what: "TLS was not asked for" });
        }
        self.secure = true;
        self.respond(out)
    }

    fn greeted(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<LoginStep, LoginError> {
        let greeting = Greeting::read(payload)?;
        let server = greeting.capabilities;
        if !server.has(Capabilities::LOGIN.without(Capabilities::CONNECT_ATTRS)) {
            return Err(LoginError::Protocol { what: "it is too old" });
        }
        let mut wanted = Capabilities::LOGIN.with(self.shape);
        // A MySQL server is told that we are MySQL; without it MariaDB reads the extended ones.
        if server.has(Capabilities::MYSQL) || self.shape.extended() == 0 {
            wanted = wanted.with(Capabilities::MYSQL);
        }
        if !self.database.is_empty() {
            wanted = wanted.with(Capabilities::CONNECT_WITH_DB);
        }
        self.capabilities = wanted & server.with(Capabilities::MYSQL);
        self.nonce = greeting.nonce;
        self.greeting = Some(greeting);
        if !self.wants_tls {
            self.respond(out)?;
            return Ok(LoginStep::Next);
        }
        if !server.has(Capabilities::SSL) {
            return Err(LoginError::NoTls);
        }
        self.capabilities = self.capabilities.with(Capabilities::SSL);
        let (capabilities, charset) = (self.capabilities, self.charset);
        write_packet(out, &mut self.sequence, |out| put_head(out, capabilities, charset));
        self.state = State::Tls;
        Ok(LoginStep::StartTls)
    }

    fn respond(&mut self, out: &mut BytesMut) -> Result<(), LoginError> {
        let plugin = self.greeting.as_ref().map_or("", |greeting| greeting.plugin.as_str());
        // A proof of the server's default method is only a guess at the account's; it may ask for another.
        let method = match AuthMethod::from_plugin(plugin) {
            Some(AuthMethod::Native) => AuthMethod::Native,
            Some(AuthMethod::CachingSha2 | AuthMethod::Cleartext | AuthMethod::Sha256) | None => {
                AuthMethod::CachingSha2
            }
        };
        let proof = Zeroizing::new(match method {
            AuthMethod::Native => native_proof(self.secret.expose().as_bytes(), &self.nonce),
            AuthMethod::CachingSha2 | AuthMethod::Cleartext | AuthMethod::Sha256 => {
                fast_proof(self.secret.expose().as_bytes(), &self.nonce)
            }
        });
        let capabilities = self.capabilities;
        let (charset, user, database) = (self.charset, &self.user, &self.database);
        let attributes = &self.attributes;
        write_packet(out, &mut self.sequence, |out| {
            put_head(out, capabilities, charset);
            put_zero_ended(out, user.as_bytes());
            put_string(out, &proof);
            if capabilities.has(Capabilities::CONNECT_WITH_DB) {
                put_zero_ended(out, database.as_bytes());
            }
            put_zero_ended(out, method.plugin().as_bytes());
            if capabilities.has(Capabilities::CONNECT_ATTRS) {
                put_string(out, attributes);
            }
        });
        self.state = State::Proved(method);
        Ok(())
    }

    fn answered(&mut self, payload: &[u8], out: &mut BytesMut) -> Result<LoginStep, LoginError> {
        match (payload.split_first(), self.state) {
            (Some((0, _)), _) => {
                let ok = Completion::read(payload, self.capabilities)?;
                self.state = State::Over;
                let greeting =
                    self.greeting.take().ok_or(LoginError::Protocol { what: "OK ahead of the greeting" })?;
                Ok(LoginStep::Done(LoggedIn { greeting, capabilities: self.capabilities, ok }))
            }
            (Some((0xfe, body)), State::Proved(_)) => self.switched(body, out),
            (Some((1, data)), State::Proved(AuthMethod::CachingSha2)) => match AuthState::read(data) {
                Some(AuthState::FastPath) => Ok(LoginStep::Next),
                Some(AuthState::FullPath) => self.show(AuthMethod::CachingSha2, out),
                None => Err(LoginError::Protocol { what: "an unknown state of caching_sha2_password" }),
            },
            (Some((1, key)), State::Key(_)) => {
                let hidden =
                    hide(self.secret.expose().as_bytes(), &self.nonce, key).ok_or(LoginError::Key)?;
                write_packet(out, &mut self.sequence, |out| out.put_slice(&hidden));
                self.state = State::Shown;
                Ok(LoginStep::Next)
            }
            _ => Err(LoginError::Protocol { what: "an unexpected packet" }),
        }
    }

    /// AuthSwitchRequest.
    fn switched(&mut self, body: &[u8], out: &mut BytesMut) -> Result<LoginStep, LoginError> {
        let mut fields = Fields::new(body, "AuthSwitchRequest");
        let plugin = fields.zero_ended_or_rest();
        let plugin = fields.utf8(plugin)?;
        let method = AuthMethod::from_plugin(plugin)
            .ok_or_else(|| LoginError::UnsupportedMethod { plugin: plugin.to_owned() })?;
        if let Some((nonce, _)) = fields.rest().split_first_chunk::<NONCE_BYTES>() {
            self.nonce = *nonce;
        } else if method != AuthMethod::Cleartext {
            return Err(fields.malformed().into());
        }
        let secret = self.secret.expose().as_bytes();
        match method {
            AuthMethod::CachingSha2 | AuthMethod::Native => {
                let proof = Zeroizing::new(if method == AuthMethod::Native {
                    native_proof(secret, &self.nonce)
                } else {
                    fast_proof(secret, &self.nonce)
                });
                write_packet(out, &mut self.sequence, |out| out.put_slice(&proof));
                self.state = State::Proved(method);
                Ok(LoginStep::Next)
            }
            AuthMethod::Cleartext if !self.secure => Err(LoginError::CleartextWithoutTls),
            AuthMethod::Cleartext | AuthMethod::Sha256 => self.show(method, out),
        }
    }

    /// Sends the password itself inside TLS, or asks for the key to hide it with.
    fn show(&mut self, method: AuthMethod, out: &mut BytesMut) -> Result<LoginStep, LoginError> {
        let secret = &self.secret;
        if self.secure {
            write_packet(out, &mut self.sequence, |out| {
                out.put_slice(secret.expose().as_bytes());
                out.put_u8(0);
            });
            self.state = State::Shown;
        } else {
            let request = if method == AuthMethod::Sha256 { SHA256_KEY_REQUEST } else { CACHING_KEY_REQUEST };
            write_packet(out, &mut self.sequence, |out| out.put_u8(request));
            self.state = State::Key(method);
        }
        Ok(LoginStep::Next)
    }
}

/// What SSLRequest and HandshakeResponse41 begin with.
fn put_head(out: &mut BytesMut, capabilities: Capabilities, charset: u8) {
    out.put_u32_le(capabilities.lower());
    out.put_u32_le(MAX_PACKET_BYTES);
    out.put_u8(charset);
    out.put_bytes(0, 19);
    let extended = if capabilities.has(Capabilities::MYSQL) { 0 } else { capabilities.extended() };
    out.put_u32_le(extended);
}

/// What a server may send us at once; it takes the value for the session's `max_allowed_packet`'s bound.
const MAX_PACKET_BYTES: u32 = 1 << 30;

/// Packets of a server until it has decided; the longest exchange has 5.
const MAX_ROUNDS: u8 = 8;

const SHA256_KEY_REQUEST: u8 = 1;
