//! A MySQL or MariaDB server of a test's own: it can be killed, started again, and speaks TLS.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tidegate::net::{ClientTls, Roots};

use super::*;

/// Stopped and removed when dropped.
pub(crate) struct OwnServer {
    pub(crate) at: MyServer,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

const PASSWORD: &str = "hunter2";

impl OwnServer {
    /// `None`, with a word on it, where it is not installed; in CI that is a failure.
    pub(crate) fn start(flavor: MysqlFlavor) -> Option<Self> {
        let Some(mut make) = program(flavor, true) else {
            assert!(env::var("CI").is_err(), "{flavor:?} must be installed in CI");
            println!("skipped: {flavor:?} is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let place = |what: &str, name: &str| format!("--{what}={}", folder.path().join(name).display());
        // Servers that share one for temporary files remove each other's as they start.
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let made = make.args([place("datadir", "data"), place("tmpdir", "tmp")]).output().unwrap();
        assert!(made.status.success(), "{make:?}: {}", String::from_utf8_lossy(&made.stderr));
        let at = Server {
            host: "127.0.0.1".to_owned(),
            port: free_port(),
            user: "tide".to_owned(),
            password: PASSWORD.to_owned(),
            database: String::new(),
        };
        let mut own = Self { at: MyServer { flavor, at }, folder, process: None };
        own.certificates();
        let first = format!(
            "CREATE USER tide@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO tide@'%' WITH GRANT OPTION;\n"
        );
        fs::write(own.path("first.sql"), first).unwrap();
        own.run(&[&format!("--init-file={}", own.path("first.sql").display())]);
        Some(own)
    }

    pub(crate) fn up(&mut self) {
        self.run(&[]);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// The settings of [`MyServer::settings`], over TLS.
    pub(crate) fn tls_settings(&self, authority: &str, server_name: &str) -> TargetSettings {
        let tls = ClientTls::open(&Roots::File(self.path(authority)), server_name).unwrap();
        TargetSettings { tls: TargetTls::VerifyFull(tls), ..self.at.settings() }
    }

    fn run(&mut self, more: &[&str]) {
        let place = |what: &str, file: &str| format!("--{what}={}", self.path(file).display());
        let log = fs::File::create(self.path("log")).unwrap();
        let process = program(self.at.flavor, false)
            .unwrap()
            .args([
                place("datadir", "data"),
                place("tmpdir", "tmp"),
                place("socket", "s"),
                place("pid-file", "pid"),
            ])
            .args([
                place("ssl-ca", "ca.crt"),
                place("ssl-cert", "server.crt"),
                place("ssl-key", "server.key"),
            ])
            .arg(format!("--port={}", self.at.at.port))
            .args(["--bind-address=127.0.0.1", "--skip-log-bin"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let started = Instant::now();
        let address = ("127.0.0.1", self.at.at.port);
        loop {
            let log = || fs::read_to_string(self.path("log")).unwrap();
            // It says so once its first statements have run; only then anybody may log in.
            if log().contains("ready for connections") && TcpStream::connect(address).is_ok() {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
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
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The server, or what makes its data directory; `None` if it is not there.
fn program(flavor: MysqlFlavor, first: bool) -> Option<Command> {
    let mut command = match flavor {
        MysqlFlavor::Mariadb => {
            let name = if first { "mariadb-install-db" } else { "mariadbd" };
            let found = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
                .map(|folder| Path::new(folder).join(name))
                .into_iter()
                .find(|path| path.exists())?;
            let mut command = Command::new(found);
            command.arg("--no-defaults");
            if first {
                command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
            }
            command
        }
        MysqlFlavor::Mysql => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let sid = env::var("TIDEGATE_SID").map_or_else(|_| root.join(".cache/sid"), PathBuf::from);
            if !sid.join("usr/sbin/mysqld").exists() {
                return None;
            }
            let mut command = Command::new(root.join("tests/support/mysql9"));
            command.args(["run", "mysqld", "--no-defaults", "--mysqlx=OFF", "--secure-file-priv=NULL"]);
            command.arg(format!("--basedir={}", sid.join("usr").display()));
            if first {
                command.arg("--initialize-insecure");
            }
            command
        }
    };
    // Both refuse to run as root unless they are told to.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.lines().any(|line| line.starts_with("Uid:\t0")) {
        command.arg("--user=root");
    }
    Some(command)
}

/// A port that nobody listens on, below those of outgoing connections.
fn free_port() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let offset = u32::from(next) + std::process::id() * 7;
        let port = 15_000 + u16::try_from(offset % 5_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
