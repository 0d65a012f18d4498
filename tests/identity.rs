//! People of an identity provider: their tokens, logins and groups, and what becomes of them when a directory takes
//! them out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api_support;
mod oidc_support;

use std::time::Duration;

use aws_lc_rs::hmac;
use reqwest::{Client, Method, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tidegate::model::{identity::ProviderSettings, secret::Secret};

use api_support::{Gateway, Home, Kept, grant};
use oidc_support::{
    CLIENT, Oidc, SECRET,
    keys::{Kind, base64},
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;

fn settings(oidc: &Oidc) -> ProviderSettings {
    ProviderSettings {
        issuer: oidc.issuer.clone(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(Secret::new(SECRET.to_owned())),
        audiences: vec![CLIENT.to_owned()],
        parties: Vec::new(),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        principal_claim: "preferred_username".to_owned(),
        groups_claim: Some("groups".to_owned()),
        creates: false,
        redirects: vec!["https://console.example/callback".to_owned()],
        ca: None,
        refetch: Duration::from_secs(30),
    }
}

struct World {
    oidc: Oidc,
    home: Home,
    gateway: Gateway,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut ProviderSettings)) -> Self {
        let oidc = Oidc::start();
        let mut home = Home::new();
        let mut settings = settings(&oidc);
        change(&mut settings);
        home.provider = Some(settings);
        let gateway = home.start().await;
        Self { oidc, home, gateway }
    }

    /// A token of a person, of now by the gateway's clock.
    fn token(&self, name: &str, changes: Value) -> String {
        self.oidc.token(self.home.time.now(), name, changes)
    }

    /// Status and body of an address that takes no key.
    async fn open(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.gateway.raw(POST, path, None, Some(&body.to_string())).await;
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn log_in(&self, token: &str) -> (StatusCode, Value) {
        self.open("/api/v1/login/token", json!({ "token": token })).await
    }

    async fn is_let_in(&self, token: &str) -> bool {
        self.log_in(token).await.0 == 201
    }

    fn groups(&self, name: &str) -> Vec<String> {
        let snapshot = self.gateway.control.snapshot().load();
        snapshot.principal(name).unwrap().groups.iter().map(ToString::to_string).collect()
    }

    fn reasons(&self) -> Vec<String> {
        let failed = self.home.records("login_failed");
        failed.iter().map(|record| record["reason"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_token_of_the_provider_gives_a_key_and_the_record_names_the_human() {
    let world = World::new().await;
    let (status, made) = world.log_in(&world.token("dana", json!({}))).await;
    assert_eq!((status.as_u16(), &made["key"]["principal"]), (201, &json!("dana")));
    let key = made["secret"].as_str().unwrap();
    assert_eq!(world.gateway.with(key, GET, "/requests", Value::Null).await.0, 200);
    let record = &world.home.records("key_login")[0];
    assert_eq!(record["principal"], "dana");
    assert_eq!((&record["issuer"], &record["subject"]), (&json!(world.oidc.issuer), &json!("sub-of-dana")));
    assert_eq!((&record["method"], &record["key"]), (&json!("oidc:token"), &made["key"]["id"]));
    world.gateway.stop().await;
}

#[tokio::test]
async fn every_kind_of_key_signs_and_a_new_key_is_found_after_rotation() {
    let world = World::new().await;
    assert!(world.is_let_in(&world.token("dana", json!({}))).await);
    let old = world.token("dana", json!({}));
    for (number, kind) in [Kind::Pss, Kind::Ec, Kind::Ed, Kind::Rsa].into_iter().enumerate() {
        world.oidc.rotate(&format!("new-{number}"), kind);
        world.home.clock.advance(Duration::from_secs(31));
        assert!(world.is_let_in(&world.token("dana", json!({}))).await, "{number}");
    }
    assert!(!world.is_let_in(&old).await, "its key is not published any more");
    world.gateway.stop().await;
}

#[tokio::test]
async fn tokens_that_are_not_right_let_nobody_in_and_the_log_says_why() {
    let world = World::new().await;
    let now = world.home.time.now().as_second();
    let claims = world.oidc.claims(world.home.time.now(), "dana", json!({}));
    let unsigned = format!("{}.{}.", base64(r#"{"alg":"none"}"#), base64(claims.to_string()));
    let confused = {
        let state = world.oidc.state();
        let message = format!("{}.{}", base64(r#"{"alg":"HS256","kid":"k1"}"#), base64(claims.to_string()));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &state.keys[0].public_bytes());
        format!("{message}.{}", base64(hmac::sign(&secret, message.as_bytes())))
    };
    let with = |changes| world.token("dana", changes);
    let (head, rest) = {
        let token = with(json!({}));
        let (h, r) = token.split_once('.').unwrap();
        (h.to_owned(), r.to_owned())
    };
    let other = with(json!({ "preferred_username": "omar" }));
    let mixed = format!("{head}.{}.{}", other.split('.').nth(1).unwrap(), rest.split('.').nth(1).unwrap());
    let other_family = {
        let state = world.oidc.state();
        state.keys[0].sign_with(&json!({ "alg": "ES256", "kid": "k1" }), &claims)
    };
    for (token, reason) in [
        (with(json!({ "exp": now })), "token is over"),
        (with(json!({ "nbf": now + 120 })), "token is not valid yet"),
        (with(json!({ "iat": now + 120 })), "token was issued in the future"),
        (with(json!({ "aud": "another" })), "token is for another audience"),
        (with(json!({ "azp": "another" })), "token was given to another client"),
        (with(json!({ "iss": "https://elsewhere.example" })), "token is of another issuer"),
        (with(json!({ "preferred_username": null })), "token has no claim \"preferred_username\""),
        (with(json!({ "sub": null })), "token is malformed"),
        (unsigned, "token is signed by \"none\", which is not taken"),
        (confused, "token is signed by \"HS256\", which is not taken"),
        (mixed, "token has a wrong signature"),
        (other_family, "token is of an unknown key"),
        ("not a token".to_owned(), "token is malformed"),
        ("x".repeat(15_500), "token is too long"),
    ] {
        let (status, problem) = world.log_in(&token).await;
        assert_eq!((status.as_u16(), &problem["code"]), (401, &json!("wrong_token")), "{reason}");
        assert_eq!(problem["detail"], "the token is not accepted", "the caller is told no more");
        assert_eq!(world.reasons().last().unwrap(), &format!("API, oidc:token: {reason}"));
    }
    assert!(world.is_let_in(&with(json!({}))).await);
    world.gateway.stop().await;
}

#[tokio::test]
async fn however_many_unknown_keys_are_shown_they_are_looked_for_once_in_a_while() {
    let world = World::new().await;
    assert!(world.is_let_in(&world.token("dana", json!({}))).await);
    world.home.clock.advance(Duration::from_secs(31));
    for number in 0..15 {
        let claims = world.oidc.claims(world.home.time.now(), "dana", json!({}));
        let head = json!({ "alg": "RS256", "kid": format!("made-up-{number}") });
        let token = world.oidc.state().keys[0].sign_with(&head, &claims);
        assert!(!world.is_let_in(&token).await);
    }
    assert_eq!(world.oidc.state().key_fetches, 2);
    world.gateway.stop().await;
}

#[tokio::test]
async fn while_the_provider_is_silent_known_keys_go_on_for_a_day_and_unknown_ones_are_refused() {
    let world = World::new().await;
    assert!(world.is_let_in(&world.token("dana", json!({}))).await);
    world.oidc.state().is_down = true;
    for minutes in [11, 60, 60 * 20] {
        world.home.clock.advance(Duration::from_secs(60 * minutes));
        assert!(world.is_let_in(&world.token("dana", json!({}))).await, "{minutes}");
    }
    let fetched = std::mem::take(&mut world.oidc.state().keys);
    world.oidc.rotate("new", Kind::Ec);
    assert!(!world.is_let_in(&world.token("dana", json!({}))).await);
    world.oidc.state().keys = fetched;
    world.home.clock.advance(Duration::from_secs(60 * 60 * 3));
    assert!(!world.is_let_in(&world.token("dana", json!({}))).await, "a day without an answer");
    assert_eq!(
        world.reasons().last().unwrap(),
        "API, oidc:token: keys of the identity provider are not there"
    );
    world.oidc.state().is_down = false;
    world.home.clock.advance(Duration::from_secs(31));
    assert!(world.is_let_in(&world.token("dana", json!({}))).await);
    world.gateway.stop().await;
}

#[tokio::test]
async fn somebody_new_is_added_only_where_that_is_configured() {
    let world = World::new().await;
    let (status, problem) = world.log_in(&world.token("eve", json!({}))).await;
    assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("not_admitted")));
    assert!(world.reasons()[0].ends_with("there is no principal \"eve\""), "{:?}", world.reasons());
    world.gateway.stop().await;

    let world = World::with(|settings| settings.creates = true).await;
    assert!(world.is_let_in(&world.token("eve", json!({ "groups": ["admins", "strangers"] }))).await);
    assert_eq!(world.groups("eve"), ["admins"]);
    let words = &world.home.records("principal_changed")[0]["change"];
    let subject = format!("bound to subject \"sub-of-eve\" of {}", world.oidc.issuer);
    assert_eq!(
        words,
        &format!("added by logging in; {subject}; groups of the identity provider set to admins")
    );
    let odd = world.token("a b", json!({}));
    assert_eq!(world.log_in(&odd).await.0, 403, "what cannot be a name is nobody");
    world.gateway.stop().await;
}

#[tokio::test]
async fn groups_are_those_of_the_last_login_beside_those_that_are_given_here() {
    let world = World::new().await;
    assert!(world.is_let_in(&world.token("dana", json!({ "groups": ["admins", "strangers"] }))).await);
    assert_eq!(world.groups("dana"), ["admins", "developers"]);
    let version = world.gateway.control.snapshot().load().version();
    assert!(world.is_let_in(&world.token("dana", json!({ "groups": ["admins"] }))).await);
    assert_eq!(world.groups("dana"), ["admins", "developers"]);
    let changes = world.home.records("principal_changed").len();
    assert!(world.gateway.control.snapshot().load().version() > version, "the key is new");
    assert!(world.is_let_in(&world.token("dana", json!({ "groups": [] }))).await);
    assert_eq!(world.groups("dana"), ["developers"]);
    assert_eq!(world.home.records("principal_changed").len(), changes + 1);
    world.gateway.stop().await;
    // They outlive the gateway.
    let gateway = world.home.start().await;
    assert_eq!(gateway.control.snapshot().load().principal("dana").unwrap().groups, ["developers".into()]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_name_that_was_given_to_somebody_else_lets_them_not_in() {
    let world = World::with(|settings| settings.creates = true).await;
    assert!(world.is_let_in(&world.token("dana", json!({}))).await);
    assert_eq!(world.log_in(&world.token("dana", json!({ "sub": "another" }))).await.0, 403);
    assert!(world.reasons()[0].ends_with("principal \"dana\" is another subject of the identity provider"));
    let renamed = world.token("eve", json!({ "sub": "sub-of-dana" }));
    assert_eq!(world.log_in(&renamed).await.0, 403, "one subject is one principal");
    assert!(world.gateway.control.snapshot().load().principal("eve").is_none());
    world.gateway.stop().await;
}

#[tokio::test]
async fn an_address_that_the_provider_has_not_verified_proves_nobody() {
    let world = World::with(|settings| {
        settings.principal_claim = "email".to_owned();
        settings.creates = true;
    })
    .await;
    assert!(!world.is_let_in(&world.token("eve", json!({ "email_verified": false }))).await);
    assert!(!world.is_let_in(&world.token("eve", json!({ "email_verified": null }))).await);
    assert!(world.is_let_in(&world.token("eve", json!({}))).await);
    assert!(world.gateway.control.snapshot().load().principal("eve@example.com").is_some());
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_login_on_another_device_is_finished_when_the_person_has_answered() {
    let world = World::new().await;
    world.oidc.sits_down("dana", &["admins"]);
    let (status, begun) = world.open("/api/v1/login/device", Value::Null).await;
    assert_eq!((status.as_u16(), &begun["user_code"]), (201, &json!("ABCD-EFGH")), "{begun}");
    assert!(!begun["login"].as_str().unwrap().contains("device-"), "the code stays with the gateway");
    let finish = "/api/v1/login/device/finish";
    let login = json!({ "login": begun["login"] });
    assert_eq!(
        world.open(finish, login.clone()).await,
        (StatusCode::ACCEPTED, json!({ "pending": true, "slow_down": false }))
    );
    world.oidc.approve_devices();
    let (status, made) = world.open(finish, login.clone()).await;
    assert_eq!((status.as_u16(), &made["key"]["principal"]), (201, &json!("dana")), "{made}");
    assert_eq!(world.groups("dana"), ["admins", "developers"]);
    let (status, again) = world.open(finish, login).await;
    assert_eq!((status.as_u16(), &again["code"]), (403, &json!("login_declined")), "once");
    let (status, unknown) = world.open(finish, json!({ "login": "AAAA" })).await;
    assert_eq!((status.as_u16(), &unknown["code"]), (410, &json!("login_over")));
    assert_eq!(world.home.records("key_login")[0]["method"], "oidc:device");
    world.gateway.stop().await;
}

/// Begins a login in a browser: the provider's address and the cookie.
async fn begin(world: &World, redirect: &str) -> (String, String) {
    let body = json!({ "redirect_uri": redirect }).to_string();
    let response = world.gateway.raw(POST, "/api/v1/login/browser", None, Some(&body)).await;
    assert_eq!(response.status(), 201);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let begun: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    (begun["authorization_url"].as_str().unwrap().to_owned(), cookie.split(';').next().unwrap().to_owned())
}

/// What the provider sends the browser back with.
async fn through_the_provider(address: &str) -> Value {
    let browser = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let response = browser.get(address).send().await.unwrap();
    assert_eq!(response.status(), 302);
    let back = reqwest::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    Value::Object(back.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect())
}

async fn finish(world: &World, cookie: Option<&str>, returned: &Value) -> (u16, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request =
        client.post(format!("{}/api/v1/login/browser/finish", world.gateway.base)).json(returned);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_login_in_a_browser_is_of_the_browser_that_began_it() {
    let world = World::new().await;
    world.oidc.sits_down("dana", &[]);
    let redirect = "http://127.0.0.1:4711/callback";
    let (address, cookie) = begin(&world, redirect).await;
    for part in ["code_challenge_method=S256", "response_type=code", "state=", "nonce="] {
        assert!(address.contains(part), "{address}");
    }
    let returned = through_the_provider(&address).await;
    let with = |name: &str, value: &str| {
        let mut changed = returned.clone();
        changed[name] = value.into();
        changed
    };
    let mut without_issuer = returned.clone();
    without_issuer.as_object_mut().unwrap().remove("iss");
    let (_, of_another) = begin(&world, redirect).await;
    for (kept, brought) in [
        (None, returned.clone()),
        (Some(of_another.as_str()), returned.clone()),
        (Some("tidegate_login=AAAA"), returned.clone()),
        (Some(cookie.as_str()), with("state", "another")),
        (Some(cookie.as_str()), with("iss", "https://elsewhere.example")),
        (Some(cookie.as_str()), without_issuer),
    ] {
        let (status, problem) = finish(&world, kept, &brought).await;
        assert_eq!((status, &problem["code"]), (410, &json!("login_over")), "{kept:?} {brought}");
    }
    let (status, made) = finish(&world, Some(&format!("a=b; {cookie}")), &returned).await;
    assert_eq!((status, &made["key"]["principal"]), (201, &json!("dana")), "{made}");
    let (status, again) = finish(&world, Some(&cookie), &returned).await;
    assert_eq!((status, &again["code"]), (403, &json!("login_declined")), "a code is good once");
    assert_eq!(world.home.records("key_login")[0]["method"], "oidc:browser");
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_page_that_comes_back_from_the_provider_is_signed_in_and_not_told_the_key() {
    let world = World::new().await;
    world.oidc.sits_down("dana", &[]);
    let (address, cookie) = begin(&world, "http://127.0.0.1:4711/callback").await;
    let returned = through_the_provider(&address).await;
    let finish = format!("{}/api/v1/login/browser/finish", world.gateway.base);
    let client = Client::builder().no_proxy().build().unwrap();
    let asked = || client.post(&finish).header("cookie", &cookie).header("x-tidegate-console", "used");
    let of_another_site = asked().header("origin", "https://evil.example").json(&returned);
    assert_eq!(of_another_site.send().await.unwrap().status(), 403);
    let answer = asked().json(&returned).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let cookies: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
    let session = cookies.iter().find_map(|it| it.strip_suffix("; Path=/; HttpOnly; SameSite=Strict"));
    let session = session.unwrap().to_owned();
    assert!(cookies.iter().any(|it| it.starts_with("tidegate_login=;")), "{cookies:?}");
    let text = answer.text().await.unwrap();
    assert!(text.contains("dana") && !text.contains("tgk_"), "{text}");
    let who = client.get(format!("{}/api/v1/session", world.gateway.base));
    let who = who.header("cookie", session).header("x-tidegate-console", "used").send().await.unwrap();
    assert_eq!(who.json::<Value>().await.unwrap()["principal"], "dana");
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_browser_is_sent_back_to_known_places_only() {
    let world = World::new().await;
    for (redirect, status) in [
        ("https://console.example/callback", 201),
        ("http://[::1]:80/callback", 201),
        ("https://console.example/callback?x=1", 422),
        ("https://console.example/callback/", 422),
        ("https://evil.example/callback", 422),
        ("http://127.0.0.1:80@evil.example/callback", 422),
    ] {
        let (got, _) = world.open("/api/v1/login/browser", json!({ "redirect_uri": redirect })).await;
        assert_eq!(got.as_u16(), status, "{redirect}");
    }
    world.gateway.stop().await;
}

#[tokio::test]
async fn without_a_provider_there_are_no_such_logins() {
    let home = Home::new();
    let gateway = home.start().await;
    for (path, body) in [
        ("/api/v1/login/device", Value::Null),
        ("/api/v1/login/device/finish", json!({ "login": "x" })),
        ("/api/v1/login/browser", json!({ "redirect_uri": "http://127.0.0.1:1/callback" })),
        ("/api/v1/login/token", json!({ "token": "x" })),
    ] {
        let response = gateway.raw(POST, path, None, Some(&body.to_string())).await;
        assert_eq!(response.status(), 404, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_and_nothing_besides() {
    let home = Home::new();
    let gateway = home.start().await;
    let places: [(&str, Method, &str, Value, &[&str]); 14] = [
        ("requests", GET, "/requests", Value::Null, &["read", "person", "request", "review"]),
        ("ask", POST, "/requests", json!({ "reason": "x" }), &["person", "request"]),
        ("answer", POST, "/requests/0/reviews", json!({ "verdict": "deny" }), &["person", "review"]),
        ("grants", GET, "/grants", Value::Null, &["read", "grants", "person", "request"]),
        ("grant", POST, "/grants", json!({}), &["grants"]),
        ("people", GET, "/principals", Value::Null, &["read", "people"]),
        ("add", POST, "/principals", json!({}), &["people"]),
        ("tokens", GET, "/tokens", Value::Null, &["read", "people"]),
        ("token", POST, "/tokens", json!({}), &["people"]),
        ("sessions", GET, "/sessions", Value::Null, &["read", "sessions"]),
        ("end", Method::DELETE, "/sessions/0", Value::Null, &["sessions"]),
        ("policy", GET, "/policy", Value::Null, &["read", "policy"]),
        ("reload", POST, "/policy/reload", Value::Null, &["policy"]),
        ("keys", GET, "/keys", Value::Null, &[]),
    ];
    let scopes = [
        "directory",
        "grants",
        "people",
        "person",
        "policy",
        "read",
        "request",
        "review",
        "sessions",
        "admin",
    ];
    for scope in scopes {
        let new =
            json!({ "name": format!("for-{scope}"), "principal": "dana", "scopes": [scope], "for": "1h" });
        let key = gateway.post("/keys", new).await["secret"].as_str().unwrap().to_owned();
        for (name, method, path, body, opened_by) in &places {
            let (status, problem) = gateway.with(&key, method.clone(), path, body.clone()).await;
            let is_open = opened_by.contains(&scope) || scope == "admin";
            let refused = status == 403 && problem["code"] == "forbidden";
            // A key for everything is a person's, too; asking as one takes no more.
            assert_eq!(!refused, is_open, "{scope} at {name}: {status} {problem}");
        }
    }
    for scope in ["person", "request", "review"] {
        let (status, _) = gateway.call(POST, "/keys", json!({ "name": "ci", "scopes": [scope] })).await;
        assert_eq!(status, 422, "{scope} is for the key of a person");
    }
    home.clock.advance(Duration::from_secs(3601));
    assert_eq!(
        gateway.post("/keys", json!({ "name": "late", "scopes": ["read"], "for": "1s" })).await["key"]["state"],
        "live"
    );
    gateway.stop().await;
}

/// A call of the directory: status and body.
async fn scim(gateway: &Gateway, key: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let text = body.to_string();
    let body = (!body.is_null()).then_some(text.as_str());
    let response = gateway.raw(method, &format!("/scim/v2{path}"), Some(key), body).await;
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn deactivate() -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }] })
}

#[tokio::test]
async fn a_directory_adds_finds_deactivates_and_removes_people() {
    let world = World::with(|settings| settings.creates = true).await;
    let (gateway, patch) = (&world.gateway, Method::PATCH);
    let (_, key) = gateway.key("okta", &["directory"]).await;
    let (_, reader) = gateway.key("reader", &["read"]).await;
    assert_eq!(scim(gateway, &reader, GET, "/Users", Value::Null).await.0, 403);
    assert_eq!(scim(gateway, "nothing", GET, "/Users", Value::Null).await.0, 401);
    let eve =
        json!({ "userName": "eve", "externalId": "00u1", "active": true, "name": { "givenName": "Eve" } });
    let (status, made) = scim(gateway, &key, POST, "/Users", eve.clone()).await;
    assert_eq!((status, &made["id"], &made["active"]), (201, &json!("eve"), &json!(true)));
    let (status, twice) = scim(gateway, &key, POST, "/Users", eve.clone()).await;
    assert_eq!((status, &twice["scimType"]), (409, &json!("uniqueness")));
    for (filter, found) in
        [("userName eq \"EVE\"", 1), ("externalId eq \"00u1\"", 1), ("userName eq \"nobody\"", 0)]
    {
        let (status, list) = scim(gateway, &key, GET, &format!("/Users?filter={filter}"), Value::Null).await;
        assert_eq!((status, &list["totalResults"]), (200, &json!(found)), "{filter}");
    }
    assert_eq!(scim(gateway, &key, GET, "/Users?filter=title+pr", Value::Null).await.0, 400);
    assert_eq!(
        scim(gateway, &key, GET, "/ServiceProviderConfig", Value::Null).await.1["patch"]["supported"],
        true
    );

    // What she has before she is deactivated.
    let token = world.token("eve", json!({}));
    let (_, hers) = world.log_in(&token).await;
    let hers = hers["secret"].as_str().unwrap();
    gateway.post("/tokens", json!({ "principal": "eve", "for": "1h" })).await;
    let mut held = grant();
    held["holder"] = json!({ "principal": "eve" });
    gateway.post("/grants", held).await;
    assert_eq!(gateway.with(hers, GET, "/requests", Value::Null).await.0, 200);

    let (status, changed) = scim(gateway, &key, patch.clone(), "/Users/eve", deactivate()).await;
    assert_eq!((status, &changed["active"]), (200, &json!(false)));
    assert_eq!(gateway.with(hers, GET, "/requests", Value::Null).await.0, 401);
    assert_eq!(world.log_in(&token).await.0, 403);
    assert_eq!(world.reasons().last().unwrap().rsplit(": ").next().unwrap(), "principal \"eve\" is disabled");
    let change = &world.home.records("principal_changed");
    let last = change.last().unwrap();
    assert_eq!((&last["actor"], &last["change"]), (&json!("okta"), &json!("disabled by directory")));
    assert_eq!(world.home.records("token_revoked")[0]["actor"], "okta");
    assert_eq!(world.home.records("key_revoked")[0]["actor"], "okta");

    // Back again: what was revoked stays so.
    let put = json!({ "userName": "eve", "externalId": "00u1", "active": true });
    assert_eq!(scim(gateway, &key, Method::PUT, "/Users/eve", put).await.1["active"], true);
    assert_eq!(gateway.with(hers, GET, "/requests", Value::Null).await.0, 401);
    assert!(gateway.control.snapshot().load().principal("eve").unwrap().credentials.tokens.is_empty());
    assert!(world.is_let_in(&token).await);

    // Out: not even a token that is still good makes her anew.
    assert_eq!(scim(gateway, &key, Method::DELETE, "/Users/eve", Value::Null).await.0, 204);
    for (method, body) in [(GET, Value::Null), (patch, deactivate()), (Method::DELETE, Value::Null)] {
        assert_eq!(scim(gateway, &key, method, "/Users/eve", body).await.0, 404);
    }
    assert_eq!(world.log_in(&token).await.0, 403);
    assert_eq!(world.home.records("grant_revoked").len(), 1);
    // Put in again she is somebody new, without the grant.
    assert_eq!(scim(gateway, &key, POST, "/Users", eve).await.0, 201);
    assert!(world.is_let_in(&world.token("eve", json!({ "sub": "another-eve" }))).await);
    assert_eq!(gateway.get("/grants?principal=eve").await["grants"], json!([]));
    world.gateway.stop().await;
}

#[tokio::test]
async fn a_directory_may_not_rename_or_write_nonsense() {
    let home = Home::new();
    let gateway = home.start().await;
    let (_, key) = gateway.key("okta", &["directory"]).await;
    for (method, path, body, status) in [
        (POST, "/Users", json!({ "userName": "a b" }), 400),
        (POST, "/Users", json!({ "externalId": "x" }), 400),
        (POST, "/Users", json!([]), 400),
        (Method::PUT, "/Users/dana", json!({ "userName": "omar" }), 400),
        (Method::PATCH, "/Users/dana", json!({ "Operations": [] }), 400),
        (Method::PATCH, "/Users/nobody", deactivate(), 404),
        (Method::PATCH, "/Users", deactivate(), 405),
    ] {
        let (got, answer) = scim(&gateway, &key, method.clone(), path, body.clone()).await;
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
    }
    // Somebody whom the gateway's people keep out is not let in by a directory.
    let active = |value: bool| json!({ "Operations": [{ "op": "replace", "value": { "active": value } }] });
    gateway.call(Method::PATCH, "/principals/dana", json!({ "disabled": true })).await;
    for value in [false, true] {
        assert_eq!(scim(&gateway, &key, Method::PATCH, "/Users/dana", active(value)).await.0, 200);
        assert!(gateway.control.snapshot().load().principal("dana").unwrap().disabled);
    }
    scim(&gateway, &key, Method::PATCH, "/Users/dana", active(false)).await;
    let (_, enabled) = gateway.call(Method::PATCH, "/principals/dana", json!({ "disabled": false })).await;
    assert_eq!(enabled["disabled"], true, "nor the other way round");
    assert_eq!(scim(&gateway, &key, Method::PATCH, "/Users/dana", active(true)).await.1["active"], true);
    assert!(!gateway.control.snapshot().load().principal("dana").unwrap().disabled);
    // Somebody whom policy names is kept out, too, and stays so.
    assert_eq!(scim(&gateway, &key, Method::DELETE, "/Users/dana", Value::Null).await.0, 204);
    assert!(gateway.control.snapshot().load().principal("dana").unwrap().disabled);
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_is_disabled_loses_keys_and_tokens_for_good() {
    let home = Home::new();
    let gateway = home.start().await;
    let key = gateway.person("dana").await;
    gateway.post("/tokens", json!({ "principal": "dana", "for": "1h" })).await;
    for disabled in [true, false] {
        let (status, _) =
            gateway.call(Method::PATCH, "/principals/dana", json!({ "disabled": disabled })).await;
        assert_eq!(status, 200);
    }
    assert_eq!(gateway.with(&key, GET, "/requests", Value::Null).await.0, 401);
    assert_eq!(gateway.get("/principals").await["principals"][0]["tokens"], 0);
    assert_eq!((home.records("key_revoked").len(), home.records("token_revoked").len()), (1, 1));
    gateway.stop().await;
}

const GROUPS: &str = "
groups: { developers: {}, leads: {} }
principals: { dana: {}, omar: {} }
standing:
  - { to: { group: leads }, target: hr, database: hr_prod, objects: ['*'], permissions: [select], reason: leads look }
";

impl Home {
    fn with_groups(kept: Kept) -> Self {
        let home = Self::over(kept);
        home.write_policy(GROUPS);
        home
    }
}

/// The groups of somebody, as decisions know them.
fn groups_of(gateway: &Gateway, name: &str) -> Vec<String> {
    let snapshot = gateway.control.snapshot().load();
    snapshot.principal(name).unwrap().groups.iter().map(ToString::to_string).collect()
}

fn patch_of(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

async fn a_directory_s_groups_count_at_once_and_survive_a_restart(kept: Kept) {
    let home = Home::with_groups(kept);
    let gateway = home.start().await;
    let (_, key) = gateway.key("okta", &["directory"]).await;
    let members = json!([{ "value": "dana", "display": "Dana" }]);
    let leads = json!({ "displayName": "leads", "externalId": "00g1", "members": members });
    let before = gateway.control.snapshot().load().version();
    let (status, made) = scim(&gateway, &key, POST, "/Groups", leads.clone()).await;
    assert_eq!(
        (status, &made["displayName"], &made["members"][0]["value"]),
        (201, &json!("leads"), &json!("dana"))
    );
    assert_eq!(groups_of(&gateway, "dana"), ["leads"]);
    assert!(gateway.control.snapshot().load().version() > before, "sessions decide again");
    let id = made["id"].as_str().unwrap().to_owned();
    let group = format!("/Groups/{id}");
    assert_eq!(made["meta"]["location"], format!("/scim/v2{group}"));
    assert_eq!(scim(&gateway, &key, POST, "/Groups", leads).await.0, 409, "one of that name is there");
    let (_, dana) = scim(&gateway, &key, GET, "/Users/dana", Value::Null).await;
    assert_eq!(dana["groups"], json!([{ "value": id, "display": "leads" }]));
    for (filter, found) in
        [("displayName eq \"LEADS\"", 1), ("externalId eq \"00g1\"", 1), ("displayName eq \"nobody\"", 0)]
    {
        let (status, list) =
            scim(&gateway, &key, GET, &format!("/Groups?filter={filter}"), Value::Null).await;
        assert_eq!((status, &list["totalResults"]), (200, &json!(found)), "{filter}");
    }
    let (_, bare) = scim(&gateway, &key, GET, "/Groups?excludedAttributes=members", Value::Null).await;
    assert!(bare["Resources"][0]["members"].is_null() && bare["Resources"][0]["id"] == *id, "{bare}");
    gateway.stop().await;

    let gateway = home.start().await;
    assert_eq!(groups_of(&gateway, "dana"), ["leads"], "after a restart");
    let change = |operations: Value| scim(&gateway, &key, Method::PATCH, &group, patch_of(operations));
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": "omar" }] }]);
    let (status, both) = change(add.clone()).await;
    assert_eq!((status, both["members"].as_array().unwrap().len()), (200, 2));
    assert_eq!(groups_of(&gateway, "omar"), ["leads"]);
    let records = home.records("principal_changed").len();
    change(add).await;
    assert_eq!(home.records("principal_changed").len(), records, "nothing changed");
    change(json!([{ "op": "remove", "path": "members[value eq \"omar\"]" }])).await;
    assert_eq!(groups_of(&gateway, "omar"), [] as [&str; 0]);
    change(json!([{ "op": "replace", "value": { "displayName": "developers" } }])).await;
    assert_eq!(groups_of(&gateway, "dana"), ["developers"], "another name is another group");
    change(json!([{ "op": "replace", "value": { "displayName": "strangers" } }])).await;
    assert_eq!(groups_of(&gateway, "dana"), [] as [&str; 0], "which policy does not know");
    let put = json!({ "displayName": "leads", "members": [{ "value": "omar" }] });
    assert_eq!(scim(&gateway, &key, Method::PUT, &group, put).await.0, 200);
    assert_eq!(
        (groups_of(&gateway, "dana").len(), groups_of(&gateway, "omar")),
        (0, vec!["leads".to_owned()])
    );
    assert_eq!(scim(&gateway, &key, Method::DELETE, &group, Value::Null).await.0, 204);
    assert_eq!(groups_of(&gateway, "omar"), [] as [&str; 0]);
    assert_eq!(scim(&gateway, &key, GET, &group, Value::Null).await.0, 404);
    let told: Vec<_> = home.records("group_changed").iter().map(|it| it["change"].clone()).collect();
    assert_eq!(
        (told.first(), told.last()),
        (Some(&json!("made by directory")), Some(&json!("removed by directory")))
    );
    let last = home.records("principal_changed").pop().unwrap();
    assert_eq!((&last["actor"], &last["principal"]), (&json!("okta"), &json!("omar")));
    assert_eq!(last["change"], "groups of the directory set to none");
    gateway.stop().await;
}

async fn whoever_is_taken_out_of_the_directory_is_in_no_group_when_they_come_back(kept: Kept) {
    let home = Home::with_groups(kept);
    let gateway = home.start().await;
    let (_, key) = gateway.key("okta", &["directory"]).await;
    let eve = json!({ "userName": "eve" });
    let leads = json!({ "displayName": "leads", "members": [{ "value": "eve" }] });
    assert_eq!(scim(&gateway, &key, POST, "/Groups", leads.clone()).await.0, 400, "nobody of that name");
    assert_eq!(scim(&gateway, &key, POST, "/Users", eve.clone()).await.0, 201);
    assert_eq!(scim(&gateway, &key, POST, "/Groups", leads).await.0, 201);
    assert_eq!(groups_of(&gateway, "eve"), ["leads"]);
    assert_eq!(scim(&gateway, &key, Method::DELETE, "/Users/eve", Value::Null).await.0, 204);
    assert_eq!(scim(&gateway, &key, POST, "/Users", eve.clone()).await.0, 201);
    assert_eq!(groups_of(&gateway, "eve"), [] as [&str; 0]);
    let (_, list) = scim(&gateway, &key, GET, "/Groups", Value::Null).await;
    let group = format!("/Groups/{}", list["Resources"][0]["id"].as_str().unwrap());
    let add = patch_of(json!([{ "op": "add", "path": "members", "value": [{ "value": "eve" }] }]));
    assert_eq!(scim(&gateway, &key, Method::PATCH, &group, add.clone()).await.0, 200);
    // Somebody whom the gateway's people remove is in none, either.
    assert_eq!(gateway.call(Method::DELETE, "/principals/eve", Value::Null).await.0, 200);
    assert_eq!(scim(&gateway, &key, GET, &group, Value::Null).await.1["members"], json!([]));
    assert_eq!(scim(&gateway, &key, POST, "/Users", eve).await.0, 201);
    assert_eq!(groups_of(&gateway, "eve"), [] as [&str; 0]);

    // What gives leave needs its record, and what takes it away does not wait for one.
    home.break_audit();
    assert_eq!(scim(&gateway, &key, Method::PATCH, &group, add.clone()).await.0, 503);
    assert_eq!(groups_of(&gateway, "eve"), [] as [&str; 0]);
    home.mend_audit();
    assert_eq!(scim(&gateway, &key, Method::PATCH, &group, add).await.0, 200);
    home.break_audit();
    let clear = patch_of(json!([{ "op": "remove", "path": "members" }]));
    assert_eq!(scim(&gateway, &key, Method::PATCH, &group, clear).await.0, 500);
    assert_eq!(groups_of(&gateway, "eve"), [] as [&str; 0], "in force, though not recorded");
    home.mend_audit();
    gateway.stop().await;
}

async fn groups_that_cannot_be_meant_are_refused(kept: Kept) {
    let home = Home::with_groups(kept);
    let gateway = home.start().await;
    let (_, key) = gateway.key("okta", &["directory"]).await;
    let (_, reader) = gateway.key("reader", &["people"]).await;
    let leads = json!({ "displayName": "leads" });
    assert_eq!(scim(&gateway, &reader, POST, "/Groups", leads.clone()).await.0, 403);
    let (_, made) = scim(&gateway, &key, POST, "/Groups", leads).await;
    let group = format!("/Groups/{}", made["id"].as_str().unwrap());
    scim(&gateway, &key, POST, "/Groups", json!({ "displayName": "developers" })).await;
    let many: Vec<_> = (0..1001).map(|number| json!({ "value": format!("p{number}") })).collect();
    for (method, path, body, status) in [
        (POST, "/Groups", json!({ "displayName": " " }), 400),
        (POST, "/Groups", json!({ "displayName": "a\nb" }), 400),
        (POST, "/Groups", json!({ "members": [] }), 400),
        (POST, "/Groups", json!({ "displayName": "x", "members": many }), 400),
        (POST, "/Groups", json!({ "displayName": "x", "members": [{ "value": "y", "type": "Group" }] }), 400),
        (Method::PUT, &group, json!({ "displayName": "developers" }), 409),
        (Method::PATCH, &group, json!({ "Operations": [] }), 400),
        (Method::PATCH, "/Groups/none", patch_of(json!([{ "op": "remove", "path": "members" }])), 404),
        (GET, "/Groups?filter=members+eq+%22dana%22", Value::Null, 400),
        (GET, "/Groups/00000000-0000-0000-0000-000000000000", Value::Null, 404),
        (Method::PATCH, "/Groups", json!({}), 405),
    ] {
        let (got, answer) = scim(&gateway, &key, method.clone(), path, body.clone()).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
    }
    let (_, kept) = scim(&gateway, &key, GET, &group, Value::Null).await;
    assert_eq!((&kept["displayName"], &kept["members"]), (&json!("leads"), &json!([])));
    gateway.stop().await;
}

over_both_stores!(
    a_directory_s_groups_count_at_once_and_survive_a_restart,
    whoever_is_taken_out_of_the_directory_is_in_no_group_when_they_come_back,
    groups_that_cannot_be_meant_are_refused,
);
