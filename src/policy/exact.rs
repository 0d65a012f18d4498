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

use super::{
    need,
    permit::{Leave, Permit, sealed},
    snapshot::Snapshot,
    view::View,
};

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

    /// The leave, for whoever has claimed the grant and was the one to get it; and what it goes on with.
    pub fn claimed(self) -> (Permit, Claimed) {
        let claimed = Claimed { grant: self.grant, lane: self.permit.lane() };
        (self.permit, claimed)
    }
}

/// It may be prepared before it is claimed: that shows what it returns, and runs nothing.
impl Leave for Once {
    fn lane(&self) -> Lane {
        self.permit.lane()
    }

    fn until(&self) -> Option<Timestamp> {
        self.permit.until()
    }

    fn version(&self) -> u64 {
        self.permit.version()
    }
}

impl sealed::Judged for Once {}

/// That leave was claimed: the one run that it was for may go on, until its grant is over or revoked.
///
/// ```compile_fail,E0451
/// use tidegate::{model::{ids::GrantId, target::Lane}, policy::Claimed};
/// let forged = Claimed { grant: GrantId::new(uuid::Uuid::nil()), lane: Lane::Admin };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    grant: GrantId,
    lane: Lane,
}

impl Claimed {
    /// Leave for what is left of the run: more rows of it, its end. `None` if the grant is over or revoked, or its
    /// holder may not be let in any more.
    pub fn goes_on(
        self,
        snapshot: &Snapshot,
        principal: &Principal,
        place: &Place,
        now: Timestamp,
    ) -> Option<Permit> {
        View::open(snapshot, principal, place, now).ok()?;
        let own = snapshot.exact_of(&principal.name).iter().find(|it| it.id == self.grant)?;
        let names = Arc::from([GrantName::Granted(self.grant)]);
        own.is_live(now).then(|| Permit::new(self.lane, names, own.window.ends_at, snapshot.version()))
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

/// Whether leave for a statement of the form of `facts`, be it with other values, waits for `principal` here.
pub fn awaits_alike(
    snapshot: &Snapshot,
    principal: &Principal,
    place: &Place,
    facts: &Facts,
    now: Timestamp,
) -> bool {
    let of_form = |it: &ExactGrant| it.place == *place && it.statement.fingerprint == facts.fingerprint;
    snapshot.exact_of(&principal.name).iter().any(|it| !it.is_used && it.is_live(now) && of_form(it))
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
            let (permit, claimed) = once.claimed();
            assert_eq!(claimed.lane, permit.lane());
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
        let claimed = Claimed { grant: grant().id, lane: Lane::Write };
        let runs = |grant: ExactGrant, who: &str, second| {
            let snapshot = snapshot(&policy(""), vec![]).with_exact([grant]);
            let permit = claimed.goes_on(&snapshot, &principal(who, &[]), &hr(), at(second));
            permit.map(|permit| (permit.lane(), permit.until()))
        };
        let used = ExactGrant { is_used: true, ..grant() };
        assert_eq!(runs(used.clone(), "dana", 59), Some((Lane::Write, Some(at(60)))));
        assert!(runs(used.clone(), "dana", 60).is_none());
        assert!(runs(used.clone(), "sam", 59).is_none(), "somebody else's");
        assert!(runs(ExactGrant { revoked_at: Some(at(5)), ..used }, "dana", 5).is_none());
    }

    #[test]
    fn leave_for_a_statement_with_other_values_is_known_of_by_its_holder_alone() {
        let waits = |grant: ExactGrant, who: &str, fingerprint| {
            let snapshot = snapshot(&policy("principals: { sam: {} }"), vec![]).with_exact([grant]);
            let asked = Facts { fingerprint, ..deletes() };
            awaits_alike(&snapshot, &principal(who, &[]), &hr(), &asked, at(0))
        };
        let own = deletes().fingerprint;
        assert!(waits(grant(), "dana", own));
        assert!(!waits(grant(), "dana", own + 1), "another form");
        assert!(!waits(grant(), "sam", own), "another person");
        assert!(!waits(ExactGrant { is_used: true, ..grant() }, "dana", own), "used");
    }
}
