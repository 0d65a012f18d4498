//! The command line, run as people run it, against an API on a free port.
//!
//! A file of its own: between fork and exec a child holds the locks of every store of its process, and a test that
//! starts a gateway anew would find them taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api_support;

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use api_support::Home;
use serde_json::Value;
use tidegate::{
    api::{ApiTls, serve},
    net::{ServerTls, ServerTlsFiles},
};

const NO_ID: &str = "019aa000-0000-7000-8000-000000000001";
/// How the API is fuzzed.
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/api.toml");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_all_of_it_through_the_api() {
    let home = Home::new();
    let gateway = home.start().await;
    let run = |arguments: &[&str], input: &str| tidegate(&home, &gateway.base, arguments, input);
    let told = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();

    let added = run(&["user", "add", "eve", "--group", "developers", "--password-stdin"], "correct horse\n");
    assert!(added.status.success(), "{added:?}");
    assert!(gateway.control.snapshot().load().principal("eve").unwrap().credentials.password.is_some());
    let made = run(
        &[
            "grant",
            "create",
            "--to",
            "eve",
            "--target",
            "hr",
            "--database",
            "hr_prod",
            "--table",
            "public.employee",
            "--permission",
            "select",
            "--for",
            "2m",
            "--reason",
            "INC-42",
        ],
        "",
    );
    assert!(told(&made).contains("eve may select on public.employee in hr/hr_prod until "), "{made:?}");
    let listed = run(&["grant", "list", "--json"], "");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["grants"][0]["id"].as_str().unwrap();
    assert!(told(&run(&["grant", "list"], "")).contains(id));
    assert!(run(&["grant", "revoke", id, "--reason", "done"], "").status.success());
    assert!(told(&run(&["grant", "list"], "")).contains("There are no grants."));
    let token = run(&["token", "create", "--for", "eve", "--ttl", "8h"], "");
    assert!(told(&token).starts_with("tgt_") && told(&token).lines().count() == 1, "{token:?}");
    for list in
        [["user", "list"], ["token", "list"], ["key", "list"], ["session", "list"], ["policy", "status"]]
    {
        let listed = run(&list, "");
        assert!(listed.status.success() && !listed.stdout.is_empty(), "{list:?}: {listed:?}");
    }
    let denied = run(&["explain-access", "--as", "eve", "--target", "hr", "SELECT * FROM employee"], "");
    assert_eq!(denied.status.code(), Some(1));
    assert!(told(&denied).contains("ERROR 42501"), "{denied:?}");
    let log = home.path("audit.jsonl");
    let verified = run(&["audit", "verify", log.to_str().unwrap()], "");
    assert!(told(&verified).contains("The log is whole."), "{verified:?}");

    let refused = run(&["grant", "revoke", NO_ID, "--reason", "x"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no grant"), "{refused:?}");
    assert_eq!(run(&["grant", "create", "--to", "eve"], "").status.code(), Some(2));
    let unreachable = tidegate(&home, "http://127.0.0.1:1", &["grant", "list"], "");
    assert!(String::from_utf8_lossy(&unreachable.stderr).contains("TIDEGATE_API"), "{unreachable:?}");
    let plain = tidegate(&home, "http://gate.example", &["grant", "list"], "");
    assert!(String::from_utf8_lossy(&plain.stderr).contains("use https"), "{plain:?}");
    gateway.stop().await;
}

const FLOWS: &str = "
principals: { ada: { groups: [admins] } }
flows:
  - { name: plans, when: \"request.permissions == ['explain']\", automatic: true }
  - { name: all, when: 'true', steps: [ { approvers: [admins] } ] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_log_in_ask_and_answer_on_the_command_line() {
    let home = Home::new();
    std::fs::write(home.path("policies/flows.yaml"), FLOWS).unwrap();
    let gateway = home.start().await;
    let told = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    let admin = |arguments: &[&str], input: &str| tidegate(&home, &gateway.base, arguments, input);
    assert!(admin(&["user", "passwd", "dana", "--password-stdin"], "correct horse\n").status.success());
    let key = home.path("dana.key");
    let login = ["login", "dana", "--password-stdin", "--save", key.to_str().unwrap()];
    let wrong = admin(&login, "wrong horse\n");
    assert!(
        !wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("wrong name or password")
    );
    assert!(!key.exists());
    assert!(admin(&login, "correct horse\n").status.success());
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let made = admin(&["key", "create", "ada-laptop", "--for", "ada"], "");
    std::fs::write(home.path("ada.key"), told(&made)).unwrap();
    let by = |who: &str, arguments: &[&str]| {
        let file = home.path(&format!("{who}.key"));
        let all = [arguments, &["--key-file", file.to_str().unwrap()]].concat();
        tidegate(&home, &gateway.base, &all, "")
    };

    let place = ["--target", "hr", "--database", "hr_prod", "--table", "public.employee", "--for", "1h"];
    let ask = |permission: &str, extra: &[&str]| {
        let words = ["request", "create", "--permission", permission, "--reason", "INC-42"];
        by("dana", &[&words[..], &place, extra].concat())
    };
    let at_once = ask("explain", &["--wait"]);
    assert!(at_once.status.success() && told(&at_once).contains("is approved"), "{at_once:?}");
    let pending = told(&ask("select", &["--json"]));
    let pending: Value = serde_json::from_str(&pending).unwrap();
    let id = pending["id"].as_str().unwrap();
    assert!(told(&by("ada", &["review", "list"])).contains(id));
    assert!(told(&by("dana", &["review", "list"])).contains("Nothing waits for you."));
    let shown = told(&by("dana", &["request", "show", id]));
    assert!(shown.contains("dana asks to select on public.employee in hr/hr_prod for 1h"), "{shown}");
    let less = by("ada", &["review", "approve", id, "--for", "20m", "--comment", "for now"]);
    assert!(
        told(&less).contains("ada approved at ") && told(&less).contains("for 20m at most: for now"),
        "{less:?}"
    );
    let grants: Value = serde_json::from_str(&told(&by("dana", &["grant", "list", "--json"]))).unwrap();
    let grant = grants["grants"].as_array().unwrap().iter().find(|it| it["request"] == *id).unwrap();
    let extend = ["grant", "extend", grant["id"].as_str().unwrap(), "--for", "1h", "--reason", "not done"];
    let longer: Value =
        serde_json::from_str(&told(&by("dana", &[&extend[..], &["--json"]].concat()))).unwrap();
    let denied = by("ada", &["review", "deny", longer["id"].as_str().unwrap(), "--comment", "enough"]);
    assert!(told(&denied).contains("ada denied at "), "{denied:?}");
    let last: Value = serde_json::from_str(&told(&ask("select", &["--json"]))).unwrap();
    assert!(by("dana", &["request", "cancel", last["id"].as_str().unwrap()]).status.success());
    let listed = told(&by("dana", &["request", "list", "--state", "cancelled"]));
    assert!(listed.contains(last["id"].as_str().unwrap()) && !listed.contains(id), "{listed}");
    let not_hers = by("ada", &["request", "cancel", id]);
    assert!(String::from_utf8_lossy(&not_hers.stderr).contains("there is no request"), "{not_hers:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_command_line_trusts_the_ca_it_is_given_and_no_other() {
    let home = Home::new();
    let gateway = home.start().await;
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(home.path("ca.crt"), made.cert.pem()).unwrap();
    std::fs::write(home.path("server.key"), made.signing_key.serialize_pem()).unwrap();
    let files =
        ServerTlsFiles { certificate: home.path("ca.crt"), key: home.path("server.key"), client_ca: None };
    let tls = ServerTls::open(files, &[b"http/1.1"]).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let parts = gateway.parts.clone();
    let running = tokio::spawn(async move {
        let tls: ApiTls = Arc::new(move || Arc::clone(&tls.state().config));
        serve(listener, Some(tls), parts, async { drop(stopped.await) }).await.unwrap();
    });
    let ca = home.path("ca.crt");
    let trusted = tidegate(&home, &base, &["grant", "list", "--ca", ca.to_str().unwrap()], "");
    assert!(trusted.status.success(), "{trusted:?}");
    let stranger = tidegate(&home, &base, &["grant", "list"], "");
    assert_eq!(stranger.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("TIDEGATE_CA"), "{stranger:?}");
    stop.send(()).unwrap();
    running.await.unwrap();
    gateway.stop().await;
}

#[test]
fn a_reader_that_stops_early_is_no_failure_and_a_full_disk_is_one() {
    let check = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["policy", "check", concat!(env!("CARGO_MANIFEST_DIR"), "/policies")]);
        command.env("RUST_BACKTRACE", "1").stdout(out).stderr(Stdio::piped()).output().unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = check(writer.into());
    assert!(closed.status.success() && closed.stderr.is_empty(), "{closed:?}");
    let full = check(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1));
    let told = String::from_utf8(full.stderr).unwrap();
    assert!(
        told.starts_with("error: could not write to standard output: ") && told.lines().count() == 1,
        "{told}"
    );
}

fn tidegate(home: &Home, api: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .env_remove("TIDEGATE_KEY")
        .env_remove("TIDEGATE_CA")
        .env("TIDEGATE_API", api)
        .env("TIDEGATE_KEY_FILE", home.path("admin.key"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A client that makes up requests by the description, sound ones and others, and holds the answers against it: once as
/// an administrator's service, once as a person who asks and answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_makes_things_up_gets_no_answer_that_is_not_described() {
    let fuzzer = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/schemathesis/bin/schemathesis");
    if !fuzzer.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is not there: make setup", fuzzer.display());
        return eprintln!("skipped: {} is not there: make setup", fuzzer.display());
    }
    let home = Home::new();
    let gateway = home.start().await;
    let person = gateway.person("dana").await;
    for (key, some) in
        [(person, &["--include-tag", "requests", "--include-tag", "events"][..]), (gateway.key.clone(), &[])]
    {
        let address = format!("{}/api/v1/openapi.json", gateway.base);
        // It leaves its reports where it runs.
        let (fuzzer, leavings) = (fuzzer.clone(), home.path(""));
        let output = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(fuzzer);
            command.args(["--config-file", SETTINGS, "run", &address, "--no-color"]).args(some);
            command.args(["--header", &format!("Authorization: Bearer {key}"), "--checks", "all"]);
            // After twenty wrong keys the answer is 429; that every operation wants a key is a test of its own.
            command.args(["--exclude-checks", "use_after_free,ensure_resource_availability,ignored_auth"]);
            command.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "42"]);
            command.args([
                "--request-timeout",
                "20",
                "--continue-on-failure",
                "--suppress-health-check",
                "all",
            ]);
            command.current_dir(leavings).output().unwrap()
        });
        let output = output.await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("Tested: "), "{told}");
    }
    gateway.stop().await;
}
