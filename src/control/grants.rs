//! Making, revoking and listing grants.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    names::checked_reason,
    requests::{GrantQuery, NewGrant},
    state::State,
    views::{CreatedGrant, GrantView},
};
use crate::{
    model::{
        grant::{Grant, GrantName, Holder},
        ids::{GrantId, PrincipalName},
        object::{Glob, ObjectPattern},
        permission::Permission,
        record::Record,
        request::{Asked, Case, Request},
        target::Target,
        window::Window,
    },
    policy::Approved,
    store::{GrantFilter, Origin, Revocation, StoredGrant, whole_microseconds},
};

impl Control {
    /// Makes a grant; it is in force when this returns (or from its start on).
    ///
    /// # Errors
    /// `Unknown` for a holder or target that nobody knows, `Invalid` for patterns, permissions, start or reason that
    /// cannot be taken, `Audit` and `Store` when nothing was changed.
    pub async fn create_grant(&self, actor: &str, new: NewGrant) -> Result<CreatedGrant, ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let targets = &control.parts().targets;
            let stored = stored_grant(&state, targets, &actor, new, now)?;
            let warnings = warnings(&state, targets, &stored.grant);
            let mut change = control.begin(&state).await?;
            change.insert_grant(&stored).await?;
            control.tell_of_new_grant(&mut change, &stored, &actor, None, now).await?;
            control.record_first(&[Record::GrantCreated { actor: &actor, grant: &stored.grant }]).await?;
            control.commit_recorded(change).await?;
            state.grants.insert(stored.id, stored.clone());
            control.publish(&mut state);
            Ok(CreatedGrant { grant: GrantView::new(stored, now), warnings })
        })
        .await
    }

    /// Revokes a grant; it allows nothing any more when this returns. Revoking it twice changes nothing.
    ///
    /// # Errors
    /// `Unknown`, `Invalid` for the reason, `Store` when nothing was changed, `Unaudited` when it is revoked but not
    /// recorded.
    pub async fn revoke_grant(
        &self,
        actor: &str,
        id: GrantId,
        reason: &str,
    ) -> Result<GrantView, ControlError> {
        let (actor, reason) = (actor.to_owned(), checked_reason(reason)?);
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let stored = control.store().grant(id).await?.ok_or_else(|| unknown("grant", id))?;
            if stored.revocation.is_some() {
                return Ok(GrantView::new(stored, now));
            }
            let revocation = Revocation { at: now, by: actor.clone(), reason: reason.clone() };
            let mut change = control.begin(&state).await?;
            change.revoke_grant(id, &revocation).await?;
            control.tell(&mut change, &News::of_revocation(&stored, &actor, &reason)).await?;
            change.commit().await?;
            let stored = revoked(stored, revocation);
            if let Some(held) = state.grants.get_mut(&id) {
                held.clone_from(&stored);
            }
            control.publish(&mut state);
            let record =
                Record::GrantRevoked { actor: &actor, grant: &GrantName::Granted(id), reason: &reason };
            control.record_after("the grant is revoked", &[record]).await?;
            Ok(GrantView::new(stored, now))
        })
        .await
    }

    /// Revokes a grant that `person` holds itself or has approved; as [`Control::revoke_grant`].
    ///
    /// # Errors
    /// `Unknown` for any other grant. As [`Control::revoke_grant`].
    pub async fn revoke_grant_as(
        &self,
        person: &PrincipalName,
        id: GrantId,
        reason: &str,
    ) -> Result<GrantView, ControlError> {
        let stored = self.store().grant(id).await?.ok_or_else(|| unknown("grant", id))?;
        let holds = stored.grant.holder == Holder::Principal(person.clone());
        let approved = stored.origin.is_some_and(|origin| origin.approvers.contains(person));
        if !holds && !approved {
            return Err(unknown("grant", id));
        }
        self.revoke_grant(person, id, reason).await
    }

    /// One grant that `person` holds itself or has approved.
    ///
    /// # Errors
    /// `Unknown`, also for any other grant; `Store`.
    pub async fn grant_of(&self, person: &PrincipalName, id: GrantId) -> Result<GrantView, ControlError> {
        let view = self.grant(id).await?;
        let is_own = view.holder == Holder::Principal(person.clone()) || view.approvers.contains(person);
        if is_own { Ok(view) } else { Err(unknown("grant", id)) }
    }

    /// One grant, however old.
    ///
    /// # Errors
    /// `Unknown`, `Store`.
    pub async fn grant(&self, id: GrantId) -> Result<GrantView, ControlError> {
        let stored = self.store().grant(id).await?.ok_or_else(|| unknown("grant", id))?;
        Ok(GrantView::new(stored, self.now()))
    }

    /// Grants, newest first.
    ///
    /// # Errors
    /// `Invalid` for a limit out of bounds or two holders at once, `Store`.
    pub async fn list_grants(&self, query: GrantQuery) -> Result<Vec<GrantView>, ControlError> {
        let now = self.now();
        let limit = query.limit.unwrap_or(DEFAULT_LIST);
        if !(1..=MAX_LIST).contains(&limit) {
            return Err(invalid("limit", format!("from 1 to {MAX_LIST}")));
        }
        let holder = match (query.principal, query.group) {
            (Some(_), Some(_)) => return Err(invalid("group", "give either principal or group")),
            (Some(name), None) => Some(Holder::Principal(name)),
            (None, Some(name)) => Some(Holder::Group(name)),
            (None, None) => None,
        };
        let open_at = (!query.all).then_some(now);
        let filter = GrantFilter { holder, target: query.target, open_at, before: query.before, limit };
        let stored = self.store().list_grants(&filter).await?;
        Ok(stored.into_iter().map(|stored| GrantView::new(stored, now)).collect())
    }
}

pub(super) fn revoked(mut stored: StoredGrant, revocation: Revocation) -> StoredGrant {
    stored.grant.revoked_at = Some(revocation.at);
    stored.revocation = Some(revocation);
    stored
}

fn stored_grant(
    state: &State,
    targets: &[Target],
    actor: &str,
    new: NewGrant,
    now: Timestamp,
) -> Result<StoredGrant, ControlError> {
    match &new.holder {
        Holder::Principal(name) if !state.knows(name) => return Err(unknown("principal", name)),
        Holder::Group(name) if !state.policy.groups.contains_key(name) => return Err(unknown("group", name)),
        Holder::Principal(_) | Holder::Group(_) => {}
    }
    let mut reached = targets.iter().filter(|target| new.target.matches(&target.name)).peekable();
    if reached.peek().is_none() {
        return Err(unknown("target", &new.target));
    }
    let has_bare = new.objects.iter().any(|pattern| matches!(pattern, ObjectPattern::Name(_)));
    if let Some(target) = reached.find(|target| has_bare && !target.dialect.spans_databases()) {
        let problem = format!("write \"schema.table\": databases of target \"{}\" have schemas", target.name);
        return Err(invalid("objects", problem));
    }
    check_pattern("database", &new.database)?;
    check_pattern("target", &new.target)?;
    check_objects(&new.objects)?;
    if new.permissions.is_empty() {
        return Err(invalid("permissions", "name at least one of explain, select, export, dml, ddl, admin"));
    }
    let reason = checked_reason(&new.reason)?;
    let starts_at = whole_microseconds(new.starts_at.unwrap_or(now)).max(now);
    if starts_at.duration_since(now) > MAX_AHEAD {
        return Err(invalid("starts_at", "at most 90 days from now"));
    }
    let id = GrantId::new(Uuid::now_v7());
    let grant = Grant {
        id: GrantName::Granted(id),
        holder: new.holder,
        target: new.target,
        database: new.database,
        objects: new.objects,
        permissions: new.permissions,
        window: Window { starts_at, ends_at: Some(new.lifetime.after(starts_at)) },
        reason,
        revoked_at: None,
    };
    Ok(StoredGrant {
        id,
        grant,
        created_at: now,
        created_by: actor.to_owned(),
        revocation: None,
        origin: None,
        statement: None,
        used_at: None,
    })
}

/// The grant that an approved request becomes, made by `by`.
pub(super) fn stored_of_request(
    case: &Case,
    approved: Approved,
    by: &str,
    approvers: Vec<PrincipalName>,
    now: Timestamp,
) -> StoredGrant {
    let Request { requester, target, database, reason, ticket, .. } = &case.request;
    let id = GrantId::new(Uuid::now_v7());
    let permissions = approved.what.permissions();
    let (objects, statement) = match approved.what {
        Asked::Access { objects, .. } => (objects, None),
        // Without objects it opens nothing but the statement.
        Asked::Statement(statement) => (Vec::new(), Some(statement)),
    };
    let grant = Grant {
        id: GrantName::Granted(id),
        holder: Holder::Principal(requester.clone()),
        target: Glob::new(target),
        database: Glob::new(database),
        objects,
        permissions,
        window: approved.window,
        reason: ticket.as_ref().map_or_else(|| reason.clone(), |ticket| format!("{ticket}: {reason}")),
        revoked_at: None,
    };
    StoredGrant {
        id,
        grant,
        created_at: now,
        created_by: by.to_owned(),
        revocation: None,
        origin: Some(Origin { request: case.request.id, approvers }),
        statement,
        used_at: None,
    }
}

/// Refuses no objects, too many, and patterns that are too long.
pub(super) fn check_objects(objects: &[ObjectPattern]) -> Result<(), ControlError> {
    if objects.is_empty() || objects.len() > MAX_OBJECTS {
        return Err(invalid("objects", format!("from 1 to {MAX_OBJECTS} patterns; [\"*\"] is everything")));
    }
    if objects.iter().any(|pattern| pattern.to_string().len() > MAX_PATTERN_BYTES) {
        return Err(invalid("objects", format!("a pattern has at most {MAX_PATTERN_BYTES} bytes")));
    }
    Ok(())
}

fn check_pattern(field: &'static str, pattern: &Glob) -> Result<(), ControlError> {
    let text = pattern.as_str();
    if text.is_empty() || text.len() > MAX_PATTERN_BYTES || text.chars().any(char::is_control) {
        return Err(invalid(field, "a name, or a pattern with * in it"));
    }
    Ok(())
}

/// What of the grant has no effect, because an environment forbids it whatever is granted.
fn warnings(state: &State, targets: &[Target], grant: &Grant) -> Vec<String> {
    let mut all = Vec::new();
    for target in targets.iter().filter(|target| grant.target.matches(&target.name)) {
        for ceiling in state.policy.ceilings.iter().filter(|it| it.environment.matches(&target.environment)) {
            let forbidden =
                |permission: &Permission| ceiling.forbid.iter().any(|no| permission.implied().contains(no));
            for permission in grant.permissions.iter().filter(forbidden) {
                let except = match ceiling.except.len() {
                    0 => String::new(),
                    _ => format!(
                        ", except for {}",
                        ceiling.except.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", ")
                    ),
                };
                all.push(format!(
                    "{permission} on {} has no effect: environment {} forbids it{except}",
                    target.name, target.environment
                ));
            }
        }
    }
    all.dedup();
    all
}

const DEFAULT_LIST: u32 = 200;
const MAX_LIST: u32 = 1000;
const MAX_OBJECTS: usize = 100;
const MAX_PATTERN_BYTES: usize = 200;
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);
