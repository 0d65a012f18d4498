//! People as a directory keeps them: in, deactivated or out.

use jiff::Timestamp;

use super::{
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    names::check_name,
    principals::{MAX_PRINCIPALS, changed},
    state::State,
    withdrawal::Withdrawal,
};
use crate::{
    model::ids::{GroupName, PrincipalName},
    policy::Snapshot,
    store::{StoredIdentity, StoredPrincipal},
};

/// Somebody, as a directory is shown them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The principal's name, which is what the directory calls them, too.
    pub name: PrincipalName,
    /// What the directory itself calls them.
    pub external_id: Option<String>,
    /// Whether the directory lets them in.
    pub active: bool,
    /// The groups that they are in here.
    pub groups: Vec<GroupName>,
}

/// Somebody whom a directory puts in.
#[derive(Clone, Debug)]
pub struct NewDirectoryEntry {
    /// Their name.
    pub name: PrincipalName,
    /// What the directory itself calls them.
    pub external_id: Option<String>,
    /// Whether they may log in.
    pub active: bool,
}

/// What a directory changes of somebody; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct DirectoryChange {
    /// Whether they may log in.
    pub active: Option<bool>,
    /// What the directory itself calls them.
    pub external_id: Option<String>,
    /// They are out: deactivated, and no longer shown. Only being put in again brings them back.
    pub removed: bool,
}

impl Control {
    /// Everybody who is in, by name.
    pub fn directory(&self) -> Vec<DirectoryEntry> {
        let (snapshot, identities) = (self.snapshot().load(), self.identities().load());
        let names = snapshot.principals().map(|principal| &principal.name);
        let mut all: Vec<_> = names.filter_map(|name| entry(&snapshot, name, identities.get(name))).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Somebody who is in.
    ///
    /// # Errors
    /// `Unknown`, also for those who are out.
    pub fn directory_entry(&self, name: &PrincipalName) -> Result<DirectoryEntry, ControlError> {
        let (snapshot, identities) = (self.snapshot().load(), self.identities().load());
        entry(&snapshot, name, identities.get(name)).ok_or_else(|| unknown("user", name))
    }

    /// Puts somebody in, also again. Who was out before comes back as somebody new to the identity provider.
    ///
    /// # Errors
    /// `Exists`, `Invalid`, `Limit`, `Audit` and `Store` when nothing was changed.
    pub async fn add_to_directory(
        &self,
        actor: &str,
        new: NewDirectoryEntry,
    ) -> Result<DirectoryEntry, ControlError> {
        check_name("userName", &new.name)?;
        check_external_id(new.external_id.as_deref())?;
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let was_out = state.identities.get(&new.name).is_some_and(|it| it.removed_at.is_some());
            if state.knows(&new.name) && !was_out {
                return Err(ControlError::Exists { what: "user", name: new.name.to_string() });
            }
            if state.principals.len() >= MAX_PRINCIPALS {
                return Err(ControlError::Limit { what: "principals", limit: MAX_PRINCIPALS });
            }
            let now = control.now();
            let stored = state.principal_to_change(&new.name, now).unwrap_or_else(|| fresh(&new.name, now));
            let (external_id, deactivated) = (new.external_id, !new.active);
            let identity = StoredIdentity { external_id, deactivated, ..StoredIdentity::unspoken(&new.name) };
            let mut change = control.begin(&state).await?;
            change.put_principal(&stored).await?;
            change.put_identity(&identity).await?;
            let words = if new.active { "added by directory" } else { "added by directory; disabled" };
            control.tell(&mut change, &News::of_principal(&actor, &new.name, words)).await?;
            control.record_first(&[changed(&actor, &new.name, words)]).await?;
            control.commit_recorded(change).await?;
            keep(&mut state, stored, identity);
            control.publish(&mut state);
            control.directory_entry(&new.name)
        })
        .await
    }

    /// Changes somebody who is in. The directory's word stands beside that of the gateway's people: either keeps
    /// somebody out. Who is deactivated has lost sessions, keys and tokens when this returns, and what they are still
    /// granted counts for nothing; who is out has lost that, too.
    ///
    /// # Errors
    /// `Unknown`, `Invalid`, `Store` (and `Audit`, where somebody is activated) when nothing was changed, `Unaudited`
    /// when somebody is deactivated but that is not recorded.
    pub async fn change_in_directory(
        &self,
        actor: &str,
        name: PrincipalName,
        wanted: DirectoryChange,
    ) -> Result<(), ControlError> {
        check_external_id(wanted.external_id.as_deref())?;
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let kept = state.identities.get(&name).cloned();
            let mut identity = kept.unwrap_or_else(|| StoredIdentity::unspoken(&name));
            let stored = state.principal_to_change(&name, now).filter(|_| identity.removed_at.is_none());
            let mut stored = stored.ok_or_else(|| unknown("user", &name))?;
            let words = apply(&mut stored, &mut identity, &wanted, now);
            let Some(words) = words else { return Ok(()) };
            let mut change = control.begin(&state).await?;
            change.put_principal(&stored).await?;
            change.put_identity(&identity).await?;
            if wanted.removed {
                let own = state.groups.values().filter(|group| group.members.contains(&name));
                for group in own {
                    change.leave_directory_group(group.id, &name).await?;
                }
            }
            let takes_away = identity.is_out();
            let withdrawal = match (wanted.removed, takes_away) {
                (true, _) => control.withdraw_everything(&mut change, &state, &name, &actor).await?,
                (false, true) => control.withdraw_proofs(&mut change, &state, &name).await?,
                (false, false) => Withdrawal::nothing(),
            };
            control.tell(&mut change, &News::of_principal(&actor, &name, &words)).await?;
            let record = changed(&actor, &name, &words);
            if !takes_away {
                control.record_first(std::slice::from_ref(&record)).await?;
            }
            change.commit().await?;
            if wanted.removed {
                state.leave_groups(&name);
            }
            keep(&mut state, stored, identity);
            withdrawal.apply(&mut state);
            control.publish(&mut state);
            if takes_away {
                let mut records = withdrawal.records(&actor, &name);
                records.insert(0, record);
                control.record_after("the principal is disabled", &records).await?;
            }
            Ok(())
        })
        .await
    }
}

fn entry(
    snapshot: &Snapshot,
    name: &PrincipalName,
    identity: Option<&StoredIdentity>,
) -> Option<DirectoryEntry> {
    let principal = snapshot.principal(name)?;
    let is_out = identity.is_some_and(|it| it.removed_at.is_some());
    (!is_out).then(|| DirectoryEntry {
        name: name.clone(),
        external_id: identity.and_then(|it| it.external_id.clone()),
        active: !identity.is_some_and(|it| it.deactivated),
        groups: principal.groups.clone(),
    })
}

fn keep(state: &mut State, stored: StoredPrincipal, identity: StoredIdentity) {
    state.principals.insert(stored.name.clone(), stored);
    state.identities.insert(identity.principal.clone(), identity);
}

/// Somebody new, without anything.
pub(super) fn fresh(name: &PrincipalName, now: Timestamp) -> StoredPrincipal {
    StoredPrincipal {
        name: name.clone(),
        groups: Vec::new(),
        disabled: false,
        password: None,
        created_at: now,
    }
}

/// Changes both, and says how in words; `None` where they are so already.
fn apply(
    stored: &mut StoredPrincipal,
    identity: &mut StoredIdentity,
    wanted: &DirectoryChange,
    now: Timestamp,
) -> Option<String> {
    let mut words = Vec::new();
    if let Some(active) = wanted.active
        && active == identity.deactivated
    {
        identity.deactivated = !active;
        words.push(if active { "enabled by directory" } else { "disabled by directory" });
    }
    if wanted.removed {
        identity.removed_at = Some(now);
        // Whoever gets the name later gets nothing with it.
        stored.password = None;
        stored.groups.clear();
        identity.groups.clear();
        words.push("removed from directory");
    }
    if wanted.external_id.is_some() && wanted.external_id != identity.external_id {
        identity.external_id.clone_from(&wanted.external_id);
        words.push("external identifier changed");
    }
    (!words.is_empty()).then(|| words.join("; "))
}

pub(super) fn check_external_id(id: Option<&str>) -> Result<(), ControlError> {
    match id {
        Some(id) if id.is_empty() || id.chars().count() > MOST_ID || id.chars().any(char::is_control) => {
            Err(invalid("externalId", format!("1 to {MOST_ID} characters on one line")))
        }
        Some(_) | None => Ok(()),
    }
}

const MOST_ID: usize = 200;
