//! A PostgreSQL server of a test's own: it can be killed, started again, and speaks TLS.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tidegate::net::{ClientTls, Roots};

use super::*;

/// Stopped and removed when dropped.
pub(crate) struct OwnServer {
    pub(crate) at: Server,
    folder: tempfile::TempDir,
    bin: PathBuf,
}

/// Superuser of every server of this kind.
const USER: &str = "tide";
const PASSWORD: &str = "hunter2";

/// A port that nobody listens on, below those of outgoing connections and of the laboratories, and of this process
/// alone: making the server takes seconds, in which another test could take it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed)) + std::process::id() * 7;
        let port = 10_000 + u16::try_from(offset % 5_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl OwnServer {
    /// `None`, with a word on it, where PostgreSQL is not installed; in CI that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = binaries() else {
            assert!(env::var("CI").is_err(), "PostgreSQL must be installed in CI");
            println!("skipped: no PostgreSQL under /usr/lib/postgresql, and TIDEGATE_TEST_PG_BIN is not set");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let at = Server {
            host: "127.0.0.1".to_owned(),
            port,
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            database: "postgres".to_owned(),
        };
        let own = Self { at, folder, bin };
        fs::write(own.path("pw"), PASSWORD).unwrap();
        own.give_away(own.folder.path());
        own.give_away(&own.path("pw"));
        let (data, pw) = (own.path("data"), own.path("pw"));
        own.run(
            "initdb",
            &["-N", "-U", USER, "-A", "scram-sha-256", "--pwfile", pw.to_str().unwrap(), "-D"],
            &data,
        );
        let mut settings = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        write!(
            settings,
            "\nport={port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\nmax_connections=30\n\
             shared_buffers=16MB\nssl=on\nssl_cert_file='{0}/server.crt'\nssl_key_file='{0}/server.key'\n",
            own.folder.path().display()
        )
        .unwrap();
        fs::write(data.join("postgresql.conf"), settings).unwrap();
        let hba = "host all clear 127.0.0.1/32 password\nhost all old 127.0.0.1/32 md5\n\
                   host all trusted 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        own.certificates();
        own.up();
        Some(own)
    }

    pub(crate) fn up(&self) {
        let log = self.path("log");
        self.run("pg_ctl", &["-w", "-s", "-l", log.to_str().unwrap(), "start", "-D"], &self.path("data"));
    }

    pub(crate) fn kill(&self) {
        self.run("pg_ctl", &["-w", "-s", "-m", "immediate", "stop", "-D"], &self.path("data"));
    }

    /// The settings of [`Server::settings`], over TLS.
    pub(crate) fn tls_settings(&self, authority: &str, server_name: &str) -> TargetSettings {
        let tls = ClientTls::open(&Roots::File(self.path(authority)), server_name).unwrap();
        TargetSettings { tls: TargetTls::VerifyFull(tls), ..self.at.settings() }
    }

    fn certificates(&self) {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().unwrap();
            fs::write(self.path(name), params.self_signed(&key).unwrap().pem()).unwrap();
            rcgen::Issuer::new(params, key)
        };
        let issuer = authority("ca.crt");
        authority("other.crt");
        let key = KeyPair::generate().unwrap();
        let server =
            CertificateParams::new(["db.internal".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        fs::write(self.path("server.crt"), server.pem()).unwrap();
        fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
        for name in ["server.crt", "server.key"] {
            self.give_away(&self.path(name));
        }
        assert!(Command::new("chmod").arg("600").arg(self.path("server.key")).status().unwrap().success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// PostgreSQL does not run as root: as root, everything belongs to the user `postgres`.
    fn give_away(&self, path: &Path) {
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(path).status().unwrap().success());
        }
    }

    fn run(&self, program: &str, arguments: &[&str], last: &Path) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let done =
            command.args(arguments).arg(last).current_dir("/").stdout(std::process::Stdio::null()).status();
        assert!(done.unwrap().success(), "{} {arguments:?}", program.display());
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let program = self.bin.join("pg_ctl");
        let mut command = Command::new(if is_root() { "runuser".into() } else { program.clone() });
        if is_root() {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        // Already killed is fine.
        let _ = command.args(["-s", "-m", "immediate", "stop", "-D"]).arg(self.path("data")).output();
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0"))
}

fn binaries() -> Option<PathBuf> {
    if let Ok(path) = env::var("TIDEGATE_TEST_PG_BIN") {
        return Some(path.into());
    }
    let mut found: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.map(|entry| entry.unwrap().path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").exists());
    found.sort();
    found.pop()
}
