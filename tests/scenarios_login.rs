//! Ways in: passwords, tokens, certificates, TLS; and what is kept of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use support::{Lab, Login, eventually, root, text};

/// What psql says to `SELECT 'in'`, with more in its environment.
fn try_in(login: &Login, environment: &[(&str, &str)]) -> String {
    let mut command = login.command("psql");
    for (name, value) in environment {
        command.env(name, value);
    }
    text(&command.args(["-X", "-A", "-t", "-c", "SELECT 'in'"]).output().unwrap())
}

#[test]
fn a_password_is_bound_to_its_tls_connection_if_the_client_asks_for_it() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    assert_eq!(try_in(&dana, &[("PGCHANNELBINDING", "require")]), "in\n");
    assert_eq!(try_in(&dana, &[("PGCHANNELBINDING", "disable")]), "in\n");
    let wrong = try_in(&dana, &[("PGCHANNELBINDING", "require"), ("PGPASSWORD", "wrong")]);
    assert!(wrong.contains("password authentication failed"), "{wrong}");
}

#[test]
fn both_versions_of_tls_are_spoken_and_none_below() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let only = [("PGSSLMINPROTOCOLVERSION", version), ("PGSSLMAXPROTOCOLVERSION", version)];
        assert_eq!(try_in(&dana, &only), "in\n", "{version}");
    }
    let old = [("PGSSLMINPROTOCOLVERSION", "TLSv1.1"), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.1")];
    assert!(!try_in(&dana, &old).contains("in\n"));
}

#[test]
fn tls_may_begin_at_once() {
    let python = root().join(".cache/python/bin/python");
    if !python.exists() {
        assert!(std::env::var_os("CI").is_none(), "psycopg is not here: run `make setup`");
        eprintln!("skipped: psycopg is not here; `make setup` installs it");
        return;
    }
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    // psycopg brings a libpq that is new enough to be told how TLS begins.
    let program = "import psycopg; print(psycopg.connect(sslnegotiation='direct').execute(\"SELECT 'in'\").fetchone()[0])";
    let out = text(&dana.command(python.to_str().unwrap()).args(["-c", program]).output().unwrap());
    assert_eq!(out, "in\n");
}

#[test]
fn a_certificate_of_another_authority_is_not_trusted_by_clients() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    let other = lab.path("other.crt");
    let key = lab.path("other.key");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=x",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&other)
        .output()
        .unwrap();
    assert!(made.status.success());
    let out = try_in(&dana, &[("PGSSLROOTCERT", other.to_str().unwrap())]);
    assert!(out.contains("certificate verify failed"), "{out}");
}

#[test]
fn a_new_certificate_is_taken_without_a_restart() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    let before = served_certificate(&lab);
    lab.certificate("fresh", "localhost", "DNS:localhost,IP:127.0.0.1");
    // The key first: a reader that looks in between sees a pair that does not fit, and keeps the old one.
    fs::rename(lab.path("fresh.key"), lab.path("server.key")).unwrap();
    fs::rename(lab.path("fresh.crt"), lab.path("server.crt")).unwrap();
    lab.hangup();
    eventually("the new certificate is served", Duration::from_secs(10), || {
        served_certificate(&lab) != before
    });
    assert_eq!(try_in(&dana, &[]), "in\n");
}

#[test]
fn the_policy_is_read_again_on_sighup() {
    let lab = lab!(Lab::gateway(&json!({})));
    lab.hangup();
    eventually("the policy was read because of the signal", Duration::from_secs(10), || {
        lab.admin(&["policy", "status"]).contains("(asked for by signal)")
    });
}

fn served_certificate(lab: &Lab) -> String {
    let place = format!("127.0.0.1:{}", lab.port());
    let done = Command::new("openssl")
        .args(["s_client", "-starttls", "postgres", "-connect", &place])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let begin =
        out.find("-----BEGIN CERTIFICATE").unwrap_or_else(|| panic!("no certificate: {}", text(&done)));
    out[begin..].split("-----END").next().unwrap().to_owned()
}

#[test]
fn a_token_is_a_password_until_it_ends_or_is_revoked() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    let make = |ttl: &str| {
        let out = lab.admin(&["token", "create", "--for", "dana", "--ttl", ttl, "--json"]);
        let made: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"));
        (made["secret"].as_str().unwrap().to_owned(), made["token"]["id"].as_str().unwrap().to_owned())
    };
    let (long, id) = make("1h");
    let with = |secret: &str| try_in(&dana, &[("PGPASSWORD", secret)]);
    assert_eq!(with(&long), "in\n");
    assert_eq!(try_in(&dana, &[]), "in\n", "her password is still good");
    lab.admin(&["token", "revoke", &id]);
    assert!(with(&long).contains("password authentication failed"));
    let (short, _) = make("2s");
    assert_eq!(with(&short), "in\n");
    eventually("the token ends", Duration::from_secs(6), || {
        with(&short).contains("password authentication failed")
    });
    // Somebody else's name with her token is nobody.
    lab.add("omar");
    let (hers, _) = make("1h");
    let omar = Login { user: "omar".to_owned(), password: hers, ..dana };
    assert!(omar.psql("SELECT 1").contains("password authentication failed"));
}

#[test]
fn a_client_certificate_says_who_somebody_is() {
    let lab = lab!(Lab::gateway(&json!({ "client_ca": true })));
    let dana = lab.add("dana");
    lab.certificate("dana", "Dana", "email:dana@example.com");
    lab.certificate("stranger", "Stranger", "email:stranger@example.com");
    let with = |name: &str, user: &str| {
        let file = |ending: &str| lab.path(&format!("{name}.{ending}")).display().to_string();
        let (certificate, key) = (file("crt"), file("key"));
        let wanted =
            [("PGSSLCERT", certificate.as_str()), ("PGSSLKEY", &key), ("PGUSER", user), ("PGPASSWORD", "")];
        try_in(&dana, &wanted)
    };
    assert_eq!(with("dana", "dana"), "in\n");
    for (certificate, user) in [("stranger", "dana"), ("dana", "omar"), ("stranger", "stranger")] {
        let out = with(certificate, user);
        assert!(!out.contains("in\n"), "{certificate} as {user}: {out}");
    }
    assert_eq!(try_in(&dana, &[]), "in\n", "a password is good without a certificate");
}

#[test]
fn clear_text_passwords_are_taken_over_tls_where_the_listener_says_so() {
    let lab = lab!(Lab::gateway(&json!({ "authentication": "cleartext" })));
    let dana = lab.add("dana");
    assert_eq!(try_in(&dana, &[]), "in\n");
    assert!(try_in(&dana, &[("PGPASSWORD", "wrong")]).contains("password authentication failed"));
    let plain = try_in(&dana, &[("PGSSLMODE", "disable")]);
    assert!(!plain.contains("in\n"), "{plain}");
}

#[test]
fn guessing_is_held_up_and_only_the_name_that_is_guessed() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    let full = lab.add_full();
    for _ in 0..14 {
        try_in(&dana, &[("PGPASSWORD", "wrong")]);
    }
    let held = try_in(&dana, &[]);
    assert!(!held.contains("in\n"), "the fifteenth attempt in a row was let in");
    assert_eq!(try_in(&full, &[]), "in\n");
    eventually("it is forgotten", Duration::from_secs(40), || try_in(&dana, &[]) == "in\n");
}

#[test]
fn no_secret_is_kept_or_logged() {
    let lab = lab!(Lab::gateway(&json!({})));
    let dana = lab.add("dana");
    let token = lab.admin(&["token", "create", "--for", "dana", "--ttl", "1h", "--json"]);
    let token: Value = serde_json::from_str(&token).unwrap();
    assert_eq!(try_in(&dana, &[]), "in\n");
    try_in(&dana, &[("PGPASSWORD", "a-wrong-password-of-mine")]);
    let key = fs::read_to_string(lab.path("data/admin.key")).unwrap();
    let account = fs::read_to_string(lab.path("postgres.read.password")).unwrap();
    let secrets = [
        dana.password.as_str(),
        token["secret"].as_str().unwrap(),
        key.trim(),
        account.trim(),
        "a-wrong-password-of-mine",
    ];
    let mut read = 0;
    for file in files(&lab.path("data")).into_iter().chain([lab.path("tidegate.log")]) {
        if file.ends_with("admin.key") {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        read += bytes.len();
        for secret in secrets {
            assert!(secret.len() >= 8, "too short to look for");
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", file.display());
        }
    }
    assert!(read > 1000, "nothing was looked at");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(lab.path("data/admin.key")).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!lab.metrics().contains(&dana.password));
}

fn files(under: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
