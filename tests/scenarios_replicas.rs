//! Two gateways on one store: what one is told, both do; either may die, and so may the store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    time::{Duration, Instant},
};

use support::{
    BINARY, Lab, Login, eventually, refused,
    replicas::{Replicas, get, ready, signal},
    run_within, text,
};

const SLOW: &str = "SELECT count(pg_sleep(0.01)) FROM employee";
const READ: &str = "SELECT count(*) FROM employee";
/// Three times the second that is promised: the machine of a test has other things to do.
const SOON: Duration = Duration::from_secs(3);

/// The sum and the count of a histogram.
fn histogram(api_port: u16, name: &str) -> (f64, f64) {
    let text = get(api_port, "/metrics").1;
    let of = |ending: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}_{ending} ")));
        line.map_or(0.0, |value| value.parse().unwrap())
    };
    (of("sum"), of("count"))
}

/// Logs in as soon as the gateway has heard of the person.
async fn log_in(login: &Login) -> tokio_postgres::Client {
    let begin = Instant::now();
    loop {
        match login.connect().await {
            Ok(client) => return client,
            Err(error) => assert!(begin.elapsed() < SOON, "{error:?}"),
        }
    }
}

/// The command by which dana is granted something for ten minutes.
fn granting<'a>(permission: &'a str, reason: &'a str) -> [&'a str; 15] {
    [
        "grant",
        "create",
        "--to",
        "dana",
        "--target",
        "hr",
        "--database",
        "hr_prod",
        "--all-tables",
        "--permission",
        permission,
        "--for",
        "10m",
        "--reason",
        reason,
    ]
}

/// Waits until somebody may read.
async fn reads(client: &tokio_postgres::Client) -> Duration {
    let begin = Instant::now();
    while refused(client.simple_query(READ).await) == "42501" {
        assert!(begin.elapsed() < SOON, "not after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_is_told_reaches_the_open_sessions_of_the_other() {
    let it = lab!(Replicas::start());
    let dana = it.lab.add("dana");
    let (here, there) = (log_in(&dana).await, log_in(&it.there(&dana)).await);
    assert_eq!(refused(there.simple_query(READ).await), "42501");
    let grant = it.lab.grant("dana", "select", &["public.employee"], 600);
    reads(&there).await;
    reads(&here).await;

    let running = there.simple_query(SLOW);
    tokio::pin!(running);
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut running).await.is_err(), "it is not slow");
    it.lab.revoke(&grant);
    let revoked_at = Instant::now();
    let error = refused(running.await);
    assert!(["57014", "42501"].contains(&error.as_str()), "{error}");
    assert!(revoked_at.elapsed() < SOON, "{:?}", revoked_at.elapsed());
    assert_eq!(refused(here.simple_query(READ).await), "42501");

    it.other_does(&granting("select", "the other way round"));
    reads(&here).await;
    assert!(it.lab.admin(&["grant", "list"]).contains("the other way round"));

    it.other_does(&["user", "disable", "dana"]);
    eventually("the session of somebody disabled ends", SOON, || {
        here.is_closed() || { futures_now(here.simple_query("SELECT 1")).is_err() }
    });
    let (sum, count) = histogram(it.other.api_port, "tidegate_replica_delay_seconds");
    assert!(count >= 2.0 && sum / count < 1.0, "{sum} {count}");
    println!("{count} changes of the other gateway, in force after {:.1} ms each", 1000.0 * sum / count);
}

/// Runs a future where there is no async around.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn either_gateway_may_die_and_comes_back_to_what_was_changed_meanwhile() {
    let mut it = lab!(Replicas::start());
    let dana = it.lab.add("dana");
    let there = log_in(&it.there(&dana)).await;
    assert_eq!(it.lab.stop_gateway("SIGKILL"), -9);
    let out = it.other_does(&granting("select", "one is dead"));
    reads(&there).await;
    it.lab.start_gateway();
    let here = dana.connect().await.unwrap();
    here.simple_query(READ).await.unwrap_or_else(|error| panic!("{error}: {out}"));

    it.other.kill();
    it.lab.admin(&["user", "disable", "dana"]);
    it.other.run();
    let again = it.there(&dana).connect().await;
    assert!(again.is_err(), "she was disabled while it was dead");
    for log in ["data/audit.jsonl", "other/audit.jsonl"] {
        let log = it.lab.path(log);
        let (out, good) = it.at_other(&["audit", "verify", log.to_str().unwrap()]);
        assert!(good && out.contains("The log is whole."), "{out}");
    }
    let named = |file: &str| fs::read_to_string(it.lab.path(file)).unwrap();
    assert!(named("data/audit.jsonl").contains("\"gateway\":\"one\""));
    assert!(named("other/audit.jsonl").contains("\"gateway\":\"two\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_both_decide_as_before_and_grant_nothing_until_it_is_back() {
    let it = lab!(Replicas::start());
    let dana = it.lab.add("dana");
    let (here, there) = (log_in(&dana).await, log_in(&it.there(&dana)).await);
    it.lab.grant("dana", "select", &["public.employee"], 600);
    it.lab.grant("dana", "select", &["public.salary"], 8);
    let begin = Instant::now();
    reads(&there).await;
    it.store.stop_server("SIGKILL");
    for (client, api_port) in [(&here, it.api_ports()[0]), (&there, it.api_ports()[1])] {
        client.simple_query(READ).await.unwrap();
        assert_eq!(refused(client.simple_query("DELETE FROM employee").await), "42501");
        let (out, good) = it.at(api_port, &granting("dml", "no store"));
        assert!(!good && out.contains("store_unavailable"), "{out}");
        let (status, body) = get(api_port, "/readyz");
        assert!(status == 503 && body.contains("\"store\":false"), "{body}");
        assert_eq!(refused(client.simple_query("DELETE FROM employee").await), "42501");
    }
    while begin.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for client in [&here, &there] {
        assert_eq!(refused(client.simple_query("SELECT count(*) FROM salary").await), "42501", "it is over");
        client.simple_query(READ).await.unwrap();
    }
    it.store.start_server();
    for api_port in it.api_ports() {
        eventually("it is ready again", Duration::from_secs(10), || ready(api_port) == 200);
    }
    let grant = it.lab.grant("dana", "select", &["public.salary"], 600);
    let salary = "SELECT count(*) FROM salary";
    eventually("the other hears again", Duration::from_secs(2), || {
        futures_now(there.simple_query(salary)).is_ok()
    });
    it.lab.revoke(&grant);
    eventually("and of revocations", SOON, || futures_now(there.simple_query(salary)).is_err());
}

#[test]
fn gateways_that_judge_by_different_policies_say_so_until_they_agree() {
    let mut it = lab!(Replicas::start());
    let says = |api_port: u16, other: &str| {
        let named = format!("\"gateways_with_another_policy\":[\"{other}\"]");
        get(api_port, "/readyz").1.contains(&named)
            && get(api_port, "/metrics").1.contains("tidegate_gateways_with_another_policy 1")
    };
    let [one, two] = it.api_ports();
    assert!(!says(one, "two") && !says(two, "one"));
    it.other.kill();
    fs::create_dir(it.lab.path("policies2")).unwrap();
    for entry in fs::read_dir(it.lab.path("policies")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, it.lab.path("policies2").join(from.file_name().unwrap())).unwrap();
    }
    let draft = it.lab.path("policies2/draft.yaml");
    fs::write(&draft, "groups: { draftees: {} }\n").unwrap();
    let second = fs::read_to_string(&it.other.config).unwrap();
    fs::write(&it.other.config, second.replace("policies: policies", "policies: policies2")).unwrap();
    it.other.run();
    eventually("each names the other", Duration::from_secs(40), || says(one, "two") && says(two, "one"));
    assert_eq!((ready(one), ready(two)), (200, 200), "each goes on by its own");
    let log = fs::read_to_string(it.other.config.with_extension("log")).unwrap();
    assert!(log.contains("another gateway of the store judges by another policy"), "{log}");
    fs::remove_file(draft).unwrap();
    eventually("they agree", Duration::from_secs(40), || !says(one, "two") && !says(two, "one"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_at_one_gateway_can_be_asked_about_at_the_other_and_after_a_restart() {
    let it = lab!(Replicas::start());
    let dana = it.lab.add("dana");
    let flows = "flows:\n  - { name: all, when: 'true', automatic: true, longest: { any: 1h } }\n";
    fs::write(it.lab.path("policies/flows.yaml"), flows).unwrap();
    it.lab.admin(&["policy", "reload"]);
    it.other_does(&["policy", "reload"]);
    let here = dana.connect().await.unwrap();
    let error = here.simple_query("SELECT * FROM salary").await.unwrap_err();
    let hint = error.as_db_error().unwrap().hint().unwrap().to_owned();
    let denial = hint.strip_prefix("Ask for it: tidegate request create --denial ").expect(&hint);
    let out = it.lab.admin(&["key", "create", "dana-laptop", "--for", "dana"]);
    let key = out.lines().find(|line| line.starts_with("tgk_")).unwrap().to_owned();
    let asks = |api_port: u16| {
        let mut command = Command::new(BINARY);
        command
            .args(["request", "create", "--denial", denial, "--for", "10m", "--reason", "INC-42"])
            .env("TIDEGATE_API", format!("http://127.0.0.1:{api_port}"))
            .env("TIDEGATE_KEY", &key);
        let output = run_within(&mut command, Duration::from_secs(60));
        (text(&output), output.status.success())
    };
    eventually("the other knows the refusal", Duration::from_secs(2), || asks(it.other.api_port).1);
    reads_salary(&here).await;
    it.lab.stop_gateway("SIGKILL");
    it.lab.start_gateway();
    let (out, good) = asks(it.lab.api_port());
    assert!(good, "{out}");
}

async fn reads_salary(client: &tokio_postgres::Client) {
    let begin = Instant::now();
    while refused(client.simple_query("SELECT * FROM salary").await) == "42501" {
        assert!(begin.elapsed() < SOON, "not after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_noticed_by_the_clock_and_holds_nobody_up() {
    let it = lab!(Replicas::start());
    let dana = it.lab.add("dana");
    let here = log_in(&dana).await;
    let grant = it.lab.grant("dana", "select", &["public.employee"], 600);
    here.simple_query(READ).await.unwrap();
    let server = fs::read_to_string(it.store.path("pg/postmaster.pid")).unwrap();
    let server: u32 = server.lines().next().unwrap().parse().unwrap();
    let hangs = Hanging::new(server);
    let begin = Instant::now();
    assert_eq!(refused(here.simple_query("SELECT * FROM salary").await), "42501");
    here.simple_query(READ).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let (out, good) = it.at(it.lab.api_port(), &granting("dml", "it hangs"));
    assert!(!good && out.contains("store_unavailable"), "{out}");
    assert_eq!(ready(it.lab.api_port()), 503);
    drop(hangs);
    eventually("it is ready again", Duration::from_secs(15), || ready(it.lab.api_port()) == 200);
    it.lab.revoke(&grant);
    assert_eq!(refused(here.simple_query(READ).await), "42501");
}

/// A server of which every process is stopped, until this is dropped.
struct Hanging(Vec<u32>);

impl Hanging {
    fn new(server: u32) -> Self {
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).unwrap();
        let mut all: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        all.push(server);
        signal("-STOP", &all);
        Self(all)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

#[test]
fn a_backup_of_sqlite_is_restored_as_it_was_and_not_under_a_running_gateway() {
    let lab = lab!(Lab::usual());
    let config = lab.path("tidegate.yaml");
    let config = config.to_str().unwrap();
    let (backup, broken) = (lab.path("backup.db"), lab.path("broken.db"));
    let (backup, broken) = (backup.to_str().unwrap(), broken.to_str().unwrap());
    lab.add("dana");
    let first = lab.grant("dana", "select", &["public.employee"], 600);
    lab.admin(&["store", "backup", backup, "--config", config]);
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
    let (again, code) = lab.cli(&["store", "backup", backup, "--config", config]);
    assert!(code == 1 && again.contains("is there already"), "{again}");
    let second = lab.grant("dana", "select", &["public.salary"], 600);
    let (running, code) = lab.cli(&["store", "restore", backup, "--config", config]);
    assert!(code == 1 && running.contains("another tidegate (pid "), "{running}");
    assert!(lab.admin(&["grant", "list"]).contains(&second), "nothing happened to it");

    lab.stop_gateway("SIGTERM");
    let whole = fs::read(backup).unwrap();
    fs::write(broken, &whole[..whole.len() / 2]).unwrap();
    let (refused, code) = lab.cli(&["store", "restore", broken, "--config", config]);
    assert!(code == 1 && refused.contains("is no backup of a store"), "{refused}");
    let restored = lab.admin(&["store", "restore", backup, "--config", config]);
    assert!(restored.contains("before-restore-1"), "{restored}");
    lab.start_gateway();
    let grants = lab.admin(&["grant", "list"]);
    assert!(grants.contains(&first) && !grants.contains(&second), "{grants}");
}

#[test]
fn a_store_in_postgres_is_dumped_restored_and_filled_from_sqlite() {
    let mut it = lab!(Replicas::start());
    it.lab.add("dana");
    let grant = it.lab.grant("dana", "select", &["public.employee"], 600);
    it.lab.stop_gateway("SIGTERM");
    it.other.kill();
    let dump = it.lab.path("store.dump");
    let dump = dump.to_str().unwrap();
    it.postgres("pg_dump", &["--format=custom", "--file", dump, "tidegate"]);
    let fresh = || {
        it.store.superuser("DROP DATABASE tidegate WITH (FORCE)");
        it.store.superuser("CREATE DATABASE tidegate OWNER tidegate_admin");
    };
    fresh();
    it.postgres("pg_restore", &["--no-owner", "--exit-on-error", "--dbname", "tidegate", dump]);
    it.lab.start_gateway();
    assert!(it.lab.admin(&["grant", "list"]).contains(&grant));
    it.lab.stop_gateway("SIGTERM");

    let config = it.lab.path("tidegate.yaml");
    let shared = fs::read_to_string(&config).unwrap();
    let section = shared.lines().find(|line| line.starts_with("store:")).unwrap();
    let sqlite = it.lab.path("sqlite.yaml");
    fs::write(&sqlite, shared.replace(section, "store: { sqlite: moved.db }")).unwrap();
    let (config, sqlite) = (config.to_str().unwrap(), sqlite.to_str().unwrap());
    it.lab.admin(&["store", "copy", "--config", config, "--to", sqlite]);
    let (full, code) = it.lab.cli(&["store", "copy", "--config", sqlite, "--to", config]);
    assert!(code == 1 && full.contains("is not empty"), "{full}");
    fresh();
    it.lab.admin(&["store", "copy", "--config", sqlite, "--to", config]);
    it.lab.start_gateway();
    assert!(it.lab.admin(&["grant", "list"]).contains(&grant));
}
