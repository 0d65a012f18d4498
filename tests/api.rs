//! The administration API over real HTTP, its store, and its audit records.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api_support;
#[path = "api/browser.rs"]
mod browser;
#[path = "api/editor.rs"]
mod editor;

use std::{os::unix::fs::PermissionsExt, sync::atomic::Ordering, time::Duration};

use api_support::{Gateway, Home, Kept, POLICY, grant, is_kept_somewhere};
use axum::{body::Body, http::Request};
use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tidegate::{
    api::Peer,
    control::ControlError,
    model::{
        grant::GrantName,
        record::{LoginFailed, Record},
    },
    store::StoreError,
};
use tower::ServiceExt;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;
const NO_ID: &str = "019aa000-0000-7000-8000-000000000001";

async fn a_grant_is_in_force_when_its_making_is_answered_and_gone_when_its_revocation_is(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let live = |gateway: &Gateway| {
        let snapshot = gateway.control.snapshot().load();
        let now = tidegate::net::Clock::System.now();
        snapshot.grants_of("dana", now).filter(|grant| matches!(grant.id, GrantName::Granted(_))).count()
    };
    let before = gateway.control.snapshot().load().version();
    let made = gateway.post("/grants", grant()).await;
    assert_eq!(live(&gateway), 1);
    assert_eq!(gateway.control.snapshot().load().version(), before + 1);
    assert_eq!(made["grant"]["state"], "live");
    assert_eq!(made["grant"]["seconds_left"], 120);
    assert_eq!(made["grant"]["created_by"], "admin");
    let id = made["grant"]["id"].as_str().unwrap();
    let record = &home.records("grant_created")[0];
    assert_eq!((&record["actor"], &record["grant"]["id"]), (&json!("admin"), &json!(id)));

    let revoke = format!("/grants/{id}/revoke");
    let revoked = gateway.post(&revoke, json!({ "reason": "done" })).await;
    assert_eq!(live(&gateway), 0);
    assert_eq!((&revoked["state"], &revoked["revocation"]["by"]), (&json!("revoked"), &json!("admin")));
    assert_eq!(home.records("grant_revoked")[0]["reason"], "done");
    let again = gateway.post(&revoke, json!({ "reason": "again" })).await;
    assert_eq!(again["revocation"]["reason"], "done");
    assert_eq!(home.records("grant_revoked").len(), 1);
    assert_eq!(gateway.get("/grants").await["grants"], json!([]));
    assert_eq!(gateway.get("/grants?all=true&principal=dana").await["grants"][0]["id"], id);
    gateway.stop().await;
}

async fn a_grant_that_cannot_be_meant_is_refused_and_names_the_field(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    for (field, value, status, code) in [
        ("holder", json!({ "principal": "dave" }), 422, "unknown_reference"),
        ("holder", json!({ "group": "deveopers" }), 422, "unknown_reference"),
        ("target", json!("finance"), 422, "unknown_reference"),
        ("database", json!(""), 422, "invalid"),
        ("objects", json!([]), 422, "invalid"),
        ("objects", json!(["employee"]), 422, "invalid"),
        ("permissions", json!([]), 422, "invalid"),
        ("permissions", json!(["superuser"]), 400, "malformed"),
        ("for", json!("0s"), 400, "malformed"),
        ("for", json!("91d"), 400, "malformed"),
        ("reason", json!("  "), 422, "invalid"),
        ("starts_at", json!("2999-01-01T00:00:00Z"), 422, "invalid"),
        ("until", json!("tomorrow"), 400, "malformed"),
    ] {
        let mut body = grant();
        body[field] = value;
        let (got, problem) = gateway.call(POST, "/grants", body).await;
        assert_eq!((got.as_u16(), problem["code"].as_str()), (status, Some(code)), "{field}: {problem}");
    }
    assert_eq!(home.records("grant_created"), [] as [Value; 0]);
    let mut group = grant();
    group["holder"] = json!({ "group": "developers" });
    group["permissions"] = json!(["ddl"]);
    let made = gateway.post("/grants", group).await;
    let warning = made["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("ddl on hr has no effect"), "{warning}");
    gateway.stop().await;
}

async fn a_restart_keeps_grants_people_and_keys(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let id = gateway.post("/grants", grant()).await["grant"]["id"].clone();
    gateway.post("/principals", json!({ "name": "eve" })).await;
    let password = json!({ "password": "correct horse" });
    assert_eq!(gateway.call(PUT, "/principals/eve/password", password).await.0, 204);
    let (_, read) = gateway.key("prometheus", &["read"]).await;
    let version = gateway.control.snapshot().load().version();
    let eve = gateway.control.snapshot().load().principal("eve").unwrap().clone();
    let mock = gateway.control.mock_secret().clone();
    gateway.stop().await;

    let gateway = home.start().await;
    assert_eq!(gateway.get("/grants").await["grants"][0]["id"], id);
    assert_eq!(gateway.with(&read, GET, "/sessions", Value::Null).await.0, 200);
    let snapshot = gateway.control.snapshot().load();
    assert!(snapshot.version() > version);
    assert_eq!(snapshot.principal("eve").unwrap().credentials, eve.credentials);
    assert_eq!(*gateway.control.mock_secret(), mock);
    gateway.stop().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_same_store_is_refused_by_name() {
    let home = Home::new();
    let gateway = home.start().await;
    let Err(refused) = home.open_control().await else { panic!("two gateways on one store") };
    let ControlError::Store { source: StoreError::InUse { pid: Some(pid), .. } } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*pid, std::process::id());
    gateway.stop().await;
    home.start().await.stop().await;
}

async fn without_a_live_key_nothing_is_told(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    for path in ["grants", "principals", "tokens", "keys", "sessions", "policy"] {
        for key in [None, Some("tgk_wrong"), Some("")] {
            let response = gateway.raw(GET, &format!("/api/v1/{path}"), key, None).await;
            assert_eq!(response.status(), 401, "{path} {key:?}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert!(response.headers().contains_key("www-authenticate"));
        }
    }
    gateway.stop().await;
}

async fn wrong_keys_are_throttled_and_the_right_one_is_not(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let mut last = 0;
    for _ in 0..25 {
        last = gateway.with("tgk_guess", GET, "/grants", Value::Null).await.0.as_u16();
    }
    assert_eq!(last, 429);
    gateway.get("/grants").await;
    gateway.stop().await;
}

async fn a_password_that_is_guessed_at_from_many_addresses_is_held_up_by_its_name(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    gateway.call(PUT, "/principals/dana/password", json!({ "password": "correct horse" })).await;
    let router = tidegate::api::router(gateway.parts.clone(), true);
    let login = async |name: &str, password: &str, from: u8| {
        let body = json!({ "principal": name, "password": password }).to_string();
        let request = Request::post("/api/v1/login").header("content-type", "application/json");
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(Peer(([10, 0, 0, from], 1).into()));
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for from in 0..10 {
        assert_eq!(login("dana", "wrong horse", from).await, 401);
    }
    assert_eq!(login("dana", "correct horse", 10).await, 429, "nor does the right one get in");
    assert_eq!(login("erin", "wrong horse", 10).await, 401, "others are not held up");
    home.clock.advance(Duration::from_secs(3));
    assert_eq!(login("dana", "correct horse", 10).await, 201);
    gateway.stop().await;
}

async fn a_download_breaks_off_for_whoever_may_no_longer_read(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    for _ in 0..600 {
        let client = ([127, 0, 0, 1], 1).into();
        let failed = LoginFailed { client, principal: "dana", database: "", reason: "wrong password" };
        let _receipt = gateway.parts.audit.append_one(&Record::LoginFailed(failed)).await.unwrap();
    }
    let (id, auditor) = gateway.key("auditor", &["audit:read"]).await;
    // A search indexes what was written just now.
    assert_eq!(gateway.with(&auditor, GET, "/audit/records", Value::Null).await.1["unindexed"], 0);
    let router = tidegate::api::router(gateway.parts.clone(), true);
    let request = Request::get("/api/v1/audit/download").header("authorization", format!("Bearer {auditor}"));
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let mut pieces = answer.into_body().into_data_stream();
    assert!(pieces.next().await.unwrap().unwrap().len() > 10_000);
    gateway.call(DELETE, &format!("/keys/{id}"), Value::Null).await;
    assert!(pieces.next().await.unwrap().is_err(), "half a file is not taken for a whole one");
    gateway.stop().await;
}

async fn a_key_does_what_its_scopes_say_and_no_more(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let (_, read) = gateway.key("reader", &["read"]).await;
    let (_, grants) = gateway.key("bot", &["grants"]).await;
    let id = gateway.post("/grants", grant()).await["grant"]["id"].as_str().unwrap().to_owned();
    let revoke = format!("/grants/{id}/revoke");
    let question = json!({ "principal": "dana", "target": "hr", "sql": "SELECT 1" });
    let reason = json!({ "reason": "x" });
    let session = gateway.sessions.open();
    let terminate = format!("/sessions/{session}");
    let user = json!({ "name": "eve" });
    let token = json!({ "principal": "dana", "for": "1h" });
    let key = json!({ "name": "more", "scopes": ["admin"] });
    let no_token = format!("/tokens/{NO_ID}");
    let no_key = format!("/keys/{NO_ID}");
    for (method, path, body, reader_may, bot_may) in [
        (GET, "/grants", Value::Null, true, true),
        (POST, "/grants", grant(), false, true),
        (POST, &revoke, reason, false, true),
        (GET, "/principals", Value::Null, true, false),
        (POST, "/principals", user, false, false),
        (PATCH, "/principals/dana", json!({ "disabled": true }), false, false),
        (PUT, "/principals/dana/password", json!({ "password": "longenough" }), false, false),
        (DELETE, "/principals/dana", Value::Null, false, false),
        (GET, "/tokens", Value::Null, true, false),
        (POST, "/tokens", token, false, false),
        (DELETE, &no_token, Value::Null, false, false),
        (GET, "/keys", Value::Null, false, false),
        (POST, "/keys", key, false, false),
        (DELETE, &no_key, Value::Null, false, false),
        (GET, "/sessions", Value::Null, true, false),
        (DELETE, &terminate, Value::Null, false, false),
        (GET, "/policy", Value::Null, true, false),
        (POST, "/policy/reload", Value::Null, false, false),
        (POST, "/explain-access", question, true, true),
    ] {
        for (name, key, may) in [("reader", &read, reader_may), ("bot", &grants, bot_may)] {
            let (status, answer) = gateway.with(key, method.clone(), path, body.clone()).await;
            assert_eq!(status != 403, may, "{name} {method} {path}: {status} {answer}");
            assert!(may || answer["code"] == "forbidden", "{answer}");
        }
    }
    assert_eq!(home.records("grant_created").last().unwrap()["actor"], "bot");
    gateway.stop().await;
}

async fn a_revoked_or_ended_key_opens_nothing(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let (id, key) = gateway.key("robot", &["read"]).await;
    let short = gateway.post("/keys", json!({ "name": "short", "scopes": ["read"], "for": "1h" })).await;
    let short = short["secret"].as_str().unwrap();
    assert_eq!(gateway.with(&key, GET, "/policy", Value::Null).await.0, 200);
    assert_eq!(gateway.with(short, GET, "/policy", Value::Null).await.0, 200);
    let (status, twice) = gateway.call(POST, "/keys", json!({ "name": "robot", "scopes": ["read"] })).await;
    assert_eq!((status.as_u16(), &twice["code"]), (409, &json!("exists")));
    assert_eq!(gateway.call(DELETE, &format!("/keys/{id}"), Value::Null).await.0, 204);
    home.clock.advance(Duration::from_secs(3600));
    assert_eq!(gateway.with(&key, GET, "/policy", Value::Null).await.0, 401);
    assert_eq!(gateway.with(short, GET, "/policy", Value::Null).await.0, 401);
    assert_eq!(gateway.call(DELETE, &format!("/keys/{id}"), Value::Null).await.0, 404);
    assert_eq!(home.records("key_revoked")[0]["key"], id.as_str());
    let keys = gateway.get("/keys").await;
    let states: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["live", "revoked", "ended"]);
    for name in ["start", "watch", "bad name"] {
        let (status, _) = gateway.call(POST, "/keys", json!({ "name": name, "scopes": ["read"] })).await;
        assert_eq!(status, 422, "{name}");
    }
    gateway.stop().await;
}

async fn people_are_added_changed_and_removed_and_each_change_is_recorded(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let added = gateway.post("/principals", json!({ "name": "eve", "groups": ["developers"] })).await;
    assert_eq!((&added["groups"], &added["password"]), (&json!(["developers"]), &json!(false)));
    for (body, status) in [
        (json!({ "name": "eve" }), 409),
        (json!({ "name": "a b" }), 422),
        (json!({ "name": "mallory", "groups": ["nobody"] }), 422),
        (json!({ "name": "mallory", "password": "hunter22" }), 400),
    ] {
        assert_eq!(gateway.call(POST, "/principals", body).await.0, status);
    }
    let mut hers = grant();
    hers["holder"] = json!({ "principal": "eve" });
    let id = gateway.post("/grants", hers).await["grant"]["id"].clone();
    let (_, disabled) = gateway.call(PATCH, "/principals/eve", json!({ "disabled": true })).await;
    assert_eq!(disabled["disabled"], true);
    assert!(gateway.control.snapshot().load().principal("eve").unwrap().disabled);
    let (status, problem) = gateway.call(PATCH, "/principals/eve", json!({ "groups": ["nobody"] })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("unknown_reference")));
    let both = json!({ "disabled": false, "groups": [] });
    let (_, enabled) = gateway.call(PATCH, "/principals/eve", both).await;
    assert_eq!((&enabled["disabled"], &enabled["groups"]), (&json!(false), &json!([])));
    assert_eq!(gateway.call(PATCH, "/principals/eve", json!({})).await.0, 422);
    assert_eq!(gateway.call(PATCH, "/principals/nobody", json!({ "disabled": true })).await.0, 404);
    let (_, removed) = gateway.call(DELETE, "/principals/eve", Value::Null).await;
    assert_eq!(removed, json!({ "revoked_grants": [id], "in_policy": false }));
    assert_eq!(gateway.call(DELETE, "/principals/eve", Value::Null).await.0, 404);
    let changes: Vec<_> =
        home.records("principal_changed").iter().map(|record| record["change"].clone()).collect();
    assert_eq!(changes, ["added", "disabled", "groups set to none; enabled", "removed"]);
    assert_eq!(home.records("grant_revoked")[0]["grant"], id);
    gateway.post("/principals", json!({ "name": "eve" })).await;
    assert_eq!(gateway.get("/grants?principal=eve").await["grants"], json!([]));
    gateway.stop().await;
}

async fn a_password_is_kept_as_keys_alone_and_never_told(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let secret = "correct horse battery";
    let set =
        |password: Value| gateway.call(PUT, "/principals/dana/password", json!({ "password": password }));
    assert_eq!(set(json!(secret)).await.0, 204);
    let credentials = gateway.control.snapshot().load().principal("dana").unwrap().credentials.clone();
    let keys = tidegate::wire::postgres::scram::scram_keys(secret.as_bytes(), &credentials.salt, 4096);
    assert_eq!((credentials.salt.len(), credentials.iterations), (16, 4096));
    assert_eq!(credentials.password.as_ref(), Some(&keys));
    assert_eq!(credentials.native, None, "the weaker key is kept only for those who ask for it");
    for (bad, status) in [(json!("short"), 422), (json!("x".repeat(513)), 422), (json!(12_345_678), 400)] {
        let (got, problem) = set(bad).await;
        assert_eq!(got, status);
        assert!(!problem.to_string().contains("12345678"), "{problem}");
    }
    assert_eq!(gateway.call(PUT, "/principals/dave/password", json!({ "password": secret })).await.0, 404);
    assert_eq!(home.records("principal_changed")[0]["change"], "password set");
    assert!(!gateway.get("/principals").await.to_string().contains("salt"));
    gateway.stop().await;
    assert!(!is_kept_somewhere(home.dir.path(), secret));
}

async fn the_key_of_mysql_native_password_is_kept_when_asked_for_and_goes_with_its_password(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let native = |gateway: &Gateway| {
        gateway.control.snapshot().load().principal("dana").unwrap().credentials.native.clone()
    };
    let secret = "correct horse battery";
    let body = json!({ "password": secret, "mysql_native": true });
    assert_eq!(gateway.call(PUT, "/principals/dana/password", body).await.0, 204);
    let key = tidegate::wire::mysql::auth::native_key(secret.as_bytes());
    assert_eq!(native(&gateway), Some(key.clone()));
    gateway.stop().await;
    let gateway = home.start().await;
    assert_eq!(native(&gateway), Some(key), "it is in the store");
    let body = json!({ "password": "another horse" });
    assert_eq!(gateway.call(PUT, "/principals/dana/password", body).await.0, 204);
    assert_eq!(native(&gateway), None);
    gateway.stop().await;
}

async fn a_token_logs_in_until_it_is_revoked_or_over_and_survives_a_new_password(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let made = gateway.post("/tokens", json!({ "principal": "dana", "for": "8h", "name": "laptop" })).await;
    let (id, secret) = (made["token"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("tgt_") && secret.len() == 47, "{secret}");
    let credentials = || gateway.control.snapshot().load().principal("dana").unwrap().credentials.clone();
    let first = credentials();
    let keys = tidegate::wire::postgres::scram::scram_keys(secret.as_bytes(), &first.salt, first.iterations);
    assert_eq!(first.tokens[0].keys, keys);
    let native = tidegate::wire::mysql::auth::native_key(secret.as_bytes());
    assert_eq!(first.tokens[0].native.as_ref(), Some(&native));
    let password = json!({ "password": "correct horse" });
    assert_eq!(gateway.call(PUT, "/principals/dana/password", password.clone()).await.0, 204);
    assert_eq!(credentials().salt, first.salt);
    assert!(!gateway.get("/tokens?principal=dana").await.to_string().contains("tgt_"));
    assert_eq!(gateway.get("/tokens?principal=eve").await["tokens"], json!([]));
    assert_eq!(gateway.call(DELETE, &format!("/tokens/{id}"), Value::Null).await.0, 204);
    assert_eq!(credentials().tokens, []);
    assert_eq!(gateway.call(DELETE, &format!("/tokens/{id}"), Value::Null).await.0, 404);
    assert_eq!(gateway.call(PUT, "/principals/dana/password", password).await.0, 204);
    assert_ne!(credentials().salt, first.salt);
    for (body, status) in [
        (json!({ "principal": "dave", "for": "8h" }), 422),
        (json!({ "principal": "dana", "for": "31d" }), 422),
        (json!({ "principal": "dana" }), 400),
    ] {
        assert_eq!(gateway.call(POST, "/tokens", body).await.0, status);
    }
    assert_eq!(home.records("token_created")[0]["token"], id);
    assert_eq!(home.records("token_revoked")[0]["principal"], "dana");
    let secret = secret.to_owned();
    gateway.stop().await;
    assert!(!is_kept_somewhere(home.dir.path(), &secret));
}

async fn what_gives_leave_needs_its_record_and_what_takes_it_away_does_not_wait_for_one(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let id = gateway.post("/grants", grant()).await["grant"]["id"].as_str().unwrap().to_owned();
    let version = gateway.control.snapshot().load().version();
    home.break_audit();
    for (method, path, body) in [
        (POST, "/grants", grant()),
        (POST, "/principals", json!({ "name": "eve" })),
        (PUT, "/principals/dana/password", json!({ "password": "correct horse" })),
        (POST, "/tokens", json!({ "principal": "dana", "for": "1h" })),
        (POST, "/keys", json!({ "name": "more", "scopes": ["admin"] })),
        (POST, "/policy/reload", Value::Null),
    ] {
        let (status, problem) = gateway.call(method, path, body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("audit_unavailable")), "{path}");
    }
    assert_eq!(gateway.control.snapshot().load().version(), version);
    let (status, problem) =
        gateway.call(POST, &format!("/grants/{id}/revoke"), json!({ "reason": "now" })).await;
    assert_eq!((status.as_u16(), &problem["code"]), (500, &json!("unaudited")));
    assert_eq!(gateway.get(&format!("/grants/{id}")).await["state"], "revoked");
    let ready = gateway.raw(GET, "/readyz", None, None).await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["audit"], false);
    home.mend_audit();
    gateway.post("/grants", grant()).await;
    assert_eq!(gateway.get("/grants?all=true").await["grants"].as_array().unwrap().len(), 2);
    gateway.stop().await;
}

async fn a_broken_policy_is_refused_and_the_old_one_stays_in_force(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let old = gateway.get("/policy").await;
    home.write_policy("groups: { developers: {}\nprincipals: 7\n");
    let (status, problem) = gateway.call(POST, "/policy/reload", Value::Null).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("policy_broken")));
    assert!(problem["detail"].as_str().unwrap().contains("base.yaml:"), "{problem}");
    let now = gateway.get("/policy").await;
    assert_eq!((&now["digest"], &now["snapshot"]), (&old["digest"], &old["snapshot"]));
    assert_eq!(now["rejected"]["by"], "admin");
    assert!(gateway.control.snapshot().load().principal("dana").is_some());
    assert_eq!(home.records("policy_rejected").len(), 1);
    home.write_policy(&POLICY.replace("dana", "dora"));
    let new = gateway.post("/policy/reload", Value::Null).await;
    assert_ne!(new["digest"], old["digest"]);
    assert_eq!(gateway.get("/policy").await["rejected"], Value::Null);
    assert!(gateway.control.snapshot().load().principal("dana").is_none());
    assert!(gateway.control.snapshot().load().principal("dora").is_some());
    assert_eq!(home.records("policy_loaded").len(), 2);
    gateway.stop().await;
    home.write_policy("groups: 7\n");
    assert!(matches!(home.open_control().await, Err(ControlError::PolicyBroken { .. })));
}

async fn a_changed_policy_file_is_noticed(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let mut told = gateway.control.snapshot().subscribe();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let control = gateway.control.clone();
    let watch = tokio::spawn(async move { control.watch_policy(async { drop(stopped.await) }).await });
    // The watch compares with what it saw first; a file of another length differs whenever that was.
    tokio::task::yield_now().await;
    home.write_policy(&POLICY.replace("dana", "dorothea"));
    tokio::time::timeout(Duration::from_secs(20), told.changed()).await.unwrap().unwrap();
    assert!(gateway.control.snapshot().load().principal("dorothea").is_some());
    stop.send(()).unwrap();
    watch.await.unwrap();
    assert_eq!(home.records("policy_loaded").last().unwrap()["actor"], "watch");
    gateway.stop().await;
}

async fn a_policy_that_is_put_back_no_longer_counts_as_refused(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let control = gateway.control.clone();
    let watch = tokio::spawn(async move { control.watch_policy(async { drop(stopped.await) }).await });
    // The same broken files twice: the second time is told of like the first.
    for time in 1..=2 {
        for (text, refused) in [("groups: 7\n", true), (POLICY, false)] {
            home.write_policy(text);
            let told = async {
                while gateway.control.policy_status().rejected.is_some() != refused {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
        }
        assert_eq!(home.records("policy_rejected").len(), time);
    }
    stop.send(()).unwrap();
    watch.await.unwrap();
    gateway.stop().await;
}

async fn sessions_are_listed_and_ended(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let id = gateway.sessions.open();
    let other = gateway.sessions.open();
    assert_eq!(gateway.get("/sessions").await["sessions"].as_array().unwrap().len(), 2);
    let path = format!("/sessions/{id}");
    assert_eq!(gateway.call(DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(gateway.call(DELETE, &path, Value::Null).await.0, 404);
    assert_eq!(gateway.call(DELETE, "/sessions/7", Value::Null).await.0, 404);
    assert_eq!(gateway.get("/sessions").await["sessions"][0]["id"], other.to_string());
    let record = &home.records("session_terminated")[0];
    assert_eq!((&record["actor"], &record["session"]), (&json!("admin"), &json!(id.to_string())));
    gateway.stop().await;
}

async fn access_is_explained_as_the_snapshot_in_force_would_decide(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let ask = json!({ "principal": "dana", "target": "hr", "sql": "SELECT * FROM employee" });
    let denied = gateway.post("/explain-access", ask.clone()).await;
    assert_eq!(denied["allowed"], false);
    assert_eq!(denied["statements"][0]["refusal"]["sqlstate"], "42501");
    assert_eq!(denied["statements"][0]["needs"][0]["outcome"], "missing");
    let id = gateway.post("/grants", grant()).await["grant"]["id"].clone();
    let allowed = gateway.post("/explain-access", ask.clone()).await;
    assert_eq!((&allowed["allowed"], &allowed["statements"][0]["grants"][0]), (&json!(true), &id));
    for (field, value) in [("principal", "dave"), ("target", "finance")] {
        let mut wrong = ask.clone();
        wrong[field] = json!(value);
        let (status, problem) = gateway.call(POST, "/explain-access", wrong).await;
        assert_eq!((status.as_u16(), &problem["field"]), (422, &json!(field)));
    }
    gateway.stop().await;
}

async fn machines_see_health_readiness_and_metrics_without_a_key_on_loopback(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    assert_eq!(gateway.raw(GET, "/healthz", None, None).await.status(), 200);
    let ready = gateway.raw(GET, "/readyz", None, None).await;
    assert_eq!(ready.status(), 200);
    gateway.up.store(false, Ordering::Relaxed);
    let ready = gateway.raw(GET, "/readyz", None, None).await;
    assert_eq!(ready.status(), 503);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!((&ready["store"], &ready["targets"][0]["up"]), (&json!(true), &json!(false)));
    assert_eq!(ready["stopping"], Value::Null);
    gateway.post("/grants", grant()).await;
    let metrics = gateway.raw(GET, "/metrics", None, None).await.text().await.unwrap();
    assert!(metrics.contains("tidegate_grants_live 1"), "{metrics}");
    gateway.up.store(true, Ordering::Relaxed);
    assert_eq!(gateway.raw(GET, "/readyz", None, None).await.status(), 200);
    gateway.control.note_stopping();
    let ready = gateway.raw(GET, "/readyz", None, None).await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["stopping"], json!(true));
    assert_eq!(gateway.raw(GET, "/healthz", None, None).await.status(), 200);
    gateway.stop().await;
}

async fn off_loopback_metrics_want_a_key_and_readiness_keeps_its_reasons(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let (_, read) = gateway.key("prometheus", &["read"]).await;
    let (_, grants) = gateway.key("bot", &["grants"]).await;
    let router = tidegate::api::router(gateway.parts.clone(), false);
    let ask = |path: &str, key: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    for (key, status) in [(None, 401), (Some("tgk_wrong"), 401), (Some(&*grants), 403), (Some(&*read), 200)] {
        assert_eq!(ask("/metrics", key).await.unwrap().status(), status, "{key:?}");
    }
    let ready = ask("/readyz", None).await.unwrap();
    assert_eq!(ready.status(), 200);
    let body = axum::body::to_bytes(ready.into_body(), 4096).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({ "ready": true }));
    gateway.stop().await;
}

async fn a_request_of_the_wrong_shape_is_told_what_is_wrong(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let key = Some(gateway.key.as_str());
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (method, path, body, status, code) in [
        (POST, "/api/v1/principals", Some(large.as_str()), 413, "too_large"),
        (POST, "/api/v1/principals", Some("{"), 400, "malformed"),
        (POST, "/api/v1/principals", Some("{\"name\":\"eve\",\"admin\":true}"), 400, "malformed"),
        (POST, "/api/v1/principals", None, 415, "not_json"),
        (GET, "/api/v1/grants?colour=teal", None, 400, "malformed"),
        (GET, "/api/v1/grants?limit=0", None, 422, "invalid"),
        (GET, "/api/v1/grants?principal=a&group=b", None, 422, "invalid"),
        (GET, "/api/v1/grants/7", None, 404, "not_found"),
        (PUT, "/api/v1/grants", Some("{}"), 405, "no_such_method"),
        (GET, "/api/v1/nothing", None, 404, "no_such_address"),
        (GET, "/nothing", None, 404, "no_such_address"),
    ] {
        let response = gateway.raw(method.clone(), path, key, body).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["request_id"]), (&json!(code), &json!(id)), "{method} {path}");
    }
    gateway.stop().await;
}

async fn the_first_start_writes_an_administrators_key_that_only_its_owner_reads(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let path = home.path("admin.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let first = gateway.key.clone();
    let id = gateway.get("/keys").await["keys"][0]["id"].as_str().unwrap().to_owned();
    gateway.stop().await;
    let gateway = home.start().await;
    assert_eq!(gateway.key, first);
    assert_eq!(gateway.call(DELETE, &format!("/keys/{id}"), Value::Null).await.0, 204);
    gateway.stop().await;
    let gateway = home.start().await;
    assert_ne!(gateway.key, first);
    gateway.get("/keys").await;
    gateway.stop().await;
}

async fn the_audit_log_is_searched_told_and_taken_away_by_those_who_may_read_it(kept: Kept) {
    let home = Home::over(kept);
    let gateway = home.start().await;
    let made = gateway.post("/grants", grant()).await;
    let id = made["grant"]["id"].as_str().unwrap().to_owned();
    let revoked = gateway.post(&format!("/grants/{id}/revoke"), json!({ "reason": "over" })).await;
    assert_eq!(revoked["state"], "revoked");
    let (_, auditor) = gateway.key("auditor", &["audit:read"]).await;
    let (_, reader) = gateway.key("reader", &["read"]).await;
    let get = async |key: &str, path: &str| gateway.with(key, GET, path, Value::Null).await;

    let (status, page) = get(&auditor, "/audit/records?event=grant_created").await;
    assert_eq!((status.as_u16(), page["unindexed"].as_u64()), (200, Some(0)), "{page}");
    assert_eq!(page["records"][0]["record"]["grant"]["id"], id);
    assert_eq!(page["records"][0]["intact"], true);
    for (path, code) in [
        ("/audit/records?limit=501", 422),
        ("/audit/records?colour=red", 400),
        ("/audit/records?from=yesterday", 400),
        ("/audit/records/99999", 404),
        ("/audit/stats?limit=0", 422),
        ("/audit/tail?after=x", 400),
        ("/audit/download?format=xml", 400),
    ] {
        let (status, body) = get(&auditor, path).await;
        assert_eq!(status.as_u16(), code, "{path}: {body}");
    }
    for path in ["/audit/records", "/audit/records/1", "/audit/stats", "/audit/tail", "/audit/download"] {
        assert_eq!(get(&reader, path).await.0, 403, "{path}");
    }
    let (_, story) = get(&auditor, &format!("/audit/records/{id}")).await;
    assert_eq!(story["record"]["record"]["event"], "grant_created", "{story}");
    assert_eq!(story["current_grants"][0]["state"], "revoked");
    assert_eq!(get(&auditor, "/audit/stats").await.1["touches"], json!([]));

    let tail = gateway.raw(GET, "/api/v1/audit/tail?after=0&follow=false", Some(&auditor), None).await;
    let tail = tail.text().await.unwrap();
    assert!(tail.contains("event: record") && tail.contains("grant_revoked"), "{tail}");
    let lines = gateway.raw(GET, "/api/v1/audit/download", Some(&auditor), None).await;
    let name = lines.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.contains("audit.jsonl"), "{name}");
    assert_eq!(lines.text().await.unwrap(), std::fs::read_to_string(home.path("audit.jsonl")).unwrap());
    let table = gateway.raw(GET, "/api/v1/audit/download?format=csv&event=key_created", Some(&auditor), None);
    let table = table.await.text().await.unwrap();
    assert!(table.starts_with("seq,at,event,") && table.lines().count() == 4, "{table}");
    let table = gateway.raw(GET, "/api/v1/audit/download?format=parquet", Some(&auditor), None).await;
    assert_eq!(table.headers()["content-type"], "application/vnd.apache.parquet");
    let table = table.bytes().await.unwrap();
    assert!(table.starts_with(b"PAR1") && table.ends_with(b"PAR1") && table.len() > 1_000);
    gateway.stop().await;
}

#[tokio::test]
async fn the_description_names_every_address_that_there_is_and_no_other() {
    let home = Home::new();
    let gateway = home.start().await;
    let text = gateway.raw(GET, "/api/v1/openapi.json", None, None).await.text().await.unwrap();
    let api: Value = serde_json::from_str(&text).unwrap();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path.replace("{id}", NO_ID).replace("{name}", "nobody");
            let answer = gateway.raw(verb, &path, None, None).await;
            let status = answer.status().as_u16();
            if operation["tags"][0] == "login" && status == 404 {
                let problem: Value = answer.json().await.unwrap();
                assert_eq!(problem["code"], "no_identity_provider", "{path}");
            } else if operation["security"].is_null() {
                assert!(![401, 404, 405].contains(&status), "{method} {path}: {status}");
            } else {
                assert_eq!(status, 401, "{method} {path} wants a key");
            }
            let told = operation["responses"].as_object().unwrap();
            let is_keyed = !operation["security"].is_null();
            assert!(told.keys().any(|it| it.starts_with('2')) && (told.len() > 1 || !is_keyed), "{path}");
        }
    }
    assert!(operations > 25, "{operations}");
    // The router is made of the described handlers alone: nothing is added to it by hand.
    for entry in std::fs::read_dir("src/api").unwrap() {
        let path = entry.unwrap().path();
        let code = std::fs::read_to_string(&path).unwrap();
        assert!(!code.contains(".route(") && !code.contains(".nest_service("), "{}", path.display());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_description_says_which_scopes_open_what() {
    let home = Home::new();
    let gateway = home.start().await;
    let api: Value = gateway.get("/openapi.json").await;
    let mut keys = vec![("admin", gateway.key.clone()), ("person", gateway.person("dana").await)];
    for scope in ["audit:read", "directory", "grants", "people", "policy", "read", "sessions"] {
        let name = format!("for-{}", scope.replace(':', "-"));
        keys.push((scope, gateway.key(&name, &[scope]).await.1));
    }
    let mut checked = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(scopes) = operation["security"][0]["service_key"].as_array() else { continue };
            if operation["operationId"] == "log_out" {
                // What it is asked with opens nothing afterwards.
                continue;
            }
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path.replace("{id}", NO_ID).replace("{name}", "nobody");
            let is_stream = path.ends_with("/events") || path.ends_with("/tail");
            let path = if is_stream { format!("{path}?follow=false") } else { path };
            for (scope, key) in &keys {
                let body = (method != "get").then_some("{\"nothing\": 1}");
                let response = gateway.raw(verb.clone(), &path, Some(key), body).await;
                let status = response.status();
                let answer: Value = response.json().await.unwrap_or_default();
                let is_shut = status == 403
                    && (answer["code"] == "not_a_person"
                        || answer["detail"].as_str().unwrap().contains("lacks the scope"));
                assert_eq!(is_shut, !scopes.contains(&json!(scope)), "{scope} at {method} {path}: {answer}");
                checked += 1;
            }
        }
    }
    assert!(checked > 80, "{checked}");
    gateway.stop().await;
}
over_both_stores!(
    the_audit_log_is_searched_told_and_taken_away_by_those_who_may_read_it,
    a_grant_is_in_force_when_its_making_is_answered_and_gone_when_its_revocation_is,
    a_grant_that_cannot_be_meant_is_refused_and_names_the_field,
    a_restart_keeps_grants_people_and_keys,
    without_a_live_key_nothing_is_told,
    wrong_keys_are_throttled_and_the_right_one_is_not,
    a_download_breaks_off_for_whoever_may_no_longer_read,
    a_password_that_is_guessed_at_from_many_addresses_is_held_up_by_its_name,
    a_key_does_what_its_scopes_say_and_no_more,
    a_revoked_or_ended_key_opens_nothing,
    people_are_added_changed_and_removed_and_each_change_is_recorded,
    a_password_is_kept_as_keys_alone_and_never_told,
    the_key_of_mysql_native_password_is_kept_when_asked_for_and_goes_with_its_password,
    a_token_logs_in_until_it_is_revoked_or_over_and_survives_a_new_password,
    what_gives_leave_needs_its_record_and_what_takes_it_away_does_not_wait_for_one,
    a_broken_policy_is_refused_and_the_old_one_stays_in_force,
    a_changed_policy_file_is_noticed,
    a_policy_that_is_put_back_no_longer_counts_as_refused,
    sessions_are_listed_and_ended,
    access_is_explained_as_the_snapshot_in_force_would_decide,
    machines_see_health_readiness_and_metrics_without_a_key_on_loopback,
    off_loopback_metrics_want_a_key_and_readiness_keeps_its_reasons,
    a_request_of_the_wrong_shape_is_told_what_is_wrong,
    the_first_start_writes_an_administrators_key_that_only_its_owner_reads,
);
