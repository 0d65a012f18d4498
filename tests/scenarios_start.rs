//! Before the first start: `tidegate init` writes what a gateway starts on, `tidegate doctor` says what is not as it should be.
//! Once it runs, traces tell where time goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod oidc_support;
#[path = "start/outside.rs"]
mod outside;
mod slack_support;
mod support;
#[path = "start/traces.rs"]
mod traces;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use support::{BINARY, Lab, Server, text};

fn tidegate(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// What the doctor says, and its exit code.
fn doctor(config: &Path) -> (Value, i32) {
    let output = tidegate(&["doctor", "--json", "--config", config.to_str().unwrap()]);
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    (report, output.status.code().unwrap())
}

fn finding<'a>(report: &'a Value, check: &str) -> &'a Value {
    let mut all = report["findings"].as_array().unwrap().iter();
    all.find(|it| it["check"] == check).unwrap_or_else(|| panic!("no {check} in {report:#}"))
}

fn grades(report: &Value, grade: &str) -> Vec<String> {
    let all = report["findings"].as_array().unwrap().iter().filter(|it| it["grade"] == grade);
    all.map(|it| it["check"].as_str().unwrap().to_owned()).collect()
}

/// The configuration of the laboratory, changed and beside it.
fn changed(lab: &Lab, from: &str, to: &str) -> std::path::PathBuf {
    let config = fs::read_to_string(lab.path("tidegate.yaml")).unwrap();
    assert!(config.contains(from), "{from} is not in {config}");
    let file = lab.path("changed.yaml");
    fs::write(&file, config.replacen(from, to, 1)).unwrap();
    file
}

fn endpoint(lab: &Lab) -> String {
    format!("endpoint: 127.0.0.1:{}\n", lab.directly().port)
}

fn the_doctor_looks_at(server: Server) {
    let lab = lab!(Lab::with_gateway(server, &json!({})));
    let target = format!("target {}", server.target());
    let (report, code) = doctor(&lab.path("tidegate.yaml"));
    assert_eq!(grades(&report, "failed"), Vec::<String>::new(), "{report:#}");
    assert_eq!((code, &report["healthy"]), (0, &json!(true)));
    for check in ["endpoint dns", "endpoint tcp", "read login", "read read-only", "read clock", "write login"]
    {
        assert_eq!(finding(&report, &format!("{target} {check}"))["grade"], "ok", "{check}");
    }
    let api = finding(&report, "api address")["found"].as_str().unwrap().to_owned();
    assert!(api.contains("a gateway of this configuration runs"), "{api}");
    assert_eq!(finding(&report, "store")["grade"], "ok");

    let (report, code) = doctor(&changed(&lab, "read.password", "write.password"));
    assert_eq!((code, &report["healthy"]), (1, &json!(false)));
    assert_eq!(grades(&report, "failed"), [format!("{target} read login")]);
    let said = finding(&report, &format!("{target} read login"));
    assert!(said["advice"].as_str().unwrap().contains("deploy/sql"), "{said}");
    let (report, _) = doctor(&changed(&lab, "server_name: localhost", "server_name: elsewhere"));
    assert!(grades(&report, "failed").contains(&format!("{target} read tls")), "{report:#}");
    let nowhere = changed(&lab, &endpoint(&lab), "endpoint: 127.0.0.1:1\n");
    let (report, _) = doctor(&nowhere);
    assert_eq!(grades(&report, "failed"), [format!("{target} endpoint tcp")]);

    assert_eq!(lab.stop_gateway("SIGTERM"), 0);
    let (report, code) = doctor(&lab.path("tidegate.yaml"));
    assert_eq!(code, 0, "{report:#}");
    assert!(finding(&report, "api address")["found"].as_str().unwrap().ends_with("is free"));
}

#[test]
fn the_doctor_finds_what_is_wrong_before_postgres() {
    the_doctor_looks_at(Server::Postgres);
}

#[test]
fn the_doctor_finds_what_is_wrong_before_mariadb() {
    the_doctor_looks_at(Server::Mariadb);
}

#[test]
fn the_doctor_finds_what_is_wrong_before_mysql() {
    the_doctor_looks_at(Server::Mysql);
}

#[test]
fn the_doctor_names_an_account_that_holds_too_much_and_a_read_lane_that_writes_nothing_all_the_same() {
    let lab = lab!(Lab::usual());
    lab.superuser("GRANT INSERT ON employee TO tidegate_read");
    let (report, code) =
        doctor(&changed(&lab, "environment: prod", "environment: prod\n    databases: [hr_prod]"));
    let said = finding(&report, "target hr read privileges");
    assert_eq!((code, &said["grade"]), (0, &json!("warning")), "{report:#}");
    assert!(said["found"].as_str().unwrap().contains("writing public.employee"), "{said}");
    assert_eq!(finding(&report, "target hr read read-only")["grade"], "ok");
}

#[test]
fn a_broken_configuration_policy_and_store_are_named() {
    let lab = lab!(Lab::usual());
    let (report, code) = doctor(&changed(&lab, "data_dir:", "data_dirr:"));
    let said = finding(&report, "configuration");
    assert_eq!(code, 1);
    assert!(said["found"].as_str().unwrap().contains("changed.yaml:1: data_dirr: unknown key"), "{said}");
    fs::write(lab.path("policies/zzz.yaml"), "groups: { a: { colour: red } }\n").unwrap();
    fs::write(lab.path("data/other.db"), "no store at all, though long enough to be read as one").unwrap();
    let (report, code) = doctor(&changed(&lab, "sqlite: tidegate.db", "sqlite: other.db"));
    assert_eq!(code, 1);
    assert_eq!(grades(&report, "failed"), ["policy", "store"], "{report:#}");
    assert!(finding(&report, "policy")["found"].as_str().unwrap().contains("zzz.yaml:1"));
}

/// Words of `init` for the laboratory's server.
fn words<'a>(lab: &Lab, folder: &'a str, held: &'a mut Vec<String>) -> Vec<&'a str> {
    let name = lab.server().name();
    let password = |lane: &str| format!("{lane}={}", lab.path(&format!("{name}.{lane}.password")).display());
    held.extend([
        format!("--endpoint=127.0.0.1:{}", lab.directly().port),
        format!("--ca={}", lab.path("ca.crt").display()),
        format!("--password-file={}", password("read")),
        format!("--password-file={}", password("write")),
        format!("--dialect={}", if lab.server() == Server::Postgres { "postgres" } else { "mysql" }),
    ]);
    let mut words = vec!["init", folder, "--no-input", "--server-name=localhost", "--database=hr_prod"];
    words.extend(["--name=hr", "--write-user=tidegate_write", "--administrator=ada", "--listen=127.0.0.1:0"]);
    words.extend(held.iter().map(String::as_str));
    words
}

fn init_begins_with(server: Server) {
    let lab = lab!(Lab::of(server));
    let folder = lab.path("first");
    let folder = folder.to_str().unwrap();
    let mut held = Vec::new();
    let words = words(&lab, folder, &mut held);
    let output = tidegate(&words);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("tidegate serve --config {folder}/tidegate.yaml")), "{said}");
    assert!(said.contains("the server refused a statement that writes"), "{said}");
    let policy = tidegate(&["policy", "test", &format!("{folder}/policies")]);
    assert!(policy.status.success(), "{}", text(&policy));
    let check = tidegate(&["config", "check", &format!("{folder}/tidegate.yaml")]);
    assert!(check.status.success(), "{}", text(&check));

    let before = fs::read_to_string(format!("{folder}/tidegate.yaml")).unwrap();
    let again = tidegate(&words);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains("nothing is overwritten"), "{}", text(&again));
    assert_eq!(fs::read_to_string(format!("{folder}/tidegate.yaml")).unwrap(), before);
}

#[test]
fn init_writes_what_works_before_postgres() {
    init_begins_with(Server::Postgres);
}

#[test]
fn init_writes_what_works_before_mariadb() {
    init_begins_with(Server::Mariadb);
}

#[test]
fn init_says_what_does_not_work_yet_and_leaves_nothing_of_what_cannot() {
    let lab = lab!(Lab::usual());
    let folder = lab.path("first");
    let folder = folder.to_str().unwrap();
    let mut held = Vec::new();
    let mut words = words(&lab, folder, &mut held);
    words.push("--environment=p/q");
    let refused = tidegate(&words);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("targets.environment: \"p/q\" is no name"), "{}", text(&refused));
    assert!(!Path::new(folder).exists(), "something was left");
    words.pop();
    words.push("--read-user=nobody_by_this_name");
    let failed = tidegate(&words);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    assert!(text(&failed).contains("failed   target hr read login"), "{}", text(&failed));
    assert!(text(&failed).contains("tidegate doctor --config"), "{}", text(&failed));
    assert!(Path::new(folder).join("tidegate.yaml").exists(), "it is there to be corrected");
}
