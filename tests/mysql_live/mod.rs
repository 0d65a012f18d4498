//! A client of a few lines that sends exactly the bytes it is told to.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use bytes::BytesMut;
use tidegate::{
    model::{
        ids::DatabaseName,
        name_context::{MysqlFlavor, MysqlReading, NameContext, SearchPath},
        secret::Secret,
    },
    wire::mysql::{
        capability::Capabilities,
        packet::take_packet,
        upstream::{Login, LoginRequest, LoginStep},
    },
};

/// What a server answers to one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The text was no result set.
    Done,
    /// The rows as text; `None` is NULL.
    Rows(Vec<Vec<Option<Vec<u8>>>>),
    /// Its code and words.
    Error(u16, String),
}

/// A connection of an account without a password.
pub(crate) struct Client {
    stream: TcpStream,
    sequence: u8,
}

const UTF8MB4_GENERAL_CI: u8 = 45;

impl Client {
    /// Logs in at `url` ("mysql://root:password@127.0.0.1:3306/"), as whom it names or as `user` without a password.
    pub(crate) fn connect(url: &str, user: Option<&str>) -> Self {
        let (named, place) = url.strip_prefix("mysql://").unwrap().rsplit_once('@').unwrap();
        let (user, password) =
            user.map_or_else(|| named.split_once(':').unwrap_or((named, "")), |user| (user, ""));
        let stream = TcpStream::connect(place.split('/').next().unwrap()).unwrap();
        let mut client = Self { stream, sequence: 0 };
        let request = LoginRequest {
            user,
            database: "",
            shape: Capabilities::NONE,
            tls: false,
            charset: UTF8MB4_GENERAL_CI,
            attributes: &[],
        };
        let mut login = Login::new(&request, Secret::new(password.to_owned())).unwrap();
        let mut input = BytesMut::new();
        loop {
            let packet = loop {
                if let Some(packet) = take_packet(&mut input, 1 << 16).unwrap() {
                    break packet;
                }
                let mut piece = [0; 4096];
                let length = client.stream.read(&mut piece).unwrap();
                assert!(length > 0, "the server hung up");
                input.extend_from_slice(&piece[..length]);
            };
            let mut out = BytesMut::new();
            let step = login.receive(&packet, &mut out).unwrap();
            client.stream.write_all(&out).unwrap();
            if matches!(step, LoginStep::Done(_)) {
                return client;
            }
        }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        self.sequence = head[3].wrapping_add(1);
        let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
        self.stream.read_exact(&mut body).unwrap();
        body
    }

    fn send(&mut self, body: &[u8]) {
        let mut packet = u32::try_from(body.len()).unwrap().to_le_bytes()[..3].to_vec();
        packet.push(self.sequence);
        packet.extend(body);
        self.stream.write_all(&packet).unwrap();
    }

    /// Runs one text.
    pub(crate) fn query(&mut self, text: impl AsRef<[u8]>) -> Answer {
        self.sequence = 0;
        let mut body = vec![3];
        body.extend(text.as_ref());
        self.send(&body);
        let first = self.receive();
        match first[0] {
            0 => return Answer::Done,
            0xff => return error(&first),
            _ => {}
        }
        while self.receive()[0] != 0xfe {}
        let mut rows = Vec::new();
        loop {
            let packet = self.receive();
            match packet[0] {
                0xfe if packet.len() < 9 => return Answer::Rows(rows),
                0xff => return error(&packet),
                _ => rows.push(row(&packet)),
            }
        }
    }

    /// Runs one text that has to work.
    pub(crate) fn run(&mut self, text: &str) -> Vec<Vec<Option<Vec<u8>>>> {
        match self.query(text) {
            Answer::Done => Vec::new(),
            Answer::Rows(rows) => rows,
            Answer::Error(code, message) => panic!("{text}: {code} {message}"),
        }
    }

    /// Goes to `database`, where nothing needs to come to its end.
    pub(crate) fn play_in(&mut self, database: &str) {
        self.run(&format!("USE {database}"));
        self.run("SET sql_mode = ''");
        self.run("SET sql_select_limit = 100");
        self.query("SET max_statement_time = 1, max_recursive_iterations = 100");
        self.query("SET max_execution_time = 1000");
    }

    /// How this server reads under no mode.
    pub(crate) fn reading(&mut self) -> MysqlReading {
        let rows = self.run("SELECT VERSION()");
        let version = String::from_utf8(rows[0][0].clone().unwrap()).unwrap();
        let number = |at: usize| -> u32 {
            let digits = |letter: char| !letter.is_ascii_digit();
            version.split(digits).nth(at).unwrap().parse().unwrap()
        };
        MysqlReading {
            flavor: if version.contains("MariaDB") { MysqlFlavor::Mariadb } else { MysqlFlavor::Mysql },
            version: number(0) * 10_000 + number(1) * 100 + number(2),
            ..MysqlReading::USUAL
        }
    }
}

fn error(packet: &[u8]) -> Answer {
    let words = String::from_utf8_lossy(packet.get(9..).unwrap_or_default()).into_owned();
    Answer::Error(u16::from_le_bytes([packet[1], packet[2]]), words)
}

fn row(packet: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut rest = packet;
    let mut fields = Vec::new();
    while let Some((head, behind)) = rest.split_first() {
        let (length, behind) = match head {
            0xfb => {
                fields.push(None);
                rest = behind;
                continue;
            }
            0xfc => (usize::from(behind[0]) | usize::from(behind[1]) << 8, &behind[2..]),
            0xfd => {
                let length =
                    usize::from(behind[0]) | usize::from(behind[1]) << 8 | usize::from(behind[2]) << 16;
                (length, &behind[3..])
            }
            short => (usize::from(*short), behind),
        };
        fields.push(Some(behind[..length].to_vec()));
        rest = &behind[length..];
    }
    fields
}

/// A session in `database` that has just begun.
pub(crate) fn context(database: &str, reading: MysqlReading) -> NameContext {
    NameContext {
        database: DatabaseName::from(database),
        server_version: reading.version / 10_000,
        search_path: SearchPath::Known(Arc::from([])),
        accounts: Arc::from([]),
        temporary: Arc::default(),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: Some(reading),
    }
}

/// Whether a statement waits, takes its time, or gives rows that are larger than a packet.
pub(crate) fn is_slow(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    sql.len() >= 4_000 || SLOW.iter().any(|slow| lower.contains(slow))
}

const SLOW: &[&str] = &[
    "sleep",
    "benchmark",
    "get_lock",
    "wait_for",
    "master_",
    "source_pos",
    "repeat",
    "space(",
    "pad(",
    "9223372036854775807 f",
];

/// Another number of a row that is the same in each run.
pub(crate) fn random(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed >> 33).unwrap()
}

/// The servers that may be played with: `TIDEGATE_TEST_MYSQL_URL`, `TIDEGATE_TEST_MARIADB_URL`.
pub(crate) fn servers() -> Vec<String> {
    let mut servers = Vec::new();
    for name in ["TIDEGATE_TEST_MYSQL_URL", "TIDEGATE_TEST_MARIADB_URL"] {
        match std::env::var(name) {
            Ok(url) => servers.push(url),
            Err(_) => {
                assert!(std::env::var_os("CI").is_none(), "{name} is needed in CI");
                println!("skipped: {name} is not set");
            }
        }
    }
    servers
}
