//! Logging in to an upstream, as its client: from StartupMessage to the first ReadyForQuery.
//!
//! Sans-IO: the caller moves the bytes. Source: PostgreSQL manual, "Frontend/Backend Protocol", "Start-up".

use bytes::BytesMut;
use postgres_protocol::{
    authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    message::frontend,
};

use super::{
    backend::{TransactionStatus, error_field, read_parameter_status},
    frame::{Fields, take_frame},
};
use crate::{model::secret::Secret, wire::WireError};

/// How the transport of a login is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not at all: secrets in clear text never go over it.
    Plain,
    /// TLS with a verified peer; `end_point` is its `tls-server-end-point` hash, where the certificate has one.
    Tls {
        /// RFC 5929, section 4.
        end_point: Option<Vec<u8>>,
    },
}

/// What is asked of the upstream at start.
#[derive(Clone, Copy, Debug)]
pub struct LoginRequest<'a> {
    /// The account.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
    /// What the session is called in the server's lists.
    pub application: &'a str,
    /// The `options` parameter (`-c name=value …`), empty for none.
    pub options: &'a str,
}

/// What a login gives.
#[derive(Clone, Debug, Default)]
pub struct LoggedIn {
    /// ParameterStatus, in the order of their first arrival.
    pub parameters: Vec<(String, String)>,
    /// BackendKeyData; without it nothing can be cancelled.
    pub key: Option<BackendKey>,
}

/// BackendKeyData: names a running session in a CancelRequest.
#[derive(Clone, Debug)]
pub struct BackendKey {
    /// Process identifier of the upstream's session.
    pub process_id: i32,
    /// 4 bytes in 3.0, up to 256 in 3.2.
    pub secret: Secret<Vec<u8>>,
}

/// An ErrorResponse, as far as the gateway looks into it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sqlstate}: {message}")]
pub struct ServerError {
    /// Five characters.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
}

impl ServerError {
    /// Reads the body of an ErrorResponse; a field that is missing or cannot be read is left empty.
    pub fn read(body: &[u8]) -> Self {
        let field = |code| error_field(body, code).ok().flatten().unwrap_or_default().to_owned();
        Self { sqlstate: field(b'C'), message: field(b'M') }
    }
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It asks for a secret in clear text, over a transport that shows it.
    #[error("it asks for the password in clear text over a connection without TLS")]
    CleartextWithoutTls,
    /// A name or the password holds what the protocol cannot carry.
    #[error("{what} holds a zero byte")]
    ZeroByte {
        /// Which of them.
        what: &'static str,
    },
    /// It sends messages and no end of them, or wants another version of the protocol.
    #[error("it does not log in as the protocol says: {what}")]
    Protocol {
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes that are no message of the protocol.
    #[error("it does not speak the PostgreSQL protocol")]
    Wire {
        /// What is wrong.
        #[from]
        source: WireError,
    },
    /// It let us in without proving that it knows the password, after it had begun to.
    #[error("it skipped its own proof of the password")]
    ProofMissing,
    /// The SCRAM exchange failed: the server does not know the password, or breaks the mechanism.
    #[error("the SCRAM exchange failed")]
    Scram {
        /// How.
        source: std::io::Error,
    },
    /// The server said no.
    #[error("it refused the login")]
    Server {
        /// In its words.
        source: ServerError,
    },
    /// It asks for a method that the gateway does not use.
    #[error("it asks for {method}, which the gateway does not use; set password_encryption to scram-sha-256")]
    UnsupportedMethod {
        /// Which.
        method: &'static str,
    },
}

enum State {
    /// Waiting to be asked for a proof.
    Authenticating,
    ScramStarted(Box<ScramSha256>),
    ScramAnswered(Box<ScramSha256>),
    /// AuthenticationOk must be next.
    Proven,
    /// In; parameters follow until ReadyForQuery.
    Starting,
}

/// A login under way.
pub struct Login {
    state: State,
    transport: Transport,
    secret: Secret<String>,
    user: String,
    messages: usize,
    result: LoggedIn,
}

impl Login {
    /// Begins: appends the StartupMessage to `output`.
    ///
    /// # Errors
    /// `ZeroByte`.
    pub fn new(
        request: LoginRequest<'_>,
        secret: Secret<String>,
        transport: Transport,
        output: &mut BytesMut,
    ) -> Result<Self, LoginError> {
        let mut parameters = vec![
            ("user", request.user),
            ("database", request.database),
            ("application_name", request.application),
            ("client_encoding", "UTF8"),
        ];
        if !request.options.is_empty() {
            parameters.push(("options", request.options));
        }
        frontend::startup_message(parameters, output)
            .map_err(|_| LoginError::ZeroByte { what: "the name of account, database or application" })?;
        Ok(Self {
            state: State::Authenticating,
            transport,
            secret,
            user: request.user.to_owned(),
            messages: 0,
            result: LoggedIn::default(),
        })
    }

    /// Takes what has arrived, appends what has to be sent; `Some` once the upstream is ready for queries.
    ///
    /// `input` may end anywhere; whole messages are taken off its front.
    ///
    /// # Errors
    /// Any `LoginError` ends the login; the connection is of no further use.
    pub fn receive(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<Option<LoggedIn>, LoginError> {
        while let Some(frame) = take_frame(input, MAX_MESSAGE_BYTES)? {
            self.messages += 1;
            if self.messages > MAX_MESSAGES {
                return Err(LoginError::Protocol { what: "too many messages before it is ready" });
            }
            let body = frame.body();
            match (frame.tag(), &self.state) {
                (b'E', _) => return Err(LoginError::Server { source: ServerError::read(body) }),
                // A notice says nothing that the gateway acts on.
                (b'N', _) => {}
                (b'v', State::Authenticating) => check_version(body)?,
                (b'R', State::Starting) => return Err(unexpected(b'R')),
                (b'R', _) => self.authenticate(body, output)?,
                (b'S', State::Starting) => {
                    let (name, value) = read_parameter_status(body)?;
                    set_parameter(&mut self.result.parameters, name, value);
                }
                (b'K', State::Starting) => self.result.key = Some(backend_key(body)?),
                (b'Z', State::Starting) if TransactionStatus::read(body)? == TransactionStatus::Idle => {
                    return Ok(Some(std::mem::take(&mut self.result)));
                }
                (tag, _) => return Err(unexpected(tag)),
            }
        }
        Ok(None)
    }

    fn authenticate(&mut self, body: &[u8], output: &mut BytesMut) -> Result<(), LoginError> {
        let method = Fields::new(body, "Authentication").int32()?;
        let body = body.get(4..).unwrap_or_default();
        let state = std::mem::replace(&mut self.state, State::Authenticating);
        self.state = match (method, state) {
            // A server that trusts the account's address asks for no proof; that is its choice.
            (0, State::Authenticating | State::Proven) => State::Starting,
            (0, State::ScramStarted(_) | State::ScramAnswered(_)) => return Err(LoginError::ProofMissing),
            (3, State::Authenticating) => {
                if self.transport == Transport::Plain {
                    return Err(LoginError::CleartextWithoutTls);
                }
                frontend::password_message(self.secret.expose().as_bytes(), output)
                    .map_err(|_| LoginError::ZeroByte { what: "the password" })?;
                State::Proven
            }
            (10, State::Authenticating) => State::ScramStarted(self.start_scram(body, output)?),
            (11, State::ScramStarted(mut scram)) => {
                scram.update(body).map_err(scram_failed)?;
                frontend::sasl_response(scram.message(), output).map_err(scram_failed)?;
                State::ScramAnswered(scram)
            }
            (12, State::ScramAnswered(mut scram)) => {
                scram.finish(body).map_err(scram_failed)?;
                State::Proven
            }
            (2 | 5 | 6 | 7 | 8 | 9, _) => {
                return Err(LoginError::UnsupportedMethod { method: method_name(method) });
            }
            _ => return Err(unexpected(b'R')),
        };
        Ok(())
    }

    fn start_scram(&self, mechanisms: &[u8], output: &mut BytesMut) -> Result<Box<ScramSha256>, LoginError> {
        let (mut plain, mut plus) = (false, false);
        let mut names = Fields::new(mechanisms, "AuthenticationSASL");
        loop {
            match names.text()? {
                "" => break,
                SCRAM_SHA_256 => plain = true,
                SCRAM_SHA_256_PLUS => plus = true,
                _ => {}
            }
        }
        let (mechanism, binding) = match &self.transport {
            Transport::Tls { end_point: Some(hash) } if plus => {
                (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash.clone()))
            }
            // "I could, but you did not offer it": a man in the middle who removed the offer is found out.
            Transport::Tls { end_point: Some(_) } if plain => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            Transport::Plain | Transport::Tls { end_point: None } if plain => {
                (SCRAM_SHA_256, ChannelBinding::unsupported())
            }
            _ => return Err(LoginError::UnsupportedMethod { method: "an unknown SASL mechanism" }),
        };
        let scram = ScramSha256::new(self.secret.expose().as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), output).map_err(scram_failed)?;
        Ok(Box::new(scram))
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Keeps the newest value of a parameter, in the place of its first arrival.
pub fn set_parameter(parameters: &mut Vec<(String, String)>, name: &str, value: &str) {
    match parameters.iter_mut().find(|(known, _)| known == name) {
        Some((_, held)) => value.clone_into(held),
        None => parameters.push((name.to_owned(), value.to_owned())),
    }
}

fn check_version(body: &[u8]) -> Result<(), LoginError> {
    // Minor 0 is what we asked for; the field is the whole version in newer servers, the minor alone in older.
    match Fields::new(body, "NegotiateProtocolVersion").int32()? {
        0 | 0x0003_0000 => Ok(()),
        _ => Err(LoginError::Protocol { what: "it wants another version" }),
    }
}

fn backend_key(body: &[u8]) -> Result<BackendKey, LoginError> {
    let process_id = Fields::new(body, "BackendKeyData").int32()?;
    let secret = body.get(4..).unwrap_or_default();
    if !(4..=MAX_KEY_BYTES).contains(&secret.len()) {
        return Err(WireError::Malformed { message: "BackendKeyData" }.into());
    }
    Ok(BackendKey { process_id, secret: Secret::new(secret.to_vec()) })
}

const fn unexpected(tag: u8) -> LoginError {
    LoginError::Wire { source: WireError::Unexpected { tag } }
}

const fn scram_failed(source: std::io::Error) -> LoginError {
    LoginError::Scram { source }
}

const fn method_name(method: i32) -> &'static str {
    match method {
        2 => "Kerberos 5",
        5 => "an MD5 password",
        6 => "SCM credentials",
        7 | 8 => "GSSAPI",
        _ => "SSPI",
    }
}

/// Login messages are small; the longest is an error with its context.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// ParameterStatus and notices together stay far below it.
const MAX_MESSAGES: usize = 1000;
/// Source: PostgreSQL manual, "BackendKeyData".
const MAX_KEY_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn start(transport: Transport) -> (Login, BytesMut) {
        let mut output = BytesMut::new();
        let request =
            LoginRequest { user: "gate", database: "hr", application: "tidegate", options: "-c a=b" };
        let login = Login::new(request, Secret::new("hunter2".to_owned()), transport, &mut output).unwrap();
        (login, output)
    }

    const fn tls() -> Transport {
        Transport::Tls { end_point: None }
    }

    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![tag];
        message.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend(body);
        message
    }

    fn sasl(names: &[&str]) -> Vec<u8> {
        let mut body = 10_i32.to_be_bytes().to_vec();
        names.iter().for_each(|name| body.extend([name.as_bytes(), b"\0"].concat()));
        body.push(0);
        framed(b'R', &body)
    }

    fn ask(method: i32) -> Vec<u8> {
        framed(b'R', &method.to_be_bytes())
    }

    /// What a fresh login answers to `bytes`, and how it takes them.
    fn answer(transport: Transport, bytes: &[u8]) -> (Result<Option<LoggedIn>, LoginError>, BytesMut) {
        let (mut login, _) = start(transport);
        let mut output = BytesMut::new();
        let result = login.receive(&mut BytesMut::from(bytes), &mut output);
        (result, output)
    }

    #[test]
    fn the_startup_message_asks_for_utf8_under_our_name() {
        let (_, output) = start(Transport::Plain);
        let text = b"user\0gate\0database\0hr\0application_name\0tidegate\0client_encoding\0UTF8\0options\0-c a=b\0\0";
        assert_eq!(output[4..8], 196_608_i32.to_be_bytes());
        assert_eq!(&output[8..], text.as_slice());
        assert_eq!(output[..4], u32::try_from(output.len()).unwrap().to_be_bytes());
    }

    #[test]
    fn a_trusting_server_lets_us_in_wherever_its_bytes_are_split() {
        let bytes = [
            framed(b'N', b"SNOTICE\0\0"),
            ask(0),
            framed(b'S', b"server_version\x0015.4\0"),
            framed(b'S', b"TimeZone\0UTC\0"),
            framed(b'S', b"server_version\x0016.1\0"),
            framed(b'K', &[&7_i32.to_be_bytes(), [9; 32].as_slice()].concat()),
            framed(b'Z', b"I"),
        ]
        .concat();
        for at in 0..=bytes.len() {
            let (mut login, _) = start(Transport::Plain);
            let (mut input, mut output) = (BytesMut::from(&bytes[..at]), BytesMut::new());
            let first = login.receive(&mut input, &mut output).unwrap();
            assert_eq!(first.is_some(), at == bytes.len());
            input.extend_from_slice(&bytes[at..]);
            let session = first.or_else(|| login.receive(&mut input, &mut output).unwrap()).unwrap();
            let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(
                session.parameters,
                [parameter("server_version", "16.1"), parameter("TimeZone", "UTC")]
            );
            let key = session.key.unwrap();
            assert_eq!((key.process_id, key.secret.expose().as_slice()), (7, [9; 32].as_slice()));
            assert!(input.is_empty() && output.is_empty());
        }
    }

    #[test]
    fn a_password_in_clear_text_goes_over_tls_only() {
        let (result, output) = answer(Transport::Plain, &ask(3));
        assert!(matches!(result, Err(LoginError::CleartextWithoutTls)));
        assert!(output.is_empty());
        let (result, output) = answer(tls(), &ask(3));
        assert!(matches!(result, Ok(None)));
        assert_eq!(&output[..], framed(b'p', b"hunter2\0"));
    }

    #[test]
    fn methods_that_we_do_not_use_are_answered_with_nothing() {
        for transport in [Transport::Plain, tls()] {
            for bytes in
                [framed(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]), ask(7), ask(9), sasl(&["OAUTHBEARER"]), sasl(&[])]
            {
                let (result, output) = answer(transport.clone(), &bytes);
                assert!(matches!(result, Err(LoginError::UnsupportedMethod { .. })), "{bytes:?}");
                assert!(output.is_empty());
            }
        }
    }

    #[test]
    fn the_channel_is_bound_wherever_both_sides_can() {
        let bound = || Transport::Tls { end_point: Some(vec![1; 32]) };
        let (plain, plus) = (SCRAM_SHA_256, SCRAM_SHA_256_PLUS);
        for (transport, offer, mechanism, header) in [
            (bound(), vec![plus, plain], plus, "p=tls-server-end-point,,n=,r="),
            (bound(), vec![plain], plain, "y,,n=,r="),
            (tls(), vec![plus, plain], plain, "n,,n=,r="),
            (Transport::Plain, vec![plain], plain, "n,,n=,r="),
        ] {
            let (result, output) = answer(transport, &sasl(&offer));
            assert!(matches!(result, Ok(None)));
            let text = String::from_utf8_lossy(&output[5..]).into_owned();
            let (name, rest) = text.split_once('\0').unwrap();
            assert_eq!(name, mechanism);
            assert!(rest[4 - 1..].contains(header), "{rest}");
        }
        assert!(answer(Transport::Plain, &sasl(&[plus])).0.is_err());
    }

    #[test]
    fn a_server_that_begins_scram_has_to_end_it() {
        let bytes = [sasl(&[SCRAM_SHA_256]), ask(0)].concat();
        assert!(matches!(answer(tls(), &bytes).0, Err(LoginError::ProofMissing)));
        let bytes = [sasl(&[SCRAM_SHA_256]), framed(b'R', b"\0\0\0\x0cv=AAAA")].concat();
        assert!(matches!(answer(tls(), &bytes).0, Err(LoginError::Wire { .. })));
        let forged = [sasl(&[SCRAM_SHA_256]), framed(b'R', b"\0\0\0\x0br=forged,s=AAAA,i=4096")].concat();
        assert!(matches!(answer(tls(), &forged).0, Err(LoginError::Scram { .. })));
        let again = [sasl(&[SCRAM_SHA_256]), ask(3)].concat();
        assert!(matches!(answer(tls(), &again).0, Err(LoginError::Wire { .. })));
    }

    #[test]
    fn the_servers_words_are_kept() {
        let bytes = framed(b'E', b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0");
        let Err(LoginError::Server { source }) = answer(tls(), &bytes).0 else { panic!("let in") };
        assert_eq!(source.to_string(), "28P01: password authentication failed");
        let broken = answer(tls(), &framed(b'E', b"Cxx")).0;
        assert!(matches!(broken, Err(LoginError::Server { .. })));
    }

    #[test]
    fn what_is_out_of_turn_too_long_or_without_end_is_refused() {
        let endless = framed(b'N', b"\0").repeat(MAX_MESSAGES + 1);
        for bytes in [
            framed(b'Z', b"I"),
            framed(b'S', b"a\0b\0"),
            framed(b'D', b""),
            framed(b'R', b"\0"),
            [ask(0), ask(0)].concat(),
            [ask(0), framed(b'Z', b"T")].concat(),
            [ask(0), framed(b'K', &[0; 7])].concat(),
            [ask(0), framed(b'K', &[0; 4 + MAX_KEY_BYTES + 1])].concat(),
            [ask(0), framed(b'S', b"a\0b")].concat(),
            framed(b'v', &[0, 3, 0, 2, 0, 0, 0, 0]),
            b"E\x7f\xff\xff\xff".to_vec(),
            b"E\0\0\0\x03".to_vec(),
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            endless,
        ] {
            assert!(answer(tls(), &bytes).0.is_err(), "{:?}", &bytes[..bytes.len().min(40)]);
        }
        assert!(answer(tls(), &framed(b'v', &[0, 3, 0, 0, 0, 0, 0, 0])).0.is_ok());
    }

    #[test]
    fn neither_login_nor_its_errors_show_the_password() {
        let (login, _) = start(tls());
        assert!(!format!("{login:?}").contains("hunter2"));
        let request = LoginRequest { user: "a\0b", database: "hr", application: "tidegate", options: "" };
        let error =
            Login::new(request, Secret::new("hunter2".to_owned()), tls(), &mut BytesMut::new()).unwrap_err();
        assert!(matches!(error, LoginError::ZeroByte { .. }));
    }
}
