//! Dialling, TLS, and proving who we are.

use tidegate::{
    net::{ClientTls, Roots},
    wire::mysql::greeting::Greeting,
};

use super::{own::OwnServer, *};

fn as_user(mut settings: TargetSettings, user: &str, password: &str) -> TargetSettings {
    settings.accounts.read =
        Account { user: user.into(), credential: Credential::Password(Secret::new(password.to_owned())) };
    settings
}

#[tokio::test]
async fn a_fresh_connection_is_what_was_asked_for() {
    for server in servers() {
        let pools = pools(server.settings());
        let facts = pools.mysql_facts(&"hr".into()).await.unwrap();
        for shape in [modern(), OLD] {
            let mut lease = lend(&pools, &Home { shape, ..home(&server.at.database) }, Lane::Write).await;
            assert_eq!(lease.facts(), &*facts);
            let number = one(&mut lease, "SELECT CONNECTION_ID()").await;
            assert_eq!(lease.thread_id().to_string(), number);
            let state = lease.state().clone();
            assert_eq!(state.database.as_deref(), Some(server.at.database.as_str()));
            assert_eq!(state.character_set_client, "utf8mb4");
            assert_eq!(state.character_set_results.as_deref(), Some("utf8mb4"));
            assert_eq!((state.autocommit, state.read_only), (true, false));
            assert_eq!(state.isolation, "REPEATABLE-READ");
            assert_eq!(state.sql_mode, one(&mut lease, "SELECT @@sql_mode").await);
            assert_eq!(&state, lease.read_state(Duration::from_secs(5)).await.unwrap());
            assert_eq!(facts.sql_mode, state.sql_mode);
        }
        assert_eq!(facts.flavor, server.flavor);
        let mut lease = server.lease(&pools, Lane::Read).await;
        assert!(lease.state().read_only);
        let version = one(&mut lease, "SELECT @@version").await;
        assert!(facts.version_text.ends_with(&version), "{facts:?}");
        let number =
            |at| version.split('.').nth(at).unwrap().split('-').next().unwrap().parse::<u32>().unwrap();
        assert_eq!(facts.version, number(0) * 10_000 + number(1) * 100 + number(2));
        assert_eq!(
            facts.max_allowed_packet.to_string(),
            one(&mut lease, "SELECT @@max_allowed_packet").await
        );
        assert_eq!(
            facts.lower_case_table_names.to_string(),
            one(&mut lease, "SELECT @@lower_case_table_names").await
        );
        if server.is_mysql() {
            let attribute = "SELECT attr_value FROM performance_schema.session_connect_attrs \
                             WHERE processlist_id = CONNECTION_ID() AND attr_name = 'program_name'";
            assert_eq!(one(&mut lease, attribute).await, "tidegate");
        }
    }
}

#[tokio::test]
async fn each_method_of_proof_logs_in_with_and_without_tls() {
    for flavor in [MysqlFlavor::Mariadb, MysqlFlavor::Mysql] {
        let Some(own) = OwnServer::start(flavor) else { continue };
        let plugins: &[&str] = match flavor {
            MysqlFlavor::Mariadb => &["mysql_native_password"],
            MysqlFlavor::Mysql => &["caching_sha2_password", "sha256_password"],
        };
        for plugin in plugins {
            for (settings, way) in
                [(own.at.settings(), "plain"), (own.tls_settings("ca.crt", "db.internal"), "tls")]
            {
                // Each fresh: the server has nothing cached, and asks for the whole password once.
                let user = unique(way);
                let identified = match flavor {
                    MysqlFlavor::Mariadb => format!("VIA {plugin} USING PASSWORD('hunter2 é')"),
                    MysqlFlavor::Mysql => format!("WITH {plugin} BY 'hunter2 é'"),
                };
                own.at.sql(&[&format!("CREATE USER {user}@'%' IDENTIFIED {identified}")]).await;
                let (wrong, text) = refusal(as_user(settings.clone(), &user, "hunter2 no"), "").await;
                assert!(text.contains("1045"), "{text}");
                assert_eq!(wrong.code().sqlstate(), "08006");
                for _ in 0..2 {
                    let pools = pools(as_user(settings.clone(), &user, "hunter2 é"));
                    let mut lease = lend(&pools, &home(""), Lane::Read).await;
                    assert_eq!(one(&mut lease, "SELECT CURRENT_USER()").await, format!("{user}@%"));
                    let cipher = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
                    assert_eq!(run(&mut lease, cipher).await.rows.len(), 1);
                    let version = "SELECT variable_value <> '' FROM \
                        {} WHERE variable_name = 'Ssl_version'";
                    let status = if flavor == MysqlFlavor::Mysql {
                        "performance_schema.session_status"
                    } else {
                        "information_schema.session_status"
                    };
                    let secure = one(&mut lease, &version.replace("{}", status)).await;
                    assert_eq!(secure, if way == "tls" { "1" } else { "0" }, "{plugin} {way}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_certificate_is_the_one_that_is_asked_for() {
    for flavor in [MysqlFlavor::Mariadb, MysqlFlavor::Mysql] {
        let Some(own) = OwnServer::start(flavor) else { continue };
        drop(lend(&pools(own.tls_settings("ca.crt", "db.internal")), &home(""), Lane::Read).await);
        for (authority, name) in [("other.crt", "db.internal"), ("ca.crt", "other.internal")] {
            let (_, text) = refusal(own.tls_settings(authority, name), "").await;
            assert!(text.contains("could not secure the connection"), "{text}");
        }
    }
}

/// A server that greets its first client, and hears what it says.
async fn impostor(greeting: Vec<u8>) -> (Endpoint, tokio::task::JoinHandle<Vec<u8>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&greeting).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        said
    });
    (Endpoint { host: "127.0.0.1".into(), port }, said)
}

#[tokio::test]
async fn a_server_without_tls_is_refused_before_anything_is_shown() {
    let Some(server) = servers().pop() else { return };
    let tls = ClientTls::open(&Roots::WebPki, "db.internal").unwrap();
    let greeting = Greeting {
        version: "10.11.6-MariaDB".to_owned(),
        connection_id: 7,
        nonce: *b"abcdefghijklmnopqrst",
        capabilities: Capabilities::from_bits(0x81ff_f7fe),
        charset: 45,
        status: Status::AUTOCOMMIT,
        plugin: "mysql_native_password".to_owned(),
    };
    assert!(!greeting.capabilities.has(Capabilities::SSL));
    let mut bytes = BytesMut::new();
    greeting.write(&mut bytes, &mut 0);
    let (endpoint, said) = impostor(bytes.to_vec()).await;
    let settings = TargetSettings { tls: TargetTls::VerifyFull(tls), endpoint, ..server.settings() };
    let (_, text) = refusal(settings, "").await;
    assert!(text.contains("does not speak TLS"), "{text}");
    assert_eq!(said.await.unwrap(), b"");
}

#[tokio::test]
async fn a_server_that_is_full_or_no_mysql_is_told_apart() {
    let Some(server) = servers().pop() else { return };
    for (greeting, told, code) in [
        (b"\x15\0\0\0\xff\x10\x04Too many connections".as_slice(), "1040", "53300"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "could not", "08006"),
        (b"", "broke", "08006"),
    ] {
        let (endpoint, _said) = impostor_that_closes(greeting).await;
        let (error, text) = refusal(TargetSettings { endpoint, ..server.settings() }, "").await;
        assert!(text.contains(told), "{text}");
        assert_eq!(error.code().sqlstate(), code, "{text}");
    }
}

async fn impostor_that_closes(greeting: &'static [u8]) -> (Endpoint, tokio::task::JoinHandle<()>) {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = tokio::spawn(async move {
        // The look around at the start comes here, too.
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(greeting).await;
            let _ = stream.shutdown().await;
        }
    });
    (Endpoint { host: "127.0.0.1".into(), port }, done)
}

#[tokio::test]
async fn what_the_server_refuses_is_told_with_its_code() {
    for server in servers() {
        let (error, text) = refusal(server.settings(), "there_is_no_such_database").await;
        assert!(text.contains("1049"), "{text}");
        assert_eq!(error.code().sqlstate(), "3D000");
        let user = unique("poor");
        server.sql(&[&format!("CREATE USER {user}@'%' IDENTIFIED BY 'hunter2'")]).await;
        let settings = as_user(server.settings(), &user, "hunter2");
        let pools = pools(settings);
        for _ in 0..2 {
            let error = pools
                .lease_mysql(&"hr".into(), &home("mysql"), Lane::Read, &"dana".into())
                .await
                .unwrap_err();
            assert!(causes(&error).contains("1044"), "{error:?}");
            drop(lend(&pools, &home(""), Lane::Read).await);
        }
        // An idle connection is not led there, either, and stays as it is.
        let idle = single(as_user(server.settings(), &user, "hunter2"));
        let lease = lend(&idle, &home(""), Lane::Read).await;
        let thread = lease.thread_id();
        lease.go_home(HomeState::Idle);
        for _ in 0..2 {
            let error =
                idle.lease_mysql(&"hr".into(), &home("mysql"), Lane::Read, &"dana".into()).await.unwrap_err();
            assert!(causes(&error).contains("1044"), "{error:?}");
        }
        assert_eq!(lend(&idle, &home(""), Lane::Read).await.thread_id(), thread);
        assert!(pools.health()[0].1.is_up());
        server.sql(&[&format!("DROP USER {user}@'%'")]).await;
    }
}

#[tokio::test]
async fn a_method_that_is_not_safe_is_not_used() {
    let Some(own) = OwnServer::start(MysqlFlavor::Mariadb) else { return };
    own.at
        .sql(&[
            "INSTALL SONAME 'auth_ed25519'",
            "CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('hunter2')",
        ])
        .await;
    let (_, text) = refusal(as_user(own.at.settings(), "ed", "hunter2"), "").await;
    assert!(text.contains("client_ed25519"), "{text}");
}
