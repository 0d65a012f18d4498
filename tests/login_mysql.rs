//! Logins to MySQL's protocol: by the gateway's own upstream half, by real clients, and by hand where those behave too
//! well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "login_support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::{net::SocketAddr, process::Output, sync::Arc, time::Duration};

use bytes::{BufMut, BytesMut};
use support::{Gate, OLD_TOKEN, PASSWORD, TOKEN, id};
use tidegate::{
    model::{ids::SessionId, secret::Secret},
    net::{
        Stream,
        throttle::{Allowance, Throttle, ThrottleLimits},
    },
    session::login::{
        Authentication, Door,
        mysql::{Caller, Hello, Lobby, change_user, login},
    },
    wire::mysql::{
        capability::Capabilities,
        command::{Command, write},
        error::ServerError,
        greeting::Greeting,
        packet::{Packet, take_packet, write_packet},
        reply::{self, OkReply},
        upstream::{LoggedIn, Login, LoginError, LoginRequest, LoginStep},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

const SPOKEN: Capabilities = Capabilities::from_bits(0xdfff_ffff);

async fn start(change: impl FnOnce(&mut Door)) -> Gate {
    let lobby = Arc::new(Lobby::new().unwrap());
    let change = |door: &mut Door| {
        door.authentication = Authentication::CachingSha2;
        change(door);
    };
    Gate::start_with(change, move |socket, peer, door| serve(socket, peer, door, Arc::clone(&lobby))).await
}

/// Logs in, then says OK to everything.
async fn serve(socket: TcpStream, peer: SocketAddr, door: Arc<Door>, lobby: Arc<Lobby>) {
    let session = SessionId::new(Uuid::from_u128(1));
    let hello = Hello { version: "8.0.36".to_owned(), capabilities: SPOKEN, charset: 45, connection_id: 7 };
    let Ok(arrived) = login(socket, peer, session, hello, &door, &lobby).await else { return };
    let (mut stream, mut nonce, mut sequence) = (arrived.stream, arrived.nonce, arrived.sequence);
    let mut input = BytesMut::new();
    loop {
        let mut out = BytesMut::new();
        reply::ok(&mut out, &mut sequence, OkReply::default());
        if stream.write_all(&out).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        let packet = loop {
            match take_packet(&mut input, 1 << 16).unwrap() {
                Some(packet) => break packet,
                None if matches!(stream.read_buf(&mut input).await, Ok(1..)) => {}
                None => return,
            }
        };
        sequence = packet.next_sequence();
        match Command::read(packet.payload(), arrived.capabilities) {
            Ok(Command::Quit) => return,
            Ok(Command::ChangeUser(request)) => {
                let caller = Caller { session, peer, nonce, sequence };
                let Ok(changed) = change_user(&mut stream, None, caller, request, &door, &lobby).await else {
                    return;
                };
                (nonce, sequence) = (changed.nonce, changed.sequence);
            }
            _ => {}
        }
    }
}

async fn read(stream: &mut Stream, input: &mut BytesMut) -> Option<Packet> {
    loop {
        if let Some(packet) = take_packet(input, 1 << 16).unwrap() {
            return Some(packet);
        }
        if !matches!(stream.read_buf(input).await, Ok(1..)) {
            return None;
        }
    }
}

async fn say(stream: &mut Stream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
}

struct Try<'a> {
    user: &'a str,
    password: &'a str,
    database: &'a str,
    tls: bool,
}

const DANA: Try<'_> = Try { user: "dana", password: PASSWORD, database: "hr_prod", tls: true };

/// How often the server was shown a password in full, and how it ended.
async fn log_in(gate: &Gate, with: &Try<'_>) -> Result<(Stream, LoggedIn, usize), LoginError> {
    let mut stream = gate.connect().await;
    let request = LoginRequest {
        user: with.user,
        database: with.database,
        shape: Capabilities::DEPRECATE_EOF,
        tls: with.tls,
        charset: 45,
        attributes: &[("program_name", "test")],
    };
    let mut login = Login::new(&request, Secret::new(with.password.to_owned())).unwrap();
    let mut input = BytesMut::new();
    let mut answers = 0;
    loop {
        let packet = read(&mut stream, &mut input).await.expect("an answer");
        let mut out = BytesMut::new();
        let step = login.receive(&packet, &mut out)?;
        say(&mut stream, &out).await;
        match step {
            LoginStep::Next => answers += usize::from(!out.is_empty()),
            LoginStep::StartTls => {
                stream = stream.connect_tls(&gate.client_tls(&[])).await.unwrap();
                let mut out = BytesMut::new();
                login.tls_started(&mut out).unwrap();
                say(&mut stream, &out).await;
                answers += 1;
            }
            LoginStep::Done(done) => return Ok((stream, done, answers)),
        }
    }
}

fn error(result: Result<(Stream, LoggedIn, usize), LoginError>) -> ServerError {
    match result {
        Err(LoginError::Server { source }) => source,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

fn logins(gate: &Gate) -> Vec<String> {
    gate.audited().into_iter().map(|(event, who, end)| format!("{event} {who} {end}")).collect()
}

#[tokio::test]
async fn the_second_login_with_a_password_needs_it_no_more() {
    let gate = start(|_| {}).await;
    for (round, packets) in [(1, 2), (2, 1)] {
        let (_, done, answers) = log_in(&gate, &DANA).await.unwrap();
        assert_eq!(answers, packets, "round {round}");
        assert_eq!(done.greeting.version, "8.0.36");
        assert_eq!(done.greeting.connection_id, 7);
    }
    let wrong = error(log_in(&gate, &Try { password: "pencil", ..DANA }).await);
    assert_eq!((wrong.errno, wrong.sqlstate.as_str()), (1045, "28000"));
    assert_eq!(logins(&gate)[2], "login_failed dana wrong password or token");
}

#[tokio::test]
async fn without_tls_the_password_is_hidden_with_the_gateway_s_key() {
    let gate = start(|door| door.plaintext = true).await;
    let (_, done, answers) = log_in(&gate, &Try { tls: false, ..DANA }).await.unwrap();
    assert_eq!(answers, 3, "proof, request for the key, hidden password");
    assert!(!done.capabilities.has(Capabilities::SSL));
    let wrong = error(log_in(&gate, &Try { tls: false, password: "x", ..DANA }).await);
    assert_eq!(wrong.errno, 1045);
}

#[tokio::test]
async fn a_listener_for_tls_alone_lets_nobody_in_without() {
    let gate = start(|_| {}).await;
    let refused = error(log_in(&gate, &Try { tls: false, ..DANA }).await);
    assert_eq!(refused.errno, 3159);
    assert!(refused.message.contains("--ssl-mode"), "{}", refused.message);
    assert!(log_in(&gate, &DANA).await.is_ok());
}

#[tokio::test]
async fn a_token_logs_in_until_it_is_over_by_the_fast_path_too() {
    let gate = start(|_| {}).await;
    let token = Try { password: TOKEN, ..DANA };
    assert!(log_in(&gate, &token).await.is_ok());
    assert!(log_in(&gate, &token).await.is_ok());
    assert_eq!(error(log_in(&gate, &Try { password: OLD_TOKEN, ..DANA }).await).errno, 1045);
    gate.hand.advance(Duration::from_secs(60));
    assert_eq!(error(log_in(&gate, &token).await).errno, 1045);
    let over = format!("login_failed dana token {} is over", id(1));
    assert_eq!(logins(&gate).last(), Some(&over));
}

#[tokio::test]
async fn names_that_do_not_exist_look_like_those_that_do() {
    let gate = start(|_| {}).await;
    let mut told = Vec::new();
    for user in ["nobody", "erin", "finn"] {
        let mut refused = error(log_in(&gate, &Try { user, password: "x", ..DANA }).await);
        refused.message = refused.message.replace(user, "USER");
        told.push(refused);
    }
    told.push(error(log_in(&gate, &Try { password: "", ..DANA }).await));
    told[3].message = told[3].message.replace("dana", "USER");
    assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
}

#[tokio::test]
async fn a_disabled_principal_is_not_let_in_with_its_right_password() {
    let gate = start(|_| {}).await;
    assert_eq!(error(log_in(&gate, &Try { user: "erin", ..DANA }).await).errno, 1045);
    assert_eq!(logins(&gate), ["login_failed erin principal is disabled"]);
}

#[tokio::test]
async fn attempts_are_held_up_after_too_many_failures() {
    let limits = ThrottleLimits {
        name: Allowance { failures: 2, forget_after_ms: 60_000 },
        ..ThrottleLimits::default()
    };
    let gate = start(|door| door.throttle = Arc::new(Throttle::new(&limits))).await;
    for _ in 0..2 {
        assert_eq!(error(log_in(&gate, &Try { password: "x", ..DANA }).await).errno, 1045);
    }
    assert_eq!(error(log_in(&gate, &DANA).await).errno, 1045);
    assert_eq!(logins(&gate).last().unwrap(), "login_failed dana too many failed attempts");
    gate.hand.advance(Duration::from_secs(120));
    assert!(log_in(&gate, &DANA).await.is_ok());
}

#[tokio::test]
async fn native_is_spoken_where_the_listener_says_so_and_clear_text_where_it_says_that() {
    for authentication in [Authentication::Native, Authentication::Cleartext] {
        let gate = start(|door| door.authentication = authentication).await;
        for password in [PASSWORD, TOKEN] {
            assert!(log_in(&gate, &Try { password, ..DANA }).await.is_ok(), "{authentication:?}");
        }
        assert_eq!(error(log_in(&gate, &Try { password: "x", ..DANA }).await).errno, 1045);
        assert_eq!(error(log_in(&gate, &Try { password: OLD_TOKEN, ..DANA }).await).errno, 1045);
        assert_eq!(error(log_in(&gate, &Try { user: "nobody", ..DANA }).await).errno, 1045);
        let expected = [
            "login dana password".to_owned(),
            format!("login dana token:{}", id(1)),
            "login_failed dana wrong password or token".to_owned(),
            format!("login_failed dana token {} is over", id(2)),
            "login_failed nobody no such principal".to_owned(),
        ];
        assert_eq!(logins(&gate), expected);
    }
}

#[tokio::test]
async fn a_database_need_not_be_named_and_one_that_is_not_there_is_refused_with_those_that_are() {
    let gate = start(|_| {}).await;
    for database in ["", "crm/", "hr/hr_test", "crm_prod"] {
        assert!(log_in(&gate, &Try { database, ..DANA }).await.is_ok(), "{database}");
    }
    let refused = error(log_in(&gate, &Try { database: "hr/other", ..DANA }).await);
    assert_eq!(refused.errno, 1049);
    assert!(refused.message.contains("hr/hr_prod"), "{}", refused.message);
}

#[tokio::test]
async fn bytes_ahead_of_the_tls_handshake_end_the_connection() {
    let gate = start(|_| {}).await;
    let mut stream = gate.connect().await;
    let mut input = BytesMut::new();
    let greeting = read(&mut stream, &mut input).await.unwrap();
    assert!(Greeting::read(greeting.payload()).unwrap().capabilities.has(Capabilities::SSL));
    let mut out = BytesMut::new();
    let head = |out: &mut BytesMut| {
        out.put_u32_le((Capabilities::SSL | Capabilities::PROTOCOL_41 | Capabilities::MYSQL).lower());
        out.put_u32_le(1 << 24);
        out.put_u8(45);
        out.put_bytes(0, 23);
    };
    write_packet(&mut out, &mut 1, head);
    // Pushed in behind the request by somebody in between: it must not count as said inside TLS.
    write_packet(&mut out, &mut 2, |out| {
        head(out);
        out.put_slice(b"dana\0\0");
    });
    say(&mut stream, &out).await;
    assert!(read(&mut stream, &mut input).await.is_none());
    assert!(logins(&gate).is_empty());
}

#[tokio::test]
async fn packets_out_of_order_and_too_long_are_refused() {
    let gate = start(|_| {}).await;
    for (bytes, errno) in [(b"\x20\0\0\x05".as_slice(), 1156), (b"\xff\xff\xff\x01".as_slice(), 1153)] {
        let mut stream = gate.connect().await;
        let mut input = BytesMut::new();
        read(&mut stream, &mut input).await.unwrap();
        say(&mut stream, bytes).await;
        let refused = read(&mut stream, &mut input).await.unwrap();
        assert_eq!(ServerError::read(refused.payload()).unwrap().errno, errno);
    }
}

#[tokio::test]
async fn a_change_of_user_is_a_login_like_any_other() {
    let gate = start(|_| {}).await;
    let (mut stream, done, _) = log_in(&gate, &DANA).await.unwrap();
    let proof = tidegate::wire::mysql::auth::fast_proof(PASSWORD.as_bytes(), &done.greeting.nonce);
    let mut change = BytesMut::new();
    write::command(&mut change, 0x11, |out| {
        out.put_slice(b"dana\0");
        out.put_u8(u8::try_from(proof.len()).unwrap());
        out.put_slice(&proof);
        out.put_slice(b"crm_prod\0\x2d\0caching_sha2_password\0\0");
    });
    let mut input = BytesMut::new();
    for (password, state, name) in [(PASSWORD, 3, "the fast path"), ("x", 4, "the full path")] {
        say(&mut stream, &change).await;
        // A proof that came with the command counts for nothing, as on the servers.
        let asked = read(&mut stream, &mut input).await.unwrap();
        let nonce = asked.payload().strip_prefix(b"\xfecaching_sha2_password\0").unwrap();
        let proof =
            tidegate::wire::mysql::auth::fast_proof(password.as_bytes(), nonce[..20].try_into().unwrap());
        let mut out = BytesMut::new();
        write_packet(&mut out, &mut 2, |out| out.put_slice(&proof));
        say(&mut stream, &out).await;
        assert_eq!(read(&mut stream, &mut input).await.unwrap().payload(), [1, state], "{name}");
        if state == 3 {
            assert_eq!(read(&mut stream, &mut input).await.unwrap().payload()[0], 0);
        }
    }
    let mut out = BytesMut::new();
    write_packet(&mut out, &mut 4, |out| out.put_slice(b"x\0"));
    say(&mut stream, &out).await;
    let refused = read(&mut stream, &mut input).await.unwrap();
    assert_eq!(ServerError::read(refused.payload()).unwrap().errno, 1045);
    assert!(read(&mut stream, &mut input).await.is_none(), "the connection is closed");
    assert_eq!(logins(&gate).len(), 3);
}

/// Runs a client as `program host arguments`; `None` if it is not installed.
async fn client(program: &str, arguments: Vec<String>, password: &str) -> Option<Output> {
    let mut command = std::process::Command::new(program);
    command.args(arguments).env("MYSQL_PWD", password).env("LC_ALL", "C.UTF-8");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            None
        }
        output => Some(output.unwrap()),
    }
}

#[tokio::test]
async fn the_mariadb_client_logs_in_with_a_password_and_with_a_certificate() {
    let gate = start(|_| {}).await;
    let arguments = |more: &[&str]| -> Vec<String> {
        let port = gate.address.port().to_string();
        let ca = gate.file("ca.crt").display().to_string();
        let base = ["--no-defaults", "-hlocalhost", "--protocol=tcp", "-udana", "--ssl-verify-server-cert"];
        let base = base.iter().map(|it| (*it).to_owned());
        let rest = [format!("-P{port}"), format!("--ssl-ca={ca}"), "-edo 1".to_owned(), "hr_prod".to_owned()];
        base.chain(rest).chain(more.iter().map(|it| (*it).to_owned())).collect()
    };
    for _ in 0..2 {
        let Some(output) = client("mariadb", arguments(&[]), PASSWORD).await else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = client("mariadb", arguments(&[]), "x").await.unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("ERROR 1045 (28000)"), "{output:?}");
    let (certificate, key) = (gate.file("dana.crt"), gate.file("dana.key"));
    let shown = [format!("--ssl-cert={}", certificate.display()), format!("--ssl-key={}", key.display())];
    let output =
        client("mariadb", arguments(&[shown[0].as_str(), shown[1].as_str()]), "no matter").await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let audited = logins(&gate);
    assert_eq!(
        audited[..3],
        ["login dana password", "login dana password", "login_failed dana wrong password or token"]
    );
    assert!(audited[3].starts_with("login dana certificate:"), "{audited:?}");
}
