//! Principals and their passwords.

use super::{
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    names::check_name,
    requests::{NewPassword, NewPrincipal, PrincipalPatch},
    secret_text::random,
    views::{PrincipalView, Removed},
    withdrawal::Withdrawal,
};
use crate::{
    model::{
        ids::{GroupName, PrincipalName},
        principal::Principal,
        record::Record,
    },
    store::{StoredPassword, StoredPrincipal},
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

    /// Changes groups, and whether the principal may log in. Disabling revokes its keys and tokens, and takes effect
    /// before it is recorded.
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
            let withdrawal = match stored.disabled {
                true => control.withdraw_proofs(&mut change, &state, &name).await?,
                false => Withdrawal::nothing(),
            };
            if !only_disables {
                control.record_first(std::slice::from_ref(&record)).await?;
            }
            change.commit().await?;
            state.principals.insert(name.clone(), stored);
            withdrawal.apply(&mut state);
            control.publish(&mut state);
            let mut records = withdrawal.records(&actor, &name);
            if only_disables {
                records.insert(0, record);
            }
            if !records.is_empty() {
                control.record_after("the principal is disabled", &records).await?;
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
            let mut change = control.begin(&state).await?;
            let withdrawal = control.withdraw_everything(&mut change, &state, &name, &actor).await?;
            change.remove_principal(&name).await?;
            control.tell(&mut change, &News::of_principal(&actor, &name, "removed")).await?;
            change.commit().await?;
            state.principals.remove(&name);
            state.identities.remove(&name);
            state.leave_groups(&name);
            withdrawal.apply(&mut state);
            control.publish(&mut state);
            let mut records = withdrawal.records(&actor, &name);
            records.insert(0, changed(&actor, &name, "removed"));
            control.record_after("the principal is removed", &records).await?;
            let in_policy = state.policy.principals.contains_key(&name);
            Ok(Removed { revoked_grants: withdrawal.into_grants(), in_policy })
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

pub(super) fn changed<'a>(actor: &'a str, principal: &'a PrincipalName, change: &'a str) -> Record<'a> {
    Record::PrincipalChanged { actor, principal, change }
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
pub(super) const MAX_PRINCIPALS: usize = 100_000;
