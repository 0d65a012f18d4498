//! Ways in: passwords, tokens, certificates, TLS; and what is kept of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod oidc_support;
mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use oidc_support::{CLIENT, Oidc, SECRET};
use serde_json::{Value, json};
use support::{BINARY, Lab, Login, Server, eventually, root, text};

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

/// The section `oidc` of a gateway's configuration.
fn section(oidc: &Oidc) -> Value {
    let secret = json!(SECRET);
    let file = std::env::temp_dir().join(format!("tidegate-oidc-{}", std::process::id()));
    fs::write(&file, secret.as_str().unwrap()).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    json!(format!(
        "oidc: {{ issuer: \"{}\", client_id: {CLIENT}, client_secret_file: {}, principal_claim: preferred_username, \
         groups_claim: groups, create_people: true, keys_refetch_s: 1 }}",
        oidc.issuer,
        file.display()
    ))
}

/// Somebody who logs in with a token of now.
fn bearer(oidc: &Oidc, lab: &Lab, name: &str, changes: Value) -> Login {
    Login {
        server: lab.server(),
        port: lab.port(),
        user: name.to_owned(),
        password: oidc.token(Timestamp::now(), name, changes),
        ca: lab.path("ca.crt"),
    }
}

#[test]
fn a_token_of_the_identity_provider_is_a_password_inside_tls() {
    let oidc = Oidc::start();
    let lab = lab!(Lab::gateway(&json!({ "authentication": "cleartext", "oidc": section(&oidc) })));
    let dana = bearer(&oidc, &lab, "dana", json!({}));
    assert_eq!(try_in(&dana, &[("PGSSLMODE", "require")]), "in\n");
    let plain = try_in(&dana, &[("PGSSLMODE", "disable")]);
    assert!(plain.contains("accepts connections over TLS only"), "{plain}");
    let now = Timestamp::now().as_second();
    for (what, login) in [
        ("another's", Login { user: "omar".to_owned(), ..dana.clone() }),
        ("over", bearer(&oidc, &lab, "dana", json!({ "exp": now - 1 }))),
        ("for others", bearer(&oidc, &lab, "dana", json!({ "aud": "another" }))),
    ] {
        let out = try_in(&login, &[]);
        assert!(out.contains("password authentication failed"), "{what}: {out}");
    }
    let records = lab.audit();
    let login = records.iter().find(|record| record["event"] == "login").unwrap();
    assert_eq!((&login["principal"], &login["method"]), (&json!("dana"), &json!("oidc")));
    assert_eq!((&login["issuer"], &login["subject"]), (&json!(oidc.issuer), &json!("sub-of-dana")));
    let log = fs::read_to_string(lab.path("data/audit.jsonl")).unwrap();
    assert!(!log.contains(dana.password.split('.').nth(1).unwrap()), "the token is nowhere in the log");
    // Provider down: known keys go on.
    oidc.state().is_down = true;
    assert_eq!(try_in(&bearer(&oidc, &lab, "dana", json!({})), &[]), "in\n");
    oidc.state().is_down = false;
    oidc.rotate("k2", oidc_support::keys::Kind::Ec);
    eventually("the new key is fetched", Duration::from_secs(10), || {
        try_in(&bearer(&oidc, &lab, "dana", json!({})), &[]) == "in\n"
    });
    assert!(try_in(&dana, &[]).contains("password authentication failed"), "the old key is gone");
}

#[test]
fn groups_of_the_token_count_in_the_session_that_it_opens() {
    let oidc = Oidc::start();
    let lab = lab!(Lab::gateway(&json!({ "authentication": "cleartext", "oidc": section(&oidc) })));
    lab.admin(&[
        "grant",
        "create",
        "--to-group",
        "admins",
        "--target",
        "hr",
        "--database",
        "hr_prod",
        "--all-tables",
        "--permission",
        "select",
        "--for",
        "1h",
        "--reason",
        "scenario",
    ]);
    let read = |groups: Value| {
        bearer(&oidc, &lab, "newcomer", json!({ "groups": groups }))
            .psql("SELECT count(*) > 0 FROM employee;")
    };
    assert_eq!(read(json!(["admins"])), "t\n");
    let refused = read(json!([]));
    assert!(refused.contains("permission denied") || refused.contains("42501"), "{refused}");
    assert_eq!(read(json!(["admins", "strangers"])), "t\n");
}

#[test]
fn whoever_is_deactivated_is_out_while_their_statement_runs() {
    let oidc = Oidc::start();
    let lab = lab!(Lab::gateway(&json!({ "authentication": "cleartext", "oidc": section(&oidc) })));
    let dana = bearer(&oidc, &lab, "newcomer", json!({}));
    let first = try_in(&dana, &[]);
    assert!(first.contains("newcomer holds no grant"), "known from now on: {first}");
    lab.grant("newcomer", "select", &[], 3600);
    assert_eq!(try_in(&dana, &[]), "in\n");
    let running = std::thread::spawn({
        let dana = dana.clone();
        move || dana.psql(Server::Postgres.slow())
    });
    eventually("it runs", Duration::from_secs(10), || lab.superuser(Server::Postgres.running()) == "1");
    let key = lab.admin(&["key", "create", "directory", "--scope", "directory", "--ttl", "1h", "--json"]);
    let key: Value = serde_json::from_str(&key[key.find('{').unwrap()..]).unwrap();
    let done = Command::new("curl")
        .args([
            "-sS",
            "-X",
            "PATCH",
            "-H",
            &format!("Authorization: Bearer {}", key["secret"].as_str().unwrap()),
        ])
        .args(["-H", "Content-Type: application/scim+json", "-d"])
        .arg(r#"{"Operations":[{"op":"replace","path":"active","value":false}]}"#)
        .arg(format!("http://127.0.0.1:{}/scim/v2/Users/newcomer", lab.api_port()))
        .output()
        .unwrap();
    assert!(text(&done).contains("\"active\":false"), "{}", text(&done));
    let said = running.join().unwrap();
    assert!(said.contains("57P01") || said.contains("terminat") || said.contains("server closed"), "{said}");
    eventually("nothing runs", Duration::from_secs(5), || lab.superuser(Server::Postgres.running()) == "0");
    assert!(try_in(&dana, &[]).contains("password authentication failed"));
}

/// Runs `tidegate login` of a laboratory with more arguments; its words come on standard error.
fn tidegate_login(lab: &Lab, arguments: &[&str]) -> Child {
    Command::new(BINARY)
        .arg("login")
        .args(arguments)
        .env("TIDEGATE_API", format!("http://127.0.0.1:{}", lab.api_port()))
        .env_remove("TIDEGATE_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The first line of a program's standard error that holds `with`; the rest of it goes on being read.
fn line_with(child: &mut Child, with: &str) -> String {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.find(|line| line.as_ref().unwrap().contains(with)).unwrap().unwrap();
    std::thread::spawn(move || lines.count());
    line
}

/// What a program printed, which must have ended well; the key on its last line acts as newcomer.
fn acts_as_newcomer(lab: &Lab, child: Child) {
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", text(&done));
    let key = String::from_utf8(done.stdout).unwrap();
    let mut list = Command::new(BINARY);
    list.args(["request", "list"]).env("TIDEGATE_API", format!("http://127.0.0.1:{}", lab.api_port()));
    let out = list.env("TIDEGATE_KEY", key.trim()).output().unwrap();
    assert!(out.status.success(), "{}", text(&out));
}

#[test]
fn tidegate_login_goes_through_the_identity_provider() {
    let oidc = Oidc::start();
    let lab = lab!(Lab::gateway(&json!({ "oidc": section(&oidc) })));
    oidc.sits_down("newcomer", &[]);

    let mut on_device = tidegate_login(&lab, &[]);
    assert!(line_with(&mut on_device, "type in the code").contains("ABCD-EFGH"));
    oidc.approve_devices();
    acts_as_newcomer(&lab, on_device);

    let mut in_browser = tidegate_login(&lab, &["--browser"]);
    let address = line_with(&mut in_browser, "code_challenge=");
    // The browser follows to the program's own port.
    let browser = Command::new("curl").args(["-sSL", &address]).output().unwrap();
    assert!(text(&browser).contains("You can close this window"), "{}", text(&browser));
    acts_as_newcomer(&lab, in_browser);

    let mut by_token = tidegate_login(&lab, &["--token-stdin"]);
    let token = oidc.token(Timestamp::now(), "newcomer", json!({}));
    std::io::Write::write_all(&mut by_token.stdin.take().unwrap(), format!("{token}\n").as_bytes()).unwrap();
    acts_as_newcomer(&lab, by_token);

    let methods: Vec<_> = lab.audit().into_iter().filter(|it| it["event"] == "key_login").collect();
    let methods: Vec<_> = methods.iter().map(|it| it["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["oidc:device", "oidc:browser", "oidc:token"]);
}

/// A token is the password of a MySQL client, inside TLS.
fn a_token_is_a_password_of(server: Server) {
    let oidc = Oidc::start();
    for authentication in ["caching_sha2", "cleartext"] {
        let settings = json!({ "mysql_authentication": authentication, "oidc": section(&oidc) });
        let lab = lab!(Lab::with_gateway(server, &settings));
        let dana = bearer(&oidc, &lab, "dana", json!({}));
        let say = |login: &Login, more: &str| {
            let script = format!("{} {more} -N -e \"SELECT 'in'\" 2>&1", login.mysql_client());
            text(&login.command("sh").args(["-c", &script]).output().unwrap())
        };
        // MySQL's own client sends a password as it is only if it is told to.
        let clear = match (server, authentication) {
            (Server::Mysql, "cleartext") => "--enable-cleartext-plugin",
            _ => "",
        };
        assert!(say(&dana, clear).contains("in\n"), "{authentication}: {}", say(&dana, clear));
        let omar = Login { user: "omar".to_owned(), ..dana.clone() };
        assert!(say(&omar, clear).contains("Access denied"), "{}", say(&omar, clear));
        let over = bearer(&oidc, &lab, "dana", json!({ "exp": 1 }));
        assert!(say(&over, clear).contains("Access denied"), "{}", say(&over, clear));
    }
}

#[test]
fn a_token_is_a_password_of_mariadb_s_client() {
    a_token_is_a_password_of(Server::Mariadb);
}

#[test]
fn a_token_is_a_password_of_mysql_s_client() {
    a_token_is_a_password_of(Server::Mysql);
}

/// PostgreSQL 18's psql with its own OAuth, started by its own loader: of a Debian sid beside this machine's packages.
fn psql_18(login: &Login) -> Option<Command> {
    let sid = std::env::var_os("TIDEGATE_SID").map_or_else(|| root().join(".cache/sid"), Into::into);
    let libraries = sid.join("usr/lib/x86_64-linux-gnu");
    let oauth = std::env::var_os("TIDEGATE_LIBPQ_OAUTH").map_or_else(|| libraries.clone(), Into::into);
    let psql = sid.join("usr/lib/postgresql/18/bin/psql");
    let loader = sid.join("usr/lib64/ld-linux-x86-64.so.2");
    if ![&psql, &loader, &oauth.join("libpq-oauth-18.so")].iter().all(|file| file.exists()) {
        eprintln!(
            "skipped: no psql of PostgreSQL 18 with libpq-oauth here (TIDEGATE_SID, TIDEGATE_LIBPQ_OAUTH)"
        );
        return None;
    }
    let mut command = login.command(loader.to_str().unwrap());
    command.arg("--library-path").arg(format!("{}:{}", libraries.display(), oauth.display())).arg(psql);
    // Plain HTTP to a provider on this machine is for tests alone.
    command.env("PGOAUTHDEBUG", "UNSAFE").env_remove("PGPASSWORD");
    Some(command)
}

#[test]
fn psql_18_logs_in_by_its_own_device_flow() {
    let oidc = Oidc::start();
    oidc.sits_down("dana", &[]);
    let lab = lab!(Lab::gateway(&json!({ "authentication": "oauth", "oidc": section(&oidc) })));
    let dana = bearer(&oidc, &lab, "dana", json!({}));
    let Some(mut psql) = psql_18(&dana) else { return };
    let more =
        format!("oauth_issuer={} oauth_client_id={CLIENT} oauth_client_secret='{SECRET}'", oidc.issuer);
    psql.args(["-X", "-A", "-t", "-c", "SELECT 'in'", &more]);
    let mut child = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        if line.contains("ABCD-EFGH") {
            oidc.approve_devices();
        }
        said.push(line);
    }
    let done = child.wait_with_output().unwrap();
    assert_eq!(text(&done), "in\n", "{said:?}");
    // It asked where tokens come from first, which is no attempt.
    let failed = lab.audit().into_iter().filter(|it| it["event"] == "login_failed");
    assert_eq!(failed.count(), 0);
}
