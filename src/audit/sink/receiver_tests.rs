//! Doubles of receivers, which can be down and come back.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{
    Kafka, KafkaSettings, Otlp, S3, S3Settings, Sink, Syslog, SyslogSettings,
    kafka::double_tests::{Taken, answer},
};
use crate::{model::secret::Secret, telemetry::OtlpSettings};

/// What a receiver is a double of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Kafka { most_bytes: usize },
    Otlp,
    S3,
    Syslog,
}

/// A receiver, up or down at one address.
pub(super) struct Receiver {
    kind: Kind,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    /// What is answered over HTTP.
    status: Arc<AtomicU16>,
    serving: Option<JoinHandle<()>>,
}

/// What came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Lines of the log as they came.
    pub(super) lines: Vec<Vec<u8>>,
    /// Requests over HTTP.
    pub(super) requests: Vec<Request>,
    /// Messages of Kafka.
    pub(super) messages: Vec<Taken>,
}

/// One request over HTTP.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

impl Receiver {
    pub(super) async fn new(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut receiver = Self { kind, address, seen, status: Arc::new(AtomicU16::new(200)), serving: None };
        receiver.serve(listener);
        receiver
    }

    /// Closes its door and all connections.
    pub(super) async fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }

    pub(super) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serve(listener);
    }

    fn serve(&mut self, listener: TcpListener) {
        let (seen, status) = (Arc::clone(&self.seen), Arc::clone(&self.status));
        self.serving = Some(tokio::spawn(serve(listener, self.kind, seen, status)));
    }

    /// What is not answered with 200 counts as never seen.
    pub(super) fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(super) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// A sink that sends to it.
    pub(super) fn sink(&self) -> Sink {
        let (address, gateway) = (self.address, "one".to_owned());
        match self.kind {
            Kind::Kafka { .. } => Sink::Kafka(Kafka::new(KafkaSettings {
                brokers: vec![address.to_string()],
                topic: "audit".to_owned(),
                tls: None,
                account: None,
                gateway,
            })),
            Kind::Otlp => Sink::Otlp(
                Otlp::new(OtlpSettings {
                    url: format!("http://{address}/v1/logs"),
                    ca: None,
                    token: Some(Secret::new("let-me-in".to_owned())),
                    gateway,
                })
                .unwrap(),
            ),
            Kind::S3 => {
                let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", None, None, "test");
                Sink::S3(
                    S3::new(S3Settings {
                        bucket: "audit".to_owned(),
                        prefix: "prod/".to_owned(),
                        region: "eu-central-1".to_owned(),
                        endpoint: Some(format!("http://{address}")),
                        ca: None,
                        gateway,
                        credentials: SharedCredentialsProvider::new(credentials),
                        pace: Duration::from_millis(600),
                    })
                    .unwrap(),
                )
            }
            Kind::Syslog => Sink::Syslog(Syslog::new(SyslogSettings {
                endpoint: address.to_string(),
                tls: None,
                host: gateway,
            })),
        }
    }
}

async fn serve(listener: TcpListener, kind: Kind, seen: Arc<Mutex<Seen>>, status: Arc<AtomicU16>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (seen, status) = (Arc::clone(&seen), Arc::clone(&status));
        connections.spawn(async move {
            match kind {
                Kind::Kafka { most_bytes } => {
                    answer(stream, most_bytes, |message| {
                        let mut seen = seen.lock().unwrap();
                        seen.lines.push(message.value.clone());
                        seen.messages.push(message);
                    })
                    .await
                }
                Kind::Otlp | Kind::S3 => http(stream, kind, &seen, &status).await,
                Kind::Syslog => syslog(stream, &seen).await,
            }
        });
    }
}

async fn http(mut stream: TcpStream, kind: Kind, seen: &Mutex<Seen>, status: &AtomicU16) -> Option<()> {
    loop {
        let request = request(&mut stream).await?;
        let status = status.load(Ordering::SeqCst);
        if status == 200 {
            let mut seen = seen.lock().unwrap();
            if kind == Kind::Otlp {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
                let line = |record: &Value| record["body"]["stringValue"].as_str().unwrap().to_owned();
                seen.lines.extend(records.iter().map(|record| line(record).into_bytes()));
            } else {
                let lines = request.body.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
                seen.lines.extend(lines.map(<[u8]>::to_vec));
            }
            seen.requests.push(request);
        }
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut seen =
        Request { method: first.next()?, path: first.next()?, headers, body: bytes[end + 4..].to_vec() };
    let length: usize = seen.header("content-length").parse().unwrap();
    while seen.body.len() < length {
        stream.read_buf(&mut seen.body).await.ok()?;
    }
    Some(seen)
}

async fn syslog(mut stream: TcpStream, seen: &Mutex<Seen>) -> Option<()> {
    loop {
        let text = message(&mut stream).await?;
        let line = text.splitn(8, ' ').last().unwrap().as_bytes().to_vec();
        seen.lock().unwrap().lines.push(line);
    }
}

/// One message of syslog, without its length.
pub(super) async fn message(stream: &mut TcpStream) -> Option<String> {
    let mut length = 0;
    loop {
        match stream.read_u8().await.ok()? {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await.ok()?;
    Some(String::from_utf8(text).unwrap())
}
