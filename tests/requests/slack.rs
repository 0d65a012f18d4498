//! People who ask and answer in Slack, over HTTP and over a WebSocket, with something that stands for Slack.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tidegate::{
    model::{
        flow::Risk,
        secret::Secret,
        slack::{SlackDoor, SlackRoute, SlackSettings},
    },
    net::Shutdown,
    notify::{
        Backoff, Pace,
        slack::{SlackParts, run},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    GET, POST, World,
    api_support::Kept,
    approve, read,
    slack_support::{
        APP_TOKEN, BOT_TOKEN, CHANNEL, SIGNING_SECRET, Slack, TEAM,
        payloads::{body_of, signature},
    },
};

/// A gateway that speaks with Slack.
struct Talk {
    world: World,
    slack: Slack,
    shutdown: Shutdown,
    running: Option<JoinHandle<()>>,
    /// Where Slack's requests come in.
    door: String,
    client: Client,
}

impl Talk {
    async fn over_http(kept: Kept) -> Self {
        let (world, slack) = (World::new(kept).await, Slack::start());
        let mut talk = Self {
            world,
            slack,
            shutdown: Shutdown::new(),
            running: None,
            door: String::new(),
            client: Client::builder().no_proxy().build().unwrap(),
        };
        talk.start(|_| {}).await;
        talk
    }

    /// Begins, or begins again after [`Self::stop`].
    async fn start(&mut self, change: impl FnOnce(&mut SlackSettings)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.door = format!("http://{}/slack/interactions", listener.local_addr().unwrap());
        let mut settings = SlackSettings {
            team: TEAM.to_owned(),
            bot_token: Secret::new(BOT_TOKEN.to_owned()),
            door: SlackDoor::Http { signing_secret: Secret::new(SIGNING_SECRET.to_owned()) },
            routes: vec![SlackRoute {
                target: None,
                environment: Some("prod".into()),
                risk: Some(Risk::High),
                channel: "C0HIGH".to_owned(),
            }],
            channel: CHANNEL.to_owned(),
            link_by_email: false,
            page: None,
            api: self.slack.api.clone(),
        };
        change(&mut settings);
        let short = Backoff { first: Duration::from_millis(20), most: Duration::from_millis(100) };
        let parts = SlackParts {
            control: self.world.gateway.control.clone(),
            explain: Arc::clone(&self.world.gateway.parts.explain),
            settings: Arc::new(settings),
            listener: Some((listener, None)),
            clock: self.world.home.time.clone(),
            metrics: self.world.gateway.parts.metrics.slack(),
            pace: Pace { idle: Duration::from_millis(50), retry: short, ..Pace::default() },
        };
        self.shutdown = Shutdown::new();
        let shutdown = self.shutdown.clone();
        self.running = Some(tokio::spawn(async move { run(parts, &shutdown).await.unwrap() }));
        // Until it has a place in the outbox it is told of nothing.
        let known = self.slack.state().calls.len();
        self.slack.waits("auth.test", |state| (state.calls.len() > known).then_some(())).await;
        for _ in 0..100 {
            if self.world.gateway.control.take_up_events("slack").await.unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(&mut self) {
        self.shutdown.give(Duration::ZERO, Duration::ZERO);
        self.running.take().unwrap().await.unwrap();
    }

    async fn end(mut self) {
        self.stop().await;
        self.world.gateway.stop().await;
    }

    /// Sends what Slack would, signed at a second as counted from now.
    async fn send_at(
        &self,
        seconds: i64,
        body: &str,
        signature_of: impl FnOnce(i64) -> String,
    ) -> (StatusCode, Value) {
        let second = self.world.now().as_second() + seconds;
        let request = self.client.post(&self.door).header("x-slack-request-timestamp", second.to_string());
        let request = request.header("x-slack-signature", signature_of(second)).body(body.to_owned());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send(&self, payload: &Value) -> (StatusCode, Value) {
        let body = body_of(payload);
        self.send_at(0, &body, |second| signature(second, &body)).await
    }

    async fn does(&self, payload: &Value) -> Value {
        let (status, answer) = self.send(payload).await;
        assert_eq!(status, 200, "{payload}");
        answer
    }

    /// Links `user` to whose key it is.
    async fn link(&self, user: &str, key: &str) {
        self.slack.member(user, None);
        self.does(&self.slack.command(user, "link")).await;
        let told = self.slack.whisper().await;
        let code = told.split("tidegate slack link ").nth(1).unwrap().get(..11).unwrap();
        let confirm = |body| self.world.gateway.with(key, POST, "/slack/links", body);
        let (status, shown) = confirm(json!({ "code": code })).await;
        assert_eq!((status.as_u16(), &shown["linked"], &shown["user"]), (200, &json!(false), &json!(user)));
        let (status, linked) = confirm(json!({ "code": code.to_lowercase(), "user": user })).await;
        assert_eq!((status.as_u16(), &linked["linked"]), (200, &json!(true)), "{linked}");
        let (status, _) = confirm(json!({ "code": code, "user": user })).await;
        assert_eq!(status, 422, "a code is good once");
    }

    /// How many answers a request has.
    async fn reviews(&self, key: &str, request: &Value) -> usize {
        let path = format!("/requests/{}", request["id"].as_str().unwrap());
        let (_, found) = self.world.gateway.with(key, GET, &path, Value::Null).await;
        found["reviews"].as_array().unwrap().len()
    }
}

pub(super) async fn a_click_in_slack_is_the_answer_of_the_person_and_the_message_follows(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    talk.link("U0DANA", &dana).await;
    let request = talk.world.asks(&dana, read()).await;
    let id = request["id"].as_str().unwrap();
    let (_, message) =
        talk.slack.shows(CHANNEL, &["dana", "hr/hr_prod", "public.*", "INC-42", "leads", id]).await;
    talk.slack.shows("DU0DANA", &["waits for leads"]).await;

    let click = talk.slack.click("U0LEE", &message, "Approve");
    assert_eq!(talk.does(&click).await, Value::Null);
    let (ts, _) = talk.slack.shows(CHANNEL, &[id, "Approved by lee; the grant is in force"]).await;
    assert!(talk.world.reads());
    talk.slack.shows("DU0DANA", &["Approved by lee"]).await;
    let again = talk.slack.click("U0LEE", &message, "Approve");
    talk.does(&again).await;
    assert_eq!(talk.slack.whisper().await, "Not taken: the request is approved already.");
    assert_eq!(talk.reviews(&lee, &request).await, 1, "a double click is one answer");

    talk.world.home.clock.advance(Duration::from_secs(7200 - 120));
    talk.world.gateway.control.tend_once().await.unwrap();
    talk.slack.shows("DU0DANA", &["the grant ends soon"]).await;
    talk.world.home.clock.advance(Duration::from_secs(120));
    talk.world.gateway.control.tend_once().await.unwrap();
    let (same, ended) = talk.slack.shows(CHANNEL, &[id, "the grant has ended"]).await;
    assert_eq!(same, ts, "one message, kept up to date");
    assert!(!ended.to_string().contains("\"actions\""));
    let linked = talk.world.home.records("principal_changed");
    let linked = linked.iter().find(|it| it["principal"] == "lee").unwrap();
    assert_eq!(
        (&linked["actor"], linked["change"].as_str().unwrap().contains("U0LEE")),
        (&json!("lee"), true)
    );
    assert_eq!(talk.world.home.records("request_reviewed")[0]["actor"], "lee");
    talk.end().await;
}

pub(super) async fn a_message_follows_whatever_way_a_request_goes(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, lee, ada] = talk.world.people(["dana", "lee", "ada"]).await;
    let asks = async || {
        let request = talk.world.asks(&dana, read()).await;
        request["id"].as_str().unwrap().to_owned()
    };
    let at = |request: &str, what: &str| format!("/requests/{request}/{what}");
    let cancelled = asks().await;
    talk.world.gateway.with(&dana, POST, &at(&cancelled, "cancel"), Value::Null).await;
    talk.slack.shows(CHANNEL, &[&cancelled, "Cancelled."]).await;
    let denied = asks().await;
    let no = json!({ "verdict": "deny", "comment": "not <!channel> today" });
    talk.world.gateway.with(&lee, POST, &at(&denied, "reviews"), no).await;
    talk.slack.shows(CHANNEL, &[&denied, "Denied by lee.", "not &lt;!channel&gt; today"]).await;
    let revoked = asks().await;
    let granted = talk.world.gateway.with(&lee, POST, &at(&revoked, "reviews"), approve()).await.1;
    let path = format!("/grants/{}/revoke", granted["grant"].as_str().unwrap());
    talk.world.gateway.with(&dana, POST, &path, json!({ "reason": "done" })).await;
    talk.slack.shows(CHANNEL, &[&revoked, "revoked by dana: done"]).await;
    let expired = asks().await;
    talk.world.home.clock.advance(Duration::from_secs(1800));
    talk.world.gateway.control.tend_once().await.unwrap();
    talk.slack.shows(CHANNEL, &[&expired, "admins, leads"]).await;
    talk.world.home.clock.advance(Duration::from_secs(1800));
    talk.world.gateway.control.tend_once().await.unwrap();
    talk.slack.shows(CHANNEL, &[&expired, "Expired: nobody decided in time."]).await;
    drop(ada);
    talk.end().await;
}

pub(super) async fn what_is_not_surely_slacks_is_refused_and_does_nothing(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    let request = talk.world.asks(&dana, read()).await;
    let (_, message) = talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap()]).await;
    let body = body_of(&talk.slack.click("U0LEE", &message, "Approve"));
    let status = async |seconds, body: &str, signed: &str| {
        talk.send_at(seconds, body, |second| signature(second, signed)).await.0.as_u16()
    };
    assert_eq!(status(0, &body, "another body").await, 401);
    assert_eq!(status(0, &format!("{body}&x=1"), &body).await, 401);
    assert_eq!(status(-301, &body, &body).await, 401, "too old");
    assert_eq!(status(301, &body, &body).await, 401, "from the future");
    let bare = talk.client.post(&talk.door).body(body.clone()).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    for (path, expected) in [("", 405), ("/x", 404)] {
        assert_eq!(talk.client.get(format!("{}{path}", talk.door)).send().await.unwrap().status(), expected);
    }
    let large = "x".repeat(600 << 10);
    assert_eq!(status(0, &large, &large).await, 413);
    for change in
        [("team", json!({ "id": "T0OTHER" })), ("user", json!({ "id": "U0LEE", "team_id": "T0OTHER" }))]
    {
        let mut click = talk.slack.click("U0LEE", &message, "Approve");
        click[change.0] = change.1;
        talk.does(&click).await;
    }
    assert_eq!(status(0, "payload=%7B", "payload=%7B").await, 400);
    assert_eq!(talk.reviews(&lee, &request).await, 0);
    assert_eq!(status(-299, &body, &body).await, 200, "the nearest that is good");
    assert_eq!(status(-299, &body, &body).await, 401, "sent twice");
    talk.slack.shows(CHANNEL, &["Approved by lee"]).await;
    assert_eq!(talk.reviews(&lee, &request).await, 1);
    assert!(talk.slack.state().whispers.is_empty());
    talk.end().await;
}

pub(super) async fn in_slack_too_nobody_does_what_the_rules_forbid(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, dave, lee] = talk.world.people(["dana", "dave", "lee"]).await;
    let request = talk.world.asks(&dana, read()).await;
    let (_, message) = talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap()]).await;
    talk.slack.member("U0EVE", None);
    talk.does(&talk.slack.click("U0EVE", &message, "Approve")).await;
    assert!(talk.slack.whisper().await.contains("not linked to anybody here"));
    talk.does(&talk.slack.command("U0EVE", "grants")).await;
    assert!(talk.slack.whisper().await.contains("/tidegate link"));
    talk.link("U0DANA", &dana).await;
    talk.does(&talk.slack.click("U0DANA", &message, "Approve")).await;
    assert_eq!(talk.slack.whisper().await, "Not taken: nobody reviews their own request.");
    talk.link("U0DAVE", &dave).await;
    talk.does(&talk.slack.click("U0DAVE", &message, "Approve")).await;
    assert!(talk.slack.whisper().await.starts_with("Not taken: there is no request"), "it is not his to see");
    talk.link("U0LEE", &lee).await;
    let disable = |disabled: bool| {
        talk.world.gateway.call(reqwest::Method::PATCH, "/principals/lee", json!({ "disabled": disabled }))
    };
    assert_eq!(disable(true).await.0, 200);
    talk.does(&talk.slack.click("U0LEE", &message, "Approve")).await;
    assert!(talk.slack.whisper().await.contains("not linked"), "who is not let in is nobody");
    assert_eq!(disable(false).await.0, 200);
    talk.world.home.clock.advance(Duration::from_secs(3601));
    talk.does(&talk.slack.click("U0LEE", &message, "Approve")).await;
    assert_eq!(talk.slack.whisper().await, "Not taken: the request has expired: it has to be made again.");
    assert!(!talk.world.reads());
    talk.end().await;
}

pub(super) async fn forms_ask_approve_less_and_deny(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    talk.does(&talk.slack.command("U0DANA", "request")).await;
    talk.slack.view("not linked to anybody").await;
    talk.link("U0DANA", &dana).await;
    talk.does(&talk.slack.command("U0DANA", "request")).await;
    let form = talk.slack.view("Ask for access").await;
    let filled = |reason: &str, duration: &str| {
        talk.slack.submission(
            "U0DANA",
            &form,
            json!({ "database": "hr_prod", "objects": "public.*",
            "permissions": ["select", "explain"], "duration": duration, "reason": reason }),
        )
    };
    let wrong = talk.does(&filled("INC-42", "soon")).await;
    assert!(wrong["errors"]["duration"].as_str().unwrap().contains("90s"), "{wrong}");
    let refused = talk.does(&filled("INC-42", "10d")).await;
    assert_eq!(refused["response_action"], "errors", "longer than any flow allows: {refused}");
    let taken = talk.does(&filled("INC-42", "1h")).await;
    assert!(taken["view"].to_string().contains("waits for leads"), "{taken}");
    let twice = talk.does(&filled("INC-42", "1h")).await;
    assert_eq!(twice["view"], taken["view"], "the same form sent twice is one request");
    let (_, message) = talk.slack.shows(CHANNEL, &["explain, select", "public.*"]).await;

    talk.does(&talk.slack.click("U0LEE", &message, "Approve less…")).await;
    let form = talk.slack.view("Approve less").await;
    let wider = talk.slack.submission("U0LEE", &form, json!({ "objects": "*" }));
    assert!(talk.does(&wider).await["errors"]["comment"].as_str().unwrap().contains("less than was asked"));
    let less = json!({ "objects": "public.employee", "permissions": ["select"], "duration": "5m", "comment": "for now" });
    assert_eq!(talk.does(&talk.slack.submission("U0LEE", &form, less)).await, Value::Null);
    talk.slack.shows(CHANNEL, &["lee approved, only select on public.employee for 5m: for now"]).await;
    assert!(talk.world.reads());
    talk.does(&talk.slack.command("U0DANA", "grants")).await;
    assert!(talk.slack.whisper().await.starts_with("• select on hr/hr_prod: public.employee, until "));

    let request = talk.world.asks(&dana, read()).await;
    let (_, message) = talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap(), "Waits for"]).await;
    talk.does(&talk.slack.click("U0LEE", &message, "Deny…")).await;
    let form = talk.slack.view("\"Deny\"").await;
    let no = talk.slack.submission("U0LEE", &form, json!({ "comment": "not today" }));
    assert_eq!(talk.does(&no).await, Value::Null);
    talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap(), "Denied by lee."]).await;
    talk.slack.shows("DU0DANA", &["Denied by lee.", "not today"]).await;
    talk.end().await;
}

pub(super) async fn an_account_is_one_person_and_a_person_one_account(kept: Kept) {
    let mut talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    talk.slack.member("U0TWO", None);
    talk.does(&talk.slack.command("U0TWO", "link")).await;
    let told = talk.slack.whisper().await;
    let code = told.split("tidegate slack link ").nth(1).unwrap().get(..11).unwrap().to_owned();
    let confirm =
        async |key: &str, body: Value| talk.world.gateway.with(key, POST, "/slack/links", body).await;
    let (status, _) = confirm(&lee, json!({ "code": code, "user": "U0TWO" })).await;
    assert_eq!(status, 409, "lee has one");
    let (status, wrong) = confirm(&dana, json!({ "code": code, "user": "U0LEE" })).await;
    assert_eq!((status.as_u16(), &wrong["field"]), (422, &json!("user")));
    let (status, _) = confirm(&talk.world.gateway.key, json!({ "code": code, "user": "U0TWO" })).await;
    assert_eq!(status, 403, "an administrator is no person");
    talk.world.home.clock.advance(Duration::from_secs(600));
    let (status, _) = confirm(&dana, json!({ "code": code, "user": "U0TWO" })).await;
    assert_eq!(status, 422, "after ten minutes");
    let links = talk.world.gateway.get("/slack/links").await;
    assert_eq!(
        (links["links"].as_array().unwrap().len(), &links["links"][0]["principal"]),
        (1, &json!("lee"))
    );
    let own = talk.world.gateway.with(&dana, GET, "/slack/links", Value::Null).await.1;
    assert_eq!(own["links"], json!([]), "people see their own");
    let unlink = async |key: &str| {
        talk.world.gateway.with(key, reqwest::Method::DELETE, "/slack/links/lee", Value::Null).await.0
    };
    assert_eq!((unlink(&dana).await.as_u16(), unlink(&lee).await.as_u16()), (404, 204));
    talk.does(&talk.slack.command("U0LEE", "grants")).await;
    assert!(talk.slack.whisper().await.contains("not linked"));

    talk.stop().await;
    let policy = super::RULES.replace(
        "lee:  { groups: [leads] }",
        "lee: { groups: [leads], attributes: { email: Lee@example.com } }",
    );
    talk.world.home.write_policy(&policy);
    talk.world.gateway.post("/policy/reload", Value::Null).await;
    talk.start(|settings| settings.link_by_email = true).await;
    talk.slack.member("U0EVE", Some("eve@example.com"));
    talk.does(&talk.slack.command("U0EVE", "grants")).await;
    assert!(talk.slack.whisper().await.contains("not linked"), "nobody here has that address");
    talk.slack.member("U0LEE", Some("lee@example.com"));
    talk.does(&talk.slack.command("U0LEE", "grants")).await;
    assert!(talk.slack.whisper().await.contains("not linked"), "it was unlinked by hand");
    talk.slack.member("U0NEW", Some("lee@example.com"));
    talk.slack.state().members.get_mut("U0NEW").unwrap()["is_email_confirmed"] = json!(false);
    talk.does(&talk.slack.command("U0NEW", "grants")).await;
    assert!(talk.slack.whisper().await.contains("not linked"), "Slack does not say that it is confirmed");
    talk.slack.member("U0NEW", Some("lee@example.com"));
    talk.does(&talk.slack.command("U0NEW", "grants")).await;
    assert_eq!(talk.slack.whisper().await, "You hold no grant of your own now.");
    talk.slack.member("U0SAME", Some("lee@example.com"));
    talk.does(&talk.slack.command("U0SAME", "grants")).await;
    assert!(talk.slack.whisper().await.contains("not linked"), "lee has an account");
    let by = talk.world.gateway.get("/slack/links").await["links"][0].clone();
    assert_eq!(
        (&by["principal"], &by["user"], &by["linked_by"]),
        (&json!("lee"), &json!("U0NEW"), &json!("email"))
    );
    talk.end().await;
}

pub(super) async fn while_slack_is_down_nothing_is_lost_and_the_order_stays(kept: Kept) {
    let talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0DANA", &dana).await;
    talk.slack.state().is_down = true;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let request = talk.world.asks(&dana, read()).await;
        ids.push(request["id"].as_str().unwrap().to_owned());
        assert_eq!(talk.world.answers(&lee, &request, approve()).await.0, 200);
        talk.world.home.clock.advance(Duration::from_secs(1200));
    }
    talk.slack.waits("three attempts", |state| (state.turned_away >= 3).then_some(())).await;
    talk.slack.state().limits.extend([0, 0]);
    talk.slack.state().is_down = false;
    for id in &ids {
        talk.slack.shows(CHANNEL, &[id, "Approved by lee"]).await;
    }
    talk.slack
        .waits("six letters", |state| {
            let letters = state
                .calls
                .iter()
                .filter(|(method, body)| method == "chat.postMessage" && body["channel"] == "DU0DANA");
            (letters.count() == 6).then_some(())
        })
        .await;
    let posts: Vec<_> = talk
        .slack
        .state()
        .calls
        .iter()
        .filter(|(method, body)| method == "chat.postMessage" && body["channel"] == CHANNEL)
        .map(|(_, body)| ids.iter().position(|id| body.to_string().contains(id)).unwrap())
        .collect();
    assert_eq!(posts, [0, 1, 2], "one message each, in order");
    talk.end().await;
}

pub(super) async fn after_a_restart_the_message_is_brought_up_to_date_and_a_lost_channel_stops_nobody(
    kept: Kept,
) {
    let mut talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    let request = talk.world.asks(&dana, read()).await;
    let id = request["id"].as_str().unwrap();
    let (ts, _) = talk.slack.shows(CHANNEL, &[id, "Waits for an answer."]).await;
    talk.stop().await;
    assert_eq!(talk.world.answers(&lee, &request, approve()).await.0, 200);
    talk.start(|_| {}).await;
    let (same, _) = talk.slack.shows(CHANNEL, &[id, "Approved by lee"]).await;
    assert_eq!(same, ts);

    talk.slack.state().missing.push("C0HIGH".to_owned());
    let risky = json!({ "target": "hr", "database": "hr_prod", "objects": ["public.*"], "permissions": ["dml"],
        "for": "2h", "reason": "INC-42", "ticket": "INC-42" });
    let risky = talk.world.asks(&dana, risky).await;
    let next = talk.world.asks(&dana, read()).await;
    talk.slack.shows(CHANNEL, &[next["id"].as_str().unwrap()]).await;
    talk.slack.state().missing.clear();
    assert_eq!(talk.world.answers(&lee, &risky, approve()).await.0, 200);
    talk.slack.shows("C0HIGH", &[risky["id"].as_str().unwrap(), "lee approved"]).await;
    talk.end().await;
}

pub(super) async fn over_a_websocket_it_is_the_same_and_it_is_opened_again(kept: Kept) {
    let mut talk = Talk::over_http(kept).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    talk.stop().await;
    talk.start(|settings| {
        settings.door = SlackDoor::Socket { app_token: Secret::new(APP_TOKEN.to_owned()) };
    })
    .await;
    let asks = async || {
        let request = talk.world.asks(&dana, read()).await;
        talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap(), "Waits for"]).await.1
    };
    let message = asks().await;
    talk.slack.envelope("interactive", talk.slack.click("U0LEE", &message, "Approve less…")).await;
    let form = talk.slack.view("Approve less").await;
    let wrong = talk.slack.submission("U0LEE", &form, json!({ "duration": "soon" }));
    let told = talk.slack.envelope("interactive", wrong).await;
    assert!(told["payload"]["errors"]["duration"].is_string(), "{told}");
    let good = talk.slack.submission("U0LEE", &form, json!({ "duration": "5m" }));
    assert_eq!(talk.slack.envelope("interactive", good).await["payload"], Value::Null);
    talk.slack.shows(CHANNEL, &["lee approved, only for 5m"]).await;
    talk.slack.envelope("slash_commands", talk.slack.command("U0LEE", "help")).await;
    assert!(talk.slack.whisper().await.contains("`/tidegate request`"));
    talk.slack.envelope("events_api", json!({})).await;

    talk.slack.send(&json!({ "type": "disconnect", "reason": "refresh_requested" }));
    talk.slack.waits("a second one", |state| (state.sockets_opened == 2).then_some(())).await;
    talk.slack.close_sockets();
    talk.slack.waits("a third one", |state| (state.sockets_opened == 3).then_some(())).await;
    let message = asks().await;
    talk.slack.envelope("interactive", talk.slack.click("U0LEE", &message, "Approve")).await;
    talk.slack.shows(CHANNEL, &["Approved by lee; the grant is in force"]).await;
    talk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_is_answered_in_time_while_the_store_is_slow() {
    let talk = Talk::over_http(Kept::Sqlite).await;
    let [dana, lee] = talk.world.people(["dana", "lee"]).await;
    talk.link("U0LEE", &lee).await;
    let request = talk.world.asks(&dana, read()).await;
    let (_, message) = talk.slack.shows(CHANNEL, &[request["id"].as_str().unwrap(), "Waits for"]).await;
    talk.does(&talk.slack.click("U0LEE", &message, "Deny…")).await;
    let form = talk.slack.view("\"Deny\"").await;
    // Nobody else writes meanwhile.
    let file = talk.world.home.path("store.db");
    let held = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
            c.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\ntime.sleep(3.5)\nc.execute('ROLLBACK')",
        ])
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut held = held.unwrap();
    std::io::Read::read_exact(held.stdout.as_mut().unwrap(), &mut [0; 4]).unwrap();
    let began = std::time::Instant::now();
    let waits = talk.does(&talk.slack.submission("U0LEE", &form, json!({ "comment": "no" }))).await;
    assert!(began.elapsed() < Duration::from_millis(2900), "{:?}", began.elapsed());
    assert!(waits["view"].to_string().contains("One moment"), "{waits}");
    talk.slack.shows(CHANNEL, &["Denied by lee."]).await;
    talk.slack.view("Done.").await;
    held.wait().unwrap();
    talk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_another_workspace_serves_nobody() {
    let mut talk = Talk::over_http(Kept::Sqlite).await;
    talk.stop().await;
    talk.slack.state().team = Some("T0OTHER".to_owned());
    talk.start(|_| {}).await;
    let ended = tokio::time::timeout(Duration::from_secs(10), talk.running.take().unwrap()).await;
    ended.unwrap().unwrap();
    assert!(talk.client.post(&talk.door).send().await.is_err());
    talk.world.gateway.stop().await;
}
