//! Principals and their passwords.

use jiff::Timestamp;

use super::{
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    grants::revoked,
    names::check_name,
    requests::{NewPassword, NewPrincipal, PrincipalPatch},
    secret_text::random,
    views::{PrincipalView, Removed},
};
use crate::{
    model::{
        event::Event,
        grant::GrantName,
        ids::{GroupName, PrincipalName, RequestId},
        principal::Principal,
        record::Record,
        request::RequestState,
    },
    store::{CaseFilter, Change, Revocation, StoredPassword, StoredPrincipal},
};

impl Control {
    /// Adds a principal without password; policy may name it already.
    ///
    /// # Errors
    /// `Exists`, `Invalid` for the name, `Unknown` for a group, `Limit`, `Audit` and `Store` when nothing was changed.
    pub async fn add_principal(&self, actor: &str, new: NewPrincipal) -> Result<PrincipalView, ControlError> {
        check_name("name", &new.name)?;
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            if state.principals.contains_key(&new.name) {
                return Err(ControlError::Exists { what: "principal", name: new.name.to_string() });
            }
            if state.principals.len() >= MAX_PRINCIPALS {
                return Err(ControlError::Limit { what: "principals", limit: MAX_PRINCIPALS });
            }
            let stored = StoredPrincipal {
                groups: state.known_groups(new.groups)?,
                name: new.name,
                disabled: false,
                password: None,
                created_at: control.now(),
            };
            let mut change = control.begin(&state).await?;
            change.put_principal(&stored).await?;
            control.tell(&mut change, &News::of_principal(&actor, &stored.name, "added")).await?;
            control.record_first(&[changed(&actor, &stored.name, "added")]).await?;
            control.commit_recorded(change).await?;
            let name = stored.name.clone();
            state.principals.insert(name.clone(), stored);
            control.publish(&mut state);
            control.principal_view(&name)
        })
        .await
    }

    /// Changes groups, and whether the principal may log in. Disabling takes effect before it is recorded.
    ///
    /// # Errors
    /// `Unknown` for the principal or a group, `Audit` and `Store` when nothing was changed, `Unaudited` when it is
    /// disabled but not recorded.
    pub async fn change_principal(
        &self,
        actor: &str,
        name: PrincipalName,
        patch: PrincipalPatch,
    ) -> Result<PrincipalView, ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let mut stored =
                state.principal_to_change(&name, control.now()).ok_or_else(|| unknown("principal", &name))?;
            let only_disables = patch.disabled == Some(true) && patch.groups.is_none();
            let what = apply(&mut stored, patch, |groups| state.known_groups(groups))?;
            let record = changed(&actor, &name, &what);
            let mut change = control.begin(&state).await?;
            change.put_principal(&stored).await?;
            control.tell(&mut change, &News::of_principal(&actor, &name, &what)).await?;
            if !only_disables {
                control.record_first(std::slice::from_ref(&record)).await?;
            }
            change.commit().await?;
            state.principals.insert(name.clone(), stored);
            control.publish(&mut state);
            if only_disables {
                control.record_after("the principal is disabled", &[record]).await?;
            }
            control.principal_view(&name)
        })
        .await
    }

    /// Sets the password. Tokens stay valid; while there are none, the salt is a new one. A key of
    /// mysql_native_password that is kept of the old password is gone unless it is asked for again.
    ///
    /// # Errors
    /// `Unknown`, `Invalid` for a password that is too short or too long, `Random`, `Audit` and `Store` when nothing
    /// was changed.
    pub async fn set_password(
        &self,
        actor: &str,
        name: PrincipalName,
        new: NewPassword,
    ) -> Result<(), ControlError> {
        let length = new.password.expose().len();
        if !(MIN_PASSWORD_BYTES..=MAX_PASSWORD_BYTES).contains(&length) {
            let bounds = format!("from {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes");
            return Err(invalid("password", bounds));
        }
        if new.password.expose().contains('\0') {
            return Err(invalid("password", "no NUL in it"));
        }
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let mut stored =
                state.principal_to_change(&name, now).ok_or_else(|| unknown("principal", &name))?;
            let salted = match stored.password.take() {
                Some(kept) if state.tokens_of(&name, now).next().is_some() => kept,
                Some(_) | None => fresh_salt()?,
            };
            let keys = (control.parts().make_keys)(
                new.password.expose().as_bytes(),
                &salted.salt,
                salted.iterations,
            );
            let native =
                new.mysql_native.then(|| (control.parts().make_native_key)(new.password.expose().as_bytes()));
            stored.password = Some(StoredPassword { keys: Some(keys), native, ..salted });
            let mut change = control.begin(&state).await?;
            change.put_principal(&stored).await?;
            control.tell(&mut change, &News::of_principal(&actor, &name, "password set")).await?;
            control.record_first(&[changed(&actor, &name, "password set")]).await?;
            control.commit_recorded(change).await?;
            state.principals.insert(name, stored);
            control.publish(&mut state);
            Ok(())
        })
        .await
    }

    /// Removes a principal with its password and tokens, revokes its keys and the grants that it holds itself, and
    /// cancels its requests: whoever gets its name later gets nothing with it.
    ///
    /// # Errors
    /// `Unknown` when the store has none, `Store` when nothing was changed, `Unaudited` when it is gone but not
    /// recorded.
    pub async fn remove_principal(&self, actor: &str, name: PrincipalName) -> Result<Removed, ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            if !state.principals.contains_key(&name) {
                return Err(unknown("local principal", &name));
            }
            let now = control.now();
            let grants = state.open_grants_of(&name, now);
            let revocation = Revocation { at: now, by: actor.clone(), reason: GONE.to_owned() };
            let mut change = control.begin(&state).await?;
            change.remove_principal(&name).await?;
            control.tell(&mut change, &News::of_principal(&actor, &name, "removed")).await?;
            for id in &grants {
                change.revoke_grant(*id, &revocation).await?;
                if let Some(held) = state.grants.get(id) {
                    control.tell(&mut change, &News::of_revocation(held, &actor, GONE)).await?;
                }
            }
            let keys = state.keys_of(&name, now);
            for id in &keys {
                change.revoke_key(*id, now).await?;
            }
            let requests = control.cancel_all(&mut change, &actor, &name, now).await?;
            change.commit().await?;
            state.principals.remove(&name);
            state.keys.retain(|key| !keys.contains(&key.id));
            state.tokens.retain(|_, token| token.principal != name);
            for id in &grants {
                if let Some(held) = state.grants.get_mut(id) {
                    *held = revoked(held.clone(), revocation.clone());
                }
            }
            control.publish(&mut state);
            let names: Vec<_> = grants.iter().map(|id| GrantName::Granted(*id)).collect();
            let revocations =
                names.iter().map(|grant| Record::GrantRevoked { actor: &actor, grant, reason: GONE });
            let records: Vec<_> = std::iter::once(changed(&actor, &name, "removed"))
                .chain(revocations)
                .chain(keys.iter().map(|key| Record::KeyRevoked { actor: &actor, key: *key }))
                .chain(requests.iter().map(|request| cancelled(&actor, *request)))
                .collect();
            control.record_after("the principal is removed", &records).await?;
            Ok(Removed { revoked_grants: grants, in_policy: state.policy.principals.contains_key(&name) })
        })
        .await
    }

    /// All principals that policy or the store names, by name.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_principals(&self) -> Result<Vec<PrincipalView>, ControlError> {
        let snapshot = self.snapshot().load();
        let local: std::collections::BTreeSet<_> =
            self.store().principals().await?.into_iter().map(|stored| stored.name).collect();
        let mut all: Vec<_> = snapshot
            .principals()
            .map(|principal| {
                let in_policy = snapshot.policy().principals.contains_key(&principal.name);
                view(principal, in_policy, local.contains(&principal.name))
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Cancels every pending request of `name`, as part of `change`.
    async fn cancel_all(
        &self,
        change: &mut Change,
        actor: &str,
        name: &PrincipalName,
        now: Timestamp,
    ) -> Result<Vec<RequestId>, ControlError> {
        let mut cancelled = Vec::new();
        let pending = CaseFilter {
            requester: Some(name.clone()),
            state: Some(RequestState::Pending),
            limit: MOST_CANCELLED,
            ..CaseFilter::default()
        };
        for mut case in self.store().list_cases(&pending).await? {
            case.state = RequestState::Cancelled;
            case.decided_at = Some(now);
            if !change.move_case(&case).await? {
                return Err(ControlError::Conflict);
            }
            let news = News::of_request(Event::RequestCancelled, &case, actor, None, now);
            self.tell(change, &news).await?;
            cancelled.push(case.request.id);
        }
        Ok(cancelled)
    }

    /// One that was just written to the store.
    fn principal_view(&self, name: &PrincipalName) -> Result<PrincipalView, ControlError> {
        let snapshot = self.snapshot().load();
        let principal = snapshot.principal(name).ok_or_else(|| unknown("principal", name))?;
        Ok(view(principal, snapshot.policy().principals.contains_key(name), true))
    }
}

/// What is kept until a password is set: a salt for tokens.
pub(super) fn fresh_salt() -> Result<StoredPassword, ControlError> {
    Ok(StoredPassword { salt: random::<16>()?.to_vec(), iterations: ITERATIONS, keys: None, native: None })
}

fn apply(
    stored: &mut StoredPrincipal,
    patch: PrincipalPatch,
    known: impl FnOnce(Vec<GroupName>) -> Result<Vec<GroupName>, ControlError>,
) -> Result<String, ControlError> {
    let mut what = Vec::new();
    if let Some(groups) = patch.groups {
        stored.groups = known(groups)?;
        let names: Vec<_> = stored.groups.iter().map(|group| group.as_str()).collect();
        what.push(format!(
            "groups set to {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ));
    }
    if let Some(disabled) = patch.disabled {
        stored.disabled = disabled;
        what.push(if disabled { "disabled" } else { "enabled" }.to_owned());
    }
    if what.is_empty() {
        return Err(invalid("body", "give groups, disabled or both"));
    }
    Ok(what.join("; "))
}

fn changed<'a>(actor: &'a str, principal: &'a PrincipalName, change: &'a str) -> Record<'a> {
    Record::PrincipalChanged { actor, principal, change }
}

fn cancelled<'a>(actor: &'a str, request: RequestId) -> Record<'a> {
    Record::RequestSettled { actor, request, state: RequestState::Cancelled, grant: None }
}

fn view(principal: &Principal, in_policy: bool, local: bool) -> PrincipalView {
    let credentials = &principal.credentials;
    PrincipalView {
        name: principal.name.clone(),
        groups: principal.groups.clone(),
        attributes: principal.attributes.clone(),
        disabled: principal.disabled,
        in_policy,
        local,
        password: credentials.password.is_some(),
        tokens: credentials.tokens.len(),
        certificates: credentials.certificates.len(),
    }
}

/// The rounds that PostgreSQL itself uses, and the least that RFC 7677 asks for.
const ITERATIONS: u32 = 4096;
const MIN_PASSWORD_BYTES: usize = 8;
const MAX_PASSWORD_BYTES: usize = 512;
const MAX_PRINCIPALS: usize = 100_000;
/// More than anybody may have pending.
const MOST_CANCELLED: u32 = 1000;
const GONE: &str = "its holder was removed";
