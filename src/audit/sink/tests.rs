//! What each sink sends, against receivers that fail, break off and check what they are sent.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use super::{
    Sink, SinkParts, Syslog, SyslogSettings, cursor_of,
    receiver_tests::{Kind, Receiver, Request, message},
};
use crate::audit::{
    AuditLog, Cursor,
    tests::{Bench, note},
};

pub(super) fn started(bench: &Bench, sink: Sink) -> JoinHandle<()> {
    let parts = SinkParts { name: "siem".to_owned(), log: bench.path(), metrics: bench.metrics.clone() };
    tokio::spawn(sink.run(parts))
}

/// Waits until the sink has kept that it sent everything before record `next`.
pub(super) async fn sent(bench: &Bench, next: u64) {
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

pub(super) async fn append(log: &AuditLog, words: &[&str]) {
    for word in words {
        let _receipt = log.append_one(&note(word)).await.unwrap();
    }
}

/// The records that a receiver of OTLP was told, by number.
fn told_to_otlp(seen: &Request) -> Vec<(String, Value)> {
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
async fn a_receiver_that_refuses_gets_everything_when_it_does_not_and_only_what_is_new_after_a_restart() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receiver = Receiver::new(Kind::Otlp).await;
    receiver.answer_with(503);
    let sink = started(&bench, receiver.sink());
    append(&log, &["one", "two"]).await;
    let failures = bench.metrics.sink_failures.with_label_values(&["siem"]);
    while failures.get() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    append(&log, &["three"]).await;
    assert!(receiver.seen(|seen| seen.requests.is_empty()) && log.is_writable());
    receiver.answer_with(200);
    sent(&bench, 4).await;
    let told = receiver.seen(|seen| seen.requests.iter().flat_map(told_to_otlp).collect::<Vec<_>>());
    let numbers: Vec<&str> = told.iter().map(|(seq, _)| seq.as_str()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    sink.abort();
    let _ = sink.await;
    // It goes on where it stopped.
    append(&log, &["four"]).await;
    let sink = started(&bench, receiver.sink());
    sent(&bench, 5).await;
    let again = receiver.seen(|seen| told_to_otlp(seen.requests.last().unwrap()));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].1["problem"], "four");
    sink.abort();
}

#[tokio::test]
async fn messages_have_the_lines_of_the_log_and_stay_in_the_partition_of_their_gateway() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receiver = Receiver::new(Kind::Kafka { most_bytes: usize::MAX }).await;
    let sink = started(&bench, receiver.sink());
    append(&log, &["one", "zwei Wörter"]).await;
    sent(&bench, 3).await;
    sink.abort();
    let messages = receiver.seen(|seen| seen.messages.clone());
    let lines: Vec<u8> = messages.iter().flat_map(|it| [it.value.as_slice(), b"\n"].concat()).collect();
    assert_eq!(lines, bench.bytes());
    for (seq, message) in messages.iter().enumerate() {
        let line: Value = serde_json::from_slice(&message.value).unwrap();
        assert_eq!((message.key.as_str(), message.partition), ("one", messages[0].partition));
        assert_eq!(message.headers.len(), 2);
        assert_eq!(
            (&message.headers["seq"], &message.headers["hash"]),
            (&seq.to_string(), &text(&line["hash"]))
        );
    }
}

#[tokio::test]
async fn a_line_that_is_too_large_for_a_broker_comes_in_parts_and_none_stays_away() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receiver = Receiver::new(Kind::Kafka { most_bytes: 100_000 }).await;
    let sink = started(&bench, receiver.sink());
    let long = "long ".repeat(50_000);
    append(&log, &["before", &long, "after"]).await;
    sent(&bench, 4).await;
    sink.abort();
    let messages = receiver.seen(|seen| seen.messages.clone());
    let mut lines: Vec<Vec<u8>> = vec![Vec::new(); 4];
    for message in &messages {
        lines[message.headers["seq"].parse::<usize>().unwrap()].extend_from_slice(&message.value);
        assert_eq!(message.headers.contains_key("part"), message.headers["seq"] == "2");
    }
    let parts: Vec<&str> =
        messages.iter().filter_map(|message| message.headers.get("part")).map(String::as_str).collect();
    assert_eq!(parts, ["1", "2", "3", "4", "5"], "{parts:?}");
    assert!([lines.join(&b'\n'), b"\n".to_vec()].concat() == bench.bytes());
    assert_eq!(bench.metrics.sink_failures.with_label_values(&["siem"]).get(), 0);
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn objects_have_the_lines_of_the_log_and_a_signature_that_the_key_gives() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let receiver = Receiver::new(Kind::S3).await;
    append(&log, &["one", "zwei Wörter"]).await;
    let sink = started(&bench, receiver.sink());
    sent(&bench, 3).await;
    sink.abort();
    let seen = receiver.seen(|seen| seen.requests[0].clone());
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
fn signature(seen: &Request, signed: &str, secret: &str) -> String {
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
