//! Traces of statements and of requests to the API, as a receiver of OTLP sees them.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::support::{DATABASE, Lab, Server, root, text};
use crate::lab;

const TRACE: &str = "5bd66ef5095369c7b0d1f8f4bd33716a";
const PARENT: &str = "c532cb4098ac3dd2";
const PYTHON: &str = ".cache/python/bin/python";

/// Takes export requests.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, kept) = (stream.unwrap(), Arc::clone(&kept));
                std::thread::spawn(move || {
                    while let Some(body) = request(&mut stream) {
                        kept.lock().unwrap().push(body);
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                    }
                });
            }
        });
        Self { url, bodies }
    }

    /// The spans so far, as opentelemetry-proto reads them; `None` where that is not installed.
    fn spans(&self) -> Option<Vec<Value>> {
        let mut python = Command::new(root().join(PYTHON))
            .arg(root().join("tests/start/spans.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let bodies = self.bodies.lock().unwrap().join("\n");
        python.stdin.take().unwrap().write_all(bodies.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        Some(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The spans once there is one that `fits`.
    fn spans_with(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let spans = self.spans().unwrap();
            if spans.iter().any(&fits) {
                return spans;
            }
            assert!(Instant::now() < until, "{spans:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn request(stream: &mut std::net::TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        let head = bytes.windows(4).position(|four: &[u8]| four == b"\r\n\r\n");
        if let Some(end) = head {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            assert!(head.contains("content-type: application/json"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let length: usize = length.parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Some(String::from_utf8(bytes[end + 4..].to_vec()).unwrap());
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

fn has_proto() -> bool {
    let imported = Command::new(root().join(PYTHON)).args(["-c", "import opentelemetry.proto"]).output();
    let there = imported.is_ok_and(|output| output.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "no opentelemetry-proto here: run `make setup`");
    if !there {
        eprintln!("skipped: no opentelemetry-proto here; `make setup` installs it");
    }
    there
}

fn with_traces(server: Server, receiver: &Receiver, one_in: u64) -> Option<Lab> {
    let telemetry =
        format!("telemetry: {{ traces: {{ otlp: {{ url: \"{}\" }}, one_in: {one_in} }} }}", receiver.url);
    Lab::with_gateway(server, &json!({ "plaintext": true, "telemetry": telemetry }))
}

/// As grants name it.
fn employee(server: Server) -> &'static str {
    if server == Server::Postgres { "public.employee" } else { "employee" }
}

fn below<'s>(spans: &'s [Value], parent: &Value) -> Vec<&'s str> {
    let children = spans.iter().filter(|it| it["parent"] == parent["span"]);
    children.map(|it| it["name"].as_str().unwrap()).collect()
}

fn traces_of(server: Server) {
    if !has_proto() {
        return;
    }
    let receiver = Receiver::start();
    let lab = lab!(with_traces(server, &receiver, 1));
    let dana = lab.add("dana");
    lab.grant("dana", "select", &[employee(server)], 600);
    dana.sql("select last_name from employee where last_name = 'S3cret literal';");
    dana.sql("select amount from salary;");
    let is_refused = |span: &Value| span["attributes"]["tidegate.decision"] == "deny";
    let spans = receiver.spans_with(is_refused);

    let schema = if server == Server::Postgres { "public" } else { DATABASE };
    let summary = format!("SELECT {schema}.employee");
    let span = spans.iter().find(|it| it["name"] == *summary).unwrap_or_else(|| panic!("{spans:#?}"));
    let system = if server == Server::Postgres { "postgresql" } else { "mysql" };
    assert_eq!((&span["kind"], &span["parent"]), (&json!("SPAN_KIND_SERVER"), &json!("")));
    for (key, value) in [
        ("db.system.name", system),
        ("db.namespace", DATABASE),
        ("db.operation.name", "SELECT"),
        ("db.query.summary", &summary),
        ("user.name", "dana"),
        ("tidegate.decision", "allow"),
        ("tidegate.lane", "read"),
        ("tidegate.target", server.target()),
    ] {
        assert_eq!(span["attributes"][key], value, "{key} of {span:#}");
    }
    assert_eq!(span["resource"]["service.name"], "tidegate");
    let steps = below(&spans, span);
    assert_eq!(steps, ["judge", "connection", "audit", "upstream", "audit"], "{span:#}");
    for step in spans.iter().filter(|it| it["parent"] == span["span"]) {
        assert_eq!(step["trace"], span["trace"]);
        let (began, ended) = (step["began"].as_u64(), step["ended"].as_u64());
        assert!(began >= span["began"].as_u64() && ended <= span["ended"].as_u64(), "{step:#}");
    }

    let refused = spans.iter().find(|it| is_refused(it)).unwrap();
    assert_eq!(refused["attributes"]["db.response.status_code"], "42501", "{refused:#}");
    assert_eq!(refused["status"], "STATUS_CODE_ERROR");
    assert!(!below(&spans, refused).contains(&"upstream"), "{spans:#?}");

    let api =
        spans.iter().find(|it| it["name"] == "POST /api/v1/grants").unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!(api["attributes"]["http.response.status_code"], 201);
    let sent = receiver.bodies.lock().unwrap().concat();
    assert!(
        !sent.contains("S3cret") && !sent.contains("where last_name"),
        "no text of a statement is in a trace"
    );
    let found = lab.admin(&["audit", "search", "--json", "--limit", "50"]);
    assert!(found.contains(span["trace"].as_str().unwrap()), "the record names its trace: {found}");
}

#[test]
fn statements_before_postgres_and_requests_to_the_api_are_traced_without_their_text() {
    traces_of(Server::Postgres);
}

#[test]
fn statements_before_mariadb_are_traced_without_their_text() {
    traces_of(Server::Mariadb);
}

fn a_clients_trace_goes_on(server: Server) {
    if !has_proto() {
        return;
    }
    let receiver = Receiver::start();
    // So few that none begins here by itself.
    let lab = lab!(with_traces(server, &receiver, 1_000_000_000));
    let dana = lab.add("dana");
    lab.grant("dana", "select", &[employee(server)], 600);
    // Clients take comments out that they are not told to keep.
    let comment = |flags: &str, trace: &str| format!("/*traceparent='00-{trace}-{PARENT}-{flags}'*/");
    let other = TRACE.replace('5', "6");
    let statements = format!(
        "select max(last_name) from employee {};\nselect 1 {};\nselect 2;",
        comment("01", TRACE),
        comment("00", &other)
    );
    let said = if server == Server::Postgres {
        dana.psql(&statements)
    } else {
        let script = format!("{} --comments -N 2>&1 <<'SQL'\n{statements}\nSQL\n", dana.mysql_client());
        text(&dana.command("sh").args(["-c", &script]).output().unwrap())
    };
    assert!(said.trim_end().ends_with("\n2"), "{said}");
    let spans = receiver.spans_with(|span| span["parent"] == PARENT);
    assert!(spans.iter().all(|it| it["trace"] == TRACE), "{spans:#?}");
    let own = spans.iter().filter(|it| it["parent"] == PARENT).count();
    assert_eq!((own, spans.len()), (1, 6), "{spans:#?}");
    let found = lab.admin(&["audit", "search", "--json", "--limit", "50"]);
    for trace in [TRACE, &other] {
        assert_eq!(found.matches(&format!("\"trace_id\": \"{trace}\"")).count(), 1, "{trace} in {found}");
    }
}

#[test]
fn a_traceparent_of_a_client_of_postgres_is_gone_on_with() {
    a_clients_trace_goes_on(Server::Postgres);
}

#[test]
fn a_traceparent_of_a_client_of_mariadb_is_gone_on_with() {
    a_clients_trace_goes_on(Server::Mariadb);
}
