//! Asking, answering, ending, over real HTTP: who may, what follows, what is recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api_support;
#[path = "requests/replicas.rs"]
mod replicas;
#[path = "requests/slack.rs"]
mod slack;
mod slack_support;
#[path = "requests/webhooks.rs"]
mod webhooks;

use std::{sync::Arc, time::Duration};

use api_support::{Gateway, Home, Kept, read_of_employee};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tidegate::{
    model::{
        claim::ClaimGrants,
        denial::{Denied, KeepDenials},
        ids::{GrantId, SessionId},
        object::Object,
        permission::Permission,
        refusal::Missing,
        target::Place,
    },
    policy::{Decision, decide, decide_exact},
};
use uuid::Uuid;

const GET: Method = Method::GET;
const POST: Method = Method::POST;

const RULES: &str = "
groups: { devs: {}, leads: {}, owners: {}, admins: {} }
principals:
  dana: { groups: [devs] }
  dave: { groups: [devs] }
  lee:  { groups: [leads] }
  liz:  { groups: [leads] }
  olga: { groups: [owners] }
  ada:  { groups: [admins] }
roles: { reader: [select] }
ceilings: [ { environment: prod, forbid: [admin] } ]
risk:
  - { name: plans, level: low, when: \"request.permissions.all(p, p == 'explain')\" }
  - { name: reads, level: moderate, when: request.read_only }
flows:
  - name: emergency
    break_glass: true
    when: \"'devs' in principal.groups && granted(30) < 2\"
    steps: [ { approvers: [admins] } ]
    longest: { any: 1h }
    reason: '.{20,}'
  - { name: plans, when: risk == 'low', automatic: true, longest: { any: 1h } }
  - name: reads
    when: risk == 'moderate'
    steps: [ { approvers: [leads] } ]
    longest: { any: 8h }
    expires_after: 1h
    escalate: { after: 30m, to: [admins] }
  - name: writes
    when: 'true'
    steps: [ { approvers: [leads] }, { approvers: [owners] } ]
    ticket: '^INC-'
";

struct World {
    home: Home,
    gateway: Gateway,
}

impl World {
    async fn new(kept: Kept) -> Self {
        Self::with(kept, RULES, |_| {}).await
    }

    /// One under these rules, with what else its home has.
    async fn with(kept: Kept, rules: &str, furnish: impl FnOnce(&mut Home)) -> Self {
        let mut home = Home::over(kept);
        home.write_policy(rules);
        furnish(&mut home);
        let gateway = home.start().await;
        Self { home, gateway }
    }

    async fn people<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        let mut keys = Vec::new();
        for name in names {
            keys.push(self.gateway.person(name).await);
        }
        keys.try_into().unwrap()
    }

    async fn asks(&self, key: &str, body: Value) -> Value {
        let (status, answer) = self.gateway.with(key, POST, "/requests", body).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    async fn answers(&self, key: &str, request: &Value, body: Value) -> (StatusCode, Value) {
        let path = format!("/requests/{}/reviews", request["id"].as_str().unwrap());
        self.gateway.with(key, POST, &path, body).await
    }

    /// Whether dana may read public.employee now.
    fn reads(&self) -> bool {
        let snapshot = self.gateway.control.snapshot().load();
        let dana = snapshot.principal("dana").unwrap();
        let decision = decide(&snapshot, dana, &place(), &read_of_employee(8), self.now());
        matches!(decision, Decision::Allow(_))
    }

    fn now(&self) -> Timestamp {
        self.home.time.now()
    }
}

fn place() -> Place {
    Place { target: "hr".into(), database: "hr_prod".into() }
}

fn read() -> Value {
    json!({ "target": "hr", "database": "hr_prod", "objects": ["public.*"], "permissions": ["select"],
            "for": "2h", "reason": "INC-42" })
}

fn approve() -> Value {
    json!({ "verdict": "approve" })
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["code"].as_str().unwrap_or("-"))
}

async fn asked_by_one_and_approved_shorter_by_another_it_is_in_force_at_once_and_ends(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let request = world.asks(&dana, read()).await;
    assert_eq!((request["state"].as_str(), request["risk"].as_str()), (Some("pending"), Some("moderate")));
    assert_eq!((&request["flow"], &request["waits_for"]), (&json!("reads"), &json!(["leads"])));
    assert!(!world.reads());
    let own = world.answers(&dana, &request, approve()).await;
    assert_eq!(code(&own), (403, "not_approver"));
    let waiting = world.gateway.with(&lee, GET, "/requests?to_review=true", Value::Null).await.1;
    assert_eq!(waiting["requests"][0]["id"], request["id"]);
    let wider = json!({ "verdict": "approve", "objects": ["*"] });
    let wider = world.answers(&lee, &request, wider).await;
    assert_eq!((code(&wider), &wider.1["field"]), ((422, "not_narrower"), &json!("objects")));

    let less =
        json!({ "verdict": "approve", "objects": ["public.employee"], "for": "2m", "comment": "for now" });
    let (status, approved) = world.answers(&lee, &request, less).await;
    assert_eq!(status, 200, "{approved}");
    assert_eq!((&approved["state"], &approved["reviews"][0]["seconds"]), (&json!("approved"), &json!(120)));
    assert!(world.reads());
    let grants = world.gateway.with(&dana, GET, "/grants", Value::Null).await.1;
    let grant = &grants["grants"][0];
    assert_eq!((&grant["objects"], &grant["seconds_left"]), (&json!(["public.employee"]), &json!(120)));
    assert_eq!((&grant["request"], &grant["approvers"]), (&request["id"], &json!(["lee"])));
    world.home.clock.advance(Duration::from_secs(120));
    assert!(!world.reads());

    let actors = |event: &str| world.home.records(event)[0]["actor"].clone();
    assert_eq!(actors("request_created"), "dana");
    assert_eq!(actors("request_reviewed"), "lee");
    assert_eq!((actors("request_settled"), actors("grant_created")), (json!("lee"), json!("lee")));
    assert_eq!(world.home.records("request_settled")[0]["grant"], grant["id"]);
    assert_eq!(code(&world.answers(&lee, &request, approve()).await), (409, "settled"));
    world.gateway.stop().await;
}

async fn of_two_approvers_at_the_same_instant_one_makes_the_grant(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee, liz] = world.people(["dana", "lee", "liz"]).await;
    for _ in 0..10 {
        let request = world.asks(&dana, read()).await;
        let (one, other) =
            tokio::join!(world.answers(&lee, &request, approve()), world.answers(&liz, &request, approve()));
        let mut codes = [one.0.as_u16(), other.0.as_u16()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "{one:?} {other:?}");
    }
    assert_eq!(world.home.records("grant_created").len(), 10);
    let snapshot = world.gateway.control.snapshot().load();
    assert_eq!(snapshot.grants_of("dana", world.now()).count(), 10);
    world.gateway.stop().await;
}

async fn steps_follow_one_another_and_a_denial_ends_it(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee, liz, olga] = world.people(["dana", "lee", "liz", "olga"]).await;
    let mut write = read();
    write["permissions"] = json!(["select", "dml"]);
    let refused = world.gateway.with(&dana, POST, "/requests", write.clone()).await;
    assert_eq!(code(&refused), (422, "request_refused"));
    assert_eq!(refused.1["detail"], "flow \"writes\" wants a ticket that fits ^INC-");
    assert_eq!(world.home.records("request_refused")[0]["actor"], "dana");
    write["ticket"] = json!("INC-42");
    let request = world.asks(&dana, write.clone()).await;
    assert_eq!(code(&world.answers(&olga, &request, approve()).await), (403, "not_approver"));
    assert_eq!(world.answers(&lee, &request, approve()).await.1["waits_for"], json!(["owners"]));
    assert_eq!(code(&world.answers(&lee, &request, approve()).await), (409, "answered_already"));
    assert_eq!(world.answers(&olga, &request, approve()).await.1["state"], "approved");
    assert_eq!(world.home.records("request_reviewed").len(), 2);

    let request = world.asks(&dana, write).await;
    let no = json!({ "verdict": "deny", "comment": "ask the owners first" });
    assert_eq!(world.answers(&lee, &request, no).await.1["state"], "denied");
    assert_eq!(code(&world.answers(&liz, &request, approve()).await), (409, "settled"));
    world.gateway.stop().await;
}

async fn what_no_grant_could_help_is_refused_and_low_risk_needs_nobody(kept: Kept) {
    let world = World::new(kept).await;
    let [dana] = world.people(["dana"]).await;
    let with = |permissions: &[&str], lifetime: &str| {
        let mut body = read();
        body["permissions"] = json!(permissions);
        body["for"] = json!(lifetime);
        body
    };
    let admin = world.gateway.with(&dana, POST, "/requests", with(&["admin"], "1h")).await;
    assert!(admin.1["detail"].as_str().unwrap().starts_with("the ceiling of environment prod forbids admin"));
    let long = world.gateway.with(&dana, POST, "/requests", with(&["explain"], "2h")).await;
    assert_eq!(long.1["detail"], "flow \"plans\" gives explain for at most 60 minutes");
    let plans = world.asks(&dana, with(&["explain"], "1h")).await;
    assert_eq!(plans["state"], "approved");
    assert_eq!(world.home.records("grant_created")[0]["actor"], "flow:plans");
    for (field, value, wanted) in [
        ("target", json!("finance"), (422, "unknown_reference")),
        ("database", json!("hr_*"), (422, "invalid")),
        ("objects", json!(["employee"]), (422, "invalid")),
        ("objects", json!([]), (422, "invalid")),
        ("permissions", json!([]), (422, "invalid")),
        ("role", json!("reader"), (422, "invalid")),
        ("denial", json!("0000abcd"), (422, "unknown_reference")),
        ("reason", json!(" "), (422, "invalid")),
        ("until", json!("2999-01-01T00:00:00Z"), (422, "invalid")),
        ("break_glass", json!(true), (422, "request_refused")),
        ("statement", json!("SELECT 1"), (422, "invalid")),
        ("approved", json!(true), (400, "malformed")),
    ] {
        let mut body = read();
        body[field] = value;
        assert_eq!(code(&world.gateway.with(&dana, POST, "/requests", body).await), wanted, "{field}");
    }
    let mut role = read();
    role.as_object_mut().unwrap().remove("permissions");
    role["role"] = json!("reader");
    assert_eq!(world.asks(&dana, role).await["permissions"], json!(["select"]));
    world.gateway.stop().await;
}

impl World {
    /// What dana may ask about: that she cannot read `employee`.
    fn denied(&self) -> Denied {
        Denied {
            principal: "dana".into(),
            place: place(),
            sql: "SELECT * FROM public.employee".into(),
            does: Arc::from([Arc::new(read_of_employee(29))]),
            missing: vec![Missing {
                permission: Some(Permission::Select),
                object: Object::Relation { schema: "public".into(), name: "employee".into() },
            }],
            at: self.now(),
        }
    }
}

async fn a_refusal_fills_in_the_request_of_the_one_who_was_refused_alone(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave] = world.people(["dana", "dave"]).await;
    let id = world.gateway.control.keep(world.denied()).unwrap().to_string();
    let body = json!({ "denial": id, "for": "1h", "reason": "INC-42" });
    let request = world.asks(&dana, body.clone()).await;
    assert_eq!((&request["target"], &request["database"]), (&json!("hr"), &json!("hr_prod")));
    assert_eq!(
        (&request["objects"], &request["permissions"]),
        (&json!(["public.employee"]), &json!(["select"]))
    );
    assert_eq!(code(&world.gateway.with(&dave, POST, "/requests", body).await), (422, "unknown_reference"));
    let statement = json!({ "denial": id, "refused_statement": true, "for": "1h", "reason": "INC-42" });
    let statement = world.asks(&dana, statement).await;
    assert_eq!(statement["statement"]["sql"], "SELECT * FROM public.employee");
    world.gateway.stop().await;
}

async fn broken_glass_is_open_until_somebody_has_looked_and_ends_if_it_was_not_right(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee, ada] = world.people(["dana", "lee", "ada"]).await;
    let mut body = read();
    body["for"] = json!("1h");
    body["break_glass"] = json!(true);
    body["reason"] = json!("payroll stands still, nobody answers");
    let request = world.asks(&dana, body.clone()).await;
    assert_eq!((&request["state"], &request["aftermath"]), (&json!("approved"), &json!("open")));
    assert!(world.reads());
    assert_eq!(world.home.records("break_glass")[0]["actor"], "dana");
    assert_eq!(
        code(&world.answers(&lee, &request, approve()).await),
        (404, "not_found"),
        "it is not hers to see"
    );
    assert_eq!(code(&world.answers(&dana, &request, approve()).await), (403, "not_approver"));
    let waiting = world.gateway.with(&ada, GET, "/requests?to_review=true", Value::Null).await.1;
    assert_eq!(waiting["requests"][0]["id"], request["id"]);
    let no = json!({ "verdict": "deny", "comment": "it could have waited" });
    let looked_at = world.answers(&ada, &request, no).await.1;
    assert_eq!(looked_at["aftermath"], "done");
    assert!(!world.reads());
    assert_eq!(world.home.records("break_glass_reviewed")[0]["justified"], false);
    assert_eq!(world.home.records("grant_revoked")[0]["actor"], "ada");

    let second = world.asks(&dana, body.clone()).await;
    assert_eq!(world.answers(&ada, &second, approve()).await.1["aftermath"], "done");
    assert!(world.reads(), "it was right");
    let third = world.gateway.with(&dana, POST, "/requests", body).await;
    assert_eq!(code(&third), (422, "request_refused"), "policy counts the last 30 days");
    world.gateway.stop().await;
}

async fn a_statement_is_approved_as_it_stands_and_runs_once(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let ask = |sql: &str| json!({ "target": "hr", "database": "hr_prod", "statement": sql, "for": "1h", "reason": "INC-42" });
    for (sql, words) in [
        ("SELECT 1; SELECT 2", "not several"),
        ("SELECT * FROM employee WHERE id = $1", "write the values out"),
        ("{", "not understood"),
        (" ; ", "one statement"),
    ] {
        let refused = world.gateway.with(&dana, POST, "/requests", ask(sql)).await;
        assert_eq!(code(&refused), (422, "invalid"), "{sql}");
        assert!(refused.1["detail"].as_str().unwrap().contains(words), "{sql}: {}", refused.1);
    }
    let sql = "SELECT * FROM public.employee WHERE id = 7";
    let request = world.asks(&dana, ask(&format!("  {sql} ;\n"))).await;
    assert_eq!(
        (&request["statement"]["sql"], &request["objects"]),
        (&json!(sql), &json!(["public.employee"]))
    );
    assert_eq!(world.answers(&lee, &request, approve()).await.0, 200);
    assert!(!world.reads(), "it opens nothing but the statement");

    let once = |text: &str| {
        let snapshot = world.gateway.control.snapshot().load();
        let dana = snapshot.principal("dana").unwrap();
        decide_exact(&snapshot, dana, &place(), text, &read_of_employee(text.len()), world.now())
            .map(|once| once.grant())
    };
    assert_eq!(once(&sql.replace('7', "8")), None);
    let grant = once(sql).unwrap();
    let session = SessionId::new(Uuid::now_v7());
    let control = &world.gateway.control;
    let (dana, dave) = ("dana".into(), "dave".into());
    assert!(!control.claim(grant, &dave, session).await);
    assert!(!control.claim(GrantId::new(Uuid::now_v7()), &dana, session).await);
    let (one, other) =
        tokio::join!(control.claim(grant, &dana, session), control.claim(grant, &dana, session));
    assert!(one ^ other, "once");
    assert_eq!(once(sql), None);
    assert_eq!(world.home.records("grant_used").len(), 1);
    assert_eq!(world.gateway.get("/grants").await["grants"][0]["statement"], sql);
    world.gateway.stop().await;
}

async fn by_the_clock_requests_go_to_others_and_expire_and_ends_are_announced_once(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee, ada] = world.people(["dana", "lee", "ada"]).await;
    let control = &world.gateway.control;
    let answered = world.asks(&dana, read()).await;
    let forgotten = world.asks(&dana, read()).await;
    world.home.clock.advance(Duration::from_secs(1799));
    control.tend_once().await.unwrap();
    assert_eq!(code(&world.answers(&ada, &answered, approve()).await), (403, "not_approver"));
    world.home.clock.advance(Duration::from_secs(1));
    control.tend_once().await.unwrap();
    control.tend_once().await.unwrap();
    assert_eq!(world.home.records("request_escalated").len(), 2, "each once");
    assert_eq!(world.answers(&ada, &answered, approve()).await.1["state"], "approved");
    world.home.clock.advance(Duration::from_secs(1800));
    assert_eq!(code(&world.answers(&lee, &forgotten, approve()).await), (409, "expired"));
    control.tend_once().await.unwrap();
    let settled = world.home.records("request_settled");
    assert_eq!((&settled[1]["actor"], &settled[1]["state"]), (&json!("clock"), &json!("expired")));

    world.home.clock.advance(Duration::from_secs(5099));
    control.tend_once().await.unwrap();
    let announced = world.home.records("grant_expiring").len();
    world.home.clock.advance(Duration::from_secs(1));
    control.tend_once().await.unwrap();
    control.tend_once().await.unwrap();
    assert_eq!((announced, world.home.records("grant_expiring").len()), (0, 1));
    world.gateway.stop().await;
    let gateway = world.home.start().await;
    gateway.control.tend_once().await.unwrap();
    assert_eq!(world.home.records("grant_expiring").len(), 1, "also after a restart");
    gateway.stop().await;
}

async fn people_see_and_end_their_own_and_what_they_approved(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave, lee, liz] = world.people(["dana", "dave", "lee", "liz"]).await;
    let request = world.asks(&dana, read()).await;
    let path = format!("/requests/{}", request["id"].as_str().unwrap());
    let status = |key: String| {
        let (world, path) = (&world, path.clone());
        async move { world.gateway.with(&key, GET, &path, Value::Null).await.0.as_u16() }
    };
    assert_eq!(
        (status(dana.clone()).await, status(lee.clone()).await, status(dave.clone()).await),
        (200, 200, 404)
    );
    let listed = world.gateway.with(&dave, GET, "/requests", Value::Null).await.1;
    assert_eq!(listed["requests"], json!([]));
    assert_eq!(
        code(&world.gateway.with(&dave, POST, &format!("{path}/cancel"), Value::Null).await),
        (404, "not_found")
    );
    let cancelled = world.gateway.with(&dana, POST, &format!("{path}/cancel"), Value::Null).await.1;
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(code(&world.answers(&lee, &request, approve()).await), (409, "settled"));

    for revoker in [&dana, &lee] {
        let request = world.asks(&dana, read()).await;
        let grant = world.answers(&lee, &request, approve()).await.1["grant"].as_str().unwrap().to_owned();
        let path = format!("/grants/{grant}/revoke");
        let reason = json!({ "reason": "done" });
        for stranger in [&dave, &liz] {
            let refused = world.gateway.with(stranger, POST, &path, reason.clone()).await;
            assert_eq!(code(&refused), (404, "not_found"));
        }
        assert!(world.reads());
        assert_eq!(world.gateway.with(revoker, POST, &path, reason).await.0, 200);
        assert!(!world.reads());
    }
    let revoked = world.home.records("grant_revoked");
    assert_eq!((&revoked[0]["actor"], &revoked[1]["actor"]), (&json!("dana"), &json!("lee")));
    for (path, who) in
        [("/grants?principal=dana", &dave), ("/grants?group=devs", &dana), ("/sessions", &dana)]
    {
        assert_eq!(
            code(&world.gateway.with(who, GET, path, Value::Null).await),
            (403, "forbidden"),
            "{path}"
        );
    }
    let others = json!({ "principal": "lee", "target": "hr", "sql": "SELECT 1" });
    assert_eq!(world.gateway.with(&dana, POST, "/explain-access", others).await.0, 403);
    let own = json!({ "principal": "dana", "target": "hr", "sql": "SELECT 1" });
    assert_eq!(world.gateway.with(&dana, POST, "/explain-access", own).await.0, 200);
    world.gateway.stop().await;
}

async fn to_extend_a_grant_is_a_request_that_follows_on(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave, lee] = world.people(["dana", "dave", "lee"]).await;
    let first = world.asks(&dana, read()).await;
    let grant = world.answers(&lee, &first, approve()).await.1["grant"].as_str().unwrap().to_owned();
    let path = format!("/grants/{grant}/extend");
    let longer = json!({ "for": "1h", "reason": "not done yet" });
    assert_eq!(code(&world.gateway.with(&dave, POST, &path, longer.clone()).await), (404, "not_found"));
    let (status, request) = world.gateway.with(&dana, POST, &path, longer.clone()).await;
    assert_eq!(
        (status.as_u16(), &request["extends"], &request["state"]),
        (201, &json!(grant), &json!("pending"))
    );
    assert_eq!(world.answers(&lee, &request, approve()).await.1["state"], "approved");
    world.home.clock.advance(Duration::from_secs(3 * 3600 - 1));
    assert!(world.reads(), "two hours, and one more behind them");
    world.home.clock.advance(Duration::from_secs(1));
    assert!(!world.reads());
    assert_eq!(code(&world.gateway.with(&dana, POST, &path, longer).await), (422, "invalid"), "it is over");
    world.gateway.stop().await;
}

async fn a_call_that_is_repeated_is_done_once(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave] = world.people(["dana", "dave"]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = |key: String, name: &str, body: Value| {
        let request = client.post(format!("{}/api/v1/requests", world.gateway.base)).bearer_auth(key);
        let request = request.header("idempotency-key", name).json(&body);
        async move {
            let response = request.send().await.unwrap();
            (response.status(), response.json::<Value>().await.unwrap())
        }
    };
    let first = call(dana.clone(), "a", read()).await.1;
    assert_eq!(call(dana.clone(), "a", read()).await.1["id"], first["id"]);
    assert_ne!(call(dana.clone(), "b", read()).await.1["id"], first["id"]);
    assert_ne!(call(dave, "a", read()).await.1["id"], first["id"]);
    let mut other = read();
    other["for"] = json!("1h");
    assert_eq!(code(&call(dana.clone(), "a", other).await), (422, "idempotency_key_reused"));
    assert_eq!(code(&call(dana.clone(), "", read()).await), (422, "invalid"));
    assert_eq!(world.home.records("request_created").len(), 3);
    world.home.clock.advance(Duration::from_secs(25 * 3600));
    world.gateway.control.tend_once().await.unwrap();
    assert_ne!(call(dana, "a", read()).await.1["id"], first["id"], "a day later it is another call");
    world.gateway.stop().await;
}

async fn lists_come_in_pages_of_what_one_may_see(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave, lee] = world.people(["dana", "dave", "lee"]).await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(world.asks(if number % 2 == 0 { &dana } else { &dave }, read()).await["id"].clone());
    }
    made.reverse();
    let page = |key: &str, query: String| {
        let key = key.to_owned();
        let world = &world;
        async move {
            let page =
                world.gateway.with(&key, GET, &format!("/requests?limit=2{query}"), Value::Null).await.1;
            let ids: Vec<Value> =
                page["requests"].as_array().unwrap().iter().map(|request| request["id"].clone()).collect();
            (ids, page["next"].clone())
        }
    };
    let (mut seen, mut next) = page(&lee, String::new()).await;
    while let Some(before) = next.as_str() {
        let (more, after) = page(&lee, format!("&before={before}")).await;
        seen.extend(more);
        next = after;
    }
    assert_eq!(seen, made);
    let (danas, next) = page(&dana, String::new()).await;
    assert_eq!((danas, next), (vec![made[0].clone(), made[2].clone()], made[2].clone()));
    let (rest, next) = page(&dana, format!("&before={}", made[2].as_str().unwrap())).await;
    assert_eq!((rest, next), (vec![made[4].clone()], Value::Null));
    world.gateway.stop().await;
}

async fn a_key_is_one_persons_and_opens_nothing_when_they_are_disabled(kept: Kept) {
    let world = World::new(kept).await;
    let [dana] = world.people(["dana"]).await;
    let (_, service) = world.gateway.key("robot", &["read", "grants"]).await;
    assert_eq!(code(&world.gateway.with(&service, POST, "/requests", read()).await), (403, "forbidden"));
    assert_eq!(code(&world.gateway.call(POST, "/requests", read()).await), (403, "not_a_person"));
    assert_eq!(world.gateway.with(&service, GET, "/requests", Value::Null).await.0, 200);
    for (body, wanted) in [
        (json!({ "name": "x", "scopes": ["person"] }), (422, "invalid")),
        (json!({ "name": "x" }), (422, "invalid")),
        (json!({ "name": "dana", "scopes": ["read"] }), (422, "invalid")),
        (json!({ "name": "x", "principal": "nobody" }), (422, "unknown_reference")),
    ] {
        assert_eq!(code(&world.gateway.call(POST, "/keys", body.clone()).await), wanted, "{body}");
    }
    assert_eq!(world.gateway.with(&dana, GET, "/requests", Value::Null).await.0, 200);
    world.gateway.call(Method::PATCH, "/principals/dana", json!({ "disabled": true })).await;
    assert_eq!(world.gateway.with(&dana, GET, "/requests", Value::Null).await.0, 401);
    world.gateway.stop().await;
}

async fn whoever_knows_the_password_gets_a_key_for_half_a_day(kept: Kept) {
    let world = World::new(kept).await;
    let password = json!({ "password": "correct horse" });
    assert_eq!(world.gateway.call(Method::PUT, "/principals/dana/password", password).await.0, 204);
    let login = |name: &str, password: &str| {
        let body = json!({ "principal": name, "password": password }).to_string();
        let world = &world;
        async move {
            let response = world.gateway.raw(POST, "/api/v1/login", None, Some(&body)).await;
            (response.status(), response.json::<Value>().await.unwrap())
        }
    };
    let made = login("dana", "correct horse").await.1;
    let key = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(world.asks(&key, read()).await["requester"], "dana");
    for (name, password) in
        [("dana", "wrong horse"), ("dave", "correct horse"), ("nobody", "x"), ("dana", "")]
    {
        assert_eq!(code(&login(name, password).await), (401, "wrong_password"), "{name}");
    }
    let failed = world.home.records("login_failed");
    assert_eq!((failed.len(), &failed[1]["principal"]), (4, &json!("dave")));
    world.home.clock.advance(Duration::from_secs(12 * 3600));
    assert_eq!(world.gateway.with(&key, GET, "/requests", Value::Null).await.0, 401);
    let mut keys = Vec::new();
    for _ in 0..11 {
        keys.push(login("dana", "correct horse").await.1["secret"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        world.gateway.with(&keys[0], GET, "/requests", Value::Null).await.0,
        401,
        "the oldest made room"
    );
    assert_eq!(world.gateway.with(&keys[1], GET, "/requests", Value::Null).await.0, 200);
    for _ in 0..20 {
        login("dana", "wrong horse").await;
    }
    assert_eq!(login("dana", "correct horse").await.0, 429, "a password can be guessed");
    world.gateway.stop().await;
}

async fn without_the_audit_log_nothing_is_asked_and_nothing_approved(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let request = world.asks(&dana, read()).await;
    world.home.break_audit();
    assert_eq!(code(&world.answers(&lee, &request, approve()).await), (503, "audit_unavailable"));
    assert_eq!(code(&world.gateway.with(&dana, POST, "/requests", read()).await), (503, "audit_unavailable"));
    world.home.mend_audit();
    assert!(!world.reads());
    let path = format!("/requests/{}", request["id"].as_str().unwrap());
    let still = world.gateway.with(&dana, GET, &path, Value::Null).await.1;
    assert_eq!((&still["state"], &still["reviews"]), (&json!("pending"), &json!([])));
    world.gateway.stop().await;
    let gateway = world.home.start().await;
    let approved = gateway.with(&lee, POST, &format!("{path}/reviews"), approve()).await.1;
    assert_eq!(approved["state"], "approved", "a restart keeps it: {approved}");
    gateway.stop().await;
}

async fn whoever_gets_the_name_of_somebody_removed_gets_nothing_with_it(kept: Kept) {
    let world = World::new(kept).await;
    let eve = json!({ "name": "eve", "groups": ["devs"] });
    world.gateway.post("/principals", eve.clone()).await;
    let [eves, lee] = world.people(["eve", "lee"]).await;
    let request = world.asks(&eves, read()).await;
    assert_eq!(world.gateway.call(Method::DELETE, "/principals/eve", Value::Null).await.0, 200);
    assert_eq!(world.gateway.with(&eves, GET, "/requests", Value::Null).await.0, 401);
    world.gateway.post("/principals", eve).await;
    assert_eq!(world.gateway.with(&eves, GET, "/requests", Value::Null).await.0, 401);
    assert_eq!(code(&world.answers(&lee, &request, approve()).await), (409, "settled"));
    assert_eq!(world.home.records("request_settled")[0]["state"], "cancelled");
    assert_eq!(world.home.records("key_revoked").len(), 1);
    world.gateway.stop().await;
}

impl World {
    /// What the events say that a caller may hear of: word, subject and number.
    async fn heard(&self, key: &str) -> Vec<(String, Value)> {
        let path = "/api/v1/events?after=0&follow=false";
        let text = self.gateway.raw(GET, path, Some(key), None).await.text().await.unwrap();
        told(&text)
    }

    async fn words(&self, key: &str) -> Vec<String> {
        self.heard(key).await.into_iter().map(|(word, _)| word).collect()
    }
}

/// The words and bodies of a stream.
fn told(text: &str) -> Vec<(String, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    blocks
        .map(|block| {
            let body: Value = serde_json::from_str(&field(block, "data")).unwrap();
            assert_eq!(body["event"], field(block, "event"));
            assert_eq!(body["seq"].to_string(), field(block, "id"));
            (field(block, "event"), body)
        })
        .collect()
}

async fn people_hear_of_what_they_have_to_do_with_and_administrators_of_everything(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave, lee, olga] = world.people(["dana", "dave", "lee", "olga"]).await;
    let request = world.asks(&dana, read()).await;
    let (_, approved) = world.answers(&lee, &request, approve()).await;
    let grant = approved["grant"].as_str().unwrap().to_owned();
    let revoke = format!("/grants/{grant}/revoke");
    world.gateway.with(&dana, POST, &revoke, json!({ "reason": "done" })).await;
    let all = ["request_created", "request_approved", "grant_started", "grant_revoked"];
    assert_eq!(world.words(&dana).await, all);
    assert_eq!(world.words(&lee).await, all, "the approver hears of the grant, too");
    assert_eq!((world.words(&dave).await.len(), world.words(&olga).await.len()), (0, 0));
    let admin = world.gateway.key.clone();
    let heard = world.heard(&admin).await;
    assert!(all.iter().all(|word| heard.iter().any(|(heard, _)| heard == word)), "{heard:?}");
    let (_, created) = heard.iter().find(|(word, _)| word == "request_created").unwrap();
    assert_eq!((&created["requester"], &created["waits_for"]), (&json!("dana"), &json!(["leads"])));
    let (_, revoked) = heard.iter().find(|(word, _)| word == "grant_revoked").unwrap();
    assert_eq!((&revoked["grant"], &revoked["actor"]), (&json!(grant), &json!("dana")));

    world.home.write_policy(&RULES.replace("ada:  { groups: [admins] }", "ada: { groups: [admins] }"));
    world.gateway.post("/policy/reload", Value::Null).await;
    world.gateway.post("/principals", json!({ "name": "dave", "groups": ["leads"] })).await;
    let words = world.words(&admin).await;
    assert!(words.contains(&"policy_reloaded".to_owned()), "{words:?}");
    assert_eq!(world.words(&dana).await, all, "policy is not hers");
    let dave_hears = world.words(&dave).await;
    assert!(dave_hears.contains(&"principal_changed".to_owned()), "{dave_hears:?}");
    world.gateway.stop().await;
}

async fn who_reads_along_hears_at_once_comes_back_where_they_were_and_is_shut_out_with_their_key(kept: Kept) {
    let world = World::new(kept).await;
    let [dana] = world.people(["dana"]).await;
    let (id, reader) = world.gateway.key("reader", &["read"]).await;
    let mut stream = world.gateway.raw(GET, "/api/v1/events", Some(&reader), None).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = world.asks(&dana, read()).await;
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    let heard = told(&text);
    assert_eq!((heard.len(), &heard[0].1["request"]), (1, &first["id"]));
    let seen = heard[0].1["seq"].as_i64().unwrap();
    let second = world.asks(&dana, read()).await;
    let path = format!("/api/v1/events?follow=false&after={seen}");
    let text = world.gateway.raw(GET, &path, Some(&reader), None).await.text().await.unwrap();
    assert_eq!(told(&text)[0].1["request"], second["id"], "from where they were");
    for bad in ["?after=-1", "?after=x", "?follow=perhaps", "?since=0"] {
        let (status, problem) = world.gateway.with(&reader, GET, &format!("/events{bad}"), Value::Null).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("malformed")), "{bad}");
    }
    world.gateway.call(Method::DELETE, &format!("/keys/{id}"), Value::Null).await;
    // What is left is read, and then the stream is over.
    while stream.chunk().await.unwrap().is_some() {}
    world.gateway.stop().await;
}

async fn a_person_reads_ten_streams_at_once_with_whatever_keys_and_no_more(kept: Kept) {
    let world = World::new(kept).await;
    let [dana] = world.people(["dana"]).await;
    let made = world.gateway.post("/keys", json!({ "name": "dana-desktop", "principal": "dana" })).await;
    let keys = [dana, made["secret"].as_str().unwrap().to_owned()];
    let mut open = Vec::new();
    for key in keys.iter().cycle().take(10) {
        open.push(world.gateway.raw(GET, "/api/v1/events", Some(key), None).await);
    }
    for key in &keys {
        let eleventh = world.gateway.raw(GET, "/api/v1/events", Some(key), None).await;
        assert_eq!(eleventh.status(), 429);
    }
    let other = world.gateway.key("other", &["read"]).await.1;
    assert_eq!(world.gateway.raw(GET, "/api/v1/events", Some(&other), None).await.status(), 200);
    drop(open);
    world.gateway.stop().await;
}

async fn what_the_clock_does_is_told_of_once_and_what_is_undone_never(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let control = &world.gateway.control;
    let mut hour = read();
    hour["for"] = json!("1h");
    let answered = world.asks(&dana, hour).await;
    world.asks(&dana, read()).await;
    assert_eq!(world.answers(&lee, &answered, approve()).await.1["state"], "approved");
    let later = |seconds| world.home.clock.advance(Duration::from_secs(seconds));
    for seconds in [1800, 1499, 1, 299, 1, 7200] {
        later(seconds);
        control.tend_once().await.unwrap();
        control.tend_once().await.unwrap();
    }
    let words = world.words(&dana).await;
    assert_eq!(
        words[3..],
        ["grant_started", "request_escalated", "grant_expiring", "request_expired", "grant_ended"],
        "{words:?}"
    );
    world.home.break_audit();
    let (status, _) = world.gateway.with(&dana, POST, "/requests", read()).await;
    assert_eq!(status, 503);
    control.notice_audit();
    control.tell_notices().await;
    assert_eq!(world.words(&dana).await, words, "a request that was not made is not told of");
    let admin = world.gateway.key.clone();
    let (word, trouble) = world.heard(&admin).await.pop().unwrap();
    assert_eq!((word.as_str(), &trouble["writable"]), ("audit_trouble", &json!(false)));
    world.home.mend_audit();
    world.gateway.stop().await;
}

async fn a_refused_statement_is_told_of_without_its_text(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave] = world.people(["dana", "dave"]).await;
    world.gateway.control.keep(Denied {
        principal: "dana".into(),
        place: place(),
        sql: "SELECT pw FROM public.secret".into(),
        does: Arc::from([]),
        missing: vec![Missing {
            permission: Some(Permission::Select),
            object: Object::Relation { schema: "public".into(), name: "secret".into() },
        }],
        at: world.now(),
    });
    world.gateway.control.notice_held_up(Some("dana".to_owned()), [127, 0, 0, 1].into());
    world.gateway.control.tell_notices().await;
    let heard = world.heard(&dana).await;
    let [(word, denied)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(
        (word.as_str(), &denied["missing"]),
        ("statement_denied", &json!(["select on public.secret"]))
    );
    assert!(!denied.to_string().contains("pw"));
    assert!(world.words(&dave).await.is_empty());
    let admin = world.gateway.key.clone();
    assert!(world.words(&admin).await.contains(&"login_throttled".to_owned()));
    world.gateway.stop().await;
}

async fn the_estimate_of_a_statement_is_there_for_its_approver_where_the_flow_wants_it(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let sql = "SELECT name FROM public.employee WHERE id = 7";
    let ask =
        json!({ "target": "hr", "database": "hr_prod", "statement": sql, "for": "1h", "reason": "INC-42" });
    let without = world.asks(&dana, ask.clone()).await;
    assert_eq!(without["estimate"], Value::Null, "nobody wants it");
    world.home.write_policy(&RULES.replace("  - name: reads\n", "  - name: reads\n    estimate: true\n"));
    world.gateway.post("/policy/reload", Value::Null).await;
    let made = world.asks(&dana, ask.clone()).await;
    let path = format!("/requests/{}", made["id"].as_str().unwrap());
    let (_, seen) = world.gateway.with(&lee, GET, &path, Value::Null).await;
    let estimate = &seen["estimate"];
    assert_eq!((&estimate["rows"], &estimate["cost"]), (&json!(sql.len()), &json!(1)), "{seen}");
    let mut other = ask.clone();
    other["statement"] = json!("SELECT '{'");
    let failed = world.asks(&dana, other).await;
    assert_eq!(
        (&failed["estimate"]["rows"], &failed["estimate"]["problem"]),
        (&Value::Null, &json!("a brace"))
    );
    assert_eq!(world.asks(&dana, read()).await["estimate"], Value::Null, "it is for no statement");
    world.gateway.stop().await;
}
use replicas::a_refusal_is_known_for_a_day_also_after_a_restart;
use slack::{
    a_click_in_slack_is_the_answer_of_the_person_and_the_message_follows,
    a_message_follows_whatever_way_a_request_goes,
    after_a_restart_the_message_is_brought_up_to_date_and_a_lost_channel_stops_nobody,
    an_account_is_one_person_and_a_person_one_account, forms_ask_approve_less_and_deny,
    in_slack_too_nobody_does_what_the_rules_forbid, over_a_websocket_it_is_the_same_and_it_is_opened_again,
    what_is_not_surely_slacks_is_refused_and_does_nothing,
    while_slack_is_down_nothing_is_lost_and_the_order_stays,
};
use webhooks::{
    a_webhook_that_is_gone_is_told_nothing_until_somebody_enables_it,
    a_webhook_that_was_down_is_told_everything_in_order_under_the_same_identifiers,
    events_are_told_in_order_signed_by_both_secrets_and_to_those_who_want_them,
    what_a_killed_gateway_was_telling_is_told_again_under_the_same_identifier,
    what_is_given_up_is_seen_and_can_be_sent_again,
    who_is_on_call_may_be_approved_by_itself_and_nobody_is_while_that_is_not_known,
    whoever_asks_for_time_gets_it,
};

over_both_stores!(
    a_refusal_is_known_for_a_day_also_after_a_restart,
    asked_by_one_and_approved_shorter_by_another_it_is_in_force_at_once_and_ends,
    of_two_approvers_at_the_same_instant_one_makes_the_grant,
    steps_follow_one_another_and_a_denial_ends_it,
    what_no_grant_could_help_is_refused_and_low_risk_needs_nobody,
    a_refusal_fills_in_the_request_of_the_one_who_was_refused_alone,
    broken_glass_is_open_until_somebody_has_looked_and_ends_if_it_was_not_right,
    a_statement_is_approved_as_it_stands_and_runs_once,
    by_the_clock_requests_go_to_others_and_expire_and_ends_are_announced_once,
    people_see_and_end_their_own_and_what_they_approved,
    to_extend_a_grant_is_a_request_that_follows_on,
    a_call_that_is_repeated_is_done_once,
    lists_come_in_pages_of_what_one_may_see,
    a_key_is_one_persons_and_opens_nothing_when_they_are_disabled,
    whoever_knows_the_password_gets_a_key_for_half_a_day,
    without_the_audit_log_nothing_is_asked_and_nothing_approved,
    whoever_gets_the_name_of_somebody_removed_gets_nothing_with_it,
    people_hear_of_what_they_have_to_do_with_and_administrators_of_everything,
    who_reads_along_hears_at_once_comes_back_where_they_were_and_is_shut_out_with_their_key,
    a_person_reads_ten_streams_at_once_with_whatever_keys_and_no_more,
    what_the_clock_does_is_told_of_once_and_what_is_undone_never,
    a_refused_statement_is_told_of_without_its_text,
    the_estimate_of_a_statement_is_there_for_its_approver_where_the_flow_wants_it,
    events_are_told_in_order_signed_by_both_secrets_and_to_those_who_want_them,
    a_webhook_that_was_down_is_told_everything_in_order_under_the_same_identifiers,
    what_is_given_up_is_seen_and_can_be_sent_again,
    whoever_asks_for_time_gets_it,
    a_webhook_that_is_gone_is_told_nothing_until_somebody_enables_it,
    what_a_killed_gateway_was_telling_is_told_again_under_the_same_identifier,
    who_is_on_call_may_be_approved_by_itself_and_nobody_is_while_that_is_not_known,
    a_click_in_slack_is_the_answer_of_the_person_and_the_message_follows,
    a_message_follows_whatever_way_a_request_goes,
    what_is_not_surely_slacks_is_refused_and_does_nothing,
    in_slack_too_nobody_does_what_the_rules_forbid,
    forms_ask_approve_less_and_deny,
    an_account_is_one_person_and_a_person_one_account,
    while_slack_is_down_nothing_is_lost_and_the_order_stays,
    after_a_restart_the_message_is_brought_up_to_date_and_a_lost_channel_stops_nobody,
    over_a_websocket_it_is_the_same_and_it_is_opened_again,
);
