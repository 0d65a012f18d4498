//! Trouble: servers that die, disks that fill, files that are wrong, and people who cannot be who they say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    BINARY, Lab, Login, eventually, refused, run_within, sqlstate, text,
    wire::{self, Raw, query},
};

const SLOW: &str = "SELECT count(pg_sleep(0.01)) FROM employee";

#[test]
fn a_wrong_password_and_an_unknown_person_look_the_same() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    let attempt = |user: &str, password: &str| {
        let login = Login { user: user.to_owned(), password: password.to_owned(), ..dana.clone() };
        login.psql("SELECT 'in'")
    };
    let wrong = attempt("dana", "wrong");
    let unknown = attempt("nobody_by_this_name", "wrong");
    assert!(wrong.contains("password authentication failed for user \"dana\""), "{wrong}");
    assert_eq!(wrong.replace("dana", "X"), unknown.replace("nobody_by_this_name", "X"));
    let failures: Vec<_> =
        lab.audit().into_iter().filter(|record| record["event"] == "login_failed").collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(!format!("{failures:?}").contains("wrong\""), "the log holds the password: {failures:?}");
    assert!(dana.psql("SELECT 'in'").contains("in"));
}

#[test]
fn an_unknown_database_is_said_so() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let out = text(
        &full.command("psql").env("PGDATABASE", "nowhere").args(["-X", "-c", "SELECT 1"]).output().unwrap(),
    );
    assert!(out.contains("nowhere") && out.contains("HINT:"), "{out}");
    let mut raw = Raw::open(lab.port());
    raw.send(&wire::startup(&[("user", &full.user), ("database", "hr/hr_prod")]));
    assert_eq!(raw.message().tag, 'R', "a database may be named with its target");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_killed_gives_an_error_and_comes_back() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let client = full.connect().await.unwrap();
    let running = client.simple_query(SLOW);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut running).await.is_err());
    lab.stop_server("SIGKILL");
    let begin = Instant::now();
    let error = refused(running.await);
    assert!(["57P01", "08006"].contains(&error.as_str()), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // While it is away: an error, and soon.
    let begin = Instant::now();
    let away = match full.connect().await {
        Ok(client) => refused(client.simple_query("SELECT 1").await),
        Err(error) => sqlstate(&error),
    };
    assert_eq!(away, "08006");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    lab.start_server();
    let begin = Instant::now();
    loop {
        let answer = match full.connect().await {
            Ok(client) => client.simple_query("SELECT count(*) FROM employee").await.map(|_| ()),
            Err(error) => Err(error),
        };
        match answer {
            Ok(()) => break,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(15), "not back: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let outcomes = lab.audit();
    assert!(
        outcomes.iter().any(|r| r["event"] == "statement_end" && r["outcome"] == "lost"),
        "no statement was lost"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_connection_ended_by_its_administrator_gives_57p01() {
    let lab = lab!(Lab::usual());
    let client = lab.add_full().connect().await.unwrap();
    let running = client.simple_query(SLOW);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut running).await.is_err());
    lab.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.01)%' AND usename LIKE 'tidegate%'");
    assert_eq!(refused(running.await), "57P01");
}

#[test]
fn after_kill_9_every_result_somebody_saw_is_in_the_log() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    for round in 0..3 {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let mut raw = Raw::login(&full);
                std::thread::spawn(move || {
                    let mut seen = Vec::new();
                    for number in 0.. {
                        let mark = format!("mark-{round}-{client}-{number}");
                        raw.send_as_far_as_possible(&query(&format!("SELECT '{mark}'")));
                        let Some(first) = raw.next() else { return seen };
                        if first.tag != 'T' || raw.next().is_none_or(|row| row.tag != 'D') {
                            return seen;
                        }
                        // The row was there: from here on the log owes us its record.
                        seen.push(mark);
                        while raw.next().is_some_and(|message| message.tag != 'Z') {}
                    }
                    seen
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(400));
        lab.stop_gateway("SIGKILL");
        let seen: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        assert!(seen.len() > 20, "too few statements to say anything: {}", seen.len());
        let log = fs::read_to_string(lab.path("data/audit.jsonl")).unwrap();
        let logged: BTreeSet<&str> = log.split('\'').filter(|piece| piece.starts_with("mark-")).collect();
        let lost: Vec<_> = seen.iter().filter(|mark| !logged.contains(mark.as_str())).collect();
        assert!(lost.is_empty(), "{} of {} results are not in the log: {lost:?}", lost.len(), seen.len());
        lab.start_gateway();
        let (out, code) = lab.cli(&["audit", "verify", lab.path("data/audit.jsonl").to_str().unwrap()]);
        assert_eq!(code, 0, "{out}");
        assert!(full.psql("SELECT 'back'").contains("back"));
    }
}

#[test]
fn an_orderly_stop_ends_sessions_with_57p01_and_exit_code_0() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    let mut raw = Raw::login(&full);
    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    let last = raw.rest_of_connection();
    assert_eq!(wire::error(&last).field('C').unwrap(), "57P01");
    let records = lab.audit();
    assert_eq!(records.last().unwrap()["event"], "stopped");
    lab.start_gateway();
    assert!(full.psql("SELECT 'back'").contains("back"));
}

#[test]
fn people_and_grants_survive_a_restart() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    let grant = lab.grant("dana", "select", &["public.employee"], 600);
    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    lab.start_gateway();
    assert!(dana.psql("SELECT 'rows ' || count(*) FROM employee").contains("rows 3000"));
    lab.revoke(&grant);
    assert_eq!(lab.stop_gateway("SIGKILL"), -9);
    lab.start_gateway();
    assert!(dana.psql("SELECT count(*) FROM employee").contains("42501"), "a revoked grant came back");
}

#[test]
fn a_broken_policy_is_refused_and_the_old_one_stays() {
    let lab = lab!(Lab::usual());
    let dana = lab.add("dana");
    assert!(!dana.psql("EXPLAIN SELECT * FROM employee").contains("ERROR"));
    let file = lab.path("policies/test.yaml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("permissions: [explain]", "permissions: [explian]")).unwrap();
    let rejected = || lab.audit().iter().any(|record| record["event"] == "policy_rejected");
    eventually("the broken policy is noticed", Duration::from_secs(10), rejected);
    assert!(!dana.psql("EXPLAIN SELECT * FROM employee").contains("ERROR"));
    let (out, code) = lab.cli(&["policy", "check", lab.path("policies").to_str().unwrap()]);
    assert_ne!(code, 0);
    assert!(out.contains("test.yaml") && out.contains("explian") && out.contains("explain"), "{out}");
    // A good one is taken without a restart: dana loses what she had.
    fs::write(&file, good.replace("permissions: [explain]", "permissions: [ddl]")).unwrap();
    eventually("the new policy is in force", Duration::from_secs(10), || {
        dana.psql("EXPLAIN SELECT * FROM employee").contains("42501")
            || dana.psql("CREATE TABLE t (n int)").contains("ERROR")
    });
}

/// What `serve` says, and its exit code, when it cannot start.
fn serve(config: &Path) -> (String, i32) {
    let done =
        run_within(Command::new(BINARY).args(["serve", "--config"]).arg(config), Duration::from_secs(15));
    (text(&done), done.status.code().unwrap_or(-1))
}

/// A second configuration in the laboratory, with other ports and data, changed by `change`.
fn second(lab: &Lab, change: impl Fn(String) -> String) -> PathBuf {
    let config = fs::read_to_string(lab.path("tidegate.yaml")).unwrap();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let other = config
        .replace(&format!("127.0.0.1:{}", lab.port()), &format!("127.0.0.1:{}", free()))
        .replace(&format!("127.0.0.1:{}", lab.api_port()), &format!("127.0.0.1:{}", free()))
        .replace("data_dir: data", "data_dir: other");
    let path = lab.path("second.yaml");
    fs::write(&path, change(other)).unwrap();
    path
}

#[test]
fn every_mistake_at_the_start_is_one_clear_error() {
    let lab = lab!(Lab::usual());
    let port = lab.port();
    fs::write(lab.path("broken.crt"), "this is no certificate").unwrap();
    fs::create_dir_all(lab.path("broken-policies")).unwrap();
    fs::write(
        lab.path("broken-policies/a.yaml"),
        "standing:\n  - { to: { group: nobody_knows }, target: 7 }\n",
    )
    .unwrap();
    let listener = format!("address: 127.0.0.1:{port}");
    // What is changed in the configuration, and words that the error has to have.
    type Change<'a> = Box<dyn Fn(String) -> String + 'a>;
    let cases: Vec<(&str, Change<'_>, Vec<String>)> = vec![
        (
            "a port that is taken",
            Box::new(|c| {
                let line = c.lines().find(|l| l.contains("- address:")).unwrap().to_owned();
                c.replace(&line, &format!("  - {listener}"))
            }),
            vec![port.to_string(), "in use".into()],
        ),
        (
            "a certificate that is none",
            Box::new(|c| c.replace("certificate: server.crt", "certificate: broken.crt")),
            vec!["broken.crt".into()],
        ),
        (
            "a certificate that is not there",
            Box::new(|c| c.replace("certificate: server.crt", "certificate: gone.crt")),
            vec!["gone.crt".into()],
        ),
        (
            "a key that does not fit",
            Box::new(|c| c.replace("key: server.key", "key: ca.key")),
            vec!["server.crt".into()],
        ),
        (
            "a broken policy",
            Box::new(|c| c.replace("policies: policies", "policies: broken-policies")),
            vec!["a.yaml".into(), "2".into()],
        ),
        ("an unknown key", Box::new(|c| format!("{c}\nlistenerz: []\n")), vec!["listenerz".into()]),
        (
            "a value that is none",
            Box::new(|c| c.replace("durability: process", "durability: maybe")),
            vec!["maybe".into(), "disk".into()],
        ),
        (
            "a password file that is not there",
            Box::new(|c| c.replace("read.password", "gone.password")),
            vec!["gone.password".into()],
        ),
        (
            "a target that nobody defined",
            Box::new(|c| c.replace("targets: [hr]", "targets: [hrr]")),
            vec!["hrr".into()],
        ),
        ("a store in use", Box::new(|c| c.replace("data_dir: other", "data_dir: data")), vec!["data".into()]),
    ];
    let mut wrong = Vec::new();
    for (name, change, words) in cases {
        let (out, code) = serve(&second(&lab, change));
        if code <= 0
            || out.contains("panicked")
            || words.iter().any(|word| !out.contains(word))
            || out.lines().count() > 20
        {
            wrong.push(format!("{name}: exit code {code}, expected words {words:?}:\n{out}"));
        }
        let _ = fs::remove_dir_all(lab.path("other"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
    // The first gateway did not notice any of it.
    assert_eq!(lab.admin(&["session", "list"]).matches("dana").count(), 0);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let (out, code) = serve(Path::new("/nowhere/tidegate.yaml"));
    assert!(code > 0 && out.contains("/nowhere/tidegate.yaml"), "{out}");
}

#[test]
fn an_upstream_that_cannot_be_reached_does_not_keep_the_gateway_from_starting() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    lab.stop_gateway("SIGTERM");
    lab.stop_server("SIGQUIT");
    let config = lab.path("tidegate.yaml");
    let mut gateway = Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(&config)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the gateway listens", Duration::from_secs(10), || {
        std::net::TcpStream::connect(("127.0.0.1", lab.port())).is_ok()
    });
    let begin = Instant::now();
    let out = full.psql("SELECT 1");
    assert!(out.contains("hr") && begin.elapsed() < Duration::from_secs(10), "{:?} {out}", begin.elapsed());
    lab.start_server();
    eventually("the upstream is back", Duration::from_secs(15), || {
        full.psql("SELECT 'back'").contains("back")
    });
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}

#[test]
fn an_upstream_with_a_certificate_of_somebody_else_gets_no_password() {
    let lab = lab!(Lab::usual());
    let full = lab.add_full();
    lab.stop_gateway("SIGTERM");
    let config = fs::read_to_string(lab.path("tidegate.yaml")).unwrap();
    fs::write(
        lab.path("tidegate.yaml"),
        config.replace("server_name: localhost", "server_name: somebody.else"),
    )
    .unwrap();
    let mut gateway = Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(lab.path("tidegate.yaml"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the gateway listens", Duration::from_secs(10), || {
        std::net::TcpStream::connect(("127.0.0.1", lab.port())).is_ok()
    });
    let out = full.psql("SELECT 'in'");
    assert!(!out.lines().any(|line| line == "in"), "{out}");
    assert!(out.contains("hr"), "{out}");
    gateway.kill().unwrap();
    gateway.wait().unwrap();
}

#[test]
fn more_sessions_than_allowed_are_told_so() {
    let lab =
        lab!(Lab::gateway(&json!({ "plaintext": true, "limits": "limits: { sessions_per_principal: 3 }" })));
    let full = lab.add_full();
    let sessions: Vec<Raw> = (0..3).map(|_| Raw::login(&full)).collect();
    let out = full.psql("SELECT 1");
    assert!(out.contains("3 sessions open already") && out.contains("HINT:"), "{out}");
    drop(sessions);
    eventually("there is room again", Duration::from_secs(5), || full.psql("SELECT 'in'").contains("in"));
}

#[test]
fn when_no_connection_comes_free_the_wait_ends() {
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    let full = lab.add_full();
    let mut holding = Raw::login(&full);
    holding.send(&query("BEGIN; SELECT 1"));
    holding.until_ready();
    let begin = Instant::now();
    let out = full.psql("BEGIN; SELECT 1;");
    assert!(out.contains("53300"), "{out}");
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
    drop(holding);
    eventually("it came free", Duration::from_secs(5), || full.psql("BEGIN; SELECT 'in';").contains("in"));
}

#[test]
fn a_thousand_idle_clients_are_cheap() {
    let lab = lab!(Lab::gateway(
        &json!({ "plaintext": true, "limits": "limits: { sessions_per_principal: 2000 }" })
    ));
    let full = lab.add_full();
    let process = lab.gateway_pid();
    lab.idle(&full, 100);
    let before = resident_kib(process);
    lab.idle(&full, 900);
    let each = (resident_kib(process).saturating_sub(before)) * 1024 / 900;
    println!("memory of an idle client in plain text: {each} bytes");
    assert!(each < 40 * 1024, "{each} bytes for each idle client");
    assert!(full.psql("SELECT 'room'").contains("room"));
}

fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[test]
fn a_full_audit_disk_refuses_statements_until_there_is_room_again() {
    let disk = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(disk.path())
        .output()
        .is_ok_and(|done| done.status.success());
    if !mounted {
        eprintln!("skipped: only somebody who may mount a file system can fill a disk here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| full_disk(disk.path()));
    let _ = Command::new("umount").arg("-l").arg(disk.path()).status();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn full_disk(disk: &Path) {
    // An index on the same disk would take the room that is made below.
    let audit =
        format!("audit: {{ path: {}/audit.jsonl, durability: process, index: false }}", disk.display());
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "audit": audit })));
    let full = lab.add_full();
    let mut raw = Raw::login(&full);
    raw.send(&query("SELECT 1"));
    assert_eq!(wire::tags(&raw.until_ready()), "TDCZ");
    let ballast = disk.join("ballast");
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    let mut refused = None;
    for _ in 0..200 {
        raw.send(&query(&format!("SELECT length('{}')", "x".repeat(2000))));
        let answer = raw.until_ready();
        if wire::tags(&answer).contains('E') {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("200 statements ran while the disk was full");
    assert_eq!(wire::error(&refused).field('C').unwrap(), "58030");
    assert!(!wire::tags(&refused).contains('D'), "rows were sent: {}", wire::tags(&refused));
    fs::remove_file(&ballast).unwrap();
    eventually("statements run again", Duration::from_secs(15), || {
        let mut raw = Raw::login(&full);
        raw.send(&query("SELECT 1"));
        wire::tags(&raw.until_ready()) == "TDCZ"
    });
    lab.stop_gateway("SIGTERM");
    let (out, code) = lab.cli(&["audit", "verify", &format!("{}/audit.jsonl", disk.display())]);
    assert_eq!(code, 0, "{out}");
}
