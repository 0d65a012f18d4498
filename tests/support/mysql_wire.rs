//! A client of MySQL's protocol that says exactly what it is told to, packet by packet.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::BytesMut;
use tidegate::{
    model::secret::Secret,
    wire::mysql::{
        capability::Capabilities,
        error::ServerError,
        packet::{Packet, take_packet},
        upstream::{Login as Exchange, LoginError, LoginRequest, LoginStep},
    },
};

use super::{DATABASE, login::Login};

/// A connection that is logged in, in plain text, without DEPRECATE_EOF.
#[derive(Debug)]
pub struct MysqlWire {
    stream: TcpStream,
    input: BytesMut,
    /// The number of its session.
    pub number: u32,
}

impl MysqlWire {
    /// Logs in; `shape` is what is asked for beside the usual.
    pub fn connect(login: &Login, shape: Capabilities) -> Self {
        Self::connect_in(login, shape, 45)
    }

    /// Logs in with the collation of this number.
    pub fn connect_in(login: &Login, shape: Capabilities, charset: u8) -> Self {
        Self::log_in(login, shape, charset, DATABASE).unwrap()
    }

    /// Logs in to a database, or gives the error with which it is turned away.
    pub fn log_in(
        login: &Login,
        shape: Capabilities,
        charset: u8,
        database: &str,
    ) -> Result<Self, ServerError> {
        let stream = TcpStream::connect(("127.0.0.1", login.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = LoginRequest {
            user: &login.user,
            database,
            shape,
            tls: false,
            charset,
            attributes: &[("program_name", "wire")],
        };
        let mut exchange = Exchange::new(&request, Secret::new(login.password.clone())).unwrap();
        let mut wire = Self { stream, input: BytesMut::new(), number: 0 };
        let mut output = BytesMut::new();
        loop {
            let packet = wire.packet().expect("the server closed during the login");
            let step = match exchange.receive(&packet, &mut output) {
                Err(LoginError::Server { source }) => return Err(source),
                step => step.unwrap(),
            };
            wire.stream.write_all(&output.split()).unwrap();
            match step {
                LoginStep::Next => {}
                LoginStep::StartTls => panic!("TLS was not asked for"),
                LoginStep::Done(done) => {
                    wire.number = done.greeting.connection_id;
                    return Ok(wire);
                }
            }
        }
    }

    /// How long an answer may take.
    pub fn be_patient(&self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).unwrap();
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends one command.
    pub fn command(&mut self, code: u8, body: &[u8]) {
        self.send(&framed(0, &[&[code], body].concat()));
    }

    /// The next packet; `None` when the gateway closed.
    pub fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = take_packet(&mut self.input, 1 << 26).unwrap() {
                return Some(packet);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The payload of the next packet.
    pub fn payload(&mut self) -> Vec<u8> {
        self.packet().expect("the gateway closed").into_payload().to_vec()
    }

    /// What the next packet says, which has to be OK or ERR: the number of the error, 0 for OK.
    pub fn outcome(&mut self) -> u16 {
        outcome(&self.payload())
    }

    /// The rows of a result with definitions, or the number of the error in its place.
    pub fn rows(&mut self) -> Result<Vec<Vec<u8>>, u16> {
        let first = self.payload();
        if first[0] == 0xff {
            return Err(outcome(&first));
        }
        for _ in 0..=first[0] {
            self.payload();
        }
        self.rows_only().map(|(rows, _)| rows)
    }

    /// Rows without definitions, and the status flags behind them.
    pub fn rows_only(&mut self) -> Result<(Vec<Vec<u8>>, u16), u16> {
        let mut rows = Vec::new();
        loop {
            let payload = self.payload();
            match payload[0] {
                0xff => return Err(outcome(&payload)),
                0xfe if payload.len() < 9 => return Ok((rows, u16::from_le_bytes([payload[3], payload[4]]))),
                _ => rows.push(payload),
            }
        }
    }

    /// Runs a text of one result.
    pub fn query(&mut self, sql: &str) -> Result<Vec<Vec<u8>>, u16> {
        self.command(0x03, sql.as_bytes());
        self.rows()
    }

    /// Runs a text without a result; gives the number of the error, 0 for OK.
    pub fn run(&mut self, sql: &str) -> u16 {
        self.command(0x03, sql.as_bytes());
        self.outcome()
    }

    /// Prepares a statement; gives its number, or that of the error.
    pub fn prepare(&mut self, sql: &str) -> Result<u32, u16> {
        self.command(0x16, sql.as_bytes());
        let payload = self.payload();
        if payload[0] == 0xff {
            return Err(outcome(&payload));
        }
        let number = |at: usize| usize::from(u16::from_le_bytes([payload[at], payload[at + 1]]));
        for count in [number(7), number(5)] {
            (0..if count > 0 { count + 1 } else { 0 }).for_each(|_| drop(self.payload()));
        }
        Ok(u32::from_le_bytes(payload[1..5].try_into().unwrap()))
    }
}

/// A packet of this number.
pub fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    bytes[3] = sequence;
    bytes.extend_from_slice(payload);
    bytes
}

/// COM_STMT_EXECUTE's body: `cursor` asks for a read-only one, `parameters` is everything behind the head.
pub fn execute(statement: u32, cursor: bool, parameters: &[u8]) -> Vec<u8> {
    [&statement.to_le_bytes()[..], &[u8::from(cursor)], &1_u32.to_le_bytes(), parameters].concat()
}

fn outcome(payload: &[u8]) -> u16 {
    match payload[0] {
        0xff => ServerError::read(payload).unwrap().errno,
        _ => 0,
    }
}
