//! What leaves the audit log, as programs that are not ours take it: brokers of Kafka (librdkafka's mock cluster), objects
//! of S3 (moto, which checks signatures and rights), rsyslog, OpenTelemetry's own definitions, and readers of Parquet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use tidegate::{
    audit::{
        AuditLog, AuditSettings, Cursor, Kafka, KafkaAccount, KafkaMechanism, KafkaSettings, Otlp, Rotation,
        S3, S3Settings, Sink, SinkParts, Syslog, SyslogSettings, cursor_of,
    },
    metrics::{AuditMetrics, Metrics},
    model::{
        facts::{Access, AccessMode, StatementKind},
        grant::GrantName,
        ids::{DatabaseName, PrincipalName, SessionId, StatementId, TargetName},
        object::Object,
        record::{
            Actor, DecisionRecord, Durability, Fingerprint, Login, Outcome, Record, StatementEnd,
            StatementStart, Touched,
        },
        secret::Secret,
        target::Lane,
    },
    net::{ClientTls, Clock, Roots},
    telemetry::OtlpSettings,
};
use uuid::Uuid;

const PYTHON: &str = ".cache/outside/bin/python";

/// A program of `tests/outside`, asked a question at a time.
struct Outside {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// `None` where its packages are not installed.
fn outside(script: &str, arguments: &[&str]) -> Option<Outside> {
    let mut command = python(script)?;
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (asks, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    Some(Outside { child, asks, answers })
}

fn python(script: &str) -> Option<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(PYTHON).exists() {
        assert!(std::env::var_os("CI").is_none(), "{PYTHON} is not here: run `make setup`");
        eprintln!("skipped: {PYTHON} is not here; `make setup` installs it");
        return None;
    }
    let mut command = Command::new(root.join(PYTHON));
    command.arg(root.join("tests/outside").join(script));
    Some(command)
}

impl Outside {
    fn ask(&mut self, asked: &Value) -> Value {
        writeln!(self.asks, "{asked}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{asked}: {line:?}"))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log, and sinks that read it.
struct Bench {
    folder: tempfile::TempDir,
    log: AuditLog,
    metrics: AuditMetrics,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::new("test").unwrap().audit.clone();
        let settings = AuditSettings {
            path: folder.path().join("audit.jsonl"),
            gateway: "gate-1".into(),
            durability: Durability::Process,
            rotation: Rotation::NEVER,
        };
        let log = AuditLog::open(&settings, Clock::System, &metrics).unwrap();
        Self { folder, log, metrics }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(self.path()).unwrap().lines().map(str::to_owned).collect()
    }

    async fn append(&self, count: usize) {
        for number in 0..count {
            let problem = format!("Nummer {number} – \"größer\"\n");
            let record = Record::PolicyRejected { actor: "test", problem: &problem };
            let _receipt = self.log.append_one(&record).await.unwrap();
        }
    }

    fn start(&self, name: &str, sink: Sink) -> tokio::task::JoinHandle<()> {
        let parts = SinkParts { name: name.to_owned(), log: self.path(), metrics: self.metrics.clone() };
        tokio::spawn(sink.run(parts))
    }

    fn failures(&self, name: &str) -> u64 {
        self.metrics.sink_failures.with_label_values(&[name]).get()
    }

    async fn fails(&self, name: &str) {
        let before = self.failures(name);
        until("a failure", || self.failures(name) > before).await;
    }

    /// Until the sink has sent all that is in the log now.
    async fn sent(&self, name: &str) {
        let next = self.lines().len() as u64;
        let place = cursor_of(&self.path(), name);
        until("everything is sent", || {
            let text = fs::read(&place).unwrap_or_default();
            serde_json::from_slice::<Cursor>(&text).is_ok_and(|cursor| cursor.next == next)
        })
        .await;
    }
}

async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const TOPIC: &str = "tidegate-audit";
const PARTITIONS: i32 = 4;

fn kafka(brokers: &Value, tls: Option<&Path>, account: Option<(KafkaMechanism, &str)>) -> KafkaSettings {
    let brokers = brokers.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    KafkaSettings {
        brokers,
        topic: TOPIC.to_owned(),
        tls: tls.map(|ca| ClientTls::open(&Roots::File(ca.to_owned()), "localhost").unwrap()),
        account: account.map(|(mechanism, password)| KafkaAccount {
            mechanism,
            user: "gate=1,a".to_owned(),
            password: Secret::new(password.to_owned()),
        }),
        gateway: "gate-1".to_owned(),
    }
}

fn topic(cluster: &mut Outside) -> Value {
    cluster.ask(&json!({ "do": "topic", "name": TOPIC, "partitions": PARTITIONS }))["brokers"].clone()
}

/// What librdkafka reads from the topic.
fn read(cluster: &mut Outside, count: usize, wait_s: u32) -> Vec<Value> {
    let asked =
        json!({ "do": "read", "topic": TOPIC, "partitions": PARTITIONS, "count": count, "wait_s": wait_s });
    cluster.ask(&asked)["answer"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_has_every_record_in_order_whatever_happens_to_its_brokers() {
    let Some(mut cluster) = outside("kafka.py", &["3"]) else { return };
    let brokers = topic(&mut cluster);
    let bench = Bench::new();
    let sink = bench.start("kafka", Sink::Kafka(Kafka::new(kafka(&brokers, None, None))));
    bench.append(50).await;
    bench.sent("kafka").await;
    let first = read(&mut cluster, bench.lines().len(), 10);
    let partition = first[0]["partition"].as_i64().unwrap();
    let lead =
        |broker: u32| json!({ "do": "leader", "topic": TOPIC, "partition": partition, "broker": broker });

    // The partition is led by one broker after the other.
    for broker in [1, 2, 3] {
        cluster.ask(&lead(broker));
        bench.append(20).await;
        bench.sent("kafka").await;
    }
    // Its leader is gone and comes back.
    let before = bench.failures("kafka");
    cluster.ask(&json!({ "do": "down", "broker": 3 }));
    bench.append(50).await;
    bench.fails("kafka").await;
    cluster.ask(&json!({ "do": "up", "broker": 3 }));
    bench.sent("kafka").await;
    assert!(bench.failures("kafka") > before);
    // Replicas out of step, a time that ran out, and a batch that is too large.
    cluster.ask(&json!({ "do": "errors", "api": 0, "codes": [19, 7, 10, 6] }));
    bench.append(50).await;
    bench.sent("kafka").await;
    sink.abort();

    let lines = bench.lines();
    let messages = read(&mut cluster, lines.len(), 10);
    let mut known = BTreeSet::new();
    let new = messages.iter().filter(|message| known.insert(message["headers"]["seq"].to_string()));
    let arrived: Vec<&str> = new.map(|message| message["value"].as_str().unwrap()).collect();
    assert!(arrived == lines, "each line of the log, in its order");
    for message in &messages {
        let line: Value = serde_json::from_str(message["value"].as_str().unwrap()).unwrap();
        assert_eq!((&message["key"], message["partition"].as_i64()), (&json!("gate-1"), Some(partition)));
        assert_eq!(message["headers"], json!({ "seq": line["seq"].to_string(), "hash": line["hash"] }));
        let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
        assert_eq!(message["at_ms"], at.as_millisecond());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_written_to_over_tls_by_the_account_that_was_given_and_by_no_other() {
    let Some(mut cluster) = outside("kafka.py", &["2"]) else { return };
    topic(&mut cluster);
    let folder = tempfile::tempdir().unwrap();
    let (ca, other) = (certificates(folder.path(), "ca"), certificates(folder.path(), "other"));
    let front = json!({
        "do": "front", "certificate": folder.path().join("ca-server.crt"), "key": folder.path().join("ca-server.key"),
        "ca": ca, "mechanisms": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], "user": "gate=1,a", "password": "s3cret, ö",
    });
    let brokers = cluster.ask(&front)["brokers"].clone();
    let bench = Bench::new();
    bench.append(10).await;
    let right = Some((KafkaMechanism::ScramSha512, "s3cret, ö"));
    let refused = [
        ("a-wrong-password", kafka(&brokers, Some(&ca), Some((KafkaMechanism::ScramSha512, "wrong")))),
        ("the-same-in-plain", kafka(&brokers, Some(&ca), Some((KafkaMechanism::Plain, "wrong")))),
        ("no-account", kafka(&brokers, Some(&ca), None)),
        ("another-authority", kafka(&brokers, Some(&other), right)),
        ("no-tls", kafka(&brokers, None, right)),
        ("no-topic", KafkaSettings { topic: "nowhere".to_owned(), ..kafka(&brokers, Some(&ca), right) }),
    ];
    for (name, settings) in refused {
        let sink = bench.start(name, Sink::Kafka(Kafka::new(settings)));
        bench.fails(name).await;
        sink.abort();
        assert!(!cursor_of(&bench.path(), name).exists(), "{name}");
    }
    assert_eq!(read(&mut cluster, 1, 2).len(), 0);
    let accounts = [
        ("plain", KafkaMechanism::Plain),
        ("scram-256", KafkaMechanism::ScramSha256),
        ("scram-512", KafkaMechanism::ScramSha512),
    ];
    for (name, mechanism) in accounts {
        let settings = kafka(&brokers, Some(&ca), Some((mechanism, "s3cret, ö")));
        let sink = bench.start(name, Sink::Kafka(Kafka::new(settings)));
        bench.sent(name).await;
        sink.abort();
        assert_eq!(bench.failures(name), 0);
    }
    let lines = bench.lines();
    let messages = read(&mut cluster, 3 * lines.len(), 10);
    let values: Vec<&str> = messages.iter().map(|it| it["value"].as_str().unwrap()).collect();
    assert!(values == [lines.clone(), lines.clone(), lines].concat());
}

/// An authority, whose certificate it gives, and a server's files signed by it.
fn certificates(folder: &Path, name: &str) -> PathBuf {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("{name} of a test"));
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let ca = folder.join(format!("{name}.crt"));
    fs::write(&ca, issuer.pem()).unwrap();
    fs::write(folder.join(format!("{name}-server.crt")), server.pem()).unwrap();
    fs::write(folder.join(format!("{name}-server.key")), key.serialize_pem()).unwrap();
    ca
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_objects_that_checks_signatures_takes_them_from_the_right_key_alone() {
    let Some(mut store) = outside("s3.py", &[]) else { return };
    let place = store.ask(&json!({ "do": "where" }))["answer"].clone();
    let sink = |secret: &str| {
        let id = place["id"].as_str().unwrap();
        Sink::S3(
            S3::new(S3Settings {
                bucket: "audit".to_owned(),
                prefix: "prod=a b/".to_owned(),
                region: "eu-central-1".to_owned(),
                endpoint: Some(place["address"].as_str().unwrap().to_owned()),
                ca: None,
                gateway: "gate-1".to_owned(),
                credentials: SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "test")),
                pace: Duration::from_millis(300),
            })
            .unwrap(),
        )
    };
    let bench = Bench::new();
    bench.append(20).await;
    let wrong = bench.start("wrong", sink("another secret"));
    bench.fails("wrong").await;
    wrong.abort();
    assert_eq!(store.ask(&json!({ "do": "read" }))["answer"], json!([]));
    let right = bench.start("right", sink(place["secret"].as_str().unwrap()));
    bench.sent("right").await;
    bench.append(20).await;
    bench.sent("right").await;
    right.abort();
    let objects = store.ask(&json!({ "do": "read" }))["answer"].as_array().unwrap().clone();
    let text: String = objects.iter().map(|object| object["text"].as_str().unwrap()).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), bench.lines());
    assert!(objects.len() >= 2 && objects[0]["name"].as_str().unwrap().starts_with("prod=a b/2"));
    assert_eq!(bench.failures("right"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rsyslog_reads_every_message_as_it_is_meant() {
    if !Path::new(RSYSLOG).exists() {
        assert!(std::env::var_os("CI").is_none(), "{RSYSLOG} is not here: run `make setup`");
        eprintln!("skipped: {RSYSLOG} is not here; `make setup` installs it");
        return;
    }
    let bench = Bench::new();
    statements(&bench.log).await;
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let text = RSYSLOG_CONF.replace("FOLDER", folder.path().to_str().unwrap());
    fs::write(place("conf"), text).unwrap();
    let mut command = Command::new(RSYSLOG);
    command.args(["-n", "-f"]).arg(place("conf")).arg("-i").arg(place("pid"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let port = || fs::read_to_string(place("port")).unwrap_or_default();
    until("rsyslog listens", || !port().is_empty()).await;
    let endpoint = format!("127.0.0.1:{}", port().trim());
    let sink = Syslog::new(SyslogSettings { endpoint, tls: None, host: "gate-1".to_owned() });
    let sink = bench.start("syslog", Sink::Syslog(sink));
    let lines = bench.lines();
    let written = || fs::read_to_string(place("out")).unwrap_or_default();
    until("rsyslog writes", || written().lines().count() >= lines.len()).await;
    sink.abort();
    child.kill().unwrap();
    child.wait().unwrap();
    let written = written();
    assert_eq!(written.lines().count(), lines.len());
    for (message, line) in written.lines().zip(&lines) {
        let record: Value = serde_json::from_str(line).unwrap();
        let (head, text) = message.split_once('{').unwrap();
        assert_eq!(format!("{{{text}"), *line);
        let severity = if record["decision"] == "deny" { 5 } else { 6 };
        let event = record["event"].as_str().unwrap();
        assert!(head.ends_with(&format!("|gate-1|tidegate|{event}|13|{severity}|")), "{head}");
    }
}

const RSYSLOG: &str = "/usr/sbin/rsyslogd";
const RSYSLOG_CONF: &str = r#"
global(workDirectory="FOLDER" maxMessageSize="1m")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="FOLDER/port")
template(name="read" type="string" string="%timestamp:::date-rfc3339%|%hostname%|%app-name%|%msgid%|%syslogfacility%|%syslogseverity%|%msg%\n")
action(type="omfile" file="FOLDER/out" template="read")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn opentelemetrys_own_definitions_read_what_a_receiver_is_sent() {
    let Some(mut receiver) = outside("otlp.py", &[]) else { return };
    let port = receiver.ask(&json!({ "do": "where" }))["answer"].clone();
    let bench = Bench::new();
    let sink = Otlp::new(OtlpSettings {
        url: format!("http://127.0.0.1:{port}/v1/logs"),
        ca: None,
        token: None,
        gateway: "gate-1".to_owned(),
    });
    let sink = bench.start("otlp", Sink::Otlp(sink.unwrap()));
    statements(&bench.log).await;
    bench.sent("otlp").await;
    sink.abort();
    let answer = receiver.ask(&json!({ "do": "read" }))["answer"].clone();
    assert_eq!(answer["refused"], json!([]));
    let taken = answer["taken"].as_array().unwrap();
    let lines: Vec<&str> = taken.iter().map(|it| it["line"].as_str().unwrap()).collect();
    assert_eq!(lines, bench.lines());
    for record in taken {
        let line: Value = serde_json::from_str(record["line"].as_str().unwrap()).unwrap();
        let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
        let severity = if line["decision"] == "deny" { 13 } else { 9 };
        assert_eq!((&record["at_us"], &record["severity"]), (&json!(at.as_microsecond()), &json!(severity)));
        assert_eq!(
            (&record["event"], &record["attributes"]["tidegate.audit.seq"]),
            (&line["event"], &line["seq"])
        );
        assert_eq!(record["resource"]["service.instance.id"], "gate-1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parquet_export_holds_what_the_lines_say_for_pyarrow_and_for_duckdb() {
    let Some(mut readers) = python("parquet_read.py") else { return };
    let bench = Bench::new();
    statements(&bench.log).await;
    bench.append(3).await;
    let export = |format: &str| {
        let file = bench.folder.path().join(format!("export.{format}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["audit", "export", "--format", format, "--output"]).arg(&file);
        let done = command.arg("--log").arg(bench.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        file
    };
    let done = readers.arg(export("parquet")).arg(export("jsonl")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let counts: Value = serde_json::from_slice(&done.stdout).unwrap();
    // The end of a statement is in the row of its start.
    assert_eq!(counts, json!({ "rows": bench.lines().len() - 200, "lines": bench.lines().len() }));
}

/// A login, statements that ran and their ends, and some that were refused.
async fn statements(log: &AuditLog) {
    let (principal, target): (PrincipalName, TargetName) = ("dana".into(), "hr".into());
    let database: DatabaseName = "hr_prod".into();
    let actor = Actor {
        session: SessionId::new(Uuid::from_u128(1)),
        principal: &principal,
        client: "[2001:db8::1]:40404".parse().unwrap(),
        application: "DBeaver – \"main\"",
        target: &target,
        database: &database,
    };
    let login = Login { actor: &actor, method: "password", subject: None, tls: Some("TLSv1.3") };
    let _receipt = log.append_one(&Record::Login(login)).await.unwrap();
    let touched = |name: &str, mode| Access {
        object: Object::Relation { schema: "public".into(), name: name.into() },
        mode,
    };
    let (one, two) = (touched("salary", AccessMode::Read), touched("Größe\"", AccessMode::Write));
    let grants = [GrantName::Standing("standing:all/0".to_owned())];
    for number in 0..300_u32 {
        let statement = StatementId::new(Uuid::from_u128(0x100 + u128::from(number)));
        let sql =
            format!("select '{number}\t\n', \u{1F980} from salary -- {}", "x".repeat(number as usize * 7));
        let is_allowed = number % 3 != 0;
        let start = Record::StatementStart(StatementStart {
            statement,
            actor: &actor,
            sql: &sql,
            fingerprint: (number % 5 != 0).then_some(Fingerprint(u64::from(number) << 40)),
            kind: is_allowed.then_some(StatementKind::Select),
            objects: [Touched(&one), Touched(&two)].into_iter().take(number as usize % 3).collect(),
            decision: if is_allowed {
                DecisionRecord::Allow { lane: Lane::Read, grants: &grants[..number as usize % 2] }
            } else {
                let missing = vec!["select on public.salary".to_owned(); number as usize % 4];
                DecisionRecord::Deny { sqlstate: "42501", message: "permission denied", missing }
            },
        });
        let _receipt = log.append_one(&start).await.unwrap();
        if is_allowed {
            let is_fine = number % 4 != 0;
            let end = Record::StatementEnd(StatementEnd {
                statement,
                session: actor.session,
                outcome: if is_fine { Outcome::Completed } else { Outcome::Failed },
                rows: is_fine.then_some(u64::from(number)),
                bytes: u64::from(number) << 33,
                duration_us: 210,
                sqlstate: (!is_fine).then_some("57014"),
                upstream_pid: Some(4711),
            });
            let _receipt = log.append_one(&end).await.unwrap();
        }
    }
}
