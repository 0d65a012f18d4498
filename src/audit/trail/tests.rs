//! What is found in a log, counted and told, and what becomes of an index that is lost, broken or of another log.

use std::{collections::BTreeSet, fs, time::Duration};

use uuid::Uuid;

use super::{Decided, Filter, StatsQuery, Trail};
use crate::{
    audit::{AuditLog, beside, tests::Bench},
    model::{
        facts::{Access, AccessMode, StatementKind},
        grant::{Grant, GrantName, Holder},
        ids::{DatabaseName, GrantId, PrincipalName, RequestId, SessionId, StatementId, TargetName},
        object::{Glob, Object, ObjectPattern},
        permission::{Permission, PermissionSet},
        record::{Actor, DecisionRecord, Login, Outcome, Record, StatementEnd, StatementStart, Touched},
        request::RequestState,
        target::Lane,
        window::Window,
    },
};

/// One person at one target, who runs statements.
pub(super) struct Person {
    principal: PrincipalName,
    target: TargetName,
    database: DatabaseName,
    pub(super) session: SessionId,
    pub(super) grants: Vec<GrantName>,
}

impl Person {
    pub(super) fn new(name: &str, session: u128) -> Self {
        let grants = vec![GrantName::Standing("standing:developers/0".to_owned())];
        let session = SessionId::new(Uuid::from_u128(session));
        Self { principal: name.into(), target: "hr".into(), database: "hr_prod".into(), session, grants }
    }

    pub(super) fn actor(&self) -> Actor<'_> {
        Actor {
            session: self.session,
            principal: &self.principal,
            client: "10.0.0.7:4000".parse().unwrap(),
            application: "psql",
            target: &self.target,
            database: &self.database,
        }
    }

    pub(super) fn id(&self, number: u64) -> StatementId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.session.uuid().as_bytes()[8..]);
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        StatementId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Writes the start of a statement, and its end if it is let run.
    pub(super) async fn runs(
        &self,
        log: &AuditLog,
        number: u64,
        sql: &str,
        table: &str,
        mode: AccessMode,
        is_allowed: bool,
    ) {
        let actor = self.actor();
        let kind = if mode == AccessMode::Write { StatementKind::Update } else { StatementKind::Select };
        let decision = if is_allowed {
            DecisionRecord::Allow { lane: Lane::Read, grants: &self.grants }
        } else {
            let missing = vec![format!("select on {table}")];
            DecisionRecord::Deny { sqlstate: "42501", message: "permission denied", missing }
        };
        let (schema, name) = table.split_once('.').unwrap();
        let object = Object::Relation { schema: schema.into(), name: name.into() };
        let access = Access { object, mode };
        let start = Record::StatementStart(StatementStart {
            statement: self.id(number),
            actor: &actor,
            sql,
            fingerprint: None,
            kind: Some(kind),
            objects: vec![Touched(&access)],
            decision,
            trace_id: None,
        });
        let _receipt = log.append_one(&start).await.unwrap();
        if is_allowed {
            let _receipt = log.append_one(&self.end(number)).await.unwrap();
        }
    }

    pub(super) fn end(&self, number: u64) -> Record<'static> {
        Record::StatementEnd(StatementEnd {
            statement: self.id(number),
            session: self.session,
            outcome: Outcome::Completed,
            rows: Some(3),
            bytes: 30,
            duration_us: 1500,
            sqlstate: None,
            upstream_pid: None,
        })
    }
}

pub(super) async fn open(bench: &Bench) -> Trail {
    Trail::open(&bench.path(), &beside(&bench.path(), "index")).await.unwrap()
}

pub(super) async fn found(trail: &Trail, filter: Filter) -> Vec<u64> {
    trail.search(&filter).await.unwrap().records.iter().map(|it| it.found.seq).collect()
}

/// Records 1 to 9: dana reads salary (1, 2), is refused (3), changes employee (4, 5); bob reads salary (6, 7), is
/// refused salary (8); policy is refused (9).
async fn a_day(bench: &Bench) -> (AuditLog, Person, Person) {
    let log = bench.open().unwrap();
    let dana = Person::new("dana", 0x0193_5f2e_0000_7000_8000_00aa_0000_0001);
    let bob = Person::new("bob", 0x0193_5f2e_0000_7000_8000_00bb_0000_0002);
    dana.runs(&log, 1, "SELECT pay FROM salary WHERE who = 'Ann'", "public.salary", AccessMode::Read, true)
        .await;
    dana.runs(&log, 2, "SELECT 1 FROM payroll", "public.payroll", AccessMode::Read, false).await;
    bench.hand.advance(Duration::from_secs(3600));
    dana.runs(&log, 3, "UPDATE employee SET name = 'Zoë'", "public.employee", AccessMode::Write, true).await;
    bob.runs(&log, 1, "SELECT * FROM salary", "public.salary", AccessMode::Read, true).await;
    bob.runs(&log, 2, "DELETE FROM salary", "public.salary", AccessMode::Write, false).await;
    let broken = Record::PolicyRejected { actor: "dana", problem: "salary is no word" };
    let _receipt = log.append_one(&broken).await.unwrap();
    (log, dana, bob)
}

#[tokio::test]
async fn records_are_found_by_each_of_what_they_say_and_by_all_of_it() {
    let bench = Bench::new();
    let (_log, dana, _) = a_day(&bench).await;
    let trail = open(&bench).await;
    let text = |words: &str| Filter { text: Some(words.to_owned()), ..Filter::default() };
    let table = |name: &str| Filter { table: Some(name.to_owned()), ..Filter::default() };
    let is = Some("dana".to_owned());
    let noon: jiff::Timestamp = "2026-11-21T12:30:00Z".parse().unwrap();
    for (filter, wanted) in [
        (Filter::default(), vec![9, 8, 6, 4, 3, 1, 0]),
        (Filter { principal: is.clone(), ..Filter::default() }, vec![9, 4, 3, 1]),
        (Filter { principal: Some("nobody".to_owned()), ..Filter::default() }, vec![]),
        (
            Filter {
                target: Some("hr".to_owned()),
                database: Some("hr_prod".to_owned()),
                ..Filter::default()
            },
            vec![8, 6, 4, 3, 1],
        ),
        (Filter { database: Some("other".to_owned()), ..Filter::default() }, vec![]),
        (table("public.salary"), vec![8, 6, 1]),
        (table("public.*"), vec![8, 6, 4, 3, 1]),
        (table("*pay*"), vec![3]),
        (table("public.sal"), vec![]),
        (Filter { permission: Some(Permission::Dml), ..Filter::default() }, vec![8, 4]),
        (Filter { permission: Some(Permission::Dml), ..table("public.salary") }, vec![8]),
        (Filter { permission: Some(Permission::Admin), ..Filter::default() }, vec![]),
        (Filter { decision: Some(Decided::Deny), ..Filter::default() }, vec![8, 3]),
        (Filter { decision: Some(Decided::Allow), principal: is.clone(), ..Filter::default() }, vec![4, 1]),
        (Filter { kind: Some("update".to_owned()), ..Filter::default() }, vec![8, 4]),
        (Filter { event: Some("policy_rejected".to_owned()), ..Filter::default() }, vec![9]),
        (Filter { event: Some("statement_end".to_owned()), ..Filter::default() }, vec![7, 5, 2]),
        (Filter { session: Some(dana.session.uuid()), ..Filter::default() }, vec![4, 3, 1]),
        (Filter { reference: Some(dana.id(2).to_string()), ..Filter::default() }, vec![3]),
        (Filter { from: Some(noon), ..Filter::default() }, vec![9, 8, 6, 4]),
        (Filter { until: Some(noon), ..Filter::default() }, vec![3, 1, 0]),
        (text("salary ANN"), vec![1]),
        (text("sal*"), vec![8, 6, 1]),
        (text("sal"), vec![]),
        (text("zoë"), vec![4]),
        (text("'"), vec![]),
        (
            Filter {
                table: Some("public.salary".to_owned()),
                principal: Some("bob".to_owned()),
                ..text("select")
            },
            vec![6],
        ),
        (Filter { before: Some(6), ..Filter::default() }, vec![4, 3, 1, 0]),
        (Filter { after: Some(4), ..Filter::default() }, vec![9, 8, 6]),
    ] {
        assert_eq!(found(&trail, filter.clone()).await, wanted, "{filter:?}");
        // What is looked for as it is written finds the same, apart from places by number and time.
        if filter.before.or(filter.after).is_none() && filter.from.or(filter.until).is_none() {
            let mut live = trail.live(None, filter.clone()).await.unwrap();
            assert!(live.next(Duration::ZERO).await.unwrap().records.is_empty());
            let part = trail.live(Some(0), filter.clone()).await.unwrap().next(Duration::ZERO).await.unwrap();
            let seen: BTreeSet<u64> = part.records.iter().map(|it| it.seq).collect();
            let mut wanted: BTreeSet<u64> = wanted.into_iter().collect();
            wanted.remove(&0);
            assert_eq!(seen, wanted, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_a_statement_comes_with_its_end() {
    let bench = Bench::new();
    let (log, dana, _) = a_day(&bench).await;
    let trail = open(&bench).await;
    let page = trail.search(&Filter { limit: Some(2), ..Filter::default() }).await.unwrap();
    assert_eq!((page.records.len(), page.next, page.unindexed), (2, Some(8), 0));
    let page =
        trail.search(&Filter { limit: Some(2), before: page.next, ..Filter::default() }).await.unwrap();
    assert_eq!(page.records[0].found.seq, 6);
    assert_eq!(page.records[0].end.as_ref().unwrap().record["rows"], 3);
    assert!(page.records[0].found.intact);
    assert!(trail.search(&Filter { limit: Some(0), ..Filter::default() }).await.is_err());
    assert!(trail.search(&Filter { limit: Some(501), ..Filter::default() }).await.is_err());
    // An end that comes after the index was opened anew finds its start.
    let actor = dana.actor();
    let start = Record::StatementStart(StatementStart {
        statement: dana.id(9),
        actor: &actor,
        sql: "SELECT pg_sleep(9)",
        fingerprint: None,
        kind: Some(StatementKind::Select),
        objects: vec![],
        decision: DecisionRecord::Allow { lane: Lane::Read, grants: &dana.grants },
        trace_id: None,
    });
    let _receipt = log.append_one(&start).await.unwrap();
    let newest = Filter { limit: Some(1), ..Filter::default() };
    assert!(trail.search(&newest).await.unwrap().records[0].end.is_none());
    drop(trail);
    let trail = open(&bench).await;
    let _receipt = log.append_one(&dana.end(9)).await.unwrap();
    assert_eq!(trail.search(&newest).await.unwrap().records[0].end.as_ref().unwrap().seq, 11);
    let (oldest, last) = trail.find_part(&Filter::default(), 2).await.unwrap();
    assert_eq!(last, Some(1));
    assert_eq!(oldest.iter().map(|it| it.found.seq).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn touches_are_counted_by_person_object_and_permission() {
    let bench = Bench::new();
    let (_log, ..) = a_day(&bench).await;
    let trail = open(&bench).await;
    let stats = trail.stats(&StatsQuery::default()).await.unwrap();
    let mut touches: Vec<_> = stats
        .touches
        .iter()
        .map(|it| (it.principal.as_str(), it.object.as_str(), it.permission.unwrap(), it.allowed, it.denied))
        .collect();
    touches.sort();
    let (select, dml) = (Permission::Select, Permission::Dml);
    let wanted = [
        ("bob", "public.salary", select, 1, 0),
        ("bob", "public.salary", dml, 0, 1),
        ("dana", "public.employee", dml, 1, 0),
        ("dana", "public.payroll", select, 0, 1),
        ("dana", "public.salary", select, 1, 0),
    ];
    assert_eq!(touches, wanted);
    let hours: Vec<_> = stats.hours.iter().map(|it| (it.at.to_string(), it.allowed, it.denied)).collect();
    let hour = |at: &str, allowed, denied| (at.to_owned(), allowed, denied);
    assert_eq!(hours, [hour("2026-11-21T12:00:00Z", 1, 1), hour("2026-11-21T13:00:00Z", 2, 1)]);
    let bobs = StatsQuery {
        principal: Some("bob".to_owned()),
        table: Some("*salary".to_owned()),
        ..Default::default()
    };
    assert_eq!(trail.stats(&bobs).await.unwrap().touches.len(), 2);
    let late = StatsQuery { from: Some("2026-11-21T13:00:00Z".parse().unwrap()), ..Default::default() };
    assert_eq!(trail.stats(&late).await.unwrap().hours.len(), 1);
}

#[tokio::test]
async fn a_story_leads_from_a_statement_to_its_grant_its_request_and_the_answers() {
    let bench = Bench::new();
    let log = bench.open().unwrap();
    let mut dana = Person::new("dana", 0x0193_5f2e_0000_7000_8000_00aa_0000_0001);
    let (grant_id, request) = (GrantId::new(Uuid::from_u128(77)), RequestId::new(Uuid::from_u128(88)));
    let name = GrantName::Granted(grant_id);
    let grant = Grant {
        id: name.clone(),
        holder: Holder::Principal("dana".into()),
        target: Glob::new("hr"),
        database: Glob::new("hr_prod"),
        objects: vec![ObjectPattern::All],
        permissions: PermissionSet::default(),
        window: Window { starts_at: bench.clock.now(), ends_at: None },
        reason: "INC-42".to_owned(),
        revoked_at: None,
    };
    let settled = Record::RequestSettled {
        actor: "carol",
        request,
        state: RequestState::Approved,
        grant: Some(grant_id),
    };
    let looked = Record::BreakGlassReviewed { actor: "carol", request, justified: true, comment: "fine" };
    let login = dana.actor();
    let login = Record::Login(Login { actor: &login, method: "password", subject: None, tls: None });
    let made = Record::GrantCreated { actor: "carol", grant: &grant };
    let _receipts = log.append(&[looked, settled, made, login]).await.unwrap();
    dana.grants = vec![name.clone()];
    dana.runs(&log, 1, "SELECT 1", "public.salary", AccessMode::Read, true).await;
    let gone = Record::GrantRevoked { actor: "carol", grant: &name, reason: "over" };
    let _receipt = log.append_one(&gone).await.unwrap();
    let trail = open(&bench).await;
    let seqs = |records: &[super::StoredRecord]| records.iter().map(|it| it.seq).collect::<Vec<_>>();
    for id in ["5", "6", &dana.id(1).to_string()] {
        let story = trail.story(id).await.unwrap().unwrap();
        assert_eq!((story.record.seq, story.end.as_ref().unwrap().seq), (5, 6), "{id}");
        assert_eq!(seqs(&story.session), [4]);
        assert_eq!(seqs(&story.requests), [1, 2]);
        assert_eq!(seqs(&story.grants), [3, 7]);
    }
    let story = trail.story(&request.to_string()).await.unwrap().unwrap();
    assert_eq!((story.record.seq, seqs(&story.grants)), (1, vec![3, 7]));
    assert!(trail.story("99").await.unwrap().is_none());
    assert!(trail.story(&Uuid::from_u128(5).to_string()).await.unwrap().is_none());
    let used = Filter { reference: Some(grant_id.to_string()), ..Filter::default() };
    assert_eq!(found(&trail, used).await, [7, 5, 3, 2]);
}

#[tokio::test]
async fn an_index_that_is_lost_broken_or_of_another_log_is_made_anew() {
    let bench = Bench::new();
    let (log, ..) = a_day(&bench).await;
    let index = beside(&bench.path(), "index");
    let salary = Filter { table: Some("public.salary".to_owned()), ..Filter::default() };
    assert_eq!(found(&open(&bench).await, salary.clone()).await, [8, 6, 1]);
    fs::write(&index, b"no index").unwrap();
    assert_eq!(found(&open(&bench).await, salary.clone()).await, [8, 6, 1]);
    for ending in ["", "-wal", "-shm"] {
        let mut name = index.as_os_str().to_owned();
        name.push(ending);
        let _gone = fs::remove_file(name);
    }
    let trail = open(&bench).await;
    assert_eq!(found(&trail, salary.clone()).await, [8, 6, 1]);
    // Another log takes its place while the index is open.
    drop(log);
    fs::rename(bench.path(), bench.folder.path().join("evidence")).unwrap();
    let log = bench.open().unwrap();
    let bob = Person::new("bob", 7);
    bob.runs(&log, 1, "SELECT 1", "public.salary", AccessMode::Read, true).await;
    drop(trail);
    assert_eq!(found(&open(&bench).await, salary).await, [1]);
}

#[tokio::test]
async fn what_was_changed_in_the_log_is_shown_as_changed() {
    let bench = Bench::new();
    let (_log, ..) = a_day(&bench).await;
    let trail = open(&bench).await;
    assert_eq!(found(&trail, Filter::default()).await.len(), 7);
    let text = fs::read_to_string(bench.path()).unwrap();
    fs::write(bench.path(), text.replace("'Ann'", "'Eve'")).unwrap();
    let page = trail.search(&Filter::default()).await.unwrap();
    let changed: Vec<u64> =
        page.records.iter().filter(|it| !it.found.intact).map(|it| it.found.seq).collect();
    assert_eq!(changed, [1]);
}

#[tokio::test]
async fn a_second_reader_sees_what_the_first_has_indexed() {
    let bench = Bench::new();
    let (_log, ..) = a_day(&bench).await;
    let first = open(&bench).await;
    assert_eq!(found(&first, Filter::default()).await.len(), 7);
    let second = open(&bench).await;
    assert_eq!(found(&second, Filter::default()).await.len(), 7);
}
