//! What is taken from somebody who is disabled, or goes.

use jiff::Timestamp;

use super::{door::Control, error::ControlError, events::News, grants::revoked, state::State};
use crate::{
    model::{
        event::Event,
        grant::GrantName,
        ids::{GrantId, KeyId, PrincipalName, RequestId, TokenId},
        record::Record,
        request::RequestState,
    },
    store::{CaseFilter, Change, Revocation},
};

/// What was taken from one principal, as part of a change: to be applied to the state and recorded once that is made.
#[derive(Debug, Default)]
pub(super) struct Withdrawal {
    keys: Vec<KeyId>,
    tokens: Vec<TokenId>,
    grants: Vec<(GrantId, GrantName)>,
    requests: Vec<RequestId>,
    revocation: Option<Revocation>,
}

impl Control {
    /// Revokes the keys and tokens of `name`: nothing that was made before proves them any more.
    pub(super) async fn withdraw_proofs(
        &self,
        change: &mut Change,
        state: &State,
        name: &PrincipalName,
    ) -> Result<Withdrawal, ControlError> {
        let now = self.now();
        let keys = state.keys_of(name, now);
        for id in &keys {
            change.revoke_key(*id, now).await?;
        }
        let tokens: Vec<_> = state.tokens_of(name, now).map(|it| it.id).collect();
        for id in &tokens {
            change.revoke_token(*id, now).await?;
        }
        Ok(Withdrawal { keys, tokens, ..Withdrawal::default() })
    }

    /// Also revokes the grants that `name` holds itself, and cancels its requests.
    pub(super) async fn withdraw_everything(
        &self,
        change: &mut Change,
        state: &State,
        name: &PrincipalName,
        actor: &str,
    ) -> Result<Withdrawal, ControlError> {
        let mut withdrawal = self.withdraw_proofs(change, state, name).await?;
        let now = self.now();
        // Whoever gets the name later must not get the account with it; that the principal went says it all.
        change.remove_slack_link(name).await?;
        let revocation = Revocation { at: now, by: actor.to_owned(), reason: GONE.to_owned() };
        for id in state.open_grants_of(name, now) {
            change.revoke_grant(id, &revocation).await?;
            if let Some(held) = state.grants.get(&id) {
                self.tell(change, &News::of_revocation(held, actor, GONE)).await?;
            }
            withdrawal.grants.push((id, GrantName::Granted(id)));
        }
        withdrawal.revocation = Some(revocation);
        withdrawal.requests = self.cancel_all(change, actor, name, now).await?;
        Ok(withdrawal)
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
}

impl Withdrawal {
    /// Nothing was taken.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    /// The change is made: the state follows.
    pub(super) fn apply(&self, state: &mut State) {
        state.keys.retain(|key| !self.keys.contains(&key.id));
        state.tokens.retain(|id, _| !self.tokens.contains(id));
        let Some(revocation) = &self.revocation else { return };
        for (id, _) in &self.grants {
            if let Some(held) = state.grants.get_mut(id) {
                *held = revoked(held.clone(), revocation.clone());
            }
        }
    }

    /// What the log is told.
    pub(super) fn records<'a>(&'a self, actor: &'a str, principal: &'a PrincipalName) -> Vec<Record<'a>> {
        let grants = self.grants.iter();
        let grants = grants.map(|(_, grant)| Record::GrantRevoked { actor, grant, reason: GONE });
        let keys = self.keys.iter().map(|key| Record::KeyRevoked { actor, key: *key });
        let tokens = self.tokens.iter().map(|token| Record::TokenRevoked { actor, principal, token: *token });
        let state = RequestState::Cancelled;
        let requests = self.requests.iter();
        let requests =
            requests.map(|request| Record::RequestSettled { actor, request: *request, state, grant: None });
        grants.chain(keys).chain(tokens).chain(requests).collect()
    }

    /// The grants that were revoked.
    pub(super) fn into_grants(self) -> Vec<GrantId> {
        self.grants.into_iter().map(|(id, _)| id).collect()
    }
}

/// More than anybody may have pending.
const MOST_CANCELLED: u32 = 1000;
const GONE: &str = "its holder was removed";
