//! The laboratory of the scenario tests: private database servers and the real gateway binary in front of them.
//!
//! The servers are started by `tests/support/lab.py`, which the demo and the benchmark use as well. It is held by a
//! pipe: when a test ends, panics or is killed, the pipe closes and everything is taken down.
#![allow(dead_code, unreachable_pub)]

pub mod login;
pub mod mysql_wire;
pub mod replicas;
pub mod server;
pub mod shell;
pub mod wire;

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

pub use login::Login;
pub use server::Server;

/// The gateway of this build.
pub const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");
/// The sample database.
pub const DATABASE: &str = "hr_prod";

/// Servers of one test, and their end.
#[derive(Debug)]
pub struct Lab {
    line: Mutex<Line>,
    child: Child,
    where_: Value,
    server: Server,
}

#[derive(Debug)]
struct Line {
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Starts a laboratory or ends the test as skipped: without its servers there is nothing to show.
///
/// Where `CI` is set a missing server is a failure.
#[macro_export]
macro_rules! lab {
    ($start:expr) => {
        match $start {
            Some(lab) => lab,
            None => return,
        }
    };
}

impl Lab {
    /// PostgreSQL alone.
    pub fn direct() -> Option<Self> {
        Self::start(Server::Postgres, &[])
    }

    /// PostgreSQL and the gateway; `settings` are arguments of `Lab.configure` in lab.py.
    pub fn gateway(settings: &Value) -> Option<Self> {
        Self::with_gateway(Server::Postgres, settings)
    }

    /// A server of any kind and the gateway.
    pub fn with_gateway(server: Server, settings: &Value) -> Option<Self> {
        let mut settings = settings.clone();
        settings["policies"] = json!(root().join("tests/support/policies"));
        Self::start(server, &["--gateway", BINARY, "--settings", &settings.to_string()])
    }

    /// The usual one in front of a server of any kind.
    pub fn of(server: Server) -> Option<Self> {
        Self::with_gateway(server, &json!({ "plaintext": true }))
    }

    /// The usual one: plain text is let in beside TLS, for clients of the tests that speak no TLS.
    pub fn usual() -> Option<Self> {
        Self::gateway(&json!({ "plaintext": true }))
    }

    fn start(server: Server, arguments: &[&str]) -> Option<Self> {
        if let Some(missing) = server.missing() {
            assert!(std::env::var_os("CI").is_none(), "no {missing} here: run `make setup`");
            eprintln!("skipped: no {missing} here; `make setup` installs it");
            return None;
        }
        let mut child = Command::new("python3")
            .arg(root().join("tests/support/lab.py"))
            .args(["--servers", server.name()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let input = child.stdin.take();
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let where_: Value =
            serde_json::from_str(&first).unwrap_or_else(|_| panic!("the laboratory said: {first}"));
        assert!(where_.get("error").is_none(), "{}", where_["error"].as_str().unwrap());
        Some(Self { line: Mutex::new(Line { input, output }), child, where_, server })
    }

    /// Has the laboratory do something, in the words of lab/orders.py.
    pub fn order(&self, order: &Value) -> Value {
        let mut line = self.line.lock().unwrap();
        writeln!(line.input.as_mut().unwrap(), "{order}").unwrap();
        let mut answer = String::new();
        line.output.read_line(&mut answer).unwrap();
        drop(line);
        let answer: Value =
            serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{order} ended the laboratory"));
        assert!(answer.get("error").is_none(), "{order}: {}", answer["error"].as_str().unwrap());
        answer
    }

    /// A file of the laboratory.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.where_["dir"].as_str().unwrap()).join(name)
    }

    /// The gateway's port for clients.
    pub fn port(&self) -> u16 {
        number(&self.where_["port"])
    }

    /// The port of PostgreSQL itself.
    pub fn pg_port(&self) -> u16 {
        number(&self.where_["pg_port"])
    }

    /// The port of the admin API.
    pub fn api_port(&self) -> u16 {
        number(&self.where_["api_port"])
    }

    /// The process that listens for clients.
    pub fn gateway_pid(&self) -> u32 {
        u32::try_from(self.order(&json!({ "do": "where" }))["gateway_pid"].as_u64().unwrap()).unwrap()
    }

    /// Which server the gateway stands before.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Around the gateway, as the account that holds every right the lanes have.
    pub fn directly(&self) -> Login {
        let server = &self.where_["servers"][self.server.name()];
        Login {
            server: self.server,
            port: number(&server["port"]),
            user: "tidegate_admin".to_owned(),
            password: server["passwords"]["tidegate_admin"].as_str().unwrap().to_owned(),
            ca: self.path("ca.crt"),
        }
    }

    /// Gives a person of the policy a password and says how they log in.
    pub fn add(&self, name: &str) -> Login {
        let answer = self.order(&json!({ "do": "add_person", "name": name }));
        Login {
            server: self.server,
            port: self.port(),
            user: name.to_owned(),
            password: answer["password"].as_str().unwrap().to_owned(),
            ca: self.path("ca.crt"),
        }
    }

    /// Makes `name`.crt and `name`.key, signed by the laboratory's authority.
    pub fn certificate(&self, name: &str, common_name: &str, alternatives: &str) {
        self.order(&json!({ "do": "certificate", "name": name, "common_name": common_name,
            "alternatives": alternatives }));
    }

    /// Has the gateway read its certificates again.
    pub fn hangup(&self) {
        self.order(&json!({ "do": "hangup" }));
    }

    /// Opens sessions that say nothing, held until the laboratory ends.
    pub fn idle(&self, login: &Login, count: usize) {
        self.order(
            &json!({ "do": "idle", "port": login.port, "user": login.user, "password": login.password,
            "count": count }),
        );
    }

    /// Somebody who may do everything.
    pub fn add_full(&self) -> Login {
        let login = self.add("full");
        self.grant("full", "explain,select,export,dml,ddl,admin", &[], 3600);
        login
    }

    /// Makes a grant, on all tables if `tables` is empty; gives its identifier.
    pub fn grant(&self, to: &str, permission: &str, tables: &[&str], seconds: u32) -> String {
        let answer = self.order(&json!({ "do": "grant", "to": to, "permission": permission,
            "tables": if tables.is_empty() { Value::Null } else { json!(tables) }, "seconds": seconds,
            "server": self.server.name() }));
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Ends a grant.
    pub fn revoke(&self, grant: &str) {
        self.admin(&["grant", "revoke", grant, "--reason", "scenario"]);
    }

    /// Runs a client command of the CLI as the administrator: output and exit code.
    pub fn cli(&self, arguments: &[&str]) -> (String, i64) {
        let answer = self.order(&json!({ "do": "cli", "arguments": arguments }));
        (answer["out"].as_str().unwrap().to_owned(), answer["code"].as_i64().unwrap())
    }

    /// The same, for commands that must not fail.
    pub fn admin(&self, arguments: &[&str]) -> String {
        let (out, code) = self.cli(arguments);
        assert_eq!(code, 0, "tidegate {}: {out}", arguments.join(" "));
        out
    }

    /// Runs SQL as the server's superuser, around the gateway.
    pub fn superuser(&self, sql: &str) -> String {
        let answer = self.order(&json!({ "do": "sql", "server": self.server.name(), "sql": sql }));
        answer["out"].as_str().unwrap().trim().to_owned()
    }

    /// Sends the gateway a signal ("SIGKILL", "SIGTERM") and waits for its end; gives its exit code.
    pub fn stop_gateway(&self, signal: &str) -> i64 {
        self.order(&json!({ "do": "stop_gateway", "signal_name": signal }))["code"].as_i64().unwrap()
    }

    /// Starts the gateway again where it was.
    pub fn start_gateway(&self) {
        self.order(&json!({ "do": "start_gateway" }));
    }

    /// Sends the database server a signal and waits for its end.
    pub fn stop_server(&self, signal: &str) {
        self.order(&json!({ "do": "stop_server", "server": self.server.name(), "signal_name": signal }));
    }

    /// Starts the database server again on the same port.
    pub fn start_server(&self) {
        self.order(&json!({ "do": "start_server", "server": self.server.name() }));
    }

    /// All records of the audit log so far.
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("data/audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The text of /metrics.
    pub fn metrics(&self) -> String {
        self.get("/metrics")
    }

    /// What the admin API answers to a GET without a key, with its head.
    pub fn get(&self, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.api_port())).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Ok(mut line) = self.line.lock() {
            line.input = None;
        }
        let _ = self.child.kill_after(Duration::from_secs(20));
    }
}

trait KillAfter {
    fn kill_after(&mut self, patience: Duration) -> std::io::Result<()>;
}

impl KillAfter for Child {
    /// Waits for the end, and forces it after `patience`; the sweeper cleans up even then.
    fn kill_after(&mut self, patience: Duration) -> std::io::Result<()> {
        let begin = Instant::now();
        while self.try_wait()?.is_none() {
            if begin.elapsed() > patience {
                self.kill()?;
                self.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// SQLSTATE of what went wrong, or the error itself if the server did not say it.
pub fn sqlstate(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| format!("{error:?}"), |code| code.code().to_owned())
}

/// SQLSTATE of a result that is meant to be an error.
pub fn refused<T>(result: Result<T, tokio_postgres::Error>) -> String {
    match result {
        Ok(_) => "done".to_owned(),
        Err(error) => sqlstate(&error),
    }
}

/// Standard output, then standard error.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command to its end, or to the end of patience.
pub fn run_within(command: &mut Command, patience: Duration) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from.read_to_end(&mut bytes);
            bytes
        })
    };
    let (out, err) = (read(Box::new(out)), read(Box::new(err)));
    child.kill_after(patience).unwrap();
    let status = child.wait().unwrap();
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

/// The project's folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Waits until `ready` is true, for at most `patience`.
pub fn eventually(what: &str, patience: Duration, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(begin.elapsed() < patience, "not after {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn number(value: &Value) -> u16 {
    u16::try_from(value.as_u64().unwrap()).unwrap()
}
