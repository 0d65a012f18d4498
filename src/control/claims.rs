//! Grants for one statement are used up here, once.

use std::{future::Future, pin::Pin};

use tracing::error;

use super::{
    door::Control,
    error::ControlError,
    events::{News, grant_event},
};
use crate::model::{
    claim::ClaimGrants,
    event::Event,
    grant::{GrantName, Holder},
    ids::{GrantId, PrincipalName, SessionId},
    record::Record,
};

impl Control {
    /// Uses up a grant for one statement; whether this was the one who got it.
    ///
    /// # Errors
    /// `Audit` and `Store`: then it is not used, or cannot be told; the statement must not run.
    pub async fn claim_grant(
        &self,
        id: GrantId,
        holder: PrincipalName,
        session: SessionId,
    ) -> Result<bool, ControlError> {
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let is_own =
                |it: &&mut crate::store::StoredGrant| it.grant.holder == Holder::Principal(holder.clone());
            if state.grants.get_mut(&id).filter(is_own).is_none() {
                return Ok(false);
            }
            let mut change = control.begin(&state).await?;
            if !change.use_grant(id, now).await? {
                return Ok(false);
            }
            if let Some(stored) = state.grants.get(&id) {
                let ended = News::of_grant(stored, Event::GrantEnded(grant_event(stored, &holder)));
                control.tell(&mut change, &ended).await?;
            }
            let grant = GrantName::Granted(id);
            control.record_first(&[Record::GrantUsed { actor: &holder, grant: &grant, session }]).await?;
            control.commit_recorded(change).await?;
            if let Some(used) = state.grants.get_mut(&id) {
                used.used_at = Some(now);
            }
            control.publish(&mut state);
            Ok(true)
        })
        .await
    }
}

impl ClaimGrants for Control {
    fn claim<'c>(
        &'c self,
        grant: GrantId,
        holder: &'c PrincipalName,
        session: SessionId,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'c>> {
        Box::pin(async move {
            // closed: what cannot be kept is not had
            self.claim_grant(grant, holder.clone(), session).await.unwrap_or_else(|error| {
                error!(%grant, %error, "a grant for one statement could not be used");
                false
            })
        })
    }
}
