//! A gateway that logs in and then answers every query with nothing, and clients of it.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType,
};
use tempfile::TempDir;
use tidegate::{
    audit::{AuditLog, AuditSettings, Rotation},
    metrics::Metrics,
    model::{
        dialect::Dialect,
        grant::{Grant, GrantName, Holder},
        ids::{DatabaseName, EnvironmentName, PrincipalName, SessionId, TargetName, TokenId},
        object::{Glob, ObjectPattern},
        permission::{Permission, PermissionSet},
        principal::{Credentials, Principal, Token},
        record::Durability,
        secret::Secret,
        target::Target,
        window::Window,
    },
    net::{
        ClientTls, Clock, ManualClock, Published, Roots, ServerTls, ServerTlsFiles, Stream,
        throttle::{Throttle, ThrottleLimits},
    },
    policy::{Snapshot, SnapshotParts},
    session::login::{
        Authentication, Door, Listing,
        postgres::{Arrival, login},
    },
    wire::{
        mysql::{auth::native_key, capability::Capabilities},
        postgres::{
            backend::{self, TransactionStatus},
            frame::take_frame,
            scram,
        },
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "pencil é";
pub(crate) const TOKEN: &str = "tgt_live";
pub(crate) const OLD_TOKEN: &str = "tgt_over";

/// A running gateway and everything it was made from.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) hand: Arc<ManualClock>,
    pub(crate) metrics: Arc<Metrics>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn id(number: u128) -> TokenId {
    TokenId::new(Uuid::from_u128(number))
}

pub(crate) fn start_of_time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn principal(name: &str, disabled: bool, credentials: Credentials) -> Principal {
    Principal {
        name: PrincipalName::from(name),
        groups: vec![],
        attributes: [].into(),
        disabled,
        credentials: Arc::new(credentials),
    }
}

fn credentials(certificates: &[&str]) -> Credentials {
    let salt = b"0123456789abcdef".to_vec();
    let keys = |password: &str| scram::scram_keys(password.as_bytes(), &salt, scram::DEFAULT_ITERATIONS);
    let token = |number, text: &str, seconds| Token {
        id: id(number),
        keys: keys(text),
        native: Some(native_key(text.as_bytes())),
        ends_at: start_of_time() + Duration::from_secs(seconds),
    };
    Credentials {
        password: Some(keys(PASSWORD)),
        native: Some(native_key(PASSWORD.as_bytes())),
        tokens: vec![token(2, OLD_TOKEN, 0), token(1, TOKEN, 60)],
        certificates: certificates.iter().map(|it| (*it).to_owned()).collect(),
        iterations: scram::DEFAULT_ITERATIONS,
        salt,
    }
}

fn snapshot() -> Snapshot {
    let mut permissions = PermissionSet::EMPTY;
    permissions.insert(Permission::Select);
    Snapshot::build(SnapshotParts {
        principals: vec![
            principal("dana", false, credentials(&["email:dana@example.com"])),
            principal("erin", true, credentials(&["email:erin@example.com"])),
            principal("finn", false, Credentials::default()),
        ],
        grants: vec![Grant {
            id: GrantName::Standing("test".to_owned()),
            holder: Holder::Principal(PrincipalName::from("dana")),
            target: Glob::new("hr"),
            database: Glob::new("hr_*"),
            objects: vec![ObjectPattern::All],
            permissions,
            window: Window::STANDING,
            reason: "test".to_owned(),
            revoked_at: None,
        }],
        targets: ["hr", "crm"]
            .map(|name| Target {
                name: TargetName::from(name),
                dialect: Dialect::Postgres,
                environment: EnvironmentName::from("test"),
                labels: [].into(),
            })
            .to_vec(),
        ..SnapshotParts::default()
    })
}

fn listing(target: &str, databases: &[&str]) -> Listing {
    Listing {
        target: TargetName::from(target),
        databases: Some(databases.iter().map(|name| DatabaseName::from(*name)).collect()),
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

/// Certificates below `folder`: ca, server (localhost), dana, erin, and stranger (signed by nobody known).
fn certificates(folder: &Path) {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (known, unknown) = (authority("ca"), authority("other ca"));
    fs::write(folder.join("ca.crt"), known.pem()).unwrap();
    let issue = |issuer: &CertifiedIssuer<'static, KeyPair>, name: &str, san: SanType| {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.subject_alt_names = vec![san];
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join(format!("{name}.crt")), params.signed_by(&key, issuer).unwrap().pem()).unwrap();
        let path = folder.join(format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    let email = |name: &str| SanType::Rfc822Name(format!("{name}@example.com").try_into().unwrap());
    issue(&known, "server", SanType::DnsName("localhost".try_into().unwrap()));
    issue(&known, "dana", email("dana"));
    issue(&known, "erin", email("erin"));
    issue(&unknown, "stranger", email("dana"));
}

impl Gate {
    /// A gate with TLS and SCRAM; `change` makes it another.
    pub(crate) async fn start(change: impl FnOnce(&mut Door)) -> Self {
        Self::start_with(change, welcome).await
    }

    /// A gate that hands every connection to `welcome`.
    pub(crate) async fn start_with<W, F>(change: impl FnOnce(&mut Door), welcome: W) -> Self
    where
        W: Fn(TcpStream, SocketAddr, Arc<Door>) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let (clock, hand) = Clock::manual(start_of_time());
        let metrics = Metrics::new("test").unwrap();
        let files = ServerTlsFiles {
            certificate: folder.path().join("server.crt"),
            key: folder.path().join("server.key"),
            client_ca: Some(folder.path().join("ca.crt")),
        };
        let settings = AuditSettings {
            path: folder.path().join("audit.jsonl"),
            gateway: "one".into(),
            durability: Durability::Process,
            rotation: Rotation::NEVER,
        };
        let mut door = Door {
            tls: Some(Arc::new(ServerTls::open(files, &[b"postgresql"]).unwrap())),
            plaintext: false,
            authentication: Authentication::Scram,
            compression: Capabilities::NONE,
            listings: vec![listing("hr", &["hr_prod", "hr_test"]), listing("crm", &["crm_prod"])],
            timeout: Duration::from_secs(10),
            failure_delay: Duration::ZERO,
            mock_secret: Secret::new([7; 32]),
            snapshot: Published::new(snapshot()),
            tokens: None,
            throttle: Arc::new(Throttle::new(&ThrottleLimits::default())),
            audit: AuditLog::open(&settings, clock.clone(), &metrics.audit).unwrap(),
            metrics: metrics.logins.clone(),
            clock,
        };
        change(&mut door);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Arc::new(door);
        let task = tokio::spawn(async move {
            loop {
                let (socket, peer) = listener.accept().await.unwrap();
                tokio::spawn(welcome(socket, peer, Arc::clone(&door)));
            }
        });
        Self { address, folder, hand, metrics, task }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All audit records of logins: event, principal, and method or reason.
    pub(crate) fn audited(&self) -> Vec<(String, String, String)> {
        fs::read_to_string(self.file("audit.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter_map(|line| {
                let text = |name: &str| line[name].as_str().map(str::to_owned);
                let event = text("event")?;
                let end = match event.as_str() {
                    "login" => text("method")?,
                    "login_failed" => text("reason")?,
                    _ => return None,
                };
                Some((event, text("principal")?, end))
            })
            .collect()
    }

    /// Runs psql with this connection string (added to host and port) and password; `None` if it is not installed.
    pub(crate) async fn psql(&self, connection: &str, password: &str) -> Option<Output> {
        let mut command = Command::new("psql");
        command
            .arg(format!("host=localhost hostaddr=127.0.0.1 port={} {connection}", self.address.port()))
            .args(["-X", "-w", "-c", ""])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env("PGPASSWORD", password);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        match output {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("skipped: psql is not installed");
                None
            }
            output => Some(output.unwrap()),
        }
    }

    pub(crate) fn verified(&self) -> String {
        format!("sslmode=verify-full sslrootcert={}", self.file("ca.crt").display())
    }

    pub(crate) fn client_tls(&self, protocols: &[&[u8]]) -> ClientTls {
        let mut tls = ClientTls::open(&Roots::File(self.file("ca.crt")), "localhost").unwrap();
        let mut config = (*tls.config).clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        tls.config = Arc::new(config);
        tls
    }

    pub(crate) async fn connect(&self) -> Stream {
        Stream::connect(&self.address.to_string()).await.unwrap()
    }

    /// A client in TLS that asked for it the usual way.
    pub(crate) async fn connect_tls(&self) -> Stream {
        let mut stream = self.connect().await;
        stream.write_all(&request(80_877_103, &[])).await.unwrap();
        assert_eq!(read_byte(&mut stream).await, Some(b'S'));
        stream.connect_tls(&self.client_tls(&[])).await.unwrap()
    }
}

async fn welcome(socket: TcpStream, peer: SocketAddr, door: Arc<Door>) {
    let session = SessionId::new(Uuid::from_u128(1));
    match login(socket, peer, session, &door).await {
        Ok(Arrival::LoggedIn(client)) => serve(client.stream, &client.settings).await,
        // What the client sees of a cancel request that was dealt with.
        Ok(Arrival::Cancel { request, mut stream }) => {
            let _ = stream.write_all(&request.key).await;
            let _ = stream.flush().await;
        }
        Err(_) => {}
    }
}

/// Says that it is ready, answers every query with nothing, ends with the client.
async fn serve(mut stream: Stream, settings: &[(String, String)]) {
    let mut out = BytesMut::new();
    for (name, value) in settings {
        backend::parameter_status(&mut out, name, value);
    }
    backend::parameter_status(&mut out, "server_version", "15.0");
    backend::backend_key_data(&mut out, 1, &[1, 2, 3, 4]);
    backend::ready_for_query(&mut out, TransactionStatus::Idle);
    let mut input = BytesMut::new();
    loop {
        if stream.write_all(&out).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        out.clear();
        while let Ok(Some(frame)) = take_frame(&mut input, 1 << 16) {
            if frame.tag() == b'Q' {
                backend::empty_query_response(&mut out);
                backend::ready_for_query(&mut out, TransactionStatus::Idle);
            }
        }
        if out.is_empty() && !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            return;
        }
    }
}

pub(crate) fn request(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &code.to_be_bytes(), body].concat()
}

pub(crate) fn startup(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in pairs {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    request(3 << 16, &body)
}

pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

pub(crate) async fn read_byte(stream: &mut Stream) -> Option<u8> {
    let mut byte = [0];
    match stream.read(&mut byte).await {
        Ok(1) => Some(byte[0]),
        _ => None,
    }
}

/// The next message, or `None` at the end of the stream.
pub(crate) async fn read_message(stream: &mut Stream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).await.ok()?;
    let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body).await.ok()?;
    Some((header[0], body))
}

/// SQLSTATE and message of the error that is next.
pub(crate) async fn read_error(stream: &mut Stream) -> (String, String) {
    let (tag, body) = read_message(stream).await.expect("an error");
    assert_eq!(tag, b'E', "{}", String::from_utf8_lossy(&body));
    let field = |code| backend::error_field(&body, code).unwrap().unwrap().to_owned();
    assert_eq!(field(b'S'), "FATAL");
    (field(b'C'), field(b'M'))
}
