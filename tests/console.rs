//! The web console in a real browser, before a real gateway and a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Map, Value, json};
use support::{Lab, Server, run_within, text};

const RULES: &str = "
groups: { leads: {}, keepers: { scopes: ['audit:read', grants, read, sessions] } }
principals: { lee: { groups: [leads] }, ada: { groups: [developers, keepers, leads] } }
flows:
  - name: reviewed
    when: \"true\"
    steps: [ { approvers: [leads] } ]
    longest: { any: 1d }
    estimate: true
";

const PEOPLE: [&str; 5] = ["ada", "dana", "full", "lee", "wanda"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a scenario needs beside the servers; `None` where something is not installed here.
fn missing() -> Option<&'static str> {
    let chromium = ["/usr/bin/chromium", "/usr/bin/google-chrome"].iter().any(|it| Path::new(it).exists());
    if !chromium && std::env::var_os("CHROMIUM").is_none() {
        return Some("chromium");
    }
    (!root().join("console/node_modules/playwright-core").exists()).then_some("console/node_modules")
}

/// A laboratory with people who have passwords, and the grants of two of them.
fn house(server: Server) -> Option<(Lab, Value)> {
    if let Some(missing) = missing() {
        assert!(std::env::var_os("CI").is_none(), "no {missing} here: run `make setup`");
        eprintln!("skipped: no {missing} here; `make setup` installs it");
        return None;
    }
    let lab = Lab::of(server)?;
    std::fs::write(lab.path("policies/console.yaml"), RULES).unwrap();
    lab.admin(&["policy", "reload"]);
    let people: Map<String, Value> =
        PEOPLE.into_iter().map(|name| (name.to_owned(), json!(lab.add(name).password))).collect();
    lab.grant("full", "explain,select,export,dml,ddl,admin", &[], 3600);
    lab.grant("wanda", "select", &[], 3600);
    Some((lab, people.into()))
}

fn plays(server: Server, script: &str) {
    let Some((lab, people)) = house(server) else { return };
    let mut node = Command::new("node");
    node.arg(root().join("tests/console").join(script))
        .env("TIDEGATE_CONSOLE", format!("http://127.0.0.1:{}", lab.api_port()))
        .env("TIDEGATE_PEOPLE", people.to_string())
        .env("TIDEGATE_TARGET", server.target())
        .env("TIDEGATE_FAILED", std::env::temp_dir());
    let output = run_within(&mut node, Duration::from_secs(240));
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn from_the_refusal_to_the_grant_its_end_and_the_log() {
    plays(Server::Postgres, "story.mjs");
}

#[test]
fn the_editor_is_a_client_like_any_other() {
    plays(Server::Postgres, "editor.mjs");
}

#[test]
fn a_session_that_ends_loses_no_text() {
    plays(Server::Postgres, "session.mjs");
}

#[test]
fn who_looks_after_access_sees_it_and_ends_it() {
    plays(Server::Postgres, "keeper.mjs");
}

#[test]
fn every_room_is_accessible_in_light_dark_and_on_a_phone() {
    plays(Server::Postgres, "rooms.mjs");
}

#[test]
fn the_editor_speaks_to_mariadb() {
    plays(Server::Mariadb, "mysql.mjs");
}

/// The pages are what their source builds to, and that is sound.
#[test]
fn what_is_served_is_what_the_source_builds_to() {
    if let Some(missing) = missing() {
        assert!(std::env::var_os("CI").is_none(), "no {missing} here: run `make setup`");
        return eprintln!("skipped: no {missing} here; `make setup` installs it");
    }
    let text = root().join("tests/console/text.mjs");
    for arguments in [
        &["build.mjs", "--check"][..],
        &["node_modules/typescript/bin/tsc", "--noEmit"],
        &[text.to_str().unwrap()],
    ] {
        let mut node = Command::new("node");
        node.args(arguments).current_dir(root().join("console"));
        let output = run_within(&mut node, Duration::from_secs(120));
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
}
