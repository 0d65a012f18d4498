//! Two gateways on one store, in one process.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tidegate::{
    model::{denial::KeepDenials, ids::SessionId},
    policy::{Decision, decide},
};
use uuid::Uuid;

use super::{
    GET, POST, RULES, World,
    api_support::{Gateway, Home, Kept, read_of_employee},
    approve, code, place, read,
};

/// Two gateways on one PostgreSQL, or one gateway on its file.
struct Gateways {
    worlds: Vec<World>,
}

impl Gateways {
    async fn over(kept: Kept) -> Self {
        let first = World::new(kept.clone()).await;
        let mut worlds = vec![first];
        if let Kept::Postgres(_) = kept {
            let home = &worlds[0].home;
            let mut home = Home::at(kept, home.time.clone(), Arc::clone(&home.clock));
            home.name = "two".to_owned();
            home.write_policy(RULES);
            let gateway = home.start().await;
            worlds.push(World { home, gateway });
        }
        Self { worlds }
    }

    fn one(&self, number: usize) -> &World {
        &self.worlds[number % self.worlds.len()]
    }

    fn all(&self) -> impl Iterator<Item = &Gateway> {
        self.worlds.iter().map(|world| &world.gateway)
    }

    /// Waits until all show the same Snapshot.
    async fn agree(&self) {
        let versions =
            || self.all().map(|it| it.control.snapshot().load().version()).collect::<BTreeSet<_>>();
        // Three times the second that is promised: the machine of a test has other things to do.
        for _ in 0..600 {
            if versions().len() == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("they do not agree: {:?}", versions());
    }

    async fn stop(self) {
        for world in self.worlds {
            world.gateway.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_approvers_at_two_gateways_at_the_same_instant_one_makes_the_grant() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let it = Gateways::over(kept).await;
    let (one, two) = (it.one(0), it.one(1));
    let [dana, lee, liz] = one.people(["dana", "lee", "liz"]).await;
    it.agree().await;
    for _ in 0..10 {
        let request = one.asks(&dana, read()).await;
        let (here, there) =
            tokio::join!(one.answers(&lee, &request, approve()), two.answers(&liz, &request, approve()));
        let mut codes = [here.0.as_u16(), there.0.as_u16()];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "{here:?} {there:?}");
    }
    let made = |world: &World| world.home.records("grant_created").len();
    assert_eq!(made(one) + made(two), 10);
    it.agree().await;
    for gateway in it.all() {
        assert_eq!(gateway.control.snapshot().load().grants_of("dana", one.now()).count(), 10);
    }
    it.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_changes_at_two_gateways_at_the_same_instant_are_both_made() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let it = Gateways::over(kept).await;
    let grant = |reason: &str| {
        json!({ "holder": { "principal": "dana" }, "target": "hr", "database": "hr_prod",
            "objects": ["public.employee"], "permissions": ["select"], "for": "2m", "reason": reason })
    };
    let key = it.one(0).gateway.key.clone();
    for round in 0..10 {
        let (one, other) = (grant(&format!("one {round}")), grant(&format!("other {round}")));
        let (here, there) = tokio::join!(
            it.one(0).gateway.with(&key, POST, "/grants", one),
            it.one(1).gateway.with(&key, POST, "/grants", other)
        );
        assert_eq!((here.0.as_u16(), there.0.as_u16()), (201, 201), "{here:?} {there:?}");
    }
    it.agree().await;
    for gateway in it.all() {
        assert_eq!(gateway.control.snapshot().load().grants_of("dana", it.one(0).now()).count(), 20);
    }
    it.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_clock_does_is_done_by_one_of_two_gateways() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let it = Gateways::over(kept).await;
    let [dana, lee] = it.one(0).people(["dana", "lee"]).await;
    it.one(0).asks(&dana, read()).await;
    let granted = it.one(0).asks(&dana, read()).await;
    it.one(0).answers(&lee, &granted, approve()).await;
    it.agree().await;
    let tend = async || {
        let (one, other) =
            tokio::join!(it.one(0).gateway.control.tend_once(), it.one(1).gateway.control.tend_once());
        one.and(other).unwrap();
    };
    let count = |event: &str| it.worlds.iter().map(|world| world.home.records(event).len()).sum::<usize>();
    it.one(0).home.clock.advance(Duration::from_secs(1800));
    tend().await;
    assert_eq!(count("request_escalated"), 1);
    it.one(0).home.clock.advance(Duration::from_secs(1800));
    tend().await;
    assert_eq!(count("request_settled"), 2, "one approved, one expired");
    it.one(0).home.clock.advance(Duration::from_secs(3300));
    tend().await;
    tend().await;
    assert_eq!(count("grant_expiring"), 1);
    it.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_listed_with_its_gateway_and_ended_from_any() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let it = Gateways::over(kept).await;
    let (here, there) = (&it.one(0).gateway, &it.one(1).gateway);
    let session = there.sessions.open().to_string();
    let listed = async || {
        let all = here.get("/sessions").await;
        let found = all["sessions"].as_array().unwrap().iter().find(|it| it["id"] == session).cloned();
        found.map(|it| it["gateway"].clone())
    };
    for _ in 0..100 {
        if listed().await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(listed().await, Some(json!("two")));
    let delete = async |id: &str| {
        here.call(reqwest::Method::DELETE, &format!("/sessions/{id}"), Value::Null).await.0.as_u16()
    };
    assert_eq!(delete(&session).await, 204);
    assert!(there.sessions.0.lock().unwrap().is_empty());
    let ended = it.one(1).home.records("session_terminated");
    assert_eq!((&ended[0]["actor"], &ended[0]["session"]), (&json!("admin"), &json!(session)));
    assert_eq!(delete(&SessionId::new(Uuid::now_v7()).to_string()).await, 404);
    it.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_that_start_at_the_same_moment_on_an_empty_store_agree() {
    let Some(kept) = Kept::in_postgres().await else { return };
    let homes = [Home::over(kept.clone()), Home::over(kept)];
    let (one, two) = tokio::join!(homes[0].start(), homes[1].start());
    let keys: Vec<String> =
        homes.iter().filter_map(|home| std::fs::read_to_string(home.path("admin.key")).ok()).collect();
    assert_eq!(keys.len(), 1, "one of them writes the first key");
    assert_eq!(one.control.mock_secret().expose(), two.control.mock_secret().expose());
    let mut worlds = Vec::new();
    for (home, gateway) in homes.into_iter().zip([one, two]) {
        worlds.push(World { home, gateway });
    }
    let it = Gateways { worlds };
    it.agree().await;
    for gateway in it.all() {
        assert_eq!(gateway.with(keys[0].trim(), GET, "/principals", Value::Null).await.0, 200);
    }
    it.stop().await;
}

pub(super) async fn a_refusal_is_known_for_a_day_also_after_a_restart(kept: Kept) {
    let world = World::new(kept).await;
    let [dana, dave] = world.people(["dana", "dave"]).await;
    let id = world.gateway.control.keep(world.denied()).unwrap();
    let World { home, gateway } = world;
    gateway.stop().await;
    let gateway = home.start().await;
    let body = json!({ "denial": id.to_string(), "for": "1h", "reason": "INC-42" });
    let (status, request) = gateway.with(&dana, POST, "/requests", body.clone()).await;
    assert_eq!((status.as_u16(), &request["objects"]), (201, &json!(["public.employee"])), "{request}");
    let others = gateway.with(&dave, POST, "/requests", body.clone()).await;
    assert_eq!(code(&others), (422, "unknown_reference"), "it is dana's alone");
    home.clock.advance(Duration::from_secs(24 * 3600));
    let late = gateway.with(&dana, POST, "/requests", body).await;
    assert_eq!(code(&late), (422, "unknown_reference"), "a day is over");
    gateway.stop().await;
}

/// Something that happens to the requests of one person.
#[derive(Clone, Debug)]
enum Event {
    Asks { gateway: usize, explain: bool, broken_glass: bool },
    Answers { gateway: usize, who: usize, which: usize, approves: bool },
    AnswerTogether { which: usize, first: bool, second: bool },
    Cancels { gateway: usize, which: usize },
    Revokes { gateway: usize, which: usize },
    TimePasses { seconds: u64 },
    Tends { gateway: usize },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let gateway = || 0..2_usize;
    let which = || 0..6_usize;
    let event = prop_oneof![
        3 => (gateway(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(gateway, explain, broken_glass)| Event::Asks { gateway, explain, broken_glass }),
        4 => (gateway(), 0..4_usize, which(), prop::bool::weighted(0.8))
            .prop_map(|(gateway, who, which, approves)| Event::Answers { gateway, who, which, approves }),
        3 => (which(), prop::bool::weighted(0.8), prop::bool::weighted(0.8))
            .prop_map(|(which, first, second)| Event::AnswerTogether { which, first, second }),
        1 => (gateway(), which()).prop_map(|(gateway, which)| Event::Cancels { gateway, which }),
        1 => (gateway(), which()).prop_map(|(gateway, which)| Event::Revokes { gateway, which }),
        2 => (1..4000_u64).prop_map(|seconds| Event::TimePasses { seconds }),
        1 => gateway().prop_map(|gateway| Event::Tends { gateway }),
    ];
    prop::collection::vec(event, 1..40)
}

/// The people who answer, the requester among them.
const PEOPLE: [&str; 4] = ["dana", "lee", "liz", "ada"];

async fn live(kept: Kept, events: Vec<Event>) {
    let it = Gateways::over(kept).await;
    let keys = it.one(0).people(PEOPLE).await;
    it.agree().await;
    let mut requests: Vec<Value> = Vec::new();
    for event in events {
        let newest = |which: usize| requests.len().checked_sub(which + 1).map(|at| requests[at].clone());
        match event {
            Event::Asks { gateway, explain, broken_glass } => {
                let mut body = read();
                body["permissions"] = json!([if explain { "explain" } else { "select" }]);
                body["for"] = json!("1h");
                body["break_glass"] = json!(broken_glass);
                body["reason"] = json!("payroll stands still, nobody answers");
                let (status, request) = it.one(gateway).gateway.with(&keys[0], POST, "/requests", body).await;
                if status == 201 {
                    requests.push(request);
                } else {
                    assert!(matches!(status.as_u16(), 409 | 422), "{request}");
                }
            }
            Event::Answers { gateway, who, which, approves } => {
                let Some(request) = newest(which) else { continue };
                let answer = it.one(gateway).answers(&keys[who], &request, verdict(approves)).await;
                assert!(matches!(answer.0.as_u16(), 200 | 403 | 404 | 409), "{answer:?}");
            }
            Event::AnswerTogether { which, first, second } => {
                let Some(request) = newest(which) else { continue };
                let (one, other) = tokio::join!(
                    it.one(0).answers(&keys[1], &request, verdict(first)),
                    it.one(1).answers(&keys[2], &request, verdict(second))
                );
                let taken = [&one, &other].into_iter().filter(|answer| answer.0 == 200).count();
                // One answer ends it either way.
                assert!(taken <= 1, "{one:?} {other:?}");
            }
            Event::Cancels { gateway, which } => {
                let Some(request) = newest(which) else { continue };
                let path = format!("/requests/{}/cancel", request["id"].as_str().unwrap());
                let answer = it.one(gateway).gateway.with(&keys[0], POST, &path, Value::Null).await;
                assert!(matches!(answer.0.as_u16(), 200 | 409), "{answer:?}");
            }
            Event::Revokes { gateway, which } => {
                let Some(request) = newest(which) else { continue };
                let path = format!("/requests/{}", request["id"].as_str().unwrap());
                let request = it.one(gateway).gateway.with(&keys[0], GET, &path, Value::Null).await.1;
                let Some(grant) = request["grant"].as_str() else { continue };
                let path = format!("/grants/{grant}/revoke");
                let body = json!({ "reason": "done" });
                let answer = it.one(gateway).gateway.with(&keys[0], POST, &path, body).await;
                assert_eq!(answer.0, 200, "{answer:?}");
            }
            Event::TimePasses { seconds } => {
                it.one(0).home.clock.advance(Duration::from_secs(seconds));
            }
            Event::Tends { gateway } => it.one(gateway).gateway.control.tend_once().await.unwrap(),
        }
        it.agree().await;
        check(&it).await;
    }
    it.stop().await;
}

fn verdict(approves: bool) -> Value {
    json!({ "verdict": if approves { "approve" } else { "deny" } })
}

/// What must hold at any time: what the store says, and what each gateway lets run.
async fn check(it: &Gateways) {
    let now = it.one(0).now();
    let views = it.one(0).gateway.get("/grants?principal=dana&all=true&limit=1000").await;
    let mut is_live = false;
    let mut seen = BTreeSet::new();
    for grant in views["grants"].as_array().unwrap() {
        let request = grant["request"].as_str().expect("every grant here comes of a request");
        assert!(seen.insert(request.to_owned()), "two grants of one request: {grant}");
        let request = it.one(0).gateway.get(&format!("/requests/{request}")).await;
        assert_eq!((&request["state"], &request["grant"]), (&json!("approved"), &grant["id"]), "{request}");
        let approvals: Vec<&Value> = request["reviews"].as_array().unwrap().iter().collect();
        let by_itself = request["flow"] == "plans" || request["flow"] == "emergency";
        let approved = approvals.iter().any(|it| it["verdict"] == "approve" && it["reviewer"] != "dana");
        assert!(by_itself || approved, "a grant without its reviews: {request}");
        let ends_at: Timestamp = grant["ends_at"].as_str().unwrap().parse().unwrap();
        let state = grant["state"].as_str().unwrap();
        assert_eq!(state == "ended", ends_at <= now && grant.get("revocation").is_none(), "{grant}");
        is_live |= state == "live" && grant["permissions"] == json!(["select"]);
    }
    for gateway in it.all() {
        let snapshot = gateway.control.snapshot().load();
        let dana = snapshot.principal("dana").unwrap();
        let decision = decide(&snapshot, dana, &place(), &read_of_employee(8), now);
        assert_eq!(matches!(decision, Decision::Allow(_)), is_live, "a gateway that does otherwise");
    }
}

fn lives(cases: u32, kept: impl AsyncFn() -> Option<Kept>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config =
        ProptestConfig { cases, max_shrink_iters: 20, failure_persistence: None, ..Default::default() };
    let run = TestRunner::new(config).run(&events(), |events| {
        runtime.block_on(async {
            if let Some(kept) = kept().await {
                live(kept, events).await;
            }
        });
        Ok(())
    });
    run.unwrap();
}

#[test]
fn whatever_happens_no_grant_is_without_its_reviews_or_past_its_end_over_sqlite() {
    lives(12, async || Some(Kept::Sqlite));
}

#[test]
fn whatever_happens_no_grant_is_without_its_reviews_or_past_its_end_at_two_gateways() {
    lives(8, Kept::in_postgres);
}
