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
