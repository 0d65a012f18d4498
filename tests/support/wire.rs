//! A client of the tests that says exactly which bytes it sends, and when.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

use super::{DATABASE, Login};

/// A plain-text connection, logged in.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    /// BackendKeyData: process identifier and key.
    pub key: Vec<u8>,
}

/// One message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its first byte.
    pub tag: char,
    /// Its body, without the length.
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an ErrorResponse or NoticeResponse.
    pub fn field(&self, code: char) -> Option<String> {
        let mut rest = &self.body[..];
        while let Some((&kind, tail)) = rest.split_first() {
            let end = tail.iter().position(|byte| *byte == 0)?;
            if char::from(kind) == code {
                return Some(String::from_utf8_lossy(&tail[..end]).into_owned());
            }
            rest = &tail[end + 1..];
        }
        None
    }

    /// Short, for comparing: rows and tags as text, errors by SQLSTATE and message.
    pub fn shown(&self) -> String {
        match self.tag {
            'E' | 'N' => {
                let field = |code| self.field(code).unwrap_or_default();
                format!("{} {} {} {}", self.tag, field('S'), field('C'), field('M'))
            }
            tag => format!("{tag} {}", String::from_utf8_lossy(&self.body).escape_debug()),
        }
    }
}

impl Raw {
    /// Connects and logs in with SCRAM.
    pub fn login(login: &Login) -> Self {
        Self::login_speaking(login, 0)
    }

    /// The same in protocol 3 of this minor version.
    pub fn login_speaking(login: &Login, minor: u8) -> Self {
        let mut raw = Self::open(login.port);
        raw.log_in_speaking(login, minor);
        raw
    }

    /// Logs in with SCRAM, on a connection on which nothing was said yet.
    pub fn log_in(&mut self, login: &Login) {
        self.log_in_speaking(login, 0);
    }

    fn log_in_speaking(&mut self, login: &Login, minor: u8) {
        let mut hello =
            startup(&[("user", &login.user), ("database", DATABASE), ("client_encoding", "UTF8")]);
        hello[7] = minor;
        self.send(&hello);
        let sasl = self.message();
        assert_eq!(sasl.tag, 'R', "{}", sasl.shown());
        let mut scram = ScramSha256::new(login.password.as_bytes(), ChannelBinding::unsupported());
        let mut first = SCRAM_SHA_256.as_bytes().to_vec();
        first.push(0);
        first.extend(i32::try_from(scram.message().len()).unwrap().to_be_bytes());
        first.extend(scram.message());
        self.send(&message('p', &first));
        let challenge = self.message();
        scram.update(&challenge.body[4..]).unwrap();
        self.send(&message('p', scram.message()));
        for message in self.until_ready() {
            assert_ne!(message.tag, 'E', "{}", message.shown());
            if message.tag == 'K' {
                self.key = message.body;
            }
        }
    }

    /// Connects and says nothing yet.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, key: Vec::new() }
    }

    /// The same connection, to send from another thread.
    pub fn clone_stream(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap(), key: Vec::new() }
    }

    /// Sends bytes as they are, in one write.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes as long as the other side takes them.
    pub fn send_as_far_as_possible(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next message.
    pub fn message(&mut self) -> Message {
        self.next().expect("the connection is closed")
    }

    /// The next message, or `None` at the end of the connection.
    pub fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some(Message { tag: char::from(head[0]), body })
    }

    /// One raw byte, as after SSLRequest; `None` at the end of the connection.
    pub fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).ok()?;
        Some(byte[0])
    }

    /// Messages up to and with the next ReadyForQuery (or an end of the connection).
    pub fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next() {
            let ready = message.tag == 'Z';
            messages.push(message);
            if ready {
                break;
            }
        }
        messages
    }

    /// The rest of the connection, to its end.
    pub fn rest_of_connection(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Sends one batch and gives the answers to each Sync (or Query) in it, shortened.
    pub fn exchange(&mut self, bytes: &[u8], syncs: usize) -> Vec<Vec<String>> {
        self.send(bytes);
        (0..syncs).map(|_| self.until_ready().iter().map(Message::shown).collect()).collect()
    }

    /// Asks at `port` to stop what the session of `key` runs, and waits until the connection is closed.
    pub fn cancel(port: u16, key: &[u8]) {
        let mut request = Self::open(port);
        let length = u32::try_from(8 + key.len()).unwrap();
        request.send(&[&length.to_be_bytes(), &80_877_102_u32.to_be_bytes(), key].concat());
        assert_eq!(request.rest_of_connection(), []);
    }

    /// Says that nothing more will be sent.
    pub fn shutdown(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Tags of messages as one word: "12DCZ".
pub fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| message.tag).collect()
}

/// The first error among messages.
pub fn error(messages: &[Message]) -> &Message {
    messages
        .iter()
        .find(|message| message.tag == 'E')
        .unwrap_or_else(|| panic!("no error in {}", tags(messages)))
}

/// A message with its tag and length.
pub fn message(tag: char, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(tag).unwrap()];
    bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// StartupMessage of protocol 3.0.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        for text in [name, value] {
            body.extend(text.bytes());
            body.push(0);
        }
    }
    body.push(0);
    let mut bytes = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn strings(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| text.bytes().chain([0])).collect()
}

/// Query.
pub fn query(sql: &str) -> Vec<u8> {
    message('Q', &strings(&[sql]))
}

/// Parse without parameter types.
pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    message('P', &[strings(&[name, sql]), vec![0, 0]].concat())
}

/// Bind with text parameters and text results.
pub fn bind(portal: &str, statement: &str, parameters: &[&str]) -> Vec<u8> {
    let mut body = strings(&[portal, statement]);
    body.extend([0, 0]);
    body.extend(u16::try_from(parameters.len()).unwrap().to_be_bytes());
    for value in parameters {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.bytes());
    }
    body.extend([0, 0]);
    message('B', &body)
}

/// Execute; 0 rows is all of them.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    message('E', &[strings(&[portal]), rows.to_be_bytes().to_vec()].concat())
}

/// Describe a statement ('S') or portal ('P').
pub fn describe(kind: char, name: &str) -> Vec<u8> {
    message('D', &[vec![u8::try_from(kind).unwrap()], strings(&[name])].concat())
}

/// Close a statement ('S') or portal ('P').
pub fn close(kind: char, name: &str) -> Vec<u8> {
    message('C', &[vec![u8::try_from(kind).unwrap()], strings(&[name])].concat())
}

/// Sync.
pub fn sync() -> Vec<u8> {
    message('S', &[])
}

/// Flush.
pub fn flush() -> Vec<u8> {
    message('H', &[])
}

/// Parse, Bind, Describe, Execute of one statement, unnamed; no Sync.
pub fn run(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", "", &[]), describe('P', ""), execute("", 0)].concat()
}
