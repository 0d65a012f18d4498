//! Two gateways on one store, in front of one server.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{BINARY, Lab, Login, Server, eventually, run_within, text};

/// A server that holds the store, another that is protected, and two gateways in front of it.
#[derive(Debug)]
pub struct Replicas {
    pub store: Lab,
    pub lab: Lab,
    pub other: Other,
}

/// The second gateway: the first one's configuration, with ports and a directory of its own.
#[derive(Debug)]
pub struct Other {
    child: Option<Child>,
    pub config: PathBuf,
    pub port: u16,
    pub api_port: u16,
}

impl Replicas {
    /// Before a PostgreSQL.
    pub fn start() -> Option<Self> {
        Self::before(Server::Postgres, &json!({}))
    }

    /// Before a server of any kind; `changes` are further arguments of `Lab.configure` in lab.py.
    pub fn before(server: Server, changes: &Value) -> Option<Self> {
        let store = Lab::direct()?;
        store.superuser("CREATE DATABASE tidegate OWNER tidegate_admin");
        let account = store.directly();
        let password = store.path("store.password");
        fs::write(&password, &account.password).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let section = format!(
            "store: {{ postgres: {{ endpoint: \"localhost:{}\", database: tidegate, account: {{ user: {}, \
             password_file: {} }}, tls: {{ ca: {} }} }} }}",
            store.pg_port(),
            account.user,
            password.display(),
            account.ca.display()
        );
        let mut settings = json!({ "plaintext": true, "store": section, "name": "name: one" });
        let changes = changes.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(changes);
        let lab = Lab::with_gateway(server, &settings)?;
        let other = Other::beside(&lab);
        Some(Self { store, lab, other })
    }

    /// Runs a client command as the administrator, at the other gateway.
    pub fn at_other(&self, arguments: &[&str]) -> (String, bool) {
        self.at(self.other.api_port, arguments)
    }

    /// The same, at the gateway with this API.
    pub fn at(&self, api_port: u16, arguments: &[&str]) -> (String, bool) {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .env("TIDEGATE_API", format!("http://127.0.0.1:{api_port}"))
            .env("TIDEGATE_KEY_FILE", self.lab.path("data/admin.key"));
        let output = run_within(&mut command, Duration::from_secs(60));
        (text(&output), output.status.success())
    }

    /// The same at the other gateway, for commands that must not fail.
    pub fn other_does(&self, arguments: &[&str]) -> String {
        let (out, good) = self.at_other(arguments);
        assert!(good, "{arguments:?}: {out}");
        out
    }

    /// Runs a program of PostgreSQL against the store's server.
    pub fn postgres(&self, program: &str, arguments: &[&str]) {
        let account = self.store.directly();
        let output = run_within(account.command(program).args(arguments), Duration::from_secs(60));
        assert!(output.status.success(), "{program}: {}", text(&output));
    }

    /// The same person, at the other gateway.
    pub fn there(&self, login: &Login) -> Login {
        Login { port: self.other.port, ..login.clone() }
    }

    /// The ports of the two APIs.
    pub fn api_ports(&self) -> [u16; 2] {
        [self.lab.api_port(), self.other.api_port]
    }
}

impl Other {
    fn beside(lab: &Lab) -> Self {
        let [port, api_port] = free_ports();
        let first = fs::read_to_string(lab.path("tidegate.yaml")).unwrap();
        let second = first
            .replace(&format!("127.0.0.1:{}\n", lab.port()), &format!("127.0.0.1:{port}\n"))
            .replace(&format!("127.0.0.1:{} }}", lab.api_port()), &format!("127.0.0.1:{api_port} }}"))
            .replace("data_dir: data", "data_dir: other")
            .replace("name: one", "name: two");
        assert_ne!(first, second);
        let config = lab.path("other.yaml");
        fs::write(&config, second).unwrap();
        let mut other = Self { child: None, config, port, api_port };
        other.run();
        other
    }

    /// Starts it on the configuration that is there, also again.
    pub fn run(&mut self) {
        let log = File::options().create(true).append(true).open(self.config.with_extension("log")).unwrap();
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(&self.config).stdin(Stdio::null());
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let port = self.api_port;
        eventually("the other gateway is ready", Duration::from_secs(20), || ready(port) == 200);
    }

    /// Stops it in order, and waits for its end.
    pub fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        signal("-TERM", &[child.id()]);
        assert!(child.wait().unwrap().success());
    }

    /// As by kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports that nobody listens on.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|it| it.local_addr().unwrap().port())
}

/// Status and body of a GET.
pub fn get(api_port: u16, path: &str) -> (u16, String) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", api_port)) else { return (0, String::new()) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut text).is_err() {
        return (0, String::new());
    }
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

/// What /readyz answers; 0 where nobody answers.
pub fn ready(api_port: u16) -> u16 {
    get(api_port, "/readyz").0
}

/// Sends processes a signal ("-STOP").
pub fn signal(name: &str, processes: &[u32]) {
    let sent = Command::new("kill").arg(name).args(processes.iter().map(ToString::to_string)).status();
    assert!(sent.unwrap().success());
}
