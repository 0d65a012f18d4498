//! Logins by real clients, and by hand-made ones where real ones behave too well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "login_support/mod.rs"]
mod support;

use std::{pin::Pin, process::Output, sync::Arc, time::Duration};

use support::{
    Gate, OLD_TOKEN, PASSWORD, TOKEN, id, message, read_byte, read_error, read_message, request, startup,
};
use tidegate::{
    model::identity::{AdmitTokens, Admitted, Subject, TokenRefused, WhereTokensComeFrom},
    net::{
        Published,
        throttle::{Allowance, Throttle, ThrottleLimits},
    },
    policy::Snapshot,
    session::login::Authentication,
};
use tokio::io::AsyncWriteExt;

const GSS: u32 = 80_877_104;
const SSL: u32 = 80_877_103;
const CANCEL: u32 = 80_877_102;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn let_in(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

fn refused(output: &Output, with: &str) {
    assert!(!output.status.success());
    assert!(stderr(output).contains(with), "{}", stderr(output));
}

fn logins(gate: &Gate) -> Vec<String> {
    gate.audited().into_iter().map(|(event, who, end)| format!("{event} {who} {end}")).collect()
}

#[tokio::test]
async fn psql_logs_in_with_scram_bound_to_the_channel_in_tls_1_2_and_1_3() {
    let gate = Gate::start(|_| {}).await;
    for version in ["TLSv1.2", "TLSv1.3"] {
        let tls = format!("ssl_min_protocol_version={version} ssl_max_protocol_version={version}");
        let connection =
            format!("{} {tls} channel_binding=require user=dana dbname=hr_prod", gate.verified());
        let Some(output) = gate.psql(&connection, PASSWORD).await else { return };
        let_in(&output);
    }
    assert_eq!(logins(&gate), ["login dana password", "login dana password"]);
    let outdated = "ssl_min_protocol_version=TLSv1.1 ssl_max_protocol_version=TLSv1.1";
    let connection = format!("{} {outdated} user=dana dbname=hr_prod", gate.verified());
    assert!(!gate.psql(&connection, PASSWORD).await.unwrap().status.success());
}

#[tokio::test]
async fn psql_logs_in_with_scram_that_is_not_bound() {
    let gate = Gate::start(|_| {}).await;
    let connection = format!("{} channel_binding=disable user=dana dbname=hr_prod", gate.verified());
    let Some(output) = gate.psql(&connection, PASSWORD).await else { return };
    let_in(&output);
}

#[tokio::test]
async fn psql_logs_in_with_a_token_and_not_with_one_that_is_over() {
    for authentication in [Authentication::Scram, Authentication::Cleartext] {
        let gate = Gate::start(|door| door.authentication = authentication).await;
        let connection = format!("{} user=dana dbname=hr_prod", gate.verified());
        let Some(output) = gate.psql(&connection, TOKEN).await else { return };
        let_in(&output);
        let failure = "FATAL:  password authentication failed for user \"dana\"";
        refused(&gate.psql(&connection, OLD_TOKEN).await.unwrap(), failure);
        gate.hand.advance(Duration::from_secs(60));
        refused(&gate.psql(&connection, TOKEN).await.unwrap(), failure);
        assert_eq!(
            logins(&gate),
            [
                format!("login dana token:{}", id(1)),
                format!("login_failed dana token {} is over", id(2)),
                format!("login_failed dana token {} is over", id(1)),
            ]
        );
    }
}

#[tokio::test]
async fn psql_logs_in_with_a_password_in_clear_over_tls() {
    let gate = Gate::start(|door| door.authentication = Authentication::Cleartext).await;
    let connection = format!("{} user=dana dbname=hr_prod", gate.verified());
    let Some(output) = gate.psql(&connection, PASSWORD).await else { return };
    let_in(&output);
    let refusal = gate.psql(&connection, "pencil e").await.unwrap();
    refused(&refusal, "FATAL:  password authentication failed for user \"dana\"");
}

#[tokio::test]
async fn a_password_in_clear_is_never_asked_for_without_tls() {
    let gate = Gate::start(|door| {
        door.authentication = Authentication::Cleartext;
        door.plaintext = true;
    })
    .await;
    let mut client = gate.connect().await;
    client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "28000");
}

#[tokio::test]
async fn psql_without_tls_is_let_in_only_where_the_listener_says_so() {
    for plaintext in [false, true] {
        let gate = Gate::start(|door| door.plaintext = plaintext).await;
        let connection = "sslmode=disable user=dana dbname=hr_prod";
        let Some(output) = gate.psql(connection, PASSWORD).await else { return };
        if plaintext {
            let_in(&output);
        } else {
            refused(&output, "FATAL:  this gateway accepts connections over TLS only");
            refused(&output, "HINT:  Connect with sslmode=verify-full");
            assert_eq!(logins(&gate), ["login_failed dana session without TLS"]);
        }
    }
}

#[tokio::test]
async fn wrong_unknown_disabled_and_without_password_look_the_same_and_are_told_apart_on_record() {
    for authentication in [Authentication::Scram, Authentication::Cleartext] {
        let gate = Gate::start(|door| door.authentication = authentication).await;
        let mut texts = Vec::new();
        for (user, password) in [("dana", "wrong"), ("nobody", PASSWORD), ("erin", PASSWORD), ("finn", "")] {
            let connection = format!("{} user={user} dbname=hr_prod", gate.verified());
            let password = if password.is_empty() { "x" } else { password };
            let Some(output) = gate.psql(&connection, password).await else { return };
            refused(&output, "password authentication failed");
            texts.push(stderr(&output).replace(user, "?"));
        }
        assert!(texts.iter().all(|text| text == &texts[0]), "{texts:?}");
        assert_eq!(
            logins(&gate),
            [
                "login_failed dana wrong password or token",
                "login_failed nobody no such principal",
                "login_failed erin principal is disabled",
                "login_failed finn principal has no password and no token",
            ]
        );
        assert_eq!((gate.metrics.logins.failed.get(), gate.metrics.logins.succeeded.get()), (4, 0));
    }
}

#[tokio::test]
async fn psql_logs_in_with_a_certificate_as_whom_it_stands_for_and_nobody_else() {
    let gate = Gate::start(|_| {}).await;
    let with = |certificate: &str, user: &str| {
        format!(
            "{} sslcert={} sslkey={} user={user} dbname=hr_prod",
            gate.verified(),
            gate.file(&format!("{certificate}.crt")).display(),
            gate.file(&format!("{certificate}.key")).display()
        )
    };
    let Some(output) = gate.psql(&with("dana", "dana"), "").await else { return };
    let_in(&output);
    // A right password does not mend a wrong certificate.
    let other = gate.psql(&with("dana", "finn"), PASSWORD).await.unwrap();
    refused(&other, "FATAL:  certificate authentication failed for user \"finn\"");
    assert!(!gate.psql(&with("erin", "erin"), PASSWORD).await.unwrap().status.success());
    assert!(!gate.psql(&with("stranger", "dana"), PASSWORD).await.unwrap().status.success());
    assert_eq!(
        logins(&gate),
        [
            "login dana certificate:CN=dana",
            "login_failed finn certificate CN=dana / email:dana@example.com does not prove this principal",
            "login_failed erin principal is disabled",
        ]
    );
}

#[tokio::test]
async fn tokio_postgres_logs_in() {
    let gate = Gate::start(|door| door.plaintext = true).await;
    let connection = format!(
        "host=127.0.0.1 port={} user=dana password='{PASSWORD}' dbname=hr/hr_test",
        gate.address.port()
    );
    let (client, driver) = tokio_postgres::connect(&connection, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    client.simple_query("").await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_unknown_database_is_told_after_the_proof_only_with_what_could_be_used() {
    let gate = Gate::start(|_| {}).await;
    let connection = format!("{} user=dana dbname=payroll", gate.verified());
    let Some(output) = gate.psql(&connection, "wrong").await else { return };
    refused(&output, "password authentication failed");
    let output = gate.psql(&connection, PASSWORD).await.unwrap();
    refused(&output, "FATAL:  database \"payroll\" does not exist");
    refused(&output, "HINT:  You may use: hr/hr_prod, hr/hr_test.");
    let named = format!("{} user=dana dbname=crm/crm_prod", gate.verified());
    let_in(&gate.psql(&named, PASSWORD).await.unwrap());
    assert_eq!(
        logins(&gate),
        [
            "login_failed dana wrong password or token",
            "login_failed dana no target for database \"payroll\"",
            "login dana password",
        ]
    );
}

#[tokio::test]
async fn too_many_failures_hold_up_even_the_right_password_until_one_is_forgotten() {
    let limits = ThrottleLimits {
        name: Allowance { failures: 2, forget_after_ms: 5000 },
        ..ThrottleLimits::default()
    };
    let gate = Gate::start(|door| door.throttle = Arc::new(Throttle::new(&limits))).await;
    let connection = format!("{} user=dana dbname=hr_prod", gate.verified());
    for password in ["one", "two", PASSWORD] {
        let Some(output) = gate.psql(&connection, password).await else { return };
        refused(&output, "password authentication failed for user \"dana\"");
    }
    assert_eq!(logins(&gate)[2], "login_failed dana too many failed attempts");
    assert_eq!(gate.metrics.logins.throttled.get(), 1);
    gate.hand.advance(Duration::from_secs(5));
    let_in(&gate.psql(&connection, PASSWORD).await.unwrap());
}

#[tokio::test]
async fn attempts_made_side_by_side_learn_no_more_than_attempts_made_in_turn() {
    let limits = ThrottleLimits {
        name: Allowance { failures: 1, forget_after_ms: 5000 },
        ..ThrottleLimits::default()
    };
    let gate = Gate::start(|door| {
        door.authentication = Authentication::Cleartext;
        door.throttle = Arc::new(Throttle::new(&limits));
    })
    .await;
    let mut clients = [gate.connect_tls().await, gate.connect_tls().await];
    for client in &mut clients {
        client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
        assert_eq!(read_message(client).await.unwrap().0, b'R');
    }
    for (client, password) in clients.iter_mut().zip(["wrong", PASSWORD]) {
        client.write_all(&message(b'p', format!("{password}\0").as_bytes())).await.unwrap();
        assert_eq!(read_error(client).await.0, "28P01");
    }
    assert_eq!(
        logins(&gate),
        ["login_failed dana wrong password or token", "login_failed dana too many failed attempts"]
    );
}

#[tokio::test]
async fn a_failed_proof_waits_for_its_answer_and_a_good_one_does_not() {
    let delay = Duration::from_millis(1500);
    let gate = Gate::start(|door| {
        door.authentication = Authentication::Cleartext;
        door.failure_delay = delay;
    })
    .await;
    for (password, waits) in [("wrong", true), (PASSWORD, false)] {
        let mut client = gate.connect_tls().await;
        client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
        assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
        let asked = std::time::Instant::now();
        client.write_all(&message(b'p', format!("{password}\0").as_bytes())).await.unwrap();
        assert_eq!(read_message(&mut client).await.unwrap().0, if waits { b'E' } else { b'R' });
        assert_eq!(asked.elapsed() >= delay, waits, "{password}");
    }
}

#[tokio::test]
async fn plain_text_pushed_ahead_of_the_tls_handshake_is_never_taken_for_the_clients_words() {
    let gate = Gate::start(|door| door.plaintext = true).await;
    let mut client = gate.connect().await;
    let pushed = [request(SSL, &[]), startup(&[("user", "mallory"), ("database", "hr_prod")])].concat();
    client.write_all(&pushed).await.unwrap();
    assert_eq!(read_byte(&mut client).await, Some(b'S'));
    assert_eq!(read_byte(&mut client).await, None, "closed without a word");
    assert_eq!(logins(&gate), [] as [&str; 0]);
    assert_eq!(gate.metrics.logins.unfinished.get(), 1);
}

#[tokio::test]
async fn gss_is_declined_and_tls_can_be_asked_for_after_it() {
    let gate = Gate::start(|_| {}).await;
    let mut client = gate.connect().await;
    client.write_all(&request(GSS, &[])).await.unwrap();
    assert_eq!(read_byte(&mut client).await, Some(b'N'));
    client.write_all(&request(SSL, &[])).await.unwrap();
    assert_eq!(read_byte(&mut client).await, Some(b'S'));
    let mut client = client.connect_tls(&gate.client_tls(&[])).await.unwrap();
    client.write_all(&startup(&[("user", "dana")])).await.unwrap();
    assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
}

#[tokio::test]
async fn tls_is_not_asked_for_twice() {
    let gate = Gate::start(|_| {}).await;
    let mut client = gate.connect_tls().await;
    client.write_all(&request(SSL, &[])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "08P01");
}

#[tokio::test]
async fn a_listener_without_tls_says_so() {
    let gate = Gate::start(|door| door.tls = None).await;
    let mut client = gate.connect().await;
    client.write_all(&request(SSL, &[])).await.unwrap();
    assert_eq!(read_byte(&mut client).await, Some(b'N'));
}

#[tokio::test]
async fn direct_tls_needs_the_protocols_name() {
    let gate = Gate::start(|_| {}).await;
    let named = gate.client_tls(&[b"postgresql"]);
    let mut client = gate.connect().await.connect_tls(&named).await.unwrap();
    client.write_all(&startup(&[("user", "dana")])).await.unwrap();
    let (tag, body) = read_message(&mut client).await.unwrap();
    assert_eq!((tag, &body[..4]), (b'R', [0, 0, 0, 10].as_slice()));
    assert_eq!(&body[4..], b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");

    let mut unnamed = gate.connect().await.connect_tls(&gate.client_tls(&[])).await.unwrap();
    let (code, text) = read_error(&mut unnamed).await;
    assert_eq!(code, "08P01");
    assert!(text.contains("ALPN"), "{text}");
    assert!(gate.connect().await.connect_tls(&gate.client_tls(&[b"http/1.1"])).await.is_err());
}

#[tokio::test]
async fn what_a_client_sends_behind_its_password_is_left_for_the_session() {
    let gate = Gate::start(|door| door.authentication = Authentication::Cleartext).await;
    let mut client = gate.connect_tls().await;
    client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
    assert_eq!(read_message(&mut client).await.unwrap(), (b'R', vec![0, 0, 0, 3]));
    let password = message(b'p', format!("{PASSWORD}\0").as_bytes());
    client.write_all(&[password, message(b'Q', b"\0")].concat()).await.unwrap();
    let mut tags = Vec::new();
    while tags.len() < 6 {
        tags.push(read_message(&mut client).await.unwrap().0);
    }
    assert_eq!(tags, *b"RSKZIZ");
}

#[tokio::test]
async fn unknown_protocol_options_and_newer_versions_are_negotiated() {
    let gate = Gate::start(|_| {}).await;
    let mut client = gate.connect_tls().await;
    let body = b"user\0dana\0_pq_.shiny\0on\0\0";
    client.write_all(&request((3 << 16) | 7, body)).await.unwrap();
    let (tag, body) = read_message(&mut client).await.unwrap();
    assert_eq!(tag, b'v');
    assert_eq!(body, b"\0\x03\0\x02\0\0\0\x01_pq_.shiny\0");
    assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
}

#[tokio::test]
async fn an_answer_of_another_kind_or_over_the_limit_is_refused() {
    let gate = Gate::start(|_| {}).await;
    for (answer, code) in [
        (message(b'Q', b"SELECT 1\0"), "08P01"),
        (message(b'p', &[b'x'; 20_000]), "54000"),
        (message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0ay,,n=,r=ab"), "08P01"),
        (message(b'p', b"SCRAM-SHA-1\0\0\0\0\x01n"), "08P01"),
    ] {
        let mut client = gate.connect_tls().await;
        client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
        assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
        client.write_all(&answer).await.unwrap();
        assert_eq!(read_error(&mut client).await.0, code);
        assert_eq!(read_message(&mut client).await, None);
    }
}

#[tokio::test]
async fn a_cancel_request_needs_neither_login_nor_tls() {
    let gate = Gate::start(|_| {}).await;
    let key = [7; 32];
    let cancel = request(CANCEL, &[[0, 0, 0, 9].as_slice(), &key].concat());
    for mut client in [gate.connect().await, gate.connect_tls().await] {
        client.write_all(&cancel).await.unwrap();
        let mut seen = Vec::new();
        while let Some(byte) = read_byte(&mut client).await {
            seen.push(byte);
        }
        assert_eq!(seen, key);
    }
    assert_eq!(logins(&gate), [] as [&str; 0]);
}

#[tokio::test]
async fn a_client_that_takes_too_long_is_cut_off_and_is_on_record_once_it_gave_a_name() {
    let gate = Gate::start(|door| door.timeout = Duration::from_millis(500)).await;
    let mut silent = gate.connect().await;
    assert_eq!(read_byte(&mut silent).await, None);
    let mut stuck = gate.connect_tls().await;
    stuck.write_all(&startup(&[("user", "dana")])).await.unwrap();
    assert_eq!(read_message(&mut stuck).await.unwrap().0, b'R');
    assert_eq!(read_message(&mut stuck).await, None);
    assert_eq!(logins(&gate), ["login_failed dana not logged in within 500 ms"]);
}

#[tokio::test]
async fn a_client_that_leaves_when_asked_for_a_password_has_not_failed() {
    let gate = Gate::start(|_| {}).await;
    let mut client = gate.connect_tls().await;
    client.write_all(&startup(&[("user", "dana")])).await.unwrap();
    assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
    client.shutdown().await.unwrap();
    assert_eq!(read_byte(&mut client).await, None);
    assert_eq!(gate.metrics.logins.failed.get(), 0);
    assert_eq!(logins(&gate), [] as [&str; 0]);
}

/// Takes the token "good.of.NAME" for that name, when the snapshot has it.
#[derive(Debug)]
struct Issuer(Published<Snapshot>);

impl AdmitTokens for Issuer {
    fn admit<'a>(
        &'a self,
        token: &'a str,
        principal: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, TokenRefused>> + Send + 'a>> {
        Box::pin(async move {
            let known = self.0.load().principal(principal).cloned();
            let good = token.starts_with("eyJ") && token.ends_with(&format!(".of.{principal}"));
            let principal = known.filter(|_| good).ok_or_else(|| TokenRefused("not good".to_owned()))?;
            let subject = Subject { issuer: "https://id.example".into(), subject: "0001".into() };
            Ok(Admitted { principal, subject })
        })
    }

    fn source(&self) -> WhereTokensComeFrom {
        WhereTokensComeFrom {
            configuration: "https://id.example/.well-known".to_owned(),
            scope: "openid".to_owned(),
        }
    }
}

async fn gate_with_issuer(authentication: Authentication) -> Gate {
    Gate::start(|door| {
        door.authentication = authentication;
        door.tokens = Some(Arc::new(Issuer(door.snapshot.clone())));
    })
    .await
}

fn initial(mechanism: &str, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    message(b'p', &[mechanism.as_bytes(), b"\0", &length, text.as_bytes()].concat())
}

/// Asks for a login by OAUTHBEARER as dana; gives the mechanisms that were offered.
async fn bearer(gate: &Gate, auth: &str) -> (tidegate::net::Stream, Vec<u8>) {
    let mut client = gate.connect_tls().await;
    client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
    let (tag, offered) = read_message(&mut client).await.unwrap();
    assert_eq!((tag, &offered[..4]), (b'R', [0, 0, 0, 10].as_slice()));
    client.write_all(&initial("OAUTHBEARER", &format!("n,,\x01auth={auth}\x01\x01"))).await.unwrap();
    (client, offered[4..].to_vec())
}

#[tokio::test]
async fn a_bearer_token_logs_in_where_tokens_are_issued() {
    let gate = gate_with_issuer(Authentication::Oauth).await;
    let (mut client, offered) = bearer(&gate, "Bearer eyJa.of.dana").await;
    assert_eq!(offered, b"OAUTHBEARER\0\0");
    assert_eq!(read_message(&mut client).await.unwrap(), (b'R', vec![0; 4]));
    assert_eq!(logins(&gate), ["login dana oidc"]);
}

#[tokio::test]
async fn a_refused_bearer_token_is_answered_with_where_to_get_one_and_then_fails() {
    let gate = gate_with_issuer(Authentication::Oauth).await;
    let (mut client, _) = bearer(&gate, "Bearer eyJa.of.finn").await;
    let (tag, challenge) = read_message(&mut client).await.unwrap();
    assert_eq!((tag, &challenge[..4]), (b'R', [0, 0, 0, 11].as_slice()));
    let told: serde_json::Value = serde_json::from_slice(&challenge[4..]).unwrap();
    let wanted = serde_json::json!({ "status": "invalid_token", "scope": "openid",
        "openid-configuration": "https://id.example/.well-known" });
    assert_eq!(told, wanted);
    client.write_all(&message(b'p', &[1])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "28P01");
    // Whoever hangs up instead has failed all the same.
    let (mut client, _) = bearer(&gate, "Bearer eyJb.of.finn").await;
    assert_eq!(read_message(&mut client).await.unwrap().0, b'R');
    client.shutdown().await.unwrap();
    while read_message(&mut client).await.is_some() {}
    assert_eq!(logins(&gate), ["login_failed dana not good", "login_failed dana not good"]);
    assert_eq!(gate.metrics.logins.failed.get(), 2);
}

#[tokio::test]
async fn to_ask_where_tokens_come_from_is_no_attempt() {
    let gate = gate_with_issuer(Authentication::Oauth).await;
    let (mut client, _) = bearer(&gate, "").await;
    let (_, challenge) = read_message(&mut client).await.unwrap();
    assert!(String::from_utf8_lossy(&challenge).contains("https://id.example/.well-known"));
    client.write_all(&message(b'p', &[1])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "28000");
    assert_eq!(logins(&gate), [] as [&str; 0]);
    assert_eq!((gate.metrics.logins.failed.get(), gate.metrics.logins.unfinished.get()), (0, 1));
}

#[tokio::test]
async fn bearer_tokens_are_taken_inside_tls_alone_and_only_where_they_are_issued() {
    let gate = Gate::start(|door| door.authentication = Authentication::Oauth).await;
    let mut client = gate.connect_tls().await;
    client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "28P01", "nobody issues any");
    let gate = Gate::start(|door| {
        door.authentication = Authentication::Oauth;
        door.plaintext = true;
        door.tokens = Some(Arc::new(Issuer(door.snapshot.clone())));
    })
    .await;
    let mut client = gate.connect().await;
    client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
    assert_eq!(read_error(&mut client).await.0, "28000", "not without TLS");
    // Where SCRAM is asked for, a bearer token is no answer.
    let gate = gate_with_issuer(Authentication::Scram).await;
    let (mut client, offered) = bearer(&gate, "Bearer eyJa.of.dana").await;
    assert_eq!(offered, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    assert_eq!(read_error(&mut client).await.0, "08P01");
}

#[tokio::test]
async fn a_token_as_password_is_judged_by_its_issuer_and_a_password_as_ever() {
    let gate = gate_with_issuer(Authentication::Cleartext).await;
    for (password, is_in) in [
        ("eyJa.of.dana", true),
        ("eyJa.of.finn", false),
        (PASSWORD, true),
        (TOKEN, true),
        ("eyJa.of.", false),
    ] {
        let mut client = gate.connect_tls().await;
        client.write_all(&startup(&[("user", "dana"), ("database", "hr_prod")])).await.unwrap();
        assert_eq!(read_message(&mut client).await.unwrap(), (b'R', vec![0, 0, 0, 3]));
        client.write_all(&message(b'p', format!("{password}\0").as_bytes())).await.unwrap();
        let (tag, _) = read_message(&mut client).await.unwrap();
        assert_eq!(tag, if is_in { b'R' } else { b'E' }, "{password}");
    }
    assert_eq!(logins(&gate)[..2], ["login dana oidc", "login_failed dana not good"]);
}
