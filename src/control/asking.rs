//! Asking: what was sent becomes a request, by the policy in force.

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use uuid::Uuid;

use super::{
    ask_bodies::{Extend, NewRequest},
    ask_views::RequestView,
    asked::checked_ticket,
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    grants::stored_of_request,
    names::checked_reason,
    ports::Explain,
    secret_text::sha256,
    state::State,
};
use crate::{
    audit::Keep,
    model::{
        event::Event,
        grant::Holder,
        ids::{GrantId, PrincipalName, RequestId},
        record::Record,
        request::{Aftermath, Asked, Case, Estimate, Request, RequestState, Term},
        window::Window,
    },
    policy::{self, Approved, Ask, DAYS, History, Past},
    store::{Change, FirstAnswer, StoredGrant},
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
        let on_call = self.on_call(&requester).await;
        let is_repeated = match &key {
            Some(key) => self.store().first_answer(&requester, key).await?.is_some(),
            None => false,
        };
        let estimate =
            if is_repeated { None } else { self.estimated(&ask, on_call.clone(), explain).await? };
        self.submit(ask, on_call, estimate, key.map(|key| (key, digest))).await
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
        let on_call = self.on_call(&ask.requester).await;
        self.submit(ask, on_call, None, key.map(|key| (key, digest))).await
    }

    async fn submit(
        &self,
        ask: Ask,
        on_call: Vec<String>,
        estimate: Option<Estimate>,
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
            let (case, granted) = control.judged(&ask, on_call, now).await?;
            // Policy may have changed in between: then nobody wants to know any more.
            let estimate = estimate.filter(|_| case.plan.estimate);
            control.enter(&mut state, (Case { estimate, ..case }, granted), key, now).await
        })
        .await
    }

    /// The request as the audit log may have it: without the statement's text where that is not kept.
    fn told(&self, request: &Request) -> Request {
        let mut told = request.clone();
        let texts = self.parts().audit.texts();
        if let Asked::Statement(statement) = &mut told.what
            && texts.kept(&request.target) != Keep::Full
        {
            statement.sql = texts.of_text(&statement.sql).into();
            if !statement.kind.hides_literals() {
                statement.fingerprint = 0;
            }
        }
        told
    }

    /// What policy says of it; a no is recorded.
    async fn judged(
        &self,
        ask: &Ask,
        on_call: Vec<String>,
        now: Timestamp,
    ) -> Result<(Case, Option<Window>), ControlError> {
        self.check_waiting(&ask.requester, now).await?;
        let history = self.history(&ask.requester, now).await?.on_call(on_call);
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
            estimate: None,
            reviews: Vec::new(),
            aftermath: Aftermath::None,
            grant: None,
            decided_at: None,
            escalated_at: None,
            version: 1,
        };
        Ok((case, submitted.granted))
    }

    /// On which schedules somebody is on call, if the policy wants to know. Others wait for whoever's turn it is, so it
    /// is to be asked before.
    async fn on_call(&self, requester: &PrincipalName) -> Vec<String> {
        let snapshot = self.snapshot().load();
        match (&self.parts().on_call, snapshot.principal(requester)) {
            (Some(who), Some(principal)) if snapshot.policy().asks_who_is_on_call() => {
                who.schedules_of(principal).await
            }
            // closed: nobody is on call of whom nobody is asked
            (None | Some(_), None | Some(_)) => Vec::new(),
        }
    }

    pub(super) async fn history(
        &self,
        requester: &PrincipalName,
        now: Timestamp,
    ) -> Result<History, ControlError> {
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
        self.tell_of_new_case(&mut change, &case, grant.as_ref(), &by, now).await?;
        if let Some((key, digest)) = key {
            let answer = FirstAnswer { sha256: digest.to_vec(), request: case.request.id };
            change.keep_answer(&requester, &key, &answer, now).await?;
        }
        let told = self.told(&case.request);
        let mut records =
            vec![Record::RequestCreated { actor: &requester, request: &told, plan: &case.plan }];
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

    /// Tells that somebody asks, and what came of it at once.
    async fn tell_of_new_case(
        &self,
        change: &mut Change,
        case: &Case,
        grant: Option<&StoredGrant>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let requester = case.request.requester.as_str();
        self.tell(change, &News::of_request(Event::RequestCreated, case, requester, None, now)).await?;
        let Some(grant) = grant else { return Ok(()) };
        let kind = if case.plan.break_glass { Event::BreakGlassOpened } else { Event::RequestApproved };
        self.tell(change, &News::of_request(kind, case, by, None, now)).await?;
        self.tell_of_new_grant(change, grant, by, Some(case), now).await
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

fn is_key(key: &str) -> bool {
    (1..=200).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}
