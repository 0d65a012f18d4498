//! Accounts that log in with tokens of RDS: where the credentials come from, what goes wrong, and what is never shown.
//!
//! The database is a real one behind a front that speaks the login of RDS over TLS and works every token's signature
//! out anew (`tests/support/lab/rds.py`); STS, container and metadata endpoints are on loopback. No AWS is asked.

use std::{fs, time::Duration};

use crate::{
    lab,
    support::{Lab, Login, Server, eventually, refused, sqlstate},
};
use serde_json::{Value, json};

/// Server and gateway; `iam` says where the credentials come from. What the gateway says of itself goes to its log.
fn start(server: Server, iam: Value) -> Option<Lab> {
    let log = "log: { format: text, level: trace }";
    Lab::with_gateway(server, &json!({ "plaintext": true, "iam": iam, "log": log }))
}

/// Has AWS behave in another way from now on; gives what it and the database were asked so far.
fn aws(lab: &Lab, knobs: Value) -> Vec<Value> {
    let mut order = knobs;
    order["do"] = json!("aws");
    lab.order(&order)["log"].as_array().unwrap().clone()
}

fn logins(log: &[Value], outcome: &str) -> Vec<String> {
    let all = log.iter().filter(|entry| entry["login"] == outcome);
    all.map(|entry| format!("{} {}", entry["user"].as_str().unwrap(), entry["problem"])).collect()
}

fn gateway_log(lab: &Lab) -> String {
    fs::read_to_string(lab.path("tidegate.log")).unwrap()
}

/// What the log says of a target that is away.
fn target_lines(log: &str) -> String {
    log.lines().filter(|line| line.contains("target does not answer")).collect()
}

/// Nothing that opens anything is in the gateway's log, at its most talkative.
fn shows_no_secret(lab: &Lab) {
    let log = gateway_log(lab);
    let answer = lab.order(&json!({ "do": "aws" }));
    let secrets: Vec<&str> = answer["secrets"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(!secrets.is_empty());
    for secret in secrets.into_iter().chain(["X-Amz-Signature="]) {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

fn counts(login: &Login) -> bool {
    login.sql("SELECT COUNT(*) FROM employee").contains("3000")
}

/// SQLSTATE of what somebody is told who logs in and asks; "done" if nothing is wrong.
async fn told(login: &Login) -> String {
    match login.connect().await {
        Ok(client) => refused(client.simple_query("SELECT 1").await),
        Err(error) => sqlstate(&error),
    }
}

#[test]
fn every_place_where_the_sdks_look_gives_credentials_that_log_in() {
    let role = "arn:aws:iam::123456789012:role/tidegate";
    for (iam, asked) in [
        (json!({ "source": "static" }), None),
        (json!({ "source": "profile", "profile": "db" }), None),
        (json!({ "source": "role", "role_arn": role }), Some("sts")),
        (json!({ "source": "web_identity" }), Some("sts")),
        (json!({ "source": "container" }), Some("container")),
        (json!({ "source": "pod_identity" }), Some("container")),
        (json!({ "source": "metadata" }), Some("metadata")),
    ] {
        let lab = lab!(start(Server::Postgres, iam.clone()));
        let full = lab.add_full();
        assert!(counts(&full), "{iam}");
        let out = full.psql("BEGIN; UPDATE employee SET email = email WHERE employee_no = 1; ROLLBACK");
        assert!(!out.contains("ERROR"), "{iam}: {out}");
        let log = aws(&lab, json!({}));
        assert_eq!(logins(&log, "refused"), [""; 0], "{iam}");
        for account in ["tidegate_read", "tidegate_write", "tidegate_admin"] {
            assert!(
                logins(&log, "let in").iter().any(|it| it.starts_with(account)),
                "{iam}: {account}: {log:?}"
            );
        }
        let places: Vec<&str> = log.iter().filter_map(|entry| entry["place"].as_str()).collect();
        assert_eq!(places.first().copied(), asked, "{iam}: {places:?}");
        assert!(places.iter().all(|place| Some(*place) == asked), "{iam}: {places:?}");
        shows_no_secret(&lab);
    }
}

#[test]
fn mysql_and_mariadb_take_tokens_in_clear_text_over_tls() {
    for server in [Server::Mariadb, Server::Mysql] {
        let lab = lab!(start(server, json!({ "source": "web_identity" })));
        let full = lab.add_full();
        assert!(counts(&full), "{server:?}");
        let out = full.sql("UPDATE employee SET email = email WHERE employee_no = 1;");
        assert!(!out.contains("ERROR"), "{server:?}: {out}");
        let log = aws(&lab, json!({}));
        assert_eq!(logins(&log, "refused"), [""; 0], "{server:?}");
        assert!(logins(&log, "let in").len() >= 3, "{log:?}");
        shows_no_secret(&lab);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_more_than_fifteen_minutes_is_refused_and_nobody_is_let_in_with_it() {
    let lab = lab!(start(Server::Postgres, json!({ "source": "static", "knobs": { "ahead": 1000 } })));
    let full = lab.add_full();
    assert_eq!(told(&full).await, "08006");
    let log = aws(&lab, json!({ "ahead": 0 }));
    assert_eq!(logins(&log, "let in"), [""; 0]);
    assert!(logins(&log, "refused")[0].contains("seconds old"), "{log:?}");
    let said = gateway_log(&lab);
    assert!(said.contains("PAM authentication failed for user"), "{}", target_lines(&said));
    assert!(!lab.metrics().contains("tidegate_target_up{target=\"hr\"} 1"));
    // Once the clocks agree, it is found out without anybody's help.
    eventually("a count", Duration::from_secs(10), || counts(&full));
    // Other lanes may still have a token of before.
    let is_up = || lab.metrics().contains("tidegate_target_up{target=\"hr\"} 1");
    eventually("all lanes let in", Duration::from_secs(10), is_up);
    shows_no_secret(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_clients_get_08006_and_the_log_says_where_they_were_looked_for() {
    let lab =
        lab!(start(Server::Postgres, json!({ "source": "metadata", "knobs": { "down": ["metadata"] } })));
    let full = lab.add_full();
    assert_eq!(told(&full).await, "08006");
    let said = gateway_log(&lab);
    let line = target_lines(&said);
    assert!(line.contains("could not make a login token for account"), "{line}");
    assert!(line.contains("no AWS credentials"), "{line}");
    aws(&lab, json!({ "down": [] }));
    eventually("a count", Duration::from_secs(20), || counts(&full));

    let lab = lab!(start(Server::Postgres, json!({ "source": "none", "knobs": {} })));
    let full = lab.add_full();
    assert_eq!(told(&full).await, "08006");
    let said = gateway_log(&lab);
    let line = target_lines(&said);
    for place in ["Environment", "Profile", "WebIdentityToken", "EcsContainer", "Ec2InstanceMetadata"] {
        assert!(line.contains(place), "{place}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_about_to_end_are_not_logged_in_with() {
    let iam = json!({ "source": "container", "knobs": { "life": 20 } });
    let lab = lab!(start(Server::Postgres, iam));
    let full = lab.add_full();
    assert_eq!(told(&full).await, "08006");
    assert!(gateway_log(&lab).contains("the AWS credentials that are there have ended"));
    let log = aws(&lab, json!({ "life": 3600 }));
    assert!(log.iter().all(|entry| entry["login"].is_null()), "{log:?}");
    eventually("a count", Duration::from_secs(10), || counts(&full));
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_rds_turns_away_are_tried_again_and_new_ones_keep_their_pace() {
    let iam = json!({ "source": "static", "per_second": 4, "knobs": { "throttle": 5 } });
    let lab = lab!(start(Server::Postgres, iam));
    let full = lab.add_full();
    eventually("a count", Duration::from_secs(10), || counts(&full));
    assert_eq!(logins(&aws(&lab, json!({})), "refused").len(), 5);
    let clients: Vec<_> = (0..10)
        .map(|_| {
            let full = full.clone();
            tokio::spawn(async move {
                let client = full.connect().await.unwrap();
                client.batch_execute("BEGIN; SELECT pg_sleep(3)").await.map_err(|error| sqlstate(&error))
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), Ok(()));
    }
    let metrics = lab.metrics();
    let held_up = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tidegate_upstream_logins_held_up_total{target=\"hr\"} "));
    assert!(held_up.unwrap().parse::<u32>().unwrap() >= 3, "{held_up:?}");
}
