//! Answering: what people say to a request, and what follows.

use jiff::Timestamp;

use super::{
    ask_bodies::{Answer, NewReview, RequestQuery},
    ask_views::{RequestPage, RequestView},
    caller::{Caller, Scope},
    door::Control,
    error::{ControlError, invalid, unknown},
    events::{News, audience_of},
    grants::stored_of_request,
    state::State,
};
use crate::{
    model::{
        event::{Event, RequestEvent},
        grant::GrantName,
        ids::{PrincipalName, RequestId},
        record::Record,
        request::{Aftermath, Case, RequestState},
        review::{Narrowing, Review, Verdict},
    },
    policy::{self, Approved, Outcome, Snapshot},
    store::{CaseFilter, Revocation},
};

impl Control {
    /// Takes an answer of `reviewer`. Where it is the last one that was wanted, the grant is in force when this returns.
    ///
    /// Afterwards, on what its requester approved alone, it says whether that was right; if not, the grant ends.
    ///
    /// # Errors
    /// `NotReviewed` when it is not taken, `Unknown` for a request that the reviewer has nothing to do with, `Conflict`
    /// when somebody else was first, `Audit` and `Store` when nothing was changed.
    pub async fn review_request(
        &self,
        reviewer: PrincipalName,
        id: RequestId,
        new: NewReview,
    ) -> Result<RequestView, ControlError> {
        let comment = checked_comment(&new.comment)?;
        let verdict = verdict(new)?;
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let snapshot = control.snapshot().load();
            let case = control.store().case(id).await?.ok_or_else(|| unknown("request", id))?;
            if !concerns(&snapshot, &case, &reviewer) {
                return Err(unknown("request", id));
            }
            let judged = policy::review(&snapshot, &case, &reviewer, verdict, comment, now);
            let (review, outcome) = judged.map_err(|source| ControlError::NotReviewed { source })?;
            let mut case = case;
            match outcome {
                Outcome::Waiting => control.note(&case, &review, now).await?,
                Outcome::Denied => {
                    case.state = RequestState::Denied;
                    case.decided_at = Some(now);
                    control.note(&case, &review, now).await?;
                }
                Outcome::Granted(approved) => {
                    control.grant_request(&mut state, &mut case, &review, approved, now).await?;
                }
                Outcome::Acknowledged { justified } => {
                    case.aftermath = Aftermath::Done;
                    control.look_back(&mut state, &case, &review, justified, now).await?;
                }
            }
            control.request_view(id, now).await
        })
        .await
    }

    /// Takes back one's own request.
    ///
    /// # Errors
    /// `Unknown` for a request of somebody else, `NotReviewed` for one that is decided or expired, `Conflict`, `Store`,
    /// `Unaudited`.
    pub async fn cancel_request(
        &self,
        requester: PrincipalName,
        id: RequestId,
    ) -> Result<RequestView, ControlError> {
        self.to_the_end(|control| async move {
            let _turn = control.turn().await;
            let now = control.now();
            let mut case = control.store().case(id).await?.ok_or_else(|| unknown("request", id))?;
            if case.request.requester != requester {
                return Err(unknown("request", id));
            }
            if case.state != RequestState::Pending {
                return Err(ControlError::NotReviewed { source: policy::NotReviewed::Settled(case.state) });
            }
            case.state = RequestState::Cancelled;
            case.decided_at = Some(now);
            let news = News::of_request(Event::RequestCancelled, &case, &requester, None, now);
            control.settle(&case, &requester, "the request is cancelled", &news).await?;
            control.request_view(id, now).await
        })
        .await
    }

    /// One request: people see their own and those that they may have to do with, who may read the audit log all.
    ///
    /// # Errors
    /// `Unknown`, `Store`.
    pub async fn request(&self, caller: &Caller, id: RequestId) -> Result<RequestView, ControlError> {
        let case = self.store().case(id).await?.ok_or_else(|| unknown("request", id))?;
        if !caller.may(&[Scope::AuditRead]) && !may_see(&self.snapshot().load(), &case, caller) {
            return Err(unknown("request", id));
        }
        Ok(RequestView::new(&case, self.now()))
    }

    /// Requests, newest first; people see their own and those that they may have to do with.
    ///
    /// # Errors
    /// `Invalid` for a limit out of bounds, `Store`.
    pub async fn list_requests(
        &self,
        caller: &Caller,
        query: RequestQuery,
    ) -> Result<RequestPage, ControlError> {
        let limit = query.limit.unwrap_or(DEFAULT_LIST);
        if !(1..=MOST_LISTED).contains(&limit) {
            return Err(invalid("limit", format!("from 1 to {MOST_LISTED}")));
        }
        if query.to_review {
            return self.waiting_for(caller, limit).await;
        }
        let (now, snapshot) = (self.now(), self.snapshot().load());
        let mut filter = CaseFilter {
            requester: query.requester,
            state: query.state,
            aftermath_open: false,
            target: query.target,
            before: query.before,
            limit: limit + 1,
        };
        let mut requests: Vec<RequestView> = Vec::new();
        // What the caller may not see is passed over, so that a page is full unless there is no more.
        for _ in 0..MOST_ROUNDS {
            let cases = self.store().list_cases(&filter).await?;
            let is_last = cases.len() <= limit as usize;
            filter.before = cases.last().map(|case| case.request.id);
            for case in cases.iter().filter(|case| may_see(&snapshot, case, caller)) {
                if requests.len() == limit as usize {
                    let next = requests.last().map(|request| request.id);
                    return Ok(RequestPage { requests, next });
                }
                requests.push(RequestView::new(case, now));
            }
            if is_last {
                return Ok(RequestPage { requests, next: None });
            }
        }
        Ok(RequestPage { requests, next: filter.before })
    }

    /// What waits for the caller's answer, also in looking back.
    async fn waiting_for(&self, caller: &Caller, limit: u32) -> Result<RequestPage, ControlError> {
        let (now, snapshot) = (self.now(), self.snapshot().load());
        let Some(person) = &caller.principal else {
            return Ok(RequestPage { requests: Vec::new(), next: None });
        };
        let pending =
            CaseFilter { state: Some(RequestState::Pending), limit: MOST_OPEN, ..CaseFilter::default() };
        let open = CaseFilter { aftermath_open: true, limit: MOST_OPEN, ..CaseFilter::default() };
        let mut cases = self.store().list_cases(&open).await?;
        cases.extend(self.store().list_cases(&pending).await?);
        let own = cases.iter().filter(|case| policy::may_review(&snapshot, case, person, now));
        let requests = own.take(limit as usize).map(|case| RequestView::new(case, now)).collect();
        Ok(RequestPage { requests, next: None })
    }

    /// Keeps an answer that gives no leave.
    async fn note(&self, case: &Case, review: &Review, now: Timestamp) -> Result<(), ControlError> {
        let id = case.request.id;
        let mut change = self.store().change().await?;
        change.insert_review(id, review).await?;
        if !change.move_case(case).await? {
            return Err(ControlError::Conflict);
        }
        let is_pending = case.state == RequestState::Pending;
        let kind = if is_pending { Event::RequestReviewed } else { Event::RequestDenied };
        self.tell(&mut change, &of_answer(kind, case, review, now)).await?;
        let mut records = vec![Record::RequestReviewed { actor: &review.reviewer, request: id, review }];
        if case.state != RequestState::Pending {
            let state = case.state;
            records.push(Record::RequestSettled { actor: &review.reviewer, request: id, state, grant: None });
        }
        self.record_first(&records).await?;
        drop(records);
        self.commit_recorded(change).await
    }

    /// Keeps the last answer and the grant that it makes, in one change: of two at the same instant one is first.
    async fn grant_request(
        &self,
        state: &mut State,
        case: &mut Case,
        review: &Review,
        approved: Approved,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let (id, by) = (case.request.id, &review.reviewer);
        let agreed = case.reviews.iter().chain([review]);
        let approvers =
            agreed.filter(|it| it.verdict != Verdict::Deny).map(|it| it.reviewer.clone()).collect();
        let grant = stored_of_request(case, approved, by, approvers, now);
        case.state = RequestState::Approved;
        case.decided_at = Some(now);
        case.grant = Some(grant.id);
        let mut change = self.begin(state).await?;
        if !change.move_case(case).await? {
            return Err(ControlError::Conflict);
        }
        change.insert_review(id, review).await?;
        change.insert_grant(&grant).await?;
        self.tell(&mut change, &of_answer(Event::RequestApproved, case, review, now)).await?;
        self.tell_of_new_grant(&mut change, &grant, by, Some(case), now).await?;
        let records = [
            Record::RequestReviewed { actor: by, request: id, review },
            Record::RequestSettled { actor: by, request: id, state: case.state, grant: case.grant },
            Record::GrantCreated { actor: by, grant: &grant.grant },
        ];
        self.record_first(&records).await?;
        self.commit_recorded(change).await?;
        state.grants.insert(grant.id, grant);
        self.publish(state);
        Ok(())
    }

    /// Keeps what somebody says afterwards; what was not right ends at once, and is recorded then.
    async fn look_back(
        &self,
        state: &mut State,
        case: &Case,
        review: &Review,
        justified: bool,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let (id, by) = (case.request.id, &review.reviewer);
        let mut change = self.begin(state).await?;
        if !change.move_case(case).await? {
            return Err(ControlError::Conflict);
        }
        change.insert_review(id, review).await?;
        let news = News::of_look_back(case, by, &review.comment, justified, now);
        self.tell(&mut change, &news).await?;
        let reviewed =
            Record::BreakGlassReviewed { actor: by, request: id, justified, comment: &review.comment };
        let open = case.grant.and_then(|grant| state.grants.get(&grant)).filter(|it| it.grant.is_live(now));
        let Some(open) = open.filter(|_| !justified).cloned() else {
            self.record_first(&[reviewed]).await?;
            self.commit_recorded(change).await?;
            self.publish(state);
            return Ok(());
        };
        let revocation = Revocation { at: now, by: by.to_string(), reason: NOT_RIGHT.to_owned() };
        change.revoke_grant(open.id, &revocation).await?;
        self.tell(&mut change, &News::of_revocation(&open, by, NOT_RIGHT)).await?;
        change.commit().await?;
        let grant = GrantName::Granted(open.id);
        state.grants.insert(open.id, super::grants::revoked(open, revocation));
        self.publish(state);
        let revoked = Record::GrantRevoked { actor: by, grant: &grant, reason: NOT_RIGHT };
        self.record_after("the grant is revoked", &[reviewed, revoked]).await
    }

    /// Keeps the end of a request that gives no leave, then records it.
    pub(super) async fn settle(
        &self,
        case: &Case,
        actor: &str,
        done: &'static str,
        news: &News,
    ) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        if !change.move_case(case).await? {
            return Err(ControlError::Conflict);
        }
        self.tell(&mut change, news).await?;
        change.commit().await?;
        self.stir();
        let (request, state) = (case.request.id, case.state);
        self.record_after(done, &[Record::RequestSettled { actor, request, state, grant: None }]).await
    }
}

/// Whether it is the person's own request, or one that they may ever have to answer, or have answered.
pub(super) fn concerns(snapshot: &Snapshot, case: &Case, person: &PrincipalName) -> bool {
    let groups = snapshot.principal(person).map(|principal| principal.groups.as_slice()).unwrap_or_default();
    audience_of(case).includes(person, groups)
}

fn of_answer(kind: fn(RequestEvent) -> Event, case: &Case, review: &Review, now: Timestamp) -> News {
    News::of_request(kind, case, &review.reviewer, Some(&review.comment), now)
}

fn may_see(snapshot: &Snapshot, case: &Case, caller: &Caller) -> bool {
    caller.may(&[Scope::Read])
        || caller.principal.as_ref().is_some_and(|person| concerns(snapshot, case, person))
}

fn verdict(new: NewReview) -> Result<Verdict, ControlError> {
    let seconds = new.lifetime.map(|it| it.seconds());
    let narrowing = Narrowing { objects: new.objects, permissions: new.permissions, seconds };
    if let Some(objects) = &narrowing.objects {
        super::grants::check_objects(objects)?;
    }
    match new.verdict {
        Answer::Approve => Ok(Verdict::Approve { narrowing }),
        Answer::Deny if narrowing.is_none() => Ok(Verdict::Deny),
        Answer::Deny => {
            Err(invalid("verdict", "a denial gives nothing: leave objects, permissions and for out"))
        }
    }
}

fn checked_comment(comment: &str) -> Result<String, ControlError> {
    let comment = comment.trim();
    if comment.chars().count() > MOST_COMMENT || comment.chars().any(|it| it.is_control() && it != '\n') {
        return Err(invalid("comment", format!("at most {MOST_COMMENT} characters")));
    }
    Ok(comment.to_owned())
}

const NOT_RIGHT: &str = "break-glass was found not justified";
const DEFAULT_LIST: u32 = 50;
const MOST_LISTED: u32 = 200;
const MOST_OPEN: u32 = 1000;
/// How many pages of the store one page of the list may take.
const MOST_ROUNDS: usize = 20;
const MOST_COMMENT: usize = 1000;
