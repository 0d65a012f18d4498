//! Sinks against receivers that fail, break off and check what they are sent.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

use super::{Otlp, OtlpSettings, S3, S3Settings, Sink, SinkParts, Syslog, SyslogSettings, cursor_of};
use crate::{
    audit::{
        AuditLog, Cursor, Rotation,
        rotation::Rotator,
        tests::{Bench, note},
    },
    model::secret::Secret,
};

fn started(bench: &Bench, sink: Sink) -> JoinHandle<()> {
    let parts = SinkParts { name: "siem".to_owned(), log: bench.path(), metrics: bench.metrics.clone() };
    tokio::spawn(sink.run(parts))
}

/// Waits until the sink has kept that it sent everything before record `next`.
async fn sent(bench: &Bench, next: u64) {
    let place = cursor_of(&bench.path(), "siem");
    let is_there = |place: &Path| {
        let text = fs::read(place).unwrap_or_default();
        serde_json::from_slice::<Cursor>(&text).is_ok_and(|cursor| cursor.next == next)
    };
    let waiting = async {
        while !is_there(&place) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.expect("the sink sends");
}

async fn append(log: &AuditLog, words: &[&str]) {
    for word in words {
        let _receipt = log.append_one(&note(word)).await.unwrap();
    }
}

/// One request as a double of a receiver saw it.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// Answers every request with the status that it is told.
async fn receiver(status: Arc<AtomicU16>) -> (SocketAddr, UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tell, status) = (tell.clone(), Arc::clone(&status));
            tokio::spawn(async move {
                let mut stream = stream;
                while let Some(seen) = request(&mut stream).await {
                    let status = status.load(Ordering::SeqCst);
                    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\n{{}}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if status == 200 {
                        tell.send(seen).unwrap();
                    }
                }
            });
        }
    });
    (address, told)
}

async fn request(stream: &mut TcpStream) -> Option<Seen> {
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
        Seen { method: first.next()?, path: first.next()?, headers, body: bytes[end + 4..].to_vec() };
    let length: usize = seen.header("content-length").parse().unwrap();
    while seen.body.len() < length {
        stream.read_buf(&mut seen.body).await.ok()?;
    }
    Some(seen)
}

fn otlp(address: SocketAddr) -> Sink {
    let settings = OtlpSettings {
        url: format!("http://{address}/v1/logs"),
        ca: None,
        token: Some(Secret::new("let-me-in".to_owned())),
        gateway: "one".to_owned(),
    };
    Sink::Otlp(Otlp::new(settings).unwrap())
}

/// The records that a receiver of OTLP was told, by number.
fn told_to_otlp(seen: &Seen) -> Vec<(String, Value)> {
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/logs"));
    assert_eq!(seen.header("authorization"), "Bearer let-me-in");
    assert_eq!(seen.header("content-type"), "application/json");
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone();
    records
        .into_iter()
        .map(|record| {
            let seq = record["attributes"][0]["value"]["intValue"].as_str().unwrap().to_owned();
            assert_eq!(record["timeUnixNano"].as_str().unwrap().len(), 19);
            let line = record["body"]["stringValue"].as_str().unwrap();
            (seq, serde_json::from_str(line).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_everything_when_it_is_back_and_nobody_waits_for_it() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let status = Arc::new(AtomicU16::new(503));
    let (address, mut told) = receiver(Arc::clone(&status)).await;
    let sink = started(&bench, otlp(address));
    append(&log, &["one", "two"]).await;
    let failures = bench.metrics.sink_failures.with_label_values(&["siem"]);
    while failures.get() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The log goes on meanwhile, and in a new file.
    let mut rotator = Rotator::new(
        &bench.path(),
        Rotation { bytes: 1, ..Rotation::NEVER },
        bench.clock.clone(),
        bench.metrics.clone(),
    );
    assert!(rotator.rotate_if_due(log.desk()).unwrap());
    append(&log, &["three"]).await;
    assert!(told.try_recv().is_err() && log.is_writable());
    status.store(200, Ordering::SeqCst);
    sent(&bench, 5).await;
    let mut numbers = Vec::new();
    while let Ok(seen) = told.try_recv() {
        numbers.extend(told_to_otlp(&seen).into_iter().map(|(seq, _)| seq));
    }
    assert_eq!(numbers, ["0", "1", "2", "3", "4"]);
    sink.abort();
    let _ = sink.await;
    // It goes on where it stopped.
    append(&log, &["four"]).await;
    let sink = started(&bench, otlp(address));
    sent(&bench, 6).await;
    let again = told_to_otlp(&told.recv().await.unwrap());
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1["problem"], "four");
    sink.abort();
}

#[tokio::test]
async fn a_receiver_that_is_down_while_the_log_fills_files_gets_all_of_them() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let status = Arc::new(AtomicU16::new(503));
    let (address, mut told) = receiver(Arc::clone(&status)).await;
    let sink = started(&bench, otlp(address));
    let failures = bench.metrics.sink_failures.with_label_values(&["siem"]);
    let readers = vec![cursor_of(&bench.path(), "siem")];
    let rotation = Rotation { bytes: 1, keep_bytes: Some(1), readers, ..Rotation::NEVER };
    let mut rotator = Rotator::new(&bench.path(), rotation, bench.clock.clone(), bench.metrics.clone());
    for file in 0..6 {
        append(&log, &["while", "it", "is", "down"]).await;
        bench.hand.advance(Duration::from_secs(600));
        assert!(rotator.rotate_if_due(log.desk()).unwrap());
        // What it has not read is kept, whatever else says that it is over.
        rotator.trim(log.desk()).unwrap();
        while failures.get() < file.min(3) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(bench.metrics.held_for_sinks.get(), 1);
    assert!(told.try_recv().is_err() && log.is_writable());
    let next = log.last_on_disk().unwrap().unwrap().seq + 1;
    status.store(200, Ordering::SeqCst);
    // Some may come twice.
    let mut numbers = BTreeSet::new();
    while numbers.len() < next as usize {
        let seen = timeout(Duration::from_secs(60), told.recv()).await.expect("the sink sends").unwrap();
        numbers.extend(told_to_otlp(&seen).into_iter().map(|(seq, _)| seq.parse::<u64>().unwrap()));
    }
    assert!(numbers.into_iter().eq(0..next));
    sink.abort();
}

#[tokio::test]
async fn objects_have_the_lines_of_the_log_and_a_signature_that_the_key_gives() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let (address, mut told) = receiver(Arc::new(AtomicU16::new(200))).await;
    append(&log, &["one", "zwei Wörter"]).await;
    let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", None, None, "test");
    let settings = S3Settings {
        bucket: "audit".to_owned(),
        prefix: "prod/".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(format!("http://{address}")),
        ca: None,
        gateway: "one".to_owned(),
        credentials: SharedCredentialsProvider::new(credentials),
        pace: Duration::from_millis(600),
    };
    let sink = started(&bench, Sink::S3(S3::new(settings).unwrap()));
    sent(&bench, 3).await;
    let seen = told.recv().await.unwrap();
    sink.abort();
    let name = format!("/audit/prod/2026/11/21/one-{:020}-{:020}.jsonl", 0, 2);
    assert_eq!((seen.method.as_str(), &seen.path), ("PUT", &name));
    assert_eq!(seen.body, bench.bytes());
    assert_eq!(seen.header("x-amz-content-sha256"), hex(digest(&SHA256, &seen.body).as_ref()));
    let authorization = seen.header("authorization");
    let part = |name: &str| {
        let from = authorization.split_once(name).unwrap().1;
        from.split([',', ' ']).next().unwrap().to_owned()
    };
    assert_eq!(part("Signature="), signature(&seen, &part("SignedHeaders="), "wJalrXUtnFEMI"));
    assert!(
        part("SignedHeaders=").contains("host") && part("SignedHeaders=").contains("x-amz-content-sha256")
    );
}

/// The signature of a request, worked out from the description of AWS alone.
fn signature(seen: &Seen, signed: &str, secret: &str) -> String {
    let headers: String = signed.split(';').map(|name| format!("{name}:{}\n", seen.header(name))).collect();
    let hash = seen.header("x-amz-content-sha256");
    let canonical = format!("{}\n{}\n\n{headers}\n{signed}\n{hash}", seen.method, seen.path);
    let at = seen.header("x-amz-date");
    let scope = format!("{}/eu-central-1/s3/aws4_request", &at[..8]);
    let hashed = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}");
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let key = ["eu-central-1", "s3", "aws4_request"]
        .iter()
        .fold(mac(format!("AWS4{secret}").as_bytes(), &at[..8]), |key, word| mac(&key, word));
    hex(&mac(&key, &text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes messages of syslog; breaks the first connection off after its first message.
async fn syslog_receiver() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let messages = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&messages);
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            while let Some(message) = message(&mut stream).await {
                if connection == 0 {
                    break;
                }
                kept.lock().unwrap().push(message);
            }
        }
    });
    (address, messages)
}

async fn message(stream: &mut TcpStream) -> Option<String> {
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

#[tokio::test]
async fn syslog_messages_have_their_length_and_come_again_after_a_connection_broke() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    append(&log, &["Wörter\nund Zeilen", "two"]).await;
    let (address, messages) = syslog_receiver().await;
    let settings = SyslogSettings { endpoint: address.to_string(), tls: None, host: "one".to_owned() };
    let mut sink = Syslog::new(settings);
    let mut follower = crate::audit::Follower::new(&bench.path(), Cursor::START);
    let chunk = follower.read(1 << 20).unwrap();
    // The receiver breaks the first connection off, which shows at once or with the next message.
    let mut tries = 0;
    while messages.lock().unwrap().len() < 3 {
        let _broken = sink.send(&chunk).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        tries += 1;
        assert!(tries < 50, "{:?}", messages.lock().unwrap());
    }
    let messages = messages.lock().unwrap().clone();
    let words: Vec<&str> = messages[1].splitn(8, ' ').collect();
    assert_eq!(
        words[..7],
        ["<110>1", "2026-11-21T12:00:00.000001Z", "one", "tidegate", "-", "policy_rejected", "-"]
    );
    let record: Value = serde_json::from_str(words[7]).unwrap();
    assert_eq!(record["problem"], "Wörter\nund Zeilen");
}
