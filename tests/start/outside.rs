//! What the doctor finds of everybody else whom the gateway talks to.

use std::{fs, io::Write, net::TcpListener};

use serde_json::Value;

use super::{
    doctor, finding,
    oidc_support::{Oidc, keys::Kind},
    slack_support::{APP_TOKEN, BOT_TOKEN, CHANNEL, Slack, TEAM},
};

/// A configuration whose target is not there, with `rest`; what the doctor says of it.
fn report(rest: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let secret = |name: &str, value: &str| {
        let file = folder.path().join(name);
        fs::write(&file, value).unwrap();
    };
    secret("bot", BOT_TOKEN);
    secret("app", APP_TOKEN);
    secret("key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    secret("password", "S3cret");
    fs::create_dir(folder.path().join("policies")).unwrap();
    let file = folder.path().join("tidegate.yaml");
    let text = format!(
        "data_dir: data\nlisteners: [{{ address: \"127.0.0.1:1\", targets: [hr], plaintext: true }}]\n\
         targets:\n  - {{ name: hr, environment: test, endpoint: \"127.0.0.1:1\", accounts: {{ read: {{ user: r, \
         password_file: password }} }} }}\n{rest}"
    );
    fs::write(&file, text).unwrap();
    let (report, _) = doctor(&file);
    let said = report.to_string();
    assert!(!said.contains(BOT_TOKEN) && !said.contains(APP_TOKEN) && !said.contains("S3cret"), "{said}");
    report
}

fn is(report: &Value, check: &str, grade: &str, words: &str) {
    let found = finding(report, check);
    assert_eq!(found["grade"], grade, "{found:#}");
    assert!(found["found"].as_str().unwrap().contains(words), "{found:#}");
    assert!(grade == "ok" || !found["advice"].as_str().unwrap().is_empty(), "{found:#}");
}

#[test]
fn the_doctor_asks_the_identity_provider_who_it_is() {
    let oidc = Oidc::start();
    let with = |issuer: &str| report(&format!("oidc: {{ issuer: \"{issuer}\", client_id: tidegate }}\n"));
    let there = with(&oidc.issuer);
    is(&there, "identity provider", "ok", "browser and device logins");
    is(&there, "identity provider keys", "ok", "publishes 1");
    is(&there, "identity provider clock", "ok", "within");
    is(&with(&format!("{}/", oidc.issuer)), "identity provider", "failed", "another issuer");
    oidc.rotate("k2", Kind::Rsa);
    oidc.state().keys.clear();
    is(&with(&oidc.issuer), "identity provider keys", "failed", "no key");
    oidc.state().is_down = true;
    is(&with(&oidc.issuer), "identity provider", "failed", "status 503");
    is(&with("http://127.0.0.1:1"), "identity provider", "failed", "cannot be reached");
}

#[test]
fn the_doctor_asks_slack_whose_the_tokens_are_and_what_they_may_do() {
    let slack = Slack::start();
    let with = |team: &str| {
        let api = &slack.api;
        report(&format!(
            "slack: {{ team: {team}, bot_token_file: bot, app_token_file: app, channel: {CHANNEL}, api_url: \"{api}\" }}\n"
        ))
    };
    let there = with(TEAM);
    is(&there, "slack", "ok", TEAM);
    is(&there, "slack scopes", "ok", "all");
    slack.state().scopes.retain(|scope| *scope != "im:write");
    is(&with(TEAM), "slack scopes", "failed", "lacks im:write");
    is(&with("T0OTHER"), "slack", "failed", "T0OTHER");
    assert!(
        slack.state().calls.iter().all(|(method, _)| !method.starts_with("chat.")),
        "nobody is written to"
    );
}

#[test]
fn the_doctor_reaches_webhooks_as_far_as_it_can_without_telling_them_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Speaks no TLS, and says so at once.
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let with = |url: &str, private: bool| {
        report(&format!(
            "webhooks: [ {{ name: chat, url: \"{url}\", secret_file: key, events: [\"*\"], allow_private: {private} }} ]\n"
        ))
    };
    let plain = with(&format!("http://127.0.0.1:{port}/hook"), true);
    is(&plain, "webhook chat tcp", "ok", "answers");
    is(&plain, "webhook chat tls", "warning", "without TLS");
    is(&with(&format!("https://localhost:{port}/hook"), true), "webhook chat tls", "failed", "");
    is(&with(&format!("https://localhost:{port}/hook"), false), "webhook chat", "failed", "private network");
    is(&with("https://169.254.169.254/hook", true), "webhook chat", "failed", "not allowed");
    is(&with("https://no-such-host.invalid/hook", true), "webhook chat", "failed", "not found");
}

#[test]
fn the_doctor_reaches_where_the_log_and_traces_are_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let there = report(&format!(
        "audit: {{ sinks: [ {{ name: out, stdout: true }}, {{ name: otel, otlp: {{ url: \"http://127.0.0.1:{port}/v1/logs\" }} }}, \
         {{ name: siem, syslog: {{ endpoint: \"127.0.0.1:1\", tls: {{ mode: disable }} }} }} ] }}\n\
         telemetry: {{ traces: {{ otlp: {{ url: \"http://127.0.0.1:{port}/v1/traces\" }} }} }}\n"
    ));
    is(&there, "audit sink out", "ok", "standard output");
    is(&there, "audit sink otel tcp", "ok", "answers");
    is(&there, "audit sink siem tcp", "failed", "127.0.0.1:1");
    is(&there, "traces tcp", "ok", "answers");
}
