//! Sessions of browsers: the key in a cookie, over real HTTP.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Client, Method, Response, header};
use serde_json::{Value, json};
use tidegate::model::{
    denial::{DenialId, Denied, KeepDenials},
    object::Object,
    permission::Permission,
    refusal::Missing,
    target::Place,
};

use crate::{
    api_support::{Gateway, Home, Kept},
    over_both_stores,
};

const POLICY: &str = "
groups: { developers: {}, auditors: { scopes: [read, sessions] } }
principals: { dana: { groups: [developers] }, ada: { groups: [auditors] } }
";

/// A page in a browser, with the cookie that it keeps.
struct Page<'g> {
    gateway: &'g Gateway,
    client: Client,
    cookie: String,
}

impl<'g> Page<'g> {
    async fn signed_in(gateway: &'g Gateway, name: &str) -> Self {
        let mut page =
            Self { gateway, client: Client::builder().no_proxy().build().unwrap(), cookie: String::new() };
        let body = json!({ "principal": name, "password": "correct horse" });
        let answer = page.ask(Method::POST, "/login", &[MARK], body).await;
        assert_eq!(answer.status(), 200);
        page.keep(&answer).unwrap();
        page
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Response {
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.gateway.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookie.is_empty() {
            request = request.header(header::COOKIE, &self.cookie);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask(Method::GET, path, &[MARK], Value::Null).await
    }

    /// Keeps the cookie of an answer; gives how it is to be kept.
    fn keep(&mut self, answer: &Response) -> Option<String> {
        let told = answer.headers().get(header::SET_COOKIE)?.to_str().unwrap().to_owned();
        let (cookie, how) = told.split_once("; ").unwrap();
        cookie.clone_into(&mut self.cookie);
        Some(how.to_owned())
    }
}

/// What pages of the console say of themselves.
const MARK: (&str, &str) = ("x-tidegate-console", "used");

async fn home_with_people(kept: Kept) -> (Home, Gateway) {
    let home = Home::over(kept);
    home.write_policy(POLICY);
    let gateway = home.start().await;
    for name in ["dana", "ada"] {
        let path = format!("/principals/{name}/password");
        let (status, _) = gateway.call(Method::PUT, &path, json!({ "password": "correct horse" })).await;
        assert_eq!(status, 204);
    }
    (home, gateway)
}

async fn a_page_is_signed_in_by_a_cookie_and_never_told_the_key(kept: Kept) {
    let (home, gateway) = home_with_people(kept).await;
    let mut page = Page::signed_in(&gateway, "dana").await;
    let body = json!({ "principal": "dana", "password": "correct horse" });
    let answer = page.ask(Method::POST, "/login", &[MARK], body.clone()).await;
    let how = page.keep(&answer).unwrap();
    assert_eq!(how, "Path=/; HttpOnly; SameSite=Strict");
    let text = answer.text().await.unwrap();
    assert!(text.contains("\"principal\":\"dana\"") && !text.contains("tgk_"), "{text}");
    assert!(!page.cookie.contains("tgk_"));
    assert_eq!(page.get("/grants").await.status(), 200);

    let wrong = json!({ "principal": "dana", "password": "wrong" });
    let answer = page.ask(Method::POST, "/login", &[MARK], wrong).await;
    assert_eq!((answer.status().as_u16(), answer.headers().get(header::SET_COOKIE)), (401, None));
    assert_eq!(home.records("login_failed").len(), 1);
    // Whoever is no page gets the key, as ever.
    let answer = page.ask(Method::POST, "/login", &[], body).await;
    assert!(answer.text().await.unwrap().contains("tgk_"));
    gateway.stop().await;
}

async fn behind_a_proxy_that_speaks_tls_cookies_are_for_tls_alone(kept: Kept) {
    let mut home = Home::over(kept);
    home.write_policy(POLICY);
    home.public_url = Some("https://gate.example".to_owned());
    let gateway = home.start().await;
    let password = json!({ "password": "correct horse" });
    gateway.call(Method::PUT, "/principals/dana/password", password).await;
    let mut page = Page::signed_in(&gateway, "dana").await;
    assert!(page.cookie.starts_with("__Host-tidegate_session="), "{}", page.cookie);
    assert_eq!(page.get("/session").await.status(), 200);
    let answer = page.ask(Method::DELETE, "/session", &[MARK], Value::Null).await;
    assert_eq!(page.keep(&answer).unwrap(), "Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0");
    // One without the prefix may have been set by a page of a neighbouring host.
    page = Page::signed_in(&gateway, "dana").await;
    page.cookie = page.cookie.replace("__Host-", "");
    assert_eq!(page.get("/session").await.status(), 401);
    gateway.stop().await;
}

async fn a_cookie_opens_nothing_to_the_page_of_another_site(kept: Kept) {
    let (_home, gateway) = home_with_people(kept).await;
    let page = Page::signed_in(&gateway, "dana").await;
    let own = gateway.base.clone();
    let asked = async |headers: &[(&str, &str)]| {
        page.ask(Method::GET, "/grants", headers, Value::Null).await.status().as_u16()
    };
    assert_eq!(asked(&[]).await, 403);
    assert_eq!(asked(&[MARK]).await, 200);
    assert_eq!(asked(&[MARK, ("origin", &own), ("sec-fetch-site", "same-origin")]).await, 200);
    for site in ["cross-site", "same-site", "none", "x"] {
        assert_eq!(asked(&[MARK, ("sec-fetch-site", site)]).await, 403, "{site}");
    }
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null", ""] {
        assert_eq!(asked(&[MARK, ("origin", origin)]).await, 403, "{origin}");
    }
    // Nor does another site sign anybody in.
    let body = json!({ "principal": "dana", "password": "correct horse" });
    let headers = [MARK, ("origin", "https://evil.example")];
    let answer = page.ask(Method::POST, "/login", &headers, body).await;
    assert_eq!((answer.status().as_u16(), answer.headers().get(header::SET_COOKIE)), (403, None));
    gateway.stop().await;
}

async fn a_session_that_is_not_used_ends_and_one_that_is_goes_on(kept: Kept) {
    let (home, gateway) = home_with_people(kept).await;
    let mut page = Page::signed_in(&gateway, "dana").await;
    for _ in 0..3 {
        home.clock.advance(Duration::from_secs(29 * 60));
        let answer = page.get("/grants").await;
        assert_eq!(answer.status(), 200);
        assert!(page.keep(&answer).is_some(), "used, it is good for another half hour");
    }
    let answer = page.get("/grants").await;
    assert!(page.keep(&answer).is_none(), "not every answer carries one");
    // What a page asks by itself does not keep it open.
    home.clock.advance(Duration::from_secs(29 * 60));
    let headers = [("x-tidegate-console", "background")];
    let answer = page.ask(Method::GET, "/grants", &headers, Value::Null).await;
    assert_eq!((answer.status().as_u16(), page.keep(&answer)), (200, None));
    home.clock.advance(Duration::from_secs(60));
    assert_eq!(page.get("/grants").await.status(), 401);
    gateway.stop().await;
}

async fn twelve_hours_are_the_longest_session(kept: Kept) {
    let (home, gateway) = home_with_people(kept).await;
    let mut page = Page::signed_in(&gateway, "dana").await;
    for _ in 0..35 {
        home.clock.advance(Duration::from_secs(20 * 60));
        let answer = page.get("/session").await;
        assert_eq!(answer.status(), 200);
        page.keep(&answer);
    }
    home.clock.advance(Duration::from_secs(20 * 60));
    assert_eq!(page.get("/session").await.status(), 401);
    gateway.stop().await;
}

async fn signing_out_and_being_disabled_end_a_session_everywhere(kept: Kept) {
    let (home, gateway) = home_with_people(kept).await;
    let (one, other) = (Page::signed_in(&gateway, "dana").await, Page::signed_in(&gateway, "dana").await);
    let answer = one.ask(Method::DELETE, "/session", &[MARK], Value::Null).await;
    assert_eq!(answer.status(), 204);
    let cleared = answer.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cleared.contains("Max-Age=0"), "{cleared}");
    assert_eq!(home.records("key_revoked").len(), 1);
    // The cookie that somebody may have kept is worth nothing.
    assert_eq!(one.get("/session").await.status(), 401);
    assert_eq!(other.get("/session").await.status(), 200);
    let (status, _) = gateway.call(Method::PATCH, "/principals/dana", json!({ "disabled": true })).await;
    assert_eq!(status, 200);
    assert_eq!(other.get("/session").await.status(), 401);
    gateway.stop().await;
}

async fn a_session_opens_what_policy_lets_the_groups_do_and_no_more(kept: Kept) {
    let (home, gateway) = home_with_people(kept).await;
    let (dana, ada) = (Page::signed_in(&gateway, "dana").await, Page::signed_in(&gateway, "ada").await);
    let who: Value = ada.get("/session").await.json().await.unwrap();
    assert_eq!(who["scopes"], json!(["person", "read", "sessions"]));
    assert_eq!(ada.get("/sessions").await.status(), 200);
    assert_eq!(ada.get("/keys").await.status(), 403);
    assert_eq!(dana.get("/sessions").await.status(), 403);
    // As of the moment of use.
    home.write_policy(&POLICY.replace("[read, sessions]", "[read]"));
    gateway.post("/policy/reload", Value::Null).await;
    let answer = ada.ask(Method::DELETE, &format!("/sessions/{NO_ID}"), &[MARK], Value::Null).await;
    assert_eq!(answer.status(), 403);
    gateway.stop().await;
}

async fn a_refusal_is_shown_to_the_one_who_was_refused_alone(kept: Kept) {
    let (_home, gateway) = home_with_people(kept).await;
    let (dana, ada) = (Page::signed_in(&gateway, "dana").await, Page::signed_in(&gateway, "ada").await);
    let denied = Denied {
        principal: "dana".into(),
        place: Place { target: "hr".into(), database: "hr_prod".into() },
        sql: "SELECT * FROM salary".into(),
        does: Arc::from([]),
        missing: vec![Missing {
            permission: Some(Permission::Select),
            object: Object::Relation { schema: "public".into(), name: "salary".into() },
        }],
        at: Timestamp::now(),
    };
    let id: DenialId = gateway.control.keep(denied).unwrap();
    let seen: Value = dana.get(&format!("/denials/{id}")).await.json().await.unwrap();
    assert_eq!(
        (&seen["sql"], &seen["objects"], &seen["permissions"]),
        (&json!("SELECT * FROM salary"), &json!(["public.salary"]), &json!(["select"]))
    );
    assert_eq!(ada.get(&format!("/denials/{id}")).await.status(), 404);
    gateway.stop().await;
}

const NO_ID: &str = "019aa000-0000-7000-8000-000000000001";

over_both_stores!(
    behind_a_proxy_that_speaks_tls_cookies_are_for_tls_alone,
    a_cookie_opens_nothing_to_the_page_of_another_site,
    a_page_is_signed_in_by_a_cookie_and_never_told_the_key,
    a_refusal_is_shown_to_the_one_who_was_refused_alone,
    a_session_opens_what_policy_lets_the_groups_do_and_no_more,
    a_session_that_is_not_used_ends_and_one_that_is_goes_on,
    signing_out_and_being_disabled_end_a_session_everywhere,
    twelve_hours_are_the_longest_session,
);
