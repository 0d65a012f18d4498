//! What people and programs are told of: one door, through the outbox of the store.

use jiff::{SignedDuration, Timestamp};

use super::{caller::Caller, caller::Scope, door::Control, error::ControlError, tending::CLOCK};
use crate::{
    model::{
        event::{Audience, Event, GrantEvent, RequestEvent, ToldEvent},
        grant::Holder,
        ids::PrincipalName,
        request::{Aftermath, Asked, Case, RequestState},
    },
    policy,
    store::{Change, GrantMark, StoredGrant},
};

/// An event, and who may hear of it.
#[derive(Debug)]
pub(super) struct News {
    pub(super) event: Event,
    pub(super) audience: Audience,
}

/// A part of the events, as one caller may hear them.
#[derive(Debug)]
pub struct EventPage {
    /// In order.
    pub events: Vec<ToldEvent>,
    /// Up to which event the page has looked: where to go on.
    pub seen: i64,
}

impl Control {
    /// Puts news beside the change that makes them: they are told when it is committed, and not if it is undone.
    pub(super) async fn tell(&self, change: &mut Change, news: &News) -> Result<(), ControlError> {
        Ok(change.tell(&news.event, &news.audience, self.now()).await?)
    }

    /// The events behind `after` that `caller` may hear of.
    ///
    /// # Errors
    /// `Store`.
    pub async fn events_after(&self, caller: &Caller, after: i64) -> Result<EventPage, ControlError> {
        let mut events = self.store().events_after(after, PAGE).await?;
        let seen = events.last().map_or(after, |last| last.seq);
        if !caller.may(&[Scope::Read]) {
            let snapshot = self.snapshot().load();
            let person = caller.principal.as_ref().and_then(|name| snapshot.principal(name));
            // closed: who is not known hears of nothing
            events.retain(|told| person.is_some_and(|it| told.audience.includes(&it.name, &it.groups)));
        }
        Ok(EventPage { events, seen })
    }

    /// The numbers of the oldest and the newest event that are kept; `None` while there is none.
    ///
    /// # Errors
    /// `Store`.
    pub async fn event_bounds(&self) -> Result<Option<(i64, i64)>, ControlError> {
        Ok(self.store().event_bounds().await?)
    }

    /// Tells of grants that began, end soon, or are over, each once.
    pub(super) async fn tell_of_grants(&self, now: Timestamp) -> Result<(), ControlError> {
        let soon = self.parts().announce_before;
        for mark in [GrantMark::Start, GrantMark::Expiring, GrantMark::End] {
            for stored in self.store().grants_to_tell_of(mark, now, soon).await? {
                self.tell_of_grant(&stored, mark, now).await?;
            }
        }
        Ok(())
    }

    async fn tell_of_grant(
        &self,
        stored: &StoredGrant,
        mark: GrantMark,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        if !change.mark_grant(stored.id, mark, now).await? {
            return Ok(());
        }
        let grant = grant_event(stored, CLOCK);
        let event = match mark {
            GrantMark::Start => Event::GrantStarted(grant),
            GrantMark::Expiring => Event::GrantExpiring(grant),
            GrantMark::End => Event::GrantEnded(grant),
        };
        self.tell(&mut change, &News::of_grant(stored, event)).await?;
        match mark {
            GrantMark::Expiring => self.record_expiring(change, stored).await,
            GrantMark::Start | GrantMark::End => {
                change.commit().await?;
                self.stir();
                Ok(())
            }
        }
    }

    /// Tells that a grant was just made: it follows on another, or is in force, or will be and is told of then.
    pub(super) async fn tell_of_new_grant(
        &self,
        change: &mut Change,
        stored: &StoredGrant,
        actor: &str,
        case: Option<&Case>,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let grant = grant_event(stored, actor);
        let event = match case.and_then(|case| case.request.extends) {
            Some(extends) => Event::GrantExtended { grant, extends },
            None if stored.grant.is_live(now) => Event::GrantStarted(grant),
            None => return Ok(()),
        };
        change.mark_grant(stored.id, GrantMark::Start, now).await?;
        self.tell(change, &News::of_grant(stored, event)).await
    }
}

impl News {
    /// That something became of a request through `actor`.
    pub(super) fn of_request(
        kind: fn(RequestEvent) -> Event,
        case: &Case,
        actor: &str,
        comment: Option<&str>,
        now: Timestamp,
    ) -> Self {
        Self { event: kind(request_event(case, actor, comment, now)), audience: audience_of(case) }
    }

    /// That somebody looked back on break-glass.
    pub(super) fn of_look_back(
        case: &Case,
        actor: &str,
        comment: &str,
        justified: bool,
        now: Timestamp,
    ) -> Self {
        let request = request_event(case, actor, Some(comment), now);
        Self { event: Event::BreakGlassReviewed { request, justified }, audience: audience_of(case) }
    }

    /// That something became of a grant: its holder hears of it, and who approved it.
    pub(super) fn of_grant(stored: &StoredGrant, event: Event) -> Self {
        let mut audience = Audience::default();
        match &stored.grant.holder {
            Holder::Principal(name) => audience.people.push(name.clone()),
            Holder::Group(name) => audience.groups.push(name.clone()),
        }
        audience.people.extend(stored.origin.iter().flat_map(|origin| origin.approvers.iter().cloned()));
        Self { event, audience }
    }

    /// That a grant was ended by `actor`.
    pub(super) fn of_revocation(stored: &StoredGrant, actor: &str, reason: &str) -> Self {
        let grant = GrantEvent { reason: reason.to_owned(), ..grant_event(stored, actor) };
        Self::of_grant(stored, Event::GrantRevoked(grant))
    }

    /// That a principal was changed: they hear of it themselves.
    pub(super) fn of_principal(actor: &str, principal: &PrincipalName, change: &str) -> Self {
        let audience = Audience { people: vec![principal.clone()], groups: Vec::new() };
        let (actor, principal, change) = (actor.to_owned(), principal.clone(), change.to_owned());
        Self { event: Event::PrincipalChanged { actor, principal, change }, audience }
    }

    /// What is for those alone who may read everything.
    pub(super) fn of_gateway(event: Event) -> Self {
        Self { event, audience: Audience::default() }
    }
}

/// Who has to do with a request: its requester, who answered it, and who may ever have to.
pub(super) fn audience_of(case: &Case) -> Audience {
    let mut people = vec![case.request.requester.clone()];
    people.extend(case.reviews.iter().map(|review| review.reviewer.clone()));
    let escalation = case.plan.escalation.iter().flat_map(|it| &it.to);
    let mut groups: Vec<_> =
        case.plan.steps.iter().flat_map(|step| &step.approvers).chain(escalation).cloned().collect();
    groups.sort();
    groups.dedup();
    Audience { people, groups }
}

fn request_event(case: &Case, actor: &str, comment: Option<&str>, now: Timestamp) -> RequestEvent {
    let request = &case.request;
    let waits = case.state == RequestState::Pending || case.aftermath == Aftermath::Open;
    RequestEvent {
        request: request.id,
        actor: actor.to_owned(),
        requester: request.requester.clone(),
        target: request.target.clone(),
        database: request.database.clone(),
        objects: request.what.objects(),
        permissions: request.what.permissions(),
        statement: matches!(request.what, Asked::Statement(_)),
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
        risk: case.plan.risk,
        flow: case.plan.flow.clone(),
        state: case.state,
        waits_for: if waits { policy::approvers(case, now) } else { Vec::new() },
        comment: comment.filter(|it| !it.is_empty()).map(str::to_owned),
        grant: case.grant,
        expires_at: request.expires_at,
    }
}

pub(super) fn grant_event(stored: &StoredGrant, actor: &str) -> GrantEvent {
    let grant = &stored.grant;
    GrantEvent {
        grant: stored.id,
        actor: actor.to_owned(),
        holder: grant.holder.clone(),
        target: grant.target.to_string(),
        database: grant.database.to_string(),
        objects: grant.objects.iter().map(ToString::to_string).collect(),
        permissions: grant.permissions,
        starts_at: grant.window.starts_at,
        ends_at: grant.window.ends_at,
        reason: grant.reason.clone(),
        request: stored.origin.as_ref().map(|origin| origin.request),
    }
}

const PAGE: u32 = 200;
/// How long events are kept.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
