//! Dialling, TLS, and proving who we are.

use super::{own::OwnServer, *};

async fn sql(own: &OwnServer, text: &str) {
    let pools = own.at.pools();
    let mut lease = own.at.lease(&pools, Lane::Admin).await;
    // Without a read-only option: the admin lane.
    let answer = run(&mut lease, text).await;
    assert!(answer.errors.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn scram_logs_in_and_the_connection_is_what_was_asked_for() {
    let Some(server) = server() else { return };
    let pools = server.pools();
    let mut lease = server.lease(&pools, Lane::Read).await;
    let value = |lease: &Lease, name: &str| {
        lease.parameters().iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    assert_eq!(value(&lease, "client_encoding").as_deref(), Some("UTF8"));
    assert_eq!(value(&lease, "application_name").as_deref(), Some("tidegate"));
    assert_eq!(value(&lease, "standard_conforming_strings").as_deref(), Some("on"));
    assert!(value(&lease, "server_version").is_some());
    let pid = one(&mut lease, "SELECT pg_backend_pid()").await;
    assert_eq!(lease.process_id().unwrap().to_string(), pid);
    assert_eq!(one(&mut lease, "SELECT current_database()").await, server.database);
    let facts = pools.server_parameters(&"hr".into(), &server.database.as_str().into()).await.unwrap();
    assert!(facts.version >= 13, "{facts:?}");
    assert_eq!(facts.search_path, r#""$user", public"#);
    assert_eq!(facts.parameters, lease.parameters());
}

#[tokio::test]
async fn over_tls_the_login_is_bound_to_the_channel() {
    let Some(own) = OwnServer::start() else { return };
    let pools = pools(own.tls_settings("ca.crt", "db.internal"));
    let mut lease = own.at.lease(&pools, Lane::Read).await;
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(one(&mut lease, ssl).await, "t");
    // The server offers -PLUS on TLS, and would refuse a client that claims it was not offered.
    assert_eq!(one(&mut lease, "SELECT 1").await, "1");

    let (_, text) = refusal(own.tls_settings("other.crt", "db.internal"), "postgres").await;
    assert!(text.contains("could not secure the connection"), "{text}");
    let (_, text) = refusal(own.tls_settings("ca.crt", "other.internal"), "postgres").await;
    assert!(text.contains("could not secure the connection"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let Some(own) = OwnServer::start() else { return };
    sql(&own, "ALTER SYSTEM SET ssl = off").await;
    own.kill();
    own.up();
    let (_, text) = refusal(own.tls_settings("ca.crt", "db.internal"), "postgres").await;
    assert!(text.contains("does not offer TLS"), "{text}");
    drop(own.at.lease(&own.at.pools(), Lane::Read).await);
}

#[tokio::test]
async fn each_method_of_proof_is_used_only_where_it_is_safe() {
    let Some(own) = OwnServer::start() else { return };
    sql(&own, "CREATE ROLE clear LOGIN PASSWORD 'hunter2'").await;
    sql(&own, "CREATE ROLE trusted LOGIN").await;
    sql(&own, "SET password_encryption = md5; CREATE ROLE old LOGIN PASSWORD 'hunter2'").await;
    let with = |mut settings: TargetSettings, user: &str| {
        settings.accounts.read.user = user.into();
        settings
    };
    let tls = own.tls_settings("ca.crt", "db.internal");
    let (_, text) = refusal(with(own.at.settings(), "clear"), "postgres").await;
    assert!(text.contains("clear text over a connection without TLS"), "{text}");
    let (_, text) = refusal(with(tls.clone(), "old"), "postgres").await;
    assert!(text.contains("MD5"), "{text}");
    for (settings, user) in [(tls, "clear"), (own.at.settings(), "trusted")] {
        let pools = pools(with(settings, user));
        let mut lease = own.at.lease(&pools, Lane::Read).await;
        assert_eq!(one(&mut lease, "SELECT current_user").await, user);
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told_with_its_code() {
    let Some(server) = server() else { return };
    let mut wrong = server.settings();
    wrong.accounts.read.credential = Credential::Password(Secret::new("hunter2 no".to_owned()));
    let (error, text) = refusal(wrong, &server.database).await;
    assert!(text.contains("28P01"), "{text}");
    assert_eq!(error.code().sqlstate(), "08006");
    let (error, text) = refusal(server.settings(), "there_is_no_such_database").await;
    assert!(text.contains("3D000"), "{text}");
    assert_eq!(error.code().sqlstate(), "3D000");
    let listed = TargetSettings { databases: Some(vec!["other".into()]), ..server.settings() };
    let (error, _) = refusal(listed, &server.database).await;
    assert!(matches!(error, UpstreamError::UnknownDatabase { .. }));
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_told_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Server {
        host: "localhost".to_owned(),
        port,
        user: "x".to_owned(),
        password: "hunter2".to_owned(),
        database: "x".to_owned(),
    };
    let (error, text) = refusal(nobody.settings(), "x").await;
    assert!(text.contains("could not reach target"), "{text}");
    assert_eq!(error.code().sqlstate(), "08006");
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_given_up_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = Server {
        host: "127.0.0.1".to_owned(),
        port: silent.local_addr().unwrap().port(),
        user: "x".to_owned(),
        password: "hunter2".to_owned(),
        database: "x".to_owned(),
    }
    .settings();
    settings.pool.connect_timeout = Duration::from_millis(200);
    let (_, text) = refusal(settings, "x").await;
    assert!(text.contains("did not answer in time"), "{text}");
}

#[tokio::test]
async fn a_password_file_is_read_at_every_login() {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let mut settings = server.settings();
    settings.accounts.read.credential = Credential::PasswordFile(file.clone());
    let (_, text) = refusal(settings.clone(), &server.database).await;
    assert!(text.contains(file.to_str().unwrap()), "{text}");
    std::fs::write(&file, "\n").unwrap();
    refusal(settings.clone(), &server.database).await;
    std::fs::write(&file, format!("{}\n", server.password)).unwrap();
    drop(server.lease(&pools(settings), Lane::Read).await);
}

/// A server that answers the request for TLS with `answer`, and goes on listening.
async fn impostor(answer: &'static [u8]) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 8];
            socket.read_exact(&mut request).await.unwrap();
            socket.write_all(answer).await.unwrap();
            tokio::spawn(async move { while matches!(socket.read(&mut [0; 1024]).await, Ok(1..)) {} });
        }
    });
    port
}

#[tokio::test]
async fn words_before_the_tls_handshake_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let file = folder.path().join("ca.crt");
    std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
    let tls = tidegate::net::ClientTls::open(&tidegate::net::Roots::File(file), "db.internal").unwrap();
    for (answer, told) in [
        // AuthenticationOk in plain text behind the S: a man in the middle would let us in himself.
        (b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".as_slice(), "could not secure the connection"),
        (b"R\0\0\0\x08\0\0\0\0", "does not answer the request for TLS"),
        (b"ESFATAL\0C57P03\0\0", "does not answer the request for TLS"),
        (b"N", "does not offer TLS"),
    ] {
        let mut settings = Server {
            host: "127.0.0.1".to_owned(),
            port: impostor(answer).await,
            user: "x".to_owned(),
            password: "hunter2".to_owned(),
            database: "x".to_owned(),
        }
        .settings();
        settings.tls = TargetTls::VerifyFull(tls.clone());
        let (_, text) = refusal(settings, "x").await;
        assert!(text.contains(told), "{text}");
    }
}

#[tokio::test]
async fn an_account_that_holds_too_much_is_warned_of_at_start() {
    let Some(own) = OwnServer::start() else { return };
    sql(&own, "CREATE ROLE strong LOGIN BYPASSRLS CREATEDB PASSWORD 'hunter2'").await;
    sql(&own, "CREATE ROLE plain LOGIN PASSWORD 'hunter2'").await;
    // For the whole process: a subscriber of one thread may miss events that other threads met first.
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    sql(&own, "CREATE ROLE writer LOGIN PASSWORD 'hunter2'").await;
    sql(&own, "CREATE TABLE written (number int)").await;
    sql(&own, "GRANT INSERT ON written TO writer").await;
    for (read, told) in [("plain", None), ("writer", Some("writing public.written"))] {
        let mut settings = own.at.settings();
        settings.databases = Some(vec![own.at.database.as_str().into()]);
        settings.accounts.read.user = read.into();
        settings.accounts.write = Some(Account { user: "strong".into(), ..settings.accounts.read.clone() });
        let pools = pools(settings);
        let strong = "the write account \"strong\" holds BYPASSRLS, CREATEDB".to_owned();
        // The writing lane is looked at after the reading one.
        while !pools.health()[0].1.warnings.contains(&strong) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = told.map(|what| format!("the read account \"{read}\" holds {what}"));
        let all: Vec<String> = told.iter().cloned().chain([strong]).collect();
        assert_eq!(pools.health()[0].1.warnings, all);
        // Other tests log, too.
        let of_this = |line: &&str| line.contains(&format!("account={read} "));
        let text = log.text().lines().filter(of_this).collect::<String>();
        assert_eq!(text.contains("holds more than its lane needs"), told.is_some(), "{text}");
        assert!(!log.text().contains("hunter2"));
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
