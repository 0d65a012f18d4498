//! What is written by hand is what the records derive.

use proptest::prelude::*;
use uuid::Uuid;

use super::render::{Body, members};
use crate::model::{
    facts::{Access, AccessMode, StatementKind},
    grant::GrantName,
    ids::{DatabaseName, GrantId, PrincipalName, SessionId, StatementId, TargetName},
    object::Object,
    record::{Actor, DecisionRecord, Fingerprint, Outcome, Record, StatementEnd, StatementStart, Touched},
    target::Lane,
    trace::TraceId,
};

fn by_hand(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    record.render(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn derived(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    members(record, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Text with what JSON escapes in it.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,30}", "[\"\\\\\\x00-\\x1f\u{7f}ä\u{2028}😀a]{0,12}"]
}

fn any_access() -> impl Strategy<Value = Access> {
    let object = prop_oneof![
        Just(Object::Database),
        (any_text(), any_text())
            .prop_map(|(schema, name)| Object::Relation { schema: (*schema).into(), name: (*name).into() }),
        any_text().prop_map(|name| Object::Unresolved { name: (*name).into() }),
    ];
    let mode = prop::sample::select(&[AccessMode::Read, AccessMode::Write, AccessMode::Use][..]);
    (object, mode).prop_map(|(object, mode)| Access { object, mode })
}

proptest! {
    #[test]
    fn a_start_record_is_what_it_derives(
        texts in prop::array::uniform6(any_text()),
        accesses in prop::collection::vec(any_access(), 0..4),
        ids in any::<[u128; 3]>(),
        client in any::<std::net::SocketAddr>(),
        understood in any::<bool>(),
        allowed in any::<bool>(),
        trace in any::<[u8; 16]>(),
        traced in any::<bool>(),
    ) {
        let [principal, application, target, database, sql, grant] = &texts;
        let (principal, target) = (PrincipalName::from(&**principal), TargetName::from(&**target));
        let database = DatabaseName::from(&**database);
        let grants = [GrantName::Standing(grant.clone()), GrantName::Granted(GrantId::new(Uuid::from_u128(ids[2])))];
        let actor = Actor {
            session: SessionId::new(Uuid::from_u128(ids[0])),
            principal: &principal,
            client,
            application,
            target: &target,
            database: &database,
        };
        let record = Record::StatementStart(StatementStart {
            statement: StatementId::new(Uuid::from_u128(ids[1])),
            actor: &actor,
            sql,
            fingerprint: understood.then_some(Fingerprint(ids[1] as u64)),
            kind: understood.then_some(StatementKind::DeclareCursor),
            objects: accesses.iter().map(Touched).collect(),
            decision: if allowed {
                DecisionRecord::Allow { lane: Lane::Read, grants: &grants }
            } else {
                DecisionRecord::Deny { sqlstate: "42501", message: grant, missing: vec![sql.clone(), String::new()] }
            },
            trace_id: TraceId::new(trace).filter(|_| traced),
        });
        prop_assert_eq!(by_hand(&record), derived(&record));
    }

    #[test]
    fn an_end_record_is_what_it_derives(
        ids in any::<[u128; 2]>(),
        (bytes, duration_us) in any::<(u64, u64)>(),
        rows in any::<Option<u64>>(),
        sqlstate in prop::option::of(any_text()),
        upstream_pid in any::<Option<i32>>(),
        outcome in prop::sample::select(&[Outcome::Completed, Outcome::NotRun, Outcome::Lost][..]),
    ) {
        let record = Record::StatementEnd(StatementEnd {
            statement: StatementId::new(Uuid::from_u128(ids[0])),
            session: SessionId::new(Uuid::from_u128(ids[1])),
            outcome,
            rows,
            bytes,
            duration_us,
            sqlstate: sqlstate.as_deref(),
            upstream_pid,
        });
        prop_assert_eq!(by_hand(&record), derived(&record));
    }
}

#[test]
fn a_start_record_has_its_members_in_order() {
    let (principal, target, database) =
        (PrincipalName::from("dana"), TargetName::from("hr"), DatabaseName::from("d"));
    let actor = Actor {
        session: SessionId::new(Uuid::from_u128(9)),
        principal: &principal,
        client: "[::1]:5".parse().unwrap(),
        application: "psql",
        target: &target,
        database: &database,
    };
    let access = Access {
        object: Object::Relation { schema: "a\"b".into(), name: "t".into() },
        mode: AccessMode::Read,
    };
    let record = Record::StatementStart(StatementStart {
        statement: StatementId::new(Uuid::from_u128(7)),
        actor: &actor,
        sql: "SELECT 1",
        fingerprint: None,
        kind: Some(StatementKind::Select),
        objects: vec![Touched(&access)],
        decision: DecisionRecord::Allow { lane: Lane::Read, grants: &[] },
        trace_id: None,
    });
    assert_eq!(
        by_hand(&record),
        ",\"event\":\"statement_start\",\"statement\":\"00000000-0000-0000-0000-000000000007\",\
         \"session\":\"00000000-0000-0000-0000-000000000009\",\"principal\":\"dana\",\"client\":\"[::1]:5\",\
         \"application\":\"psql\",\"target\":\"hr\",\"database\":\"d\",\"sql\":\"SELECT 1\",\"fingerprint\":null,\
         \"kind\":\"select\",\"objects\":[{\"name\":\"a\\\"b.t\",\"mode\":\"read\"}],\"decision\":\"allow\",\
         \"lane\":\"read\",\"grants\":[]"
    );
}
