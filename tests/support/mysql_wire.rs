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
        compression::{Algorithm, Compressor, Framing},
        error::ServerError,
        packet::{HEADER_BYTES, Packet, header, take_packet},
        upstream::{Login as Exchange, LoginError, LoginRequest, LoginStep},
    },
};

use super::{DATABASE, login::Login};

/// A connection that is logged in, without TLS and DEPRECATE_EOF.
pub struct MysqlWire {
    stream: TcpStream,
    input: BytesMut,
    /// By what it compresses, and the frames of the exchange under way.
    compression: Option<(Algorithm, Framing)>,
    /// Frames that were not opened.
    raw: Vec<u8>,
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
        Self::open(login, shape, charset, database, None)
    }

    /// Logs in to compress from then on.
    pub fn compressed(login: &Login, algorithm: Algorithm) -> Self {
        Self::open(login, Capabilities::NONE, 45, DATABASE, Some(algorithm)).unwrap()
    }

    fn open(
        login: &Login,
        shape: Capabilities,
        charset: u8,
        database: &str,
        compression: Option<Algorithm>,
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
        let mut wire = Self { stream, input: BytesMut::new(), compression: None, raw: Vec::new(), number: 0 };
        let mut output = BytesMut::new();
        loop {
            let packet = wire.packet().expect("the server closed during the login");
            let step = match exchange.receive(&packet, &mut output) {
                Err(LoginError::Server { source }) => return Err(source),
                step => step.unwrap(),
            };
            if let Some(algorithm) = compression.filter(|_| packet.sequence() == 0) {
                say_compression(&mut output, algorithm);
            }
            wire.stream.write_all(&output.split()).unwrap();
            match step {
                LoginStep::Next => {}
                LoginStep::StartTls => panic!("TLS was not asked for"),
                LoginStep::Done(done) => {
                    wire.number = done.greeting.connection_id;
                    wire.compression = compression.map(|algorithm| (algorithm, frames(algorithm)));
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
        let packet = framed(0, &[&[code], body].concat());
        let frames = self.in_frames(&packet);
        self.send(&frames);
    }

    /// Bytes of a new exchange as they go: in frames, if it compresses.
    pub fn in_frames(&mut self, plain: &[u8]) -> Vec<u8> {
        let Some((algorithm, framing)) = &mut self.compression else { return plain.to_vec() };
        *framing = frames(*algorithm);
        let mut out = BytesMut::new();
        framing.write(&mut Compressor::default(), plain, &mut out);
        out.to_vec()
    }

    /// So many frames of a new exchange were sent by hand.
    pub fn sent_frames(&mut self, count: usize) {
        self.in_frames(b"");
        for _ in 0..count {
            let Some((_, framing)) = &mut self.compression else { return };
            framing.write(&mut Compressor::default(), b"x", &mut BytesMut::new());
        }
    }

    /// The next packet; `None` when the gateway closed.
    pub fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = take_packet(&mut self.input, 1 << 26).unwrap() {
                return Some(packet);
            }
            if self.open_more() {
                continue;
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return None,
                Ok(count) if self.compression.is_some() => self.raw.extend_from_slice(&bytes[..count]),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// Opens what belongs to the next packet, and no more: behind it, frames may be counted anew.
    fn open_more(&mut self) -> bool {
        let Some((_, framing)) = &mut self.compression else { return false };
        let whole = header(&self.input).map_or(HEADER_BYTES, |header| HEADER_BYTES + header.length_bytes);
        let mut plain = vec![0; whole - self.input.len()];
        let mut rest = self.raw.as_slice();
        let count = framing.read(&mut rest, &mut plain).unwrap();
        self.raw = rest.to_vec();
        self.input.extend_from_slice(&plain[..count]);
        count > 0
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

/// The frames of a new exchange.
fn frames(algorithm: Algorithm) -> Framing {
    Framing::new(algorithm, 1 << 26)
}

/// Says in a login packet, which is all of `packet`, that the client compresses.
fn say_compression(packet: &mut BytesMut, algorithm: Algorithm) {
    let bit = match algorithm {
        Algorithm::Zlib => Capabilities::COMPRESS,
        Algorithm::Zstd { level } => {
            packet.extend_from_slice(&[level]);
            Capabilities::ZSTD_COMPRESSION
        }
    };
    let length = u32::try_from(packet.len() - 4).unwrap().to_le_bytes();
    packet[..3].copy_from_slice(&length[..3]);
    let said = u32::from_le_bytes(packet[4..8].try_into().unwrap()) | bit.lower();
    packet[4..8].copy_from_slice(&said.to_le_bytes());
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
