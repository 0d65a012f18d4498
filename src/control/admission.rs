//! People for whom the identity provider vouches: who that is here, and what the provider says of their groups.

use std::{future::Future, pin::Pin, sync::Arc};

use jiff::Timestamp;

use super::{
    directory::fresh,
    door::Control,
    error::ControlError,
    events::News,
    names::check_name,
    principals::{MAX_PRINCIPALS, changed},
    state::State,
};
use crate::{
    identity::{Proven, Provider, Purpose},
    model::{
        identity::{AdmitTokens, Admitted, Subject, TokenRefused, WhereTokensComeFrom},
        ids::{GroupName, PrincipalName},
        principal::Principal,
    },
    policy::Policy,
    store::{StoredIdentity, StoredPrincipal},
};

/// Why somebody for whom the provider vouches is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Kept out here.
    #[error("principal \"{0}\" is disabled")]
    Disabled(PrincipalName),
    /// What they would be called cannot be a name here.
    #[error("\"{}\" cannot be the name of a principal", .0.escape_debug())]
    Name(PrincipalName),
    /// The name is another subject's: it was given to somebody else.
    #[error("principal \"{0}\" is another subject of the identity provider")]
    OtherSubject(PrincipalName),
    /// The subject is somebody here, under another name.
    #[error("this subject of the identity provider is principal \"{0}\"")]
    OtherPrincipal(PrincipalName),
    /// Nobody here, and nobody is added by logging in.
    #[error("there is no principal \"{}\"", .0.escape_debug())]
    Unknown(PrincipalName),
}

impl Control {
    /// Who `proven` is here; their groups are then those that the provider says.
    ///
    /// The first login binds the principal to the provider's subject. Where nothing changes, nothing is written: it
    /// goes on while the store is down.
    ///
    /// # Errors
    /// `NotAdmitted`; `Audit` and `Store` when something was to be written and could not be.
    pub(super) async fn admit_proven(&self, proven: Proven) -> Result<Arc<Principal>, ControlError> {
        let snapshot = self.snapshot().load();
        let groups = in_policy(snapshot.policy(), &proven.groups);
        let kept = self.identities().load();
        let is_same =
            |kept: &&StoredIdentity| kept.subject.as_ref() == Some(&proven.subject) && kept.groups == groups;
        match snapshot.principal(&proven.principal) {
            Some(principal) if principal.disabled => {
                return Err(NotAdmitted::Disabled(proven.principal).into());
            }
            Some(principal) if kept.get(&proven.principal).filter(is_same).is_some() => {
                return Ok(Arc::clone(principal));
            }
            Some(_) | None => {}
        }
        self.to_the_end(|control| async move { control.bring_up_to_date(proven).await }).await
    }

    async fn bring_up_to_date(&self, proven: Proven) -> Result<Arc<Principal>, ControlError> {
        let mut state = self.turn().await;
        let now = self.now();
        let creates = self.provider()?.settings().creates;
        let (stored, is_new) = find(&state, &proven, creates, now)?;
        let before = state.identities.get(&proven.principal);
        let mut identity = before.cloned().unwrap_or_else(|| StoredIdentity::unspoken(&proven.principal));
        let groups = in_policy(&state.policy, &proven.groups);
        let change_in_words = in_words(&identity, &proven.subject, &groups, is_new);
        identity.subject = Some(proven.subject);
        identity.groups = groups;
        if change_in_words.is_empty() {
            // Somebody was faster, with the same.
            return self.present(&stored.name);
        }
        let mut change = self.begin(&state).await?;
        if !state.principals.contains_key(&stored.name) {
            change.put_principal(&stored).await?;
        }
        change.put_identity(&identity).await?;
        let name = stored.name.clone();
        self.tell(&mut change, &News::of_principal(&name, &name, &change_in_words)).await?;
        self.record_first(&[changed(&name, &name, &change_in_words)]).await?;
        self.commit_recorded(change).await?;
        state.principals.entry(name.clone()).or_insert(stored);
        state.identities.insert(name.clone(), identity);
        self.publish(&mut state);
        self.present(&name)
    }

    fn present(&self, name: &PrincipalName) -> Result<Arc<Principal>, ControlError> {
        let snapshot = self.snapshot().load();
        snapshot.principal(name).cloned().ok_or_else(|| NotAdmitted::Unknown(name.clone()).into())
    }

    async fn admit_token(&self, token: &str, principal: &str) -> Result<Admitted, TokenRefused> {
        let refused = |error: &dyn std::error::Error| TokenRefused(error.to_string());
        let provider = self.provider().map_err(|error| refused(&error))?;
        let proven = provider.verify(token, Purpose::Shown).await.map_err(|error| refused(&error))?;
        let subject = proven.subject.clone();
        let of = |why: String| TokenRefused(format!("token of {subject}: {why}"));
        if *proven.principal != *principal {
            return Err(of(format!("it proves \"{}\"", proven.principal.escape_debug())));
        }
        let principal = self.admit_proven(proven).await.map_err(|error| of(error.to_string()))?;
        Ok(Admitted { principal, subject })
    }
}

impl AdmitTokens for Control {
    fn admit<'a>(
        &'a self,
        token: &'a str,
        principal: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, TokenRefused>> + Send + 'a>> {
        Box::pin(self.admit_token(token, principal))
    }

    fn source(&self) -> WhereTokensComeFrom {
        // closed: without a provider nobody is told where tokens come from, and none is taken
        self.provider().map_or_else(
            |_| WhereTokensComeFrom { configuration: String::new(), scope: String::new() },
            Provider::where_tokens_come_from,
        )
    }
}

/// The principal that `proven` is, and whether it is made for this.
fn find(
    state: &State,
    proven: &Proven,
    creates: bool,
    now: Timestamp,
) -> Result<(StoredPrincipal, bool), ControlError> {
    let name = &proven.principal;
    let is_new = !state.knows(name);
    let stored = match state.principal_to_change(name, now) {
        Some(stored) => stored,
        None if !creates => return Err(NotAdmitted::Unknown(name.clone()).into()),
        None if check_name("name", name).is_err() => return Err(NotAdmitted::Name(name.clone()).into()),
        None if state.principals.len() >= MAX_PRINCIPALS => {
            return Err(ControlError::Limit { what: "principals", limit: MAX_PRINCIPALS });
        }
        None => fresh(name, now),
    };
    let in_policy = state.policy.principals.get(name);
    let kept = state.identities.get(name);
    if stored.disabled
        || in_policy.is_some_and(|said| said.disabled)
        || kept.is_some_and(StoredIdentity::is_out)
    {
        return Err(NotAdmitted::Disabled(name.clone()).into());
    }
    if kept.and_then(|kept| kept.subject.as_ref()).is_some_and(|subject| *subject != proven.subject) {
        return Err(NotAdmitted::OtherSubject(name.clone()).into());
    }
    let other = |it: &&StoredIdentity| it.subject.as_ref() == Some(&proven.subject) && it.principal != *name;
    match state.identities.values().find(other) {
        Some(other) => Err(NotAdmitted::OtherPrincipal(other.principal.clone()).into()),
        None => Ok((stored, is_new)),
    }
}

/// The groups among `names` that policy has: the others mean nothing here.
fn in_policy(policy: &Policy, names: &[GroupName]) -> Vec<GroupName> {
    names.iter().filter(|name| policy.groups.contains_key(*name)).cloned().collect()
}

fn in_words(before: &StoredIdentity, subject: &Subject, groups: &[GroupName], is_new: bool) -> String {
    let mut what = Vec::new();
    if is_new {
        what.push("added by logging in".to_owned());
    }
    if before.subject.is_none() {
        what.push(format!("bound to subject {subject}"));
    }
    if before.groups != groups {
        let names: Vec<_> = groups.iter().map(|group| group.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        what.push(format!("groups of the identity provider set to {names}"));
    }
    what.join("; ")
}
