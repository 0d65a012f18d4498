//! Asking: what was sent becomes a request, by the policy in force.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use uuid::Uuid;

use super::{
    ask_bodies::{Extend, NewRequest},
    ask_views::RequestView,
    door::Control,
    error::{ControlError, invalid, unknown},
    explanation::Question,
    grants::stored_of_request,
    names::checked_reason,
    ports::Explain,
    secret_text::sha256,
    state::State,
};
use crate::{
    model::{
        dialect::Dialect,
        facts::Facts,
        grant::Holder,
        ids::{GrantId, PrincipalName, RequestId},
        object::ObjectPattern,
        record::Record,
        request::{Aftermath, Asked, Case, ExactStatement, Request, RequestState, Term},
        target::Place,
        window::Window,
    },
    policy::{self, Approved, Ask, DAYS, History, Past},
    store::{CaseFilter, FirstAnswer, StoredGrant},
};

/// The name under which a caller may repeat a call without doing it twice.
pub type IdempotencyKey = String;

impl Control {
    /// Takes a request of `requester`. Where policy approves it by itself, or with break-glass, its grant is in force
    /// when this returns.
    ///
    /// A call that repeats `key` with the same body is answered with the request that was made the first time.
    ///
    /// # Errors
    /// `NotTaken` when policy does not take it (recorded), `Invalid` and `Unknown` for what cannot be meant, `KeyReused`,
    /// `Limit`, `Audit` and `Store` when nothing was changed.
    pub async fn create_request(
        &self,
        requester: PrincipalName,
        new: NewRequest,
        explain: &dyn Explain,
        key: Option<IdempotencyKey>,
    ) -> Result<RequestView, ControlError> {
        let digest = sha256(&serde_json::to_string(&new).unwrap_or_default());
        let ask = self.ask(&requester, new, explain).await?;
        self.submit(ask, key.map(|key| (key, digest))).await
    }

    /// Asks for the same as a grant that the caller holds, from its end on.
    ///
    /// # Errors
    /// `Unknown` for a grant that is not the caller's own, `Invalid` for one that is over or for one statement. As
    /// [`Control::create_request`].
    pub async fn extend_grant(
        &self,
        requester: PrincipalName,
        grant: GrantId,
        extend: Extend,
        key: Option<IdempotencyKey>,
    ) -> Result<RequestView, ControlError> {
        let digest = sha256(&format!("{grant} {}", serde_json::to_string(&extend).unwrap_or_default()));
        let stored = self.store().grant(grant).await?.ok_or_else(|| unknown("grant", grant))?;
        if stored.grant.holder != Holder::Principal(requester.clone()) {
            return Err(unknown("grant", grant));
        }
        let StoredGrant { grant: held, statement, .. } = stored;
        let now = self.now();
        let is_over = held.over_at().is_some_and(|end| end <= now);
        if statement.is_some() || is_over {
            return Err(invalid("grant", "it is over, or for one statement: make a new request"));
        }
        if [&held.target, &held.database].into_iter().any(|pattern| pattern.as_str().contains('*')) {
            return Err(invalid(
                "grant",
                "it is on several targets or databases: make a request for the one you need",
            ));
        }
        let ask = Ask {
            requester,
            target: held.target.as_str().into(),
            database: held.database.as_str().into(),
            what: Asked::Access { objects: held.objects, permissions: held.permissions },
            role: None,
            term: Term { seconds: Some(extend.lifetime.seconds()), until: None },
            starts_at: held.window.ends_at,
            reason: checked_reason(&extend.reason)?,
            ticket: checked_ticket(extend.ticket)?,
            break_glass: false,
            extends: Some(grant),
        };
        self.submit(ask, key.map(|key| (key, digest))).await
    }

    async fn submit(
        &self,
        ask: Ask,
        key: Option<(IdempotencyKey, [u8; 32])>,
    ) -> Result<RequestView, ControlError> {
        if key.as_ref().is_some_and(|(key, _)| !is_key(key)) {
            return Err(invalid(
                "idempotency-key",
                "from 1 to 200 letters and signs of ASCII without blanks",
            ));
        }
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            if let Some((key, digest)) = &key
                && let Some(first) = control.store().first_answer(&ask.requester, key).await?
            {
                if first.sha256 != digest {
                    return Err(ControlError::KeyReused);
                }
                return control.request_view(first.request, now).await;
            }
            let case = control.judged(&ask, now).await?;
            control.enter(&mut state, case, key, now).await
        })
        .await
    }

    /// What policy says of it; a no is recorded.
    async fn judged(&self, ask: &Ask, now: Timestamp) -> Result<(Case, Option<Window>), ControlError> {
        let waiting = CaseFilter {
            requester: Some(ask.requester.clone()),
            state: Some(RequestState::Pending),
            limit: MOST_WAITING + 1,
            ..CaseFilter::default()
        };
        let waiting = self.store().list_cases(&waiting).await?;
        if waiting.iter().filter(|case| now < case.request.expires_at).count() >= MOST_WAITING as usize {
            return Err(ControlError::Limit {
                what: "pending requests of yours",
                limit: MOST_WAITING as usize,
            });
        }
        let history = self.history(&ask.requester, now).await?;
        let submitted = match policy::submit(&self.snapshot().load(), ask, &history, now) {
            Ok(submitted) => submitted,
            Err(source) => {
                let Ask { requester, target, database, .. } = ask;
                let problem = source.to_string();
                let refused =
                    Record::RequestRefused { actor: requester, target, database, problem: &problem };
                self.record_first(&[refused]).await?;
                return Err(ControlError::NotTaken { source });
            }
        };
        let case = Case {
            request: Request {
                id: RequestId::new(Uuid::now_v7()),
                requester: ask.requester.clone(),
                target: ask.target.clone(),
                database: ask.database.clone(),
                what: ask.what.clone(),
                role: ask.role.clone(),
                term: ask.term,
                starts_at: ask.starts_at,
                reason: ask.reason.clone(),
                ticket: ask.ticket.clone(),
                break_glass: ask.break_glass,
                extends: ask.extends,
                created_at: now,
                expires_at: submitted.expires_at,
            },
            plan: submitted.plan,
            state: RequestState::Pending,
            reviews: Vec::new(),
            aftermath: Aftermath::None,
            grant: None,
            decided_at: None,
            escalated_at: None,
            version: 1,
        };
        Ok((case, submitted.granted))
    }

    async fn history(&self, requester: &PrincipalName, now: Timestamp) -> Result<History, ControlError> {
        let since = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
        let past = self.store().past_requests(requester, since).await?;
        Ok(History::new(past.into_iter().flat_map(|it| {
            let decided = match it.state {
                RequestState::Approved => Some(Past::Granted),
                RequestState::Denied => Some(Past::Denied),
                RequestState::Cancelled | RequestState::Expired | RequestState::Pending => None,
            };
            let decided = decided.zip(it.decided_at).map(|(past, at)| (at, past));
            std::iter::once((it.created_at, Past::Requested)).chain(decided)
        })))
    }

    /// Keeps a request, with its grant if it has one already, records both, and puts the grant in force.
    async fn enter(
        &self,
        state: &mut State,
        (mut case, granted): (Case, Option<Window>),
        key: Option<(IdempotencyKey, [u8; 32])>,
        now: Timestamp,
    ) -> Result<RequestView, ControlError> {
        let requester = case.request.requester.clone();
        let by = match case.plan.break_glass {
            true => requester.to_string(),
            false => format!("flow:{}", case.plan.flow),
        };
        let grant = granted.map(|window| {
            let approved = Approved { what: case.request.what.clone(), window };
            stored_of_request(&case, approved, &by, Vec::new(), now)
        });
        if let Some(grant) = &grant {
            case.state = RequestState::Approved;
            case.decided_at = Some(now);
            case.grant = Some(grant.id);
            case.aftermath = if case.plan.break_glass { Aftermath::Open } else { Aftermath::None };
        }
        let mut change = match &grant {
            Some(_) => self.begin(state).await?,
            // Nothing of the Snapshot changes.
            None => self.store().change().await?,
        };
        change.insert_case(&case).await?;
        if let Some(grant) = &grant {
            change.insert_grant(grant).await?;
        }
        if let Some((key, digest)) = key {
            let answer = FirstAnswer { sha256: digest.to_vec(), request: case.request.id };
            change.keep_answer(&requester, &key, &answer, now).await?;
        }
        let mut records =
            vec![Record::RequestCreated { actor: &requester, request: &case.request, plan: &case.plan }];
        let id = case.request.id;
        if let Some(grant) = &grant {
            let settled =
                Record::RequestSettled { actor: &by, request: id, state: case.state, grant: Some(grant.id) };
            if case.plan.break_glass {
                let (grant, reason) = (&grant.grant.id, case.request.reason.as_str());
                records.push(Record::BreakGlass { actor: &requester, request: id, grant, reason });
                warn!(%requester, request = %id, target = %case.request.target, "somebody broke the glass");
            }
            records.extend([settled, Record::GrantCreated { actor: &by, grant: &grant.grant }]);
        }
        self.record_first(&records).await?;
        drop(records);
        self.commit_recorded(change).await?;
        if let Some(grant) = grant {
            state.grants.insert(grant.id, grant);
            self.publish(state);
        }
        Ok(RequestView::new(&case, now))
    }

    /// Fills in what the refusal tells, and refuses what cannot be meant.
    async fn ask(
        &self,
        requester: &PrincipalName,
        new: NewRequest,
        explain: &dyn Explain,
    ) -> Result<Ask, ControlError> {
        let denied = match new.denial {
            Some(id) => Some(self.denial(requester, id).await?.ok_or_else(|| unknown("denial", id))?),
            None => None,
        };
        let place = denied.as_ref().map(|denied| denied.place());
        let target = new.target.clone().or_else(|| place.as_ref().map(|place| place.target.clone()));
        let target = target.ok_or_else(|| invalid("target", "say on which target, or name a denial"))?;
        let known = self.parts().targets.iter().find(|known| known.name == target);
        let dialect = known.ok_or_else(|| unknown("target", &target))?.dialect;
        let suggested = denied.as_ref().and_then(|it| policy::asked_for(&it.missing, &it.place(), dialect));
        let database = new.database.clone();
        let database = database.or_else(|| suggested.as_ref().map(|(database, ..)| database.clone()));
        let database = database.or_else(|| place.map(|place| place.database.clone()));
        let database =
            database.ok_or_else(|| invalid("database", "say on which database, or name a denial"))?;
        if database.is_empty() || database.len() > MOST_NAME_BYTES || database.contains(['*', '\0']) {
            return Err(invalid("database", "the name of one database"));
        }
        let sql = match (&new.statement, new.refused_statement, &denied) {
            (Some(_), true, _) => {
                return Err(invalid("statement", "give either statement or refused_statement"));
            }
            (Some(sql), false, _) => Some(sql.clone()),
            (None, true, Some(denied)) => Some(denied.sql.clone()),
            (None, true, None) => return Err(invalid("refused_statement", "name the denial, too")),
            (None, false, _) => None,
        };
        let term = Term { seconds: new.lifetime.map(|it| it.seconds()), until: new.until };
        let what = match sql {
            Some(sql) => {
                if new.objects.is_some() || new.permissions.is_some() || new.role.is_some() {
                    return Err(invalid(
                        "statement",
                        "it says itself what it touches: leave objects and permissions out",
                    ));
                }
                let place = Place { target: target.clone(), database: database.clone() };
                Asked::Statement(self.exact(requester, &place, &sql, dialect, explain).await?)
            }
            None => {
                self.access(&new, suggested.map(|(_, objects, permissions)| (objects, permissions)), dialect)?
            }
        };
        Ok(Ask {
            requester: requester.clone(),
            target,
            database,
            what,
            role: new.role,
            term: checked_term(term, new.starts_at, self.now())?,
            starts_at: new.starts_at.map(crate::store::whole_microseconds),
            reason: checked_reason(&new.reason)?,
            ticket: checked_ticket(new.ticket)?,
            break_glass: new.break_glass,
            extends: None,
        })
    }

    fn access(
        &self,
        new: &NewRequest,
        suggested: Option<(Vec<ObjectPattern>, crate::model::permission::PermissionSet)>,
        dialect: Dialect,
    ) -> Result<Asked, ControlError> {
        let (objects, permissions) = suggested.unzip();
        let objects = new.objects.clone().or(objects).unwrap_or_default();
        super::grants::check_objects(&objects)?;
        if objects.iter().any(|it| matches!(it, ObjectPattern::Name(_))) && !dialect.spans_databases() {
            return Err(invalid("objects", "write \"schema.table\": databases of this target have schemas"));
        }
        let named = match (&new.role, new.permissions) {
            (Some(_), Some(_)) => return Err(invalid("role", "give either role or permissions")),
            (Some(role), None) => {
                let snapshot = self.snapshot().load();
                let role = snapshot.policy().roles.get(role).copied();
                Some(role.ok_or_else(|| unknown("role", new.role.as_deref().unwrap_or_default()))?)
            }
            (None, permissions) => permissions,
        };
        let permissions = named.or(permissions).unwrap_or_default();
        if permissions.is_empty() {
            return Err(invalid(
                "permissions",
                "name at least one of explain, select, export, dml, ddl, admin",
            ));
        }
        Ok(Asked::Access { objects, permissions })
    }

    /// One statement as the gateway reads it now, in a session that has just begun.
    async fn exact(
        &self,
        requester: &PrincipalName,
        place: &Place,
        sql: &str,
        dialect: Dialect,
        explain: &dyn Explain,
    ) -> Result<ExactStatement, ControlError> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        if sql.is_empty() || sql.len() > MOST_SQL_BYTES || sql.contains('\0') {
            return Err(invalid("statement", format!("one statement of at most {MOST_SQL_BYTES} bytes")));
        }
        if has_parameters(sql, dialect) {
            return Err(invalid(
                "statement",
                "write the values out: what is approved is the whole statement",
            ));
        }
        let question = Question {
            principal: requester.clone(),
            target: place.target.clone(),
            database: Some(place.database.clone()),
            sql: sql.to_owned(),
        };
        let facts = explain.facts(question).await.map_err(|error| invalid("statement", error.to_string()))?;
        let facts = facts.map_err(|reason| invalid("statement", reason.to_string()))?;
        let [facts] = facts.as_slice() else {
            return Err(invalid("statement", "one statement, and not several"));
        };
        exact(sql, facts, dialect)
    }

    pub(super) async fn request_view(
        &self,
        id: RequestId,
        now: Timestamp,
    ) -> Result<RequestView, ControlError> {
        let case = self.store().case(id).await?.ok_or_else(|| unknown("request", id))?;
        Ok(RequestView::new(&case, now))
    }
}

fn exact(sql: &str, facts: &Facts, dialect: Dialect) -> Result<ExactStatement, ControlError> {
    if !policy::can_be_exact(facts, dialect) {
        let problem = "not what runs something by its name, and not the beginning or end of a transaction";
        return Err(invalid("statement", problem));
    }
    Ok(ExactStatement {
        sql: Arc::from(sql),
        fingerprint: facts.fingerprint,
        kind: facts.kind,
        command: facts.command.to_owned(),
        read_only: facts.read_only,
        accesses: facts.accesses.clone(),
        calls: facts.calls.iter().map(|call| call.name.clone()).collect(),
    })
}

/// Whether values may be left open; a text in which that cannot be told apart from other things counts as one.
fn has_parameters(sql: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Postgres => sql.as_bytes().windows(2).any(|two| matches!(two, [b'$', b'0'..=b'9'])),
        Dialect::Mysql => sql.contains('?'),
    }
}

fn checked_term(term: Term, starts_at: Option<Timestamp>, now: Timestamp) -> Result<Term, ControlError> {
    if term.seconds.is_none() && term.until.is_none() {
        return Err(invalid("for", "say how long, for example 1h, or until when"));
    }
    let latest = now.checked_add(MOST_AHEAD).unwrap_or(Timestamp::MAX);
    if starts_at.is_some_and(|at| at > latest) {
        return Err(invalid("starts_at", "at most 90 days from now"));
    }
    let until = term.until.map(crate::store::whole_microseconds);
    if until.is_some_and(|at| at > latest) {
        return Err(invalid("until", "at most 90 days from now"));
    }
    Ok(Term { seconds: term.seconds, until })
}

fn checked_ticket(ticket: Option<String>) -> Result<Option<String>, ControlError> {
    let Some(ticket) = ticket else { return Ok(None) };
    let ticket = ticket.trim();
    if ticket.is_empty() || ticket.len() > MOST_TICKET_BYTES || ticket.chars().any(char::is_control) {
        return Err(invalid("ticket", format!("from 1 to {MOST_TICKET_BYTES} bytes on one line")));
    }
    Ok(Some(ticket.to_owned()))
}

fn is_key(key: &str) -> bool {
    (1..=200).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

const MOST_WAITING: u32 = 50;
const MOST_NAME_BYTES: usize = 200;
const MOST_TICKET_BYTES: usize = 200;
const MOST_SQL_BYTES: usize = 48 << 10;
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);
