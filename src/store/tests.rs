//! What both databases keep alike, and what neither lets happen.

use jiff::Timestamp;
use uuid::Uuid;

#[path = "../../tests/support/database.rs"]
pub(super) mod database;

use super::*;
use crate::model::{
    event::{Audience, Event},
    facts::StatementKind,
    flow::{Escalation, Plan, Risk, Step},
    grant::{Grant, GrantName, Holder},
    ids::{DeliveryId, GrantId, RequestId},
    object::Glob,
    permission::Permission,
    request::{Aftermath, Asked, Case, Estimate, ExactStatement, Request, RequestState, Term},
    review::{Narrowing, Review, Verdict},
    secret::Secret,
    slack::{SlackAccount, SlackMessage},
    webhook::{Delivery, DeliveryState},
    window::Window,
};

/// A store, and what it is kept in.
struct Kept {
    store: Store,
    _file: Option<tempfile::TempDir>,
    _database: Option<database::Fresh>,
}

/// An empty one in a file, and an empty one in a PostgreSQL if there is one to play with.
async fn stores() -> Vec<Kept> {
    let file = tempfile::tempdir().unwrap();
    let store = Store::open(&file.path().join("store.db")).await.unwrap();
    let mut all = vec![Kept { store, _file: Some(file), _database: None }];
    if let Some(fresh) = database::Fresh::new().await {
        let store = Store::connect(&server(&fresh)).await.unwrap();
        all.push(Kept { store, _file: None, _database: Some(fresh) });
    }
    all
}

pub(super) fn server(fresh: &database::Fresh) -> Server {
    Server {
        host: fresh.host.clone(),
        port: fresh.port,
        database: fresh.database.clone(),
        user: fresh.user.clone(),
        password: Secret::new(fresh.password.clone()),
        tls: ServerTls::Disable,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pending(requester: &str) -> Case {
    let step = Step { approvers: vec!["leads".into()], quorum: 1 };
    let escalation = Escalation { after_seconds: 60, to: vec!["admins".into()] };
    Case {
        request: Request {
            id: RequestId::new(Uuid::now_v7()),
            requester: requester.into(),
            target: "hr".into(),
            database: "hr_prod".into(),
            what: Asked::Access {
                objects: vec!["public.*".parse().unwrap()],
                permissions: [Permission::Select].into_iter().collect(),
            },
            role: None,
            term: Term { seconds: Some(600), until: None },
            starts_at: None,
            reason: "INC-42".to_owned(),
            ticket: None,
            break_glass: false,
            extends: None,
            created_at: at(1000),
            expires_at: at(2000),
        },
        plan: Plan {
            flow: "reads".to_owned(),
            risk: Risk::Moderate,
            steps: vec![step],
            denials: 1,
            escalation: Some(escalation),
            estimate: true,
            break_glass: false,
        },
        state: RequestState::Pending,
        estimate: Some(Estimate { rows: Some(7), cost: None, problem: None, at: at(1000) }),
        reviews: Vec::new(),
        aftermath: Aftermath::None,
        grant: None,
        decided_at: None,
        escalated_at: None,
        version: 1,
    }
}

fn settled(case: &Case, state: RequestState) -> Case {
    Case { state, decided_at: Some(at(1500)), ..case.clone() }
}

fn approved(case: &Case, grant: GrantId) -> Case {
    Case { grant: Some(grant), ..settled(case, RequestState::Approved) }
}

fn review(reviewer: &str) -> Review {
    let narrowing = Narrowing { seconds: Some(60), ..Narrowing::default() };
    Review {
        reviewer: reviewer.into(),
        step: 0,
        verdict: Verdict::Approve { narrowing },
        comment: "go".to_owned(),
        at: at(1500),
        afterwards: false,
    }
}

fn grant_to(holder: &str, ends: i64) -> StoredGrant {
    let id = GrantId::new(Uuid::now_v7());
    StoredGrant {
        id,
        grant: Grant {
            id: GrantName::Granted(id),
            holder: Holder::Principal(holder.into()),
            target: Glob::new("hr"),
            database: Glob::new("hr_*"),
            objects: vec!["public.*".parse().unwrap(), "*".parse().unwrap()],
            permissions: [Permission::Select, Permission::Dml].into_iter().collect(),
            window: Window { starts_at: at(1000), ends_at: Some(at(ends)) },
            reason: "INC-42".to_owned(),
            revoked_at: None,
        },
        created_at: at(1000),
        created_by: "root".to_owned(),
        revocation: None,
        origin: None,
        statement: None,
        used_at: None,
    }
}

fn exact(holder: &str) -> StoredGrant {
    let statement = ExactStatement {
        sql: "DELETE FROM a.b".into(),
        fingerprint: u64::MAX,
        kind: StatementKind::Delete,
        command: "DELETE".to_owned(),
        read_only: false,
        accesses: Vec::new(),
        calls: Vec::new(),
    };
    StoredGrant { statement: Some(statement), ..grant_to(holder, 2000) }
}

/// Writes in a change of its own.
macro_rules! write {
    ($store:expr, $change:ident => $($work:expr),+) => {{
        let mut $change = $store.change().await.unwrap();
        $($work.await.unwrap();)+
        $change.commit().await.unwrap();
    }};
}

/// What a write in a change of its own comes to, when it is not committed.
macro_rules! attempt {
    ($store:expr, $change:ident => $work:expr) => {{
        let mut $change = $store.change().await.unwrap();
        $work.await
    }};
}

#[tokio::test]
async fn a_request_reads_back_with_its_answers() {
    for Kept { store, .. } in &stores().await {
        let mut case = pending("dana");
        let grant = GrantId::new(Uuid::now_v7());
        write!(store, it => it.insert_case(&case), it.insert_case(&pending("eve")));
        write!(store, it => it.insert_review(case.request.id, &review("lee")), it.move_case(&approved(&case, grant)));
        case = approved(&case, grant);
        case.reviews.push(review("lee"));
        case.version = 2;
        assert_eq!(store.case(case.request.id).await.unwrap().as_ref(), Some(&case));
        let danas = CaseFilter { requester: Some("dana".into()), limit: 10, ..CaseFilter::default() };
        assert_eq!(store.list_cases(&danas).await.unwrap(), [case]);
        let waiting = CaseFilter { state: Some(RequestState::Pending), limit: 10, ..CaseFilter::default() };
        assert_eq!(store.list_cases(&waiting).await.unwrap().len(), 1);
        let past = store.past_requests(&"dana".into(), at(1400)).await.unwrap();
        assert_eq!((past[0].state, past[0].decided_at), (RequestState::Approved, Some(at(1500))));
        assert!(store.past_requests(&"dana".into(), at(1500)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_request_is_due_when_it_goes_to_others_and_when_it_expires() {
    for Kept { store, .. } in &stores().await {
        let case = pending("dana");
        let quiet = Case { plan: Plan { escalation: None, ..case.plan.clone() }, ..pending("eve") };
        write!(store, it => it.insert_case(&case), it.insert_case(&quiet));
        let due = async |second| store.due_cases(at(second), 10).await.unwrap().len();
        assert_eq!((due(1059).await, due(1060).await), (0, 1));
        write!(store, it => it.move_case(&Case { escalated_at: Some(at(1060)), ..case.clone() }));
        assert_eq!((due(1999).await, due(2000).await), (0, 2));
        let seen = Case { version: 2, escalated_at: Some(at(1060)), ..case };
        write!(store, it => it.move_case(&settled(&seen, RequestState::Expired)));
        assert_eq!(due(2000).await, 1);
    }
}

#[tokio::test]
async fn of_two_who_saw_the_same_request_one_moves_it() {
    for Kept { store, .. } in &stores().await {
        let case = pending("dana");
        write!(store, it => it.insert_case(&case));
        write!(store, it => it.move_case(&settled(&case, RequestState::Denied)));
        let second = settled(&case, RequestState::Expired);
        assert!(!attempt!(store, it => it.move_case(&second)).unwrap());
        assert_eq!(store.case(case.request.id).await.unwrap().unwrap().state, RequestState::Denied);
    }
}

#[tokio::test]
async fn the_database_itself_keeps_requests_from_being_decided_twice_or_without_grant() {
    for Kept { store, .. } in &stores().await {
        let case = pending("dana");
        write!(store, it => it.insert_case(&case), it.insert_review(case.request.id, &review("lee")));
        assert!(attempt!(store, it => it.insert_review(case.request.id, &review("lee"))).is_err());
        write!(store, it => it.insert_review(case.request.id, &Review { afterwards: true, ..review("lee") }));
        let bare = settled(&case, RequestState::Approved);
        assert!(attempt!(store, it => it.move_case(&bare)).is_err());
        write!(store, it => it.move_case(&settled(&case, RequestState::Denied)));
        let seen = Case { version: 2, ..case };
        for later in [
            seen.clone(),
            settled(&seen, RequestState::Cancelled),
            approved(&seen, GrantId::new(Uuid::now_v7())),
        ] {
            assert!(attempt!(store, it => it.move_case(&later)).is_err(), "{later:?}");
        }
    }
}

#[tokio::test]
async fn the_database_itself_keeps_grants_from_coming_of_nothing() {
    for Kept { store, .. } in &stores().await {
        let case = pending("dana");
        let mut grant = grant_to("dana", 2000);
        grant.origin = Some(Origin { request: case.request.id, approvers: vec!["lee".into()] });
        assert!(attempt!(store, it => it.insert_grant(&grant)).is_err(), "there is no such request");
        write!(store, it => it.insert_case(&case));
        assert!(attempt!(store, it => it.insert_grant(&grant)).is_err(), "it is pending");
        write!(store, it => it.move_case(&approved(&case, grant.id)), it.insert_grant(&grant));
        let second = StoredGrant { origin: grant.origin.clone(), ..grant_to("dana", 2000) };
        assert!(attempt!(store, it => it.insert_grant(&second)).is_err(), "it has its grant");
        let others = StoredGrant { origin: grant.origin.clone(), ..grant_to("eve", 2000) };
        assert!(attempt!(store, it => it.insert_grant(&others)).is_err(), "it is dana's");
    }
}

#[tokio::test]
async fn a_grant_reads_back_as_it_was_written() {
    for Kept { store, .. } in &stores().await {
        let (first, second) = (grant_to("dana", 2000), grant_to("eve", 3000));
        write!(store, it => it.insert_grant(&first), it.insert_grant(&second));
        assert_eq!(store.grants(Timestamp::MIN).await.unwrap(), [first.clone(), second.clone()]);
        assert_eq!(store.grants(at(2000)).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(store.grant(first.id).await.unwrap(), Some(first.clone()));
        let danas = GrantFilter { holder: Some(first.grant.holder.clone()), limit: 10, ..Default::default() };
        assert_eq!(store.list_grants(&danas).await.unwrap(), std::slice::from_ref(&first));
        let older = GrantFilter { before: Some(second.id), limit: 10, ..Default::default() };
        assert_eq!(store.list_grants(&older).await.unwrap(), [first]);
    }
}

#[tokio::test]
async fn the_first_revocation_stands() {
    for Kept { store, .. } in &stores().await {
        let grant = grant_to("dana", 2000);
        let revocation =
            |second| Revocation { at: at(second), by: "root".to_owned(), reason: format!("at {second}") };
        write!(store, it => it.insert_grant(&grant), it.revoke_grant(grant.id, &revocation(1500)));
        write!(store, it => it.revoke_grant(grant.id, &revocation(1600)));
        let read = store.grant(grant.id).await.unwrap().unwrap();
        assert_eq!(read.revocation, Some(revocation(1500)));
        assert_eq!(read.grant.revoked_at, Some(at(1500)));
        let open = GrantFilter { open_at: Some(at(1200)), limit: 10, ..Default::default() };
        assert_eq!(store.list_grants(&open).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_grant_for_one_statement_is_used_once_and_within_its_window() {
    for Kept { store, .. } in &stores().await {
        let (exact, plain) = (exact("dana"), grant_to("dana", 2000));
        write!(store, it => it.insert_grant(&exact), it.insert_grant(&plain));
        let uses = async |id, second| {
            let mut change = store.change().await.unwrap();
            let used = change.use_grant(id, at(second)).await.unwrap();
            change.commit().await.unwrap();
            used
        };
        assert!(!uses(plain.id, 1500).await, "it is for no one statement");
        assert!(!uses(exact.id, 999).await && !uses(exact.id, 2000).await);
        assert!(uses(exact.id, 1500).await);
        assert!(!uses(exact.id, 1500).await);
        let announces = async || {
            let mut change = store.change().await.unwrap();
            let announced = change.mark_grant(plain.id, GrantMark::Expiring, at(1)).await.unwrap();
            change.commit().await.unwrap();
            announced
        };
        assert!(announces().await && !announces().await);
        let read = store.grant(exact.id).await.unwrap();
        assert_eq!(read, Some(StoredGrant { used_at: Some(at(1500)), ..exact }));
    }
}

#[tokio::test]
async fn an_idempotency_key_is_its_owners() {
    for Kept { store, .. } in &stores().await {
        let answer = FirstAnswer { sha256: vec![1; 32], request: RequestId::new(Uuid::now_v7()) };
        write!(store, it => it.keep_answer("dana", "a", &answer, at(100)));
        assert!(attempt!(store, it => it.keep_answer("dana", "a", &answer, at(100))).is_err());
        write!(store, it => it.keep_answer("eve", "a", &answer, at(200)), it.forget_answers(at(200)));
        assert_eq!(store.first_answer("dana", "a").await.unwrap(), None);
        assert_eq!(store.first_answer("eve", "a").await.unwrap(), Some(answer));
    }
}

#[tokio::test]
async fn a_denial_is_known_for_as_long_as_it_is_asked_for_and_the_newest_stay() {
    for Kept { store, .. } in &stores().await {
        let (dana, eve) = ("dana".into(), "eve".into());
        let denial = |sql: &str| StoredDenial {
            target: "hr".into(),
            database: "hr_prod".into(),
            sql: sql.to_owned(),
            missing: Vec::new(),
        };
        let id = crate::model::denial::DenialId::new;
        write!(store, it => it.keep_denial(&dana, id(1), &denial("SELECT 1"), at(10)),
            it.keep_denial(&dana, id(2), &denial("SELECT 2"), at(20)),
            it.keep_denial(&dana, id(3), &denial("SELECT 3"), at(30)),
            it.keep_denial(&eve, id(1), &denial("SELECT 4"), at(5)));
        let sql = async |who, number, since| {
            store.denial(who, id(number), at(since)).await.unwrap().map(|it| it.sql)
        };
        assert_eq!(sql(&dana, 1, 9).await.as_deref(), Some("SELECT 1"));
        assert_eq!(sql(&dana, 1, 10).await, None, "it is too old");
        assert_eq!(sql(&eve, 2, 0).await, None, "it is dana's");
        write!(store, it => it.trim_denials(&dana, 2));
        assert_eq!((sql(&dana, 1, 0).await, sql(&dana, 2, 0).await.is_some()), (None, true));
        write!(store, it => it.forget_denials(at(20)));
        assert_eq!((sql(&dana, 2, 0).await, sql(&eve, 1, 0).await), (None, None));
        assert_eq!(sql(&dana, 3, 0).await.as_deref(), Some("SELECT 3"));
    }
}

#[tokio::test]
async fn of_two_who_saw_the_same_value_one_replaces_it() {
    for Kept { store, .. } in &stores().await {
        write!(store, it => it.set_value("colour", b"teal"));
        assert!(!attempt!(store, it => it.swap_value("colour", b"red", b"blue")).unwrap());
        write!(store, it => it.swap_value("colour", b"teal", b"blue"));
        assert!(!attempt!(store, it => it.swap_value("colour", b"teal", b"green")).unwrap());
        assert_eq!(store.value("colour").await.unwrap().as_deref(), Some(b"blue".as_slice()));
        assert!(!attempt!(store, it => it.swap_value("size", b"", b"1")).unwrap(), "it is not there");
    }
}

#[tokio::test]
async fn a_change_of_which_a_part_failed_is_not_committed() {
    for Kept { store, .. } in &stores().await {
        let case = pending("dana");
        write!(store, it => it.insert_case(&case));
        let mut change = store.change().await.unwrap();
        change.set_value("colour", b"teal").await.unwrap();
        assert!(change.insert_case(&case).await.is_err());
        drop(change);
        assert_eq!(store.value("colour").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_copy_holds_everything_and_goes_into_an_empty_store_alone() {
    let all = stores().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.db");
    for Kept { store, .. } in &all {
        let (case, mut grant) = (pending("dana"), exact("dana"));
        grant.origin = Some(Origin { request: case.request.id, approvers: vec!["lee".into()] });
        write!(store, it => it.insert_case(&case), it.insert_review(case.request.id, &review("lee")),
            it.move_case(&approved(&case, grant.id)), it.insert_grant(&grant), it.set_value("colour", &[0, 255]));
        let _ = std::fs::remove_file(&path);
        let copy = Store::open(&path).await.unwrap();
        let place = Place::Sqlite(path.clone());
        assert_eq!(store.copy_to(&copy, &place).await.unwrap(), 4);
        assert_eq!(copy.case(case.request.id).await.unwrap(), store.case(case.request.id).await.unwrap());
        assert_eq!(copy.grant(grant.id).await.unwrap(), Some(grant));
        assert_eq!(copy.value("colour").await.unwrap(), Some(vec![0, 255]));
        let again = store.copy_to(&copy, &place).await.unwrap_err();
        assert!(matches!(again, StoreError::NotEmpty { .. }), "{again}");
        copy.close().await;
    }
}

async fn tell(store: &Store, times: usize) {
    for _ in 0..times {
        let mut change = store.change().await.unwrap();
        change.tell(&Event::AuditTrouble { writable: true }, &Audience::default(), at(1)).await.unwrap();
        change.commit().await.unwrap();
    }
}

#[tokio::test]
async fn who_passes_events_on_begins_behind_what_was_and_keeps_its_place() {
    for Kept { store, .. } in &stores().await {
        tell(store, 3).await;
        assert_eq!(store.take_cursor("chat", "a").await.unwrap(), Some(3));
        tell(store, 2).await;
        assert_eq!(store.take_cursor("chat", "a").await.unwrap(), Some(3), "again");
        assert!(store.move_cursor("chat", "a", 3, 4).await.unwrap());
        assert!(!store.move_cursor("chat", "a", 3, 5).await.unwrap(), "it is elsewhere by now");
        assert!(!store.move_cursor("chat", "b", 4, 5).await.unwrap(), "it is another's");
        assert_eq!(store.take_cursor("pager", "b").await.unwrap(), Some(5));
        store.leave_cursor("chat", "b").await.unwrap();
        if store.is_shared() {
            assert_eq!(store.take_cursor("chat", "b").await.unwrap(), None, "it was not b's to leave");
        }
        store.leave_cursor("chat", "a").await.unwrap();
        assert_eq!(store.take_cursor("chat", "b").await.unwrap(), Some(4));
        assert!(!store.move_cursor("chat", "a", 4, 5).await.unwrap());
    }
}

fn delivery(seq: Option<i64>) -> Delivery {
    Delivery {
        id: DeliveryId::new(Uuid::now_v7()),
        webhook: "chat".into(),
        seq,
        at: at(1000),
        event: Event::AuditTrouble { writable: true },
        state: DeliveryState::Trying,
        attempts: 0,
        tried_at: None,
        status: None,
        problem: None,
    }
}

#[tokio::test]
async fn an_event_is_delivered_to_a_webhook_under_one_identifier_and_trials_under_one_each() {
    for Kept { store, .. } in &stores().await {
        let (first, second, trial) = (delivery(Some(7)), delivery(Some(7)), delivery(None));
        let mut change = store.change().await.unwrap();
        assert_eq!(change.begin_delivery(&first).await.unwrap(), first);
        assert_eq!(change.begin_delivery(&second).await.unwrap(), first);
        assert_eq!(change.begin_delivery(&trial).await.unwrap(), trial);
        assert_eq!(change.begin_delivery(&delivery(None)).await.unwrap().seq, None);
        change.commit().await.unwrap();
        let dead = Delivery {
            state: DeliveryState::Dead,
            attempts: 3,
            tried_at: Some(at(1010)),
            status: Some(500),
            problem: Some("the answer is 500".to_owned()),
            ..first
        };
        write!(store, it => it.note_delivery(&dead));
        assert_eq!(store.delivery(dead.id).await.unwrap().as_ref(), Some(&dead));
        let filter = DeliveryFilter { webhook: "chat".into(), state: None, before: None, limit: 10 };
        assert_eq!(store.deliveries(&filter).await.unwrap().len(), 3);
        let older = DeliveryFilter { before: Some(trial.id), ..filter.clone() };
        assert_eq!(store.deliveries(&older).await.unwrap(), std::slice::from_ref(&dead));
        let trying = DeliveryFilter { state: Some(DeliveryState::Trying), ..filter.clone() };
        assert_eq!(store.deliveries(&trying).await.unwrap().len(), 2);
        assert_eq!(store.dead_deliveries(&"chat".into()).await.unwrap(), 1);
        write!(store, it => it.note_delivery(&Delivery { state: DeliveryState::Delivered, ..trial }));
        write!(store, it => it.forget_deliveries(at(1001), at(1000)));
        assert_eq!(
            store.deliveries(&filter).await.unwrap().len(),
            2,
            "what was delivered is forgotten sooner"
        );
        write!(store, it => it.forget_deliveries(at(1001), at(1001)));
        assert!(store.deliveries(&filter).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn one_account_of_slack_is_one_principal_and_the_other_way_round() {
    for Kept { store, .. } in &stores().await {
        let account = |user: &str| SlackAccount { team: "T1".to_owned(), user: user.to_owned() };
        let link = |user: &str, principal: &str| StoredSlackLink {
            account: account(user),
            principal: principal.into(),
            linked_at: at(10),
            linked_by: "code".to_owned(),
        };
        write!(store, it => it.insert_slack_link(&link("U1", "dana")));
        assert!(attempt!(store, it => it.insert_slack_link(&link("U1", "lee"))).is_err());
        assert!(attempt!(store, it => it.insert_slack_link(&link("U2", "dana"))).is_err());
        write!(store, it => it.insert_slack_link(&link("U2", "ada")));
        assert_eq!(store.slack_links().await.unwrap(), [link("U2", "ada"), link("U1", "dana")]);
        assert_eq!(store.slack_link_of(&account("U1")).await.unwrap(), Some("dana".into()));
        assert_eq!(store.slack_account_of(&"ada".into()).await.unwrap(), Some(account("U2")));
        assert!(attempt!(store, it => it.remove_slack_link(&"dana".into())).unwrap());
        write!(store, it => it.remove_slack_link(&"ada".into()));
        assert!(store.slack_link_of(&account("U2")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_webhook_is_disabled_and_enabled_once() {
    for Kept { store, .. } in &stores().await {
        let chat = "chat".into();
        write!(store, it => it.disable_webhook(&chat, at(1)));
        assert!(!attempt!(store, it => it.disable_webhook(&chat, at(2))).unwrap());
        assert_eq!(store.webhook_disabled_at(&chat).await.unwrap(), Some(at(1)));
        assert_eq!(store.webhook_disabled_at(&"other".into()).await.unwrap(), None);
        write!(store, it => it.enable_webhook(&chat));
        assert!(!attempt!(store, it => it.enable_webhook(&chat)).unwrap());
        assert_eq!(store.webhook_disabled_at(&chat).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_code_is_used_once_and_replaced_by_the_next_of_its_account() {
    for Kept { store, .. } in &stores().await {
        let code = |user: &str, byte: u8, second| StoredSlackCode {
            account: SlackAccount { team: "T1".to_owned(), user: user.to_owned() },
            label: "Dana".to_owned(),
            sha256: [byte; 32],
            ends_at: at(second),
        };
        write!(store, it => it.put_slack_code(&code("U1", 1, 100), at(1)),
            it.put_slack_code(&code("U1", 2, 100), at(1)), it.put_slack_code(&code("U2", 3, 200), at(1)));
        assert_eq!(store.slack_code(&[1; 32]).await.unwrap(), None);
        assert_eq!(store.slack_code(&[2; 32]).await.unwrap(), Some(code("U1", 2, 100)));
        write!(store, it => it.put_slack_code(&code("U3", 4, 300), at(100)));
        assert_eq!(store.slack_code(&[2; 32]).await.unwrap(), None, "it is over");
        let mut change = store.change().await.unwrap();
        assert!(change.take_slack_code(&[3; 32]).await.unwrap());
        assert!(!change.take_slack_code(&[3; 32]).await.unwrap());
        change.commit().await.unwrap();
        assert_eq!(store.slack_code(&[3; 32]).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_message_about_a_request_is_found_again_and_replaced() {
    for Kept { store, .. } in &stores().await {
        let id = RequestId::new(Uuid::now_v7());
        let message = |ts: &str, byte: u8| StoredSlackMessage {
            place: SlackMessage { channel: "C1".into(), ts: ts.into() },
            shown: vec![byte; 32],
        };
        write!(store, it => it.put_slack_message(id, "channel", &message("1.1", 1)),
            it.put_slack_message(id, "asked", &message("1.2", 2)));
        write!(store, it => it.put_slack_message(id, "channel", &message("1.1", 3)));
        assert_eq!(store.slack_message(id, "channel").await.unwrap(), Some(message("1.1", 3)));
        assert_eq!(store.slack_message(id, "asked").await.unwrap(), Some(message("1.2", 2)));
        assert_eq!(store.slack_message(id, "decided").await.unwrap(), None);
    }
}
