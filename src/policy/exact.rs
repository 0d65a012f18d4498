//! Leave for one exact statement, once.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    dialect::Dialect,
    facts::{Facts, StatementKind, TransactionEffect},
    grant::GrantName,
    ids::{GrantId, PrincipalName},
    principal::Principal,
    request::ExactStatement,
    target::{Lane, Place},
    window::Window,
};

use super::{need, permit::Permit, snapshot::Snapshot, view::View};

/// Leave for one exact statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactGrant {
    /// Its name in lists and records.
    pub id: GrantId,
    /// Who holds it.
    pub holder: PrincipalName,
    /// Where.
    pub place: Place,
    /// Which statement, and what it may touch.
    pub statement: Arc<ExactStatement>,
    /// When.
    pub window: Window,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// It has run, or runs: it opens nothing more.
    pub is_used: bool,
}

impl ExactGrant {
    fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none_or(|at| now < at) && self.window.contains(now)
    }
}

/// Leave that is there and not yet taken: the grant has to be claimed first, so that it is used once.
#[must_use]
#[derive(Debug)]
pub struct Once {
    grant: GrantId,
    permit: Permit,
}

impl Once {
    /// What has to be claimed.
    pub fn grant(&self) -> GrantId {
        self.grant
    }

    /// The weakest account that the statement can run on.
    pub fn lane(&self) -> Lane {
        self.permit.lane()
    }

    /// The version of the snapshot that it was decided on; on another one, decide again.
    pub fn version(&self) -> u64 {
        self.permit.version()
    }

    /// The leave, for whoever has claimed the grant and was the one to get it.
    pub fn claimed(self) -> Permit {
        self.permit
    }
}

/// Whether a statement can be approved as it stands: what runs by name cannot, nor what begins or ends a transaction.
///
/// A definition in MySQL can, although it commits: outside a transaction there is nothing else to commit.
pub fn can_be_exact(facts: &Facts, dialect: Dialect) -> bool {
    let is_alone = match (dialect, facts.kind, &facts.transaction) {
        (_, _, TransactionEffect::None) => true,
        (Dialect::Mysql, StatementKind::Define, TransactionEffect::Commit { chain: false }) => true,
        (
            Dialect::Mysql | Dialect::Postgres,
            _,
            TransactionEffect::Begin { .. }
            | TransactionEffect::Commit { .. }
            | TransactionEffect::Rollback { .. }
            | TransactionEffect::Savepoint(_)
            | TransactionEffect::Release(_)
            | TransactionEffect::RollbackTo(_)
            | TransactionEffect::SetModes { .. },
        ) => false,
    };
    is_alone && facts.runs.is_none()
}

/// Looks for leave for exactly `text`, which does what `facts` say; to be asked where [`decide`](super::decide) refused.
///
/// The text must be the approved one, white space around it aside, and do nothing that the approver did not see: where
/// names mean something else by now, there is no leave. What cannot be approved so has none. Ceilings hold. The session must be outside a transaction, so that what is approved is all that is done.
pub fn decide_exact(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    text: &str,
    facts: &Facts,
    now: Timestamp,
) -> Option<Once> {
    let view = View::open(snapshot, principal, place, now).ok()?;
    if !can_be_exact(facts, view.dialect()) {
        return None;
    }
    let text = text.trim();
    let grant = snapshot.exact_of(&view.member.principal.name).iter().find(|grant| {
        !grant.is_used
            && grant.is_live(now)
            && grant.place == *place
            && *grant.statement.sql == *text
            && grant.statement.fingerprint == facts.fingerprint
    })?;
    let is_seen = facts.accesses.iter().all(|access| grant.statement.accesses.contains(access))
        && facts.calls.iter().all(|call| view.is_listed(call) || grant.statement.calls.contains(&call.name));
    if !is_seen {
        return None;
    }
    let mut lane = if facts.read_only { Lane::Read } else { Lane::Write };
    for need in need::needs(facts, view.dialect(), |call| view.is_listed(call)) {
        if need.permission().is_some_and(|permission| view.forbidden.contains(permission)) {
            return None;
        }
        if need.is_administrative() {
            lane = Lane::Admin;
        }
    }
    let names = Arc::from([GrantName::Granted(grant.id)]);
    Some(Once { grant: grant.id, permit: Permit::new(lane, names, grant.window.ends_at, snapshot.version()) })
}

/// Whether what runs on a claimed grant may go on: it is neither over nor revoked, and its holder may be let in.
pub fn still_runs(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    grant: GrantId,
    now: Timestamp,
) -> bool {
    View::open(snapshot, principal, place, now).is_ok()
        && snapshot.exact_of(&principal.name).iter().any(|it| it.id == grant && it.is_live(now))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        model::{
            facts::{AccessMode, Runs},
            ids::Ident,
            object::Object,
        },
        policy::fixture::{at, facts, hr, policy, principal, relation, snapshot},
    };

    const SQL: &str = "DELETE FROM public.salary WHERE id = 7";

    fn deletes() -> Facts {
        let accesses =
            [(AccessMode::Write, relation("public.salary")), (AccessMode::Read, relation("public.salary"))];
        facts(&accesses, &[], false)
    }

    fn grant() -> ExactGrant {
        let seen = deletes();
        ExactGrant {
            id: GrantId::new(Uuid::from_u128(9)),
            holder: "dana".into(),
            place: hr(),
            statement: Arc::new(ExactStatement {
                sql: SQL.into(),
                fingerprint: seen.fingerprint,
                kind: seen.kind,
                command: "DELETE".to_owned(),
                read_only: false,
                accesses: seen.accesses,
                calls: Vec::<Ident>::new(),
            }),
            window: Window { starts_at: at(0), ends_at: Some(at(60)) },
            revoked_at: None,
            is_used: false,
        }
    }

    fn asked(
        grant: ExactGrant,
        who: &str,
        text: &str,
        does: &Facts,
        second: i64,
    ) -> Option<(Lane, Option<Timestamp>)> {
        let rules = policy("principals: { sam: {} }\nceilings: [ { environment: prod, forbid: [admin] } ]");
        let snapshot = snapshot(&rules, vec![]).with_exact([grant]);
        decide_exact(&snapshot, &principal(who, &[]), &hr(), text, does, at(second)).map(|once| {
            assert_eq!(once.grant().uuid().as_u128(), 9);
            let permit = once.claimed();
            (permit.lane(), permit.until())
        })
    }

    #[test]
    fn the_approved_statement_has_leave_and_its_neighbour_has_not() {
        let does = deletes();
        assert_eq!(asked(grant(), "dana", SQL, &does, 0), Some((Lane::Write, Some(at(60)))));
        assert!(asked(grant(), "dana", &format!(" {SQL}\n"), &does, 59).is_some());
        assert!(asked(grant(), "dana", &SQL.replace('7', "8"), &does, 0).is_none(), "another literal");
        assert!(asked(grant(), "sam", SQL, &does, 0).is_none(), "another person");
        assert!(asked(grant(), "dana", SQL, &does, 60).is_none(), "over");
        assert!(asked(ExactGrant { is_used: true, ..grant() }, "dana", SQL, &does, 0).is_none(), "used");
        let revoked = ExactGrant { revoked_at: Some(at(5)), ..grant() };
        assert!(asked(revoked.clone(), "dana", SQL, &does, 4).is_some());
        assert!(asked(revoked, "dana", SQL, &does, 5).is_none(), "revoked");
        let elsewhere = Place { database: "hr_test".into(), ..hr() };
        assert!(asked(ExactGrant { place: elsewhere, ..grant() }, "dana", SQL, &does, 0).is_none());
    }

    #[test]
    fn a_text_that_means_something_else_by_now_has_no_leave() {
        let mut other = deletes();
        other.accesses = facts(&[(AccessMode::Write, relation("secret.salary"))], &[], false).accesses;
        assert!(asked(grant(), "dana", SQL, &other, 0).is_none(), "another table of the same name");
        assert!(asked(grant(), "dana", SQL, &facts(&[], &["f"], false), 0).is_none(), "a routine");
        assert!(asked(grant(), "dana", SQL, &Facts { fingerprint: 2, ..deletes() }, 0).is_none());
        let begins = Facts { transaction: TransactionEffect::Commit { chain: false }, ..deletes() };
        assert!(asked(grant(), "dana", SQL, &begins, 0).is_none(), "the end of a transaction");
    }

    #[test]
    fn a_definition_that_commits_by_itself_can_be_approved_and_a_commit_cannot() {
        let does =
            |kind, chain| Facts { kind, transaction: TransactionEffect::Commit { chain }, ..deletes() };
        let defines = does(StatementKind::Define, false);
        assert!(can_be_exact(&defines, Dialect::Mysql));
        assert!(!can_be_exact(&defines, Dialect::Postgres));
        assert!(!can_be_exact(&does(StatementKind::Define, true), Dialect::Mysql));
        assert!(!can_be_exact(&does(StatementKind::Transaction, false), Dialect::Mysql));
        assert!(!can_be_exact(&does(StatementKind::Administer, false), Dialect::Mysql));
        let runs = Some(Runs::Prepared { name: "p".into(), explain: false });
        assert!(!can_be_exact(&Facts { runs, ..defines }, Dialect::Mysql));
    }

    #[test]
    fn the_ceiling_holds_for_what_was_approved() {
        let role = facts(&[(AccessMode::Administer, Object::Server { what: "role".into() })], &[], false);
        let mut approved = grant();
        Arc::make_mut(&mut approved.statement).accesses = role.accesses.clone();
        assert!(asked(approved, "dana", SQL, &role, 0).is_none());
    }

    #[test]
    fn what_runs_on_a_claimed_grant_goes_on_until_it_is_over_or_revoked() {
        let runs = |grant: ExactGrant, second| {
            let id = grant.id;
            let snapshot = snapshot(&policy(""), vec![]).with_exact([grant]);
            still_runs(&snapshot, &principal("dana", &[]), &hr(), id, at(second))
        };
        let used = ExactGrant { is_used: true, ..grant() };
        assert!(runs(used.clone(), 59));
        assert!(!runs(used.clone(), 60));
        assert!(!runs(ExactGrant { revoked_at: Some(at(5)), ..used }, 5));
    }
}
