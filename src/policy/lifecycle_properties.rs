//! What holds in the life of a request, whatever happens in it and in whatever order.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use crate::model::{
    ids::RequestId,
    object::ObjectPattern,
    permission::{Permission, PermissionSet},
    request::{Aftermath, Asked, Case, Request, RequestState, Term},
    review::{Narrowing, Verdict},
};

use super::{
    Approved, Ask, History, NotReviewed, NotTaken, Outcome, Past, Policy, Snapshot, approvers,
    fixture::{at, policy, snapshot},
    may_review, review, submit,
};

pub(super) const RULES: &str = "
groups: { devs: {}, leads: {}, owners: {}, admins: {}, oncall: {} }
principals:
  dana:  { groups: [devs, leads, owners, oncall] }
  lee:   { groups: [leads] }
  liz:   { groups: [leads] }
  olga:  { groups: [owners] }
  otto:  { groups: [owners, leads] }
  ada:   { groups: [admins] }
  gone:  { groups: [leads, owners], disabled: true }
ceilings: [ { environment: prod, forbid: [admin] } ]
zone: Europe/Berlin
risk:
  - { name: plans, level: low, when: \"request.permissions.all(p, p == 'explain')\" }
  - { name: reads, level: moderate, when: 'request.read_only' }
flows:
  - name: emergency
    break_glass: true
    when: \"'oncall' in principal.groups && granted(30) < 3\"
    steps: [ { approvers: [admins] } ]
    longest: { any: 1h }
    reason: '.{20,}'
  - { name: plans, when: \"risk == 'low' && now.hour < 18\", automatic: true, longest: { any: 1h } }
  - name: reads
    when: risk == 'moderate'
    steps: [ { approvers: [leads] } ]
    denials: 2
    longest: { export: 1h, any: 8h }
    escalate: { after: 30m, to: [admins] }
    expires_after: 1h
  - name: writes
    when: request.kind == 'access' || request.kind == 'statement'
    steps: [ { approvers: [leads], quorum: 2 }, { approvers: [owners] } ]
    ticket: '^INC-[0-9]+$'
    expires_after: 1h
";

fn world() -> (Arc<Policy>, Snapshot) {
    let rules = policy(RULES);
    let snapshot = snapshot(&rules, vec![]);
    (rules, snapshot)
}

fn ask(permissions: &[Permission]) -> Ask {
    Ask {
        requester: "dana".into(),
        target: "hr".into(),
        database: "hr_prod".into(),
        what: Asked::Access {
            objects: vec!["public.*".parse().unwrap(), "audit.log".parse().unwrap()],
            permissions: permissions.iter().copied().collect(),
        },
        role: None,
        term: Term { seconds: Some(600), until: None },
        starts_at: None,
        reason: "INC-42: the payroll run stopped".to_owned(),
        ticket: Some("INC-42".to_owned()),
        break_glass: false,
        extends: None,
    }
}

fn case(snapshot: &Snapshot, ask: &Ask, now: Timestamp) -> Case {
    let submitted = submit(snapshot, ask, &History::default(), now).unwrap();
    let at_once = submitted.granted.is_some();
    let aftermath = if submitted.plan.break_glass { Aftermath::Open } else { Aftermath::None };
    Case {
        request: Request {
            id: RequestId::new(Uuid::from_u128(1)),
            requester: ask.requester.clone(),
            target: ask.target.clone(),
            database: ask.database.clone(),
            what: ask.what.clone(),
            role: None,
            term: ask.term,
            starts_at: ask.starts_at,
            reason: ask.reason.clone(),
            ticket: ask.ticket.clone(),
            break_glass: ask.break_glass,
            extends: None,
            created_at: now,
            expires_at: submitted.expires_at,
        },
        plan: submitted.plan,
        state: if at_once { RequestState::Approved } else { RequestState::Pending },
        estimate: None,
        reviews: Vec::new(),
        aftermath,
        grant: None,
        decided_at: at_once.then_some(now),
        escalated_at: None,
        version: 1,
    }
}

/// Answers, and keeps the answer and what follows from it, as the store does.
fn answer(
    snapshot: &Snapshot,
    case: &mut Case,
    who: &str,
    verdict: Verdict,
    now: Timestamp,
) -> Result<Outcome, NotReviewed> {
    let (review, outcome) = review(snapshot, case, &who.into(), verdict, String::new(), now)?;
    case.reviews.push(review);
    match &outcome {
        Outcome::Waiting => {}
        Outcome::Granted(_) => case.state = RequestState::Approved,
        Outcome::Denied => case.state = RequestState::Denied,
        Outcome::Acknowledged { .. } => case.aftermath = Aftermath::Done,
    }
    Ok(outcome)
}

fn yes() -> Verdict {
    Verdict::Approve { narrowing: Narrowing::default() }
}

fn cut(objects: &[&str], permissions: &[Permission], seconds: Option<i64>) -> Verdict {
    let objects = (!objects.is_empty()).then(|| objects.iter().map(|it| it.parse().unwrap()).collect());
    let permissions = (!permissions.is_empty()).then(|| permissions.iter().copied().collect());
    Verdict::Approve { narrowing: Narrowing { objects, permissions, seconds } }
}

fn granted(outcome: Outcome) -> Approved {
    match outcome {
        Outcome::Granted(approved) => approved,
        other => panic!("no grant: {other:?}"),
    }
}

#[test]
fn policy_picks_risk_and_way_and_refuses_what_no_flow_is_for() {
    let (_, snapshot) = world();
    let taken = |ask: &Ask, second| submit(&snapshot, ask, &History::default(), at(second));
    // 12:00 UTC in January is 13:00 in Berlin; 17:00 UTC is 18:00 there.
    let plans = taken(&ask(&[Permission::Explain]), 0).unwrap();
    assert_eq!((plans.plan.flow.as_str(), plans.granted.unwrap().ends_at), ("plans", Some(at(600))));
    let late = taken(&ask(&[Permission::Explain]), 5 * 3600);
    assert_eq!(late.unwrap().plan.flow, "writes", "after hours, somebody is asked");
    let reads = taken(&ask(&[Permission::Select]), 0).unwrap();
    assert_eq!((reads.plan.flow.as_str(), reads.granted, reads.expires_at), ("reads", None, at(3600)));
    assert_eq!(taken(&ask(&[Permission::Dml]), 0).unwrap().plan.flow, "writes");
    let hurried = Ask { break_glass: true, ..ask(&[Permission::Dml]) };
    let emergency = taken(&hurried, 0).unwrap();
    assert!(emergency.plan.break_glass && emergency.granted.is_some());

    let message = |ask: &Ask| taken(ask, 0).unwrap_err().to_string();
    let lee = Ask { requester: "lee".into(), break_glass: true, ..ask(&[Permission::Dml]) };
    assert_eq!(message(&lee), "no flow of the policy is for such a request with break-glass");
    assert_eq!(
        message(&ask(&[Permission::Admin])),
        "the ceiling of environment prod forbids admin: no grant helps"
    );
    let long = Term { seconds: Some(7200), until: None };
    let export = Ask { term: long, ..ask(&[Permission::Export, Permission::Select]) };
    assert_eq!(message(&export), "flow \"reads\" gives export for at most 60 minutes");
    assert!(taken(&Ask { term: long, ..ask(&[Permission::Select]) }, 0).is_ok());
    let bare = Ask { ticket: None, ..ask(&[Permission::Dml]) };
    assert_eq!(message(&bare), "flow \"writes\" wants a ticket that fits ^INC-[0-9]+$");
    let terse = Ask { break_glass: true, reason: "urgent".to_owned(), ..ask(&[Permission::Dml]) };
    assert!(message(&terse).contains("wants a reason"));
    let past = Ask { term: Term { seconds: None, until: Some(at(0)) }, ..ask(&[Permission::Select]) };
    assert_eq!(taken(&past, 0), Err(NotTaken::Nothing));
    for (who, refusal) in
        [("gone", "principal \"gone\" is disabled"), ("nobody", "principal \"nobody\" is not known")]
    {
        assert_eq!(message(&Ask { requester: who.into(), ..ask(&[Permission::Select]) }), refusal);
    }
}

#[test]
fn the_past_counts_for_as_many_days_as_the_condition_says() {
    let (_, snapshot) = world();
    let hurried = Ask { break_glass: true, ..ask(&[Permission::Dml]) };
    let now = at(40 * 86_400);
    let with = |days: [i64; 3]| {
        let history = History::new(days.map(|day| (at(day * 86_400 + 1), Past::Granted)));
        submit(&snapshot, &hurried, &history, now)
    };
    assert!(matches!(with([20, 30, 39]), Err(NotTaken::NoFlow { break_glass: true })));
    assert!(with([9, 30, 39]).is_ok(), "one of them is longer ago");
}

#[test]
fn a_condition_without_an_answer_is_a_no_and_hides_no_stricter_flow() {
    let rules = policy(
        "principals: { dana: {} }
risk: [ { name: tier, level: low, when: \"request.labels.tier == '3'\" } ]
flows:
  - { name: careful, when: \"request.labels.tier == '1'\", automatic: true, longest: { any: 1m } }
  - { name: lenient, when: 'true', automatic: true }",
    );
    let refused = submit(&snapshot(&rules, vec![]), &ask(&[Permission::Select]), &History::default(), at(0));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("the condition of flow \"careful\" cannot be worked out")
    );
    let rules = policy(
        "principals: { dana: {} }
risk: [ { name: tier, level: low, when: \"request.labels.tier == '3'\" } ]
flows: [ { name: numbers, when: '1', automatic: true } ]",
    );
    let numbers = submit(&snapshot(&rules, vec![]), &ask(&[Permission::Select]), &History::default(), at(0));
    assert!(numbers.unwrap_err().to_string().contains("neither true nor false"));
}

#[test]
fn every_step_wants_its_quorum_of_different_people() {
    let (_, snapshot) = world();
    let mut writes = case(&snapshot, &ask(&[Permission::Dml]), at(0));
    let no = |case: &mut Case, who: &str| answer(&snapshot, case, who, yes(), at(1)).unwrap_err();
    assert_eq!(no(&mut writes, "dana"), NotReviewed::OwnRequest);
    assert!(matches!(no(&mut writes, "olga"), NotReviewed::NotApprover { .. }));
    assert_eq!(no(&mut writes, "gone"), NotReviewed::Gone("gone".into()));
    assert_eq!(answer(&snapshot, &mut writes, "otto", yes(), at(1)), Ok(Outcome::Waiting));
    assert_eq!(no(&mut writes, "otto"), NotReviewed::Twice);
    assert_eq!(answer(&snapshot, &mut writes, "lee", yes(), at(2)), Ok(Outcome::Waiting));
    assert_eq!(no(&mut writes, "otto"), NotReviewed::Twice, "also not in the next step");
    assert!(matches!(no(&mut writes, "liz"), NotReviewed::NotApprover { .. }), "the leads are done");
    let approved = granted(answer(&snapshot, &mut writes, "olga", yes(), at(3)).unwrap());
    assert_eq!((approved.window.starts_at, approved.window.ends_at), (at(3), Some(at(603))));
    assert_eq!(no(&mut writes, "liz"), NotReviewed::Settled(RequestState::Approved));
}

#[test]
fn an_approval_gives_less_and_never_more() {
    let (_, snapshot) = world();
    let mut reads = case(&snapshot, &ask(&[Permission::Select]), at(0));
    for (verdict, field) in [
        (cut(&["*"], &[], None), "objects"),
        (cut(&["*.*"], &[], None), "objects"),
        (cut(&[], &[Permission::Dml], None), "permissions"),
        (cut(&[], &[Permission::Export], None), "permissions"),
        (cut(&[], &[], Some(601)), "for"),
        (cut(&[], &[], Some(0)), "for"),
    ] {
        let refused = answer(&snapshot, &mut reads, "lee", verdict, at(1)).unwrap_err();
        assert_eq!(refused, NotReviewed::NotNarrower { field });
    }
    let narrow = cut(&["public.employee"], &[Permission::Explain], Some(60));
    let approved = granted(answer(&snapshot, &mut reads, "lee", narrow, at(1)).unwrap());
    assert_eq!(approved.what.objects(), ["public.employee"]);
    assert_eq!(approved.what.permissions(), [Permission::Explain].into_iter().collect());
    assert_eq!(approved.window.ends_at, Some(at(61)));

    let mut writes = case(&snapshot, &ask(&[Permission::Dml]), at(0));
    answer(&snapshot, &mut writes, "lee", cut(&["public.a*"], &[], Some(60)), at(1)).unwrap();
    let wider = answer(&snapshot, &mut writes, "liz", cut(&["public.b"], &[], None), at(2)).unwrap_err();
    assert_eq!(wider, NotReviewed::NotNarrower { field: "objects" }, "the first one cut that off");
    answer(&snapshot, &mut writes, "liz", yes(), at(2)).unwrap();
    let approved = granted(answer(&snapshot, &mut writes, "olga", yes(), at(3)).unwrap());
    assert_eq!(
        (approved.what.objects(), approved.window.ends_at),
        (vec!["public.a*".to_owned()], Some(at(63)))
    );
}

#[test]
fn an_expired_request_is_over_at_its_last_second() {
    let (_, snapshot) = world();
    let mut reads = case(&snapshot, &ask(&[Permission::Select]), at(0));
    assert!(may_review(&snapshot, &reads, &"lee".into(), at(3599)));
    assert_eq!(answer(&snapshot, &mut reads, "lee", yes(), at(3600)), Err(NotReviewed::Expired));
    let until = Ask { term: Term { seconds: None, until: Some(at(100)) }, ..ask(&[Permission::Select]) };
    let mut short = case(&snapshot, &until, at(0));
    assert_eq!(answer(&snapshot, &mut short, "lee", yes(), at(100)), Err(NotReviewed::Expired));
    let approved = granted(answer(&snapshot, &mut short, "lee", yes(), at(99)).unwrap());
    assert_eq!(approved.window.ends_at, Some(at(100)));
}

#[test]
fn it_takes_as_many_denials_as_the_flow_says() {
    let (_, snapshot) = world();
    let mut reads = case(&snapshot, &ask(&[Permission::Select]), at(0));
    assert_eq!(answer(&snapshot, &mut reads, "lee", Verdict::Deny, at(1)), Ok(Outcome::Waiting));
    assert_eq!(answer(&snapshot, &mut reads, "liz", Verdict::Deny, at(1)), Ok(Outcome::Denied));
    let mut writes = case(&snapshot, &ask(&[Permission::Dml]), at(0));
    assert_eq!(answer(&snapshot, &mut writes, "lee", Verdict::Deny, at(1)), Ok(Outcome::Denied));
}

#[test]
fn when_nobody_answers_others_may_and_each_answer_starts_the_wait_anew() {
    let (_, snapshot) = world();
    let mut reads = case(&snapshot, &ask(&[Permission::Select]), at(0));
    assert!(!may_review(&snapshot, &reads, &"ada".into(), at(1799)));
    assert!(may_review(&snapshot, &reads, &"ada".into(), at(1800)));
    assert_eq!(approvers(&reads, at(1800)), ["admins".into(), "leads".into()]);
    answer(&snapshot, &mut reads, "lee", Verdict::Deny, at(1000)).unwrap();
    assert!(!may_review(&snapshot, &reads, &"ada".into(), at(1800)));
    granted(answer(&snapshot, &mut reads, "ada", yes(), at(2800)).unwrap());
}

#[test]
fn break_glass_stays_open_until_somebody_else_has_looked_at_it() {
    let (_, snapshot) = world();
    let hurried = Ask { break_glass: true, ..ask(&[Permission::Dml]) };
    let mut emergency = case(&snapshot, &hurried, at(0));
    assert_eq!((emergency.state, emergency.aftermath), (RequestState::Approved, Aftermath::Open));
    assert_eq!(answer(&snapshot, &mut emergency, "dana", yes(), at(1)), Err(NotReviewed::OwnRequest));
    assert!(matches!(
        answer(&snapshot, &mut emergency, "lee", yes(), at(1)),
        Err(NotReviewed::NotApprover { .. })
    ));
    let much_later = at(90 * 86_400);
    let narrower = answer(&snapshot, &mut emergency, "ada", cut(&[], &[], Some(1)), much_later);
    assert!(matches!(narrower, Err(NotReviewed::NotNarrower { .. })), "there is nothing to give any more");
    let outcome = answer(&snapshot, &mut emergency, "ada", Verdict::Deny, much_later);
    assert_eq!(outcome, Ok(Outcome::Acknowledged { justified: false }));
    assert_eq!(emergency.aftermath, Aftermath::Done);
    let again = answer(&snapshot, &mut emergency, "ada", yes(), much_later);
    assert_eq!(again, Err(NotReviewed::Settled(RequestState::Approved)));
}

#[derive(Clone, Debug)]
enum Event {
    Answer(&'static str, Verdict),
    Wait(i64),
    Cancel,
}

fn any_event() -> impl Strategy<Value = Event> {
    let people = prop::sample::select(&["dana", "lee", "liz", "olga", "otto", "ada", "gone", "nobody"][..]);
    let objects =
        prop::sample::subsequence(vec!["*", "public.*", "public.employee", "audit.log", "*.log"], 0..3);
    let permissions = prop::sample::subsequence(Permission::ALL.to_vec(), 0..3);
    let seconds = prop::option::of(-1..1200_i64);
    let verdict = prop_oneof![
        3 => Just(yes()),
        3 => (objects, permissions, seconds).prop_map(|(o, p, s)| cut(&o, &p, s)),
        1 => Just(Verdict::Deny),
    ];
    prop_oneof![
        8 => (people, verdict).prop_map(|(who, verdict)| Event::Answer(who, verdict)),
        2 => (0..2500_i64).prop_map(Event::Wait),
        1 => Just(Event::Cancel),
    ]
}

proptest! {
    #[test]
    fn no_grant_without_its_reviews_none_past_its_end_and_never_two(
        permission in prop::sample::select(&[Permission::Select, Permission::Export, Permission::Dml][..]),
        events in prop::collection::vec(any_event(), 0..30),
    ) {
        let (_, snapshot) = world();
        let ask = ask(&[permission]);
        let mut case = case(&snapshot, &ask, at(0));
        let mut now = 0;
        let mut grants = 0;
        for event in events {
            let before = case.clone();
            match event {
                Event::Wait(seconds) => now += seconds,
                Event::Cancel if case.state == RequestState::Pending => case.state = RequestState::Cancelled,
                Event::Cancel => {}
                Event::Answer(who, verdict) => match answer(&snapshot, &mut case, who, verdict, at(now)) {
                    Err(_) => prop_assert_eq!(&case, &before),
                    Ok(outcome) => {
                        prop_assert_eq!(before.state, RequestState::Pending);
                        prop_assert!(at(now) < case.request.expires_at && !["dana", "gone", "nobody"].contains(&who));
                        if let Outcome::Granted(approved) = outcome {
                            grants += 1;
                            is_earned(&case, &approved, &ask, at(now))?;
                        }
                    }
                },
            }
            prop_assert!(before.state == RequestState::Pending || before.state == case.state, "what is settled stays");
        }
        prop_assert!(grants <= 1);
        prop_assert_eq!(grants == 1, case.state == RequestState::Approved);
    }
}

/// Each step has its quorum of different members, none of them the requester; what is given is within what was asked
/// and within every cut.
fn is_earned(case: &Case, approved: &Approved, ask: &Ask, now: Timestamp) -> Result<(), TestCaseError> {
    let mut people: Vec<_> = case.reviews.iter().map(|it| it.reviewer.clone()).collect();
    people.sort();
    let answers = people.len();
    people.dedup();
    prop_assert_eq!(people.len(), answers);
    prop_assert!(!people.contains(&ask.requester));
    for (number, step) in (0_u32..).zip(&case.plan.steps) {
        let approvals =
            case.reviews.iter().filter(|it| it.step == number && it.verdict != Verdict::Deny).count();
        prop_assert!(approvals >= step.quorum as usize, "step {} has {}", number, approvals);
    }
    let denials = case.reviews.iter().filter(|it| it.verdict == Verdict::Deny).count();
    prop_assert!(denials < case.plan.denials as usize);
    let Asked::Access { objects, permissions } = &approved.what else { panic!("it was no statement") };
    let within =
        |limit: &[ObjectPattern]| objects.iter().all(|it| limit.iter().any(|wide| wide.contains(it)));
    let under = |limit: PermissionSet| permissions.iter().all(|it| limit.allows(it));
    let Asked::Access { objects: asked, permissions: wanted } = &ask.what else {
        panic!("it was no statement")
    };
    prop_assert!(within(asked) && under(*wanted) && !objects.is_empty() && !permissions.is_empty());
    let end = approved.window.ends_at.unwrap();
    let length = end.duration_since(approved.window.starts_at).as_secs();
    prop_assert!(approved.window.starts_at >= now && length > 0 && length <= 600);
    for review in &case.reviews {
        if let Verdict::Approve { narrowing } = &review.verdict {
            prop_assert!(narrowing.objects.as_ref().is_none_or(|it| within(it)));
            prop_assert!(narrowing.permissions.is_none_or(under));
            prop_assert!(narrowing.seconds.is_none_or(|seconds| length <= seconds));
        }
    }
    Ok(())
}
