//! Webhooks are told of what happens, whatever becomes of them or of the gateway meanwhile.

#[path = "receiver.rs"]
mod receiver;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use receiver::{Call, Receiver, Reply};
use serde_json::{Value, json};
use tidegate::{
    model::{
        on_call::OnCallSettings,
        secret::Secret,
        webhook::{WebhookForm, WebhookSettings},
    },
    net::Clock,
    notify::Webhooks,
};
use tokio::time::{sleep, timeout};

use super::{
    GET, POST, RULES, World,
    api_support::{Home, Kept},
    approve, code, read,
};

const KEYS: [&[u8]; 2] = [b"new-new-new-new-new-new-", b"old-old-old-old-old-old-"];

/// A webhook that is told of all of these, and does not wait long.
fn webhook(name: &str, receiver: &Receiver, events: &[&str]) -> WebhookSettings {
    WebhookSettings {
        name: name.into(),
        url: Secret::new(receiver.url()),
        form: WebhookForm::Standard { keys: KEYS.iter().map(|key| Secret::new(key.to_vec())).collect() },
        events: events.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        sample: 1,
        allow_private: true,
        ca: None,
        timeout: Duration::from_millis(500),
        attempts: 100,
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(50),
    }
}

async fn world(kept: Kept, webhooks: Vec<WebhookSettings>) -> World {
    World::with(kept, RULES, |home| home.webhooks = webhooks).await
}

/// Whether both keys have signed it.
fn is_signed(call: &Call) -> bool {
    let (id, at) = (call.header("webhook-id"), call.header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &call.body].concat();
    let signatures: Vec<_> = call.header("webhook-signature").split(' ').collect();
    signatures.len() == 2
        && KEYS.iter().zip(signatures).all(|(key, signature)| {
            let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed, &tag).is_ok()
        })
}

/// Deliveries of a webhook, newest first, when there are so many in this state.
async fn deliveries(world: &World, webhook: &str, state: &str, count: usize) -> Vec<Value> {
    let path = format!("/webhooks/{webhook}/deliveries?state={state}");
    let found = timeout(Duration::from_secs(20), async {
        loop {
            let page = world.gateway.get(&path).await;
            let all = page["deliveries"].as_array().unwrap().clone();
            if all.len() >= count {
                return all;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("there are no {count} {state}"))
}

pub(super) async fn events_are_told_in_order_signed_by_both_secrets_and_to_those_who_want_them(kept: Kept) {
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    let world = world(
        kept,
        vec![webhook("all", &all, &["*"]), webhook("grants", &some, &["grant_*", "request_denied"])],
    )
    .await;
    let [dana, lee] = world.people(["dana", "lee"]).await;
    let request = world.asks(&dana, read()).await;
    assert_eq!(world.answers(&lee, &request, approve()).await.0, 200);
    let calls = all.calls(3).await;
    assert_eq!(all.kinds()[..3], ["request_created", "request_approved", "grant_started"]);
    assert!(calls.iter().all(is_signed));
    let body = calls[0].json();
    assert_eq!(body["data"]["request"], request["id"]);
    assert_eq!(body["data"]["requester"], "dana");
    assert_eq!((&body["data"]["event"], &body["data"]["seq"]), (&json!("request_created"), &json!(1)));
    assert!(body["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(calls[0].header("content-type"), "application/json");
    assert_eq!(calls[0].header("webhook-timestamp"), world.now().as_second().to_string());
    some.calls(1).await;
    assert_eq!(some.kinds(), ["grant_started"]);

    let tried = world.gateway.post("/webhooks/grants/test", Value::Null).await;
    assert_eq!((&tried["state"], &tried["status"]), (&json!("delivered"), &json!(204)), "{tried}");
    assert_eq!(some.kinds(), ["grant_started", "webhook_tested"]);
    let listed = world.gateway.get("/webhooks").await;
    let listed: BTreeMap<_, _> =
        listed["webhooks"].as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it)).collect();
    assert_eq!((&listed["all"]["host"], &listed["all"]["dead"]), (&json!("127.0.0.1"), &json!(0)));
    assert_eq!(listed["grants"]["events"], json!(["grant_*", "request_denied"]));
    assert!(!world.gateway.get("/webhooks").await.to_string().contains("/told"), "the address is secret");
    assert_eq!(world.gateway.with(&dana, GET, "/webhooks", Value::Null).await.0, 403);
    assert_eq!(world.gateway.call(POST, "/webhooks/none/test", Value::Null).await.0, 404);
    assert_eq!(world.home.records("webhook_changed")[0]["change"], "tested");

    let told = all.kinds().len();
    world.home.break_audit();
    let answer = world.gateway.call(POST, "/webhooks/grants/test", Value::Null).await;
    assert_eq!(code(&answer), (503, "audit_unavailable"));
    world.gateway.control.notice_audit();
    world.gateway.control.tell_notices().await;
    assert_eq!(all.calls(told + 1).await[told].json()["data"]["writable"], false);
    world.home.mend_audit();
    world.gateway.stop().await;
}

pub(super) async fn a_webhook_that_was_down_is_told_everything_in_order_under_the_same_identifiers(
    kept: Kept,
) {
    let receiver = Receiver::start().await;
    let world = world(kept, vec![webhook("chat", &receiver, &["request_*"])]).await;
    let [dana] = world.people(["dana"]).await;
    receiver
        .replies([Reply::Status(500, None), Reply::Status(302, Some(("location", "http://127.0.0.1:1/")))]);
    receiver.replies([Reply::Silence(Duration::from_secs(2)), Reply::Status(503, None)]);
    let first = world.asks(&dana, read()).await;
    let second = world.asks(&dana, read()).await;
    let calls = receiver.calls(6).await;
    let requests: Vec<_> = calls.iter().map(|call| call.json()["data"]["request"].clone()).collect();
    assert_eq!(requests[..5], vec![first["id"].clone(); 5], "the one behind does not overtake");
    assert_eq!(requests[5], second["id"]);
    assert!(calls[..5].iter().all(|call| call.header("webhook-id") == calls[0].header("webhook-id")));
    assert_ne!(calls[5].header("webhook-id"), calls[0].header("webhook-id"));

    let address = receiver.stop().await;
    let third = world.asks(&dana, read()).await;
    let failing = deliveries(&world, "chat", "trying", 1).await;
    assert_eq!(failing[0]["event"]["request"], third["id"]);
    world.asks(&dana, read()).await;
    let receiver = Receiver::at(address).await;
    assert_eq!(receiver.calls(2).await[0].json()["data"]["request"], third["id"]);
    assert_eq!(deliveries(&world, "chat", "delivered", 4).await.len(), 4);
    world.gateway.stop().await;
}

pub(super) async fn what_is_given_up_is_seen_and_can_be_sent_again(kept: Kept) {
    let receiver = Receiver::start().await;
    let settings = WebhookSettings { attempts: 2, ..webhook("chat", &receiver, &["request_created"]) };
    let world = world(kept, vec![settings]).await;
    let [dana] = world.people(["dana"]).await;
    receiver.replies([Reply::Status(500, None), Reply::Status(400, None)]);
    world.asks(&dana, read()).await;
    world.asks(&dana, read()).await;
    let calls = receiver.calls(3).await;
    let dead = deliveries(&world, "chat", "dead", 1).await;
    assert_eq!((&dead[0]["attempts"], &dead[0]["status"]), (&json!(2), &json!(400)), "{dead:?}");
    assert!(calls[0].header("webhook-id").ends_with(dead[0]["id"].as_str().unwrap()));
    assert_eq!(world.gateway.get("/webhooks").await["webhooks"][0]["dead"], 1);

    let replay = format!("/webhooks/chat/deliveries/{}/replay", dead[0]["id"].as_str().unwrap());
    receiver.replies([Reply::Status(500, None)]);
    let failed = world.gateway.post(&replay, Value::Null).await;
    assert_eq!((&failed["state"], &failed["attempts"]), (&json!("dead"), &json!(3)));
    let sent = world.gateway.post(&replay, Value::Null).await;
    assert_eq!(
        (&sent["state"], &sent["attempts"], &sent["problem"]),
        (&json!("delivered"), &json!(4), &Value::Null)
    );
    let calls = receiver.calls(5).await;
    assert_eq!(calls[4].header("webhook-id"), calls[0].header("webhook-id"));
    assert!(is_signed(&calls[4]));
    assert_eq!(world.gateway.get("/webhooks").await["webhooks"][0]["dead"], 0);
    let no_such = format!("/webhooks/chat/deliveries/{}/replay", uuid::Uuid::nil());
    assert_eq!(world.gateway.call(POST, &no_such, Value::Null).await.0, 404);
    let metrics =
        world.gateway.raw(GET, "/metrics", Some(&world.gateway.key), None).await.text().await.unwrap();
    assert!(metrics.contains("tidegate_webhook_deliveries_total{result=\"dead\",webhook=\"chat\"} 1"));
    world.gateway.stop().await;
}

pub(super) async fn whoever_asks_for_time_gets_it(kept: Kept) {
    let receiver = Receiver::start().await;
    let world = world(kept, vec![webhook("chat", &receiver, &["request_created"])]).await;
    let [dana] = world.people(["dana"]).await;
    receiver.replies([Reply::Status(429, Some(("retry-after", "1")))]);
    world.asks(&dana, read()).await;
    let calls = receiver.calls(2).await;
    let waited = calls[1].at - calls[0].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    world.gateway.stop().await;
}

pub(super) async fn a_webhook_that_is_gone_is_told_nothing_until_somebody_enables_it(kept: Kept) {
    let (gone, other) = (Receiver::start().await, Receiver::start().await);
    let world = world(
        kept,
        vec![
            webhook("gone", &gone, &["request_created"]),
            webhook("other", &other, &["request_created", "webhook_disabled"]),
        ],
    )
    .await;
    let [dana] = world.people(["dana"]).await;
    gone.replies([Reply::Status(410, None)]);
    world.asks(&dana, read()).await;
    let told = other.calls(2).await;
    assert_eq!(told[1].json()["data"]["webhook"], "gone");
    world.asks(&dana, read()).await;
    other.calls(3).await;
    let listed = world.gateway.get("/webhooks").await;
    assert!(listed["webhooks"][0]["disabled_at"].is_string(), "{listed}");
    assert_eq!(world.home.records("webhook_changed")[0]["change"], "disabled");
    assert_eq!(world.gateway.call(POST, "/webhooks/gone/enable", Value::Null).await.0, 204);
    // The one behind it is told; of the one between nobody knows here.
    timeout(Duration::from_secs(20), async {
        while gone.kinds().len() < 2 {
            world.asks(&dana, read()).await;
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(deliveries(&world, "gone", "dead", 1).await[0]["status"], 410);
    world.gateway.stop().await;
}

pub(super) async fn what_a_killed_gateway_was_telling_is_told_again_under_the_same_identifier(kept: Kept) {
    let receiver = Receiver::start().await;
    let world = world(
        kept,
        vec![WebhookSettings {
            timeout: Duration::from_secs(60),
            ..webhook("chat", &receiver, &["request_created"])
        }],
    )
    .await;
    let [dana] = world.people(["dana"]).await;
    world.asks(&dana, read()).await;
    receiver.calls(1).await;
    deliveries(&world, "chat", "delivered", 1).await;
    receiver.replies([Reply::Silence(Duration::from_secs(60))]);
    let request = world.asks(&dana, read()).await;
    // The other side has it, and nobody here will know.
    receiver.calls(2).await;
    world.gateway.kill_telling();
    let World { home, gateway } = world;
    gateway.stop().await;
    let gateway = home.start().await;
    let calls = receiver.calls(3).await;
    assert_eq!(calls[2].json()["data"]["request"], request["id"]);
    assert_eq!(calls[2].header("webhook-id"), calls[1].header("webhook-id"));
    let world = World { home, gateway };
    deliveries(&world, "chat", "delivered", 2).await;
    assert_eq!(receiver.kinds().len(), 3, "what was delivered before is not told again");
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_gateways_one_tells_and_the_other_goes_on_when_it_stops() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let receiver = Receiver::start().await;
    let chat = vec![webhook("chat", &receiver, &["request_created"])];
    let first = world(kept.clone(), chat.clone()).await;
    let mut home = Home::at(kept, first.home.time.clone(), Arc::clone(&first.home.clock));
    home.name = "two".to_owned();
    home.write_policy(RULES);
    home.webhooks = chat;
    let gateway = home.start().await;
    let second = World { home, gateway };
    let [dana] = first.people(["dana"]).await;
    let mut asked = Vec::new();
    for world in [&first, &second, &first, &second] {
        // Of what was made at one gateway the other hears in a moment.
        timeout(Duration::from_secs(10), async {
            while world.gateway.with(&dana, GET, "/requests", Value::Null).await.0 != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
        asked.push(world.asks(&dana, read()).await["id"].clone());
    }
    receiver.calls(4).await;
    deliveries(&first, "chat", "delivered", 4).await;
    first.gateway.stop().await;
    asked.push(second.asks(&dana, read()).await["id"].clone());
    let told: Vec<_> =
        receiver.calls(5).await.iter().map(|call| call.json()["data"]["request"].clone()).collect();
    assert_eq!(told, asked, "each once, in order");
    second.gateway.stop().await;
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_refused_at_the_start() {
    let home = Home::new();
    let (control, _, metrics) = home.open_control().await.unwrap();
    let receiver = Receiver::start().await;
    let mut settings = webhook("inside", &receiver, &["*"]);
    let refused = |settings: &WebhookSettings| {
        Webhooks::new(std::slice::from_ref(settings), &control, &Clock::System, &metrics).err()
    };
    assert!(refused(&settings).is_none());
    settings.allow_private = false;
    let (name, problem) = refused(&settings).unwrap();
    assert_eq!(
        (name.as_str(), problem.in_words().as_str()),
        ("inside", "the address is not allowed: it is on a private network")
    );
    settings.allow_private = true;
    settings.url = Secret::new("http://169.254.169.254/latest/meta-data/".to_owned());
    assert!(refused(&settings).is_some());
}

const ON_CALL: &str = "
groups: { devs: {}, leads: {} }
principals:
  dana: { groups: [devs], attributes: { email: Dana@example.com } }
  dave: { groups: [devs] }
  lee:  { groups: [leads] }
flows:
  - { name: on call, when: \"'primary' in principal.on_call\", automatic: true, longest: { any: 8h } }
  - { name: others, when: 'true', steps: [ { approvers: [leads] } ] }
";

pub(super) async fn who_is_on_call_may_be_approved_by_itself_and_nobody_is_while_that_is_not_known(
    kept: Kept,
) {
    let pagerduty = Receiver::start().await;
    let settings = OnCallSettings {
        url: format!("http://{}", pagerduty.address),
        token: Secret::new("t0ken".to_owned()),
        schedules: [
            ("primary".to_owned(), "PAAA111".to_owned()),
            ("second".to_owned(), "PBBB222".to_owned()),
        ]
        .into(),
        ca: None,
        allow_private: true,
        kept: Duration::ZERO,
    };
    let world = World::with(kept, ON_CALL, |home| home.on_call = Some(settings)).await;
    let [dana, dave] = world.people(["dana", "dave"]).await;
    let entry = |schedule: &str, email: &str| json!({ "schedule": { "id": schedule, "type": "schedule_reference" }, "user": { "id": "P1", "email": email } });
    let page = json!({ "oncalls": [entry("PAAA111", "dana@example.com"), entry("PBBB222", "dave@example.com"),
        json!({ "schedule": null, "user": { "id": "P2", "email": "dave" } })], "more": false, "limit": 100 });
    pagerduty.replies([Reply::Text(page.to_string()), Reply::Text(page.to_string())]);
    assert_eq!(world.asks(&dana, read()).await["state"], "approved");
    assert_eq!(world.asks(&dave, read()).await["state"], "pending");
    let calls = pagerduty.calls(2).await;
    assert_eq!(calls[0].header("authorization"), "Token token=t0ken");
    assert!(
        calls[0].query.contains("schedule_ids%5B%5D=PAAA111")
            && calls[0].query.contains("include%5B%5D=users")
    );

    // closed: whatever is wrong with the answer, nobody is on call
    let silence = Reply::Silence(Duration::from_secs(10));
    for wrong in [Reply::Status(500, None), Reply::Status(401, None), Reply::Text("{}".to_owned()), silence] {
        pagerduty.replies([wrong.clone()]);
        assert_eq!(world.asks(&dana, read()).await["state"], "pending", "{wrong:?}");
    }
    pagerduty.stop().await;
    let answer = world.gateway.with(&dana, POST, "/requests", read()).await;
    assert_eq!((code(&answer).0, &answer.1["state"]), (201, &json!("pending")));
    world.gateway.stop().await;
}
