//! Short-lived database tokens.

use uuid::Uuid;

use super::{
    door::Control,
    error::{ControlError, invalid, unknown},
    principals::fresh_salt,
    requests::NewToken,
    secret_text::random_text,
    views::{CreatedToken, TokenView},
};
use crate::{
    model::{
        ids::{PrincipalName, TokenId},
        record::Record,
    },
    store::StoredToken,
};

impl Control {
    /// Makes a token that logs its principal in until its end; it is given out here once and kept nowhere.
    ///
    /// # Errors
    /// `Unknown`, `Invalid` for a lifetime over 30 days or the name, `Limit`, `Random`, `Audit` and `Store` when
    /// nothing was changed.
    pub async fn create_token(&self, actor: &str, new: NewToken) -> Result<CreatedToken, ControlError> {
        if new.lifetime.seconds() > MAX_SECONDS {
            return Err(invalid("for", "a token lasts at most 30d"));
        }
        if new.name.chars().count() > MAX_NAME || new.name.chars().any(char::is_control) {
            return Err(invalid("name", format!("at most {MAX_NAME} characters on one line")));
        }
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let mut holder = state
                .principal_to_change(&new.principal, now)
                .ok_or_else(|| unknown("principal", &new.principal))?;
            if state.tokens_of(&new.principal, now).count() >= MAX_TOKENS {
                return Err(ControlError::Limit { what: "tokens of this principal", limit: MAX_TOKENS });
            }
            let salted = match holder.password.take() {
                Some(salted) => salted,
                None => fresh_salt()?,
            };
            let secret = random_text(PREFIX)?;
            let token = StoredToken {
                id: TokenId::new(Uuid::now_v7()),
                principal: new.principal,
                name: new.name,
                keys: (control.parts().make_keys)(
                    secret.expose().as_bytes(),
                    &salted.salt,
                    salted.iterations,
                ),
                native: Some((control.parts().make_native_key)(secret.expose().as_bytes())),
                created_at: now,
                ends_at: new.lifetime.after(now),
                revoked_at: None,
            };
            holder.password = Some(salted);
            let mut change = control.begin(&state).await?;
            change.put_principal(&holder).await?;
            change.insert_token(&token).await?;
            let record = Record::TokenCreated {
                actor: &actor,
                principal: &token.principal,
                token: token.id,
                ends_at: token.ends_at,
            };
            control.record_first(&[record]).await?;
            control.commit_recorded(change).await?;
            state.principals.insert(holder.name.clone(), holder);
            state.tokens.insert(token.id, token.clone());
            control.publish(&mut state);
            Ok(CreatedToken { token: TokenView::new(token, now), secret: secret.expose().clone() })
        })
        .await
    }

    /// Revokes a token; it logs nobody in any more when this returns.
    ///
    /// # Errors
    /// `Unknown` (ended and revoked ones are unknown, too), `Store` when nothing was changed, `Unaudited` when it is
    /// revoked but not recorded.
    pub async fn revoke_token(&self, actor: &str, id: TokenId) -> Result<(), ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            let live = state.tokens.get(&id).filter(|token| token.is_live(now));
            let principal = live.map(|token| token.principal.clone()).ok_or_else(|| unknown("token", id))?;
            let mut change = control.begin(&state).await?;
            change.revoke_token(id, now).await?;
            change.commit().await?;
            state.tokens.remove(&id);
            control.publish(&mut state);
            let record = Record::TokenRevoked { actor: &actor, principal: &principal, token: id };
            control.record_after("the token is revoked", &[record]).await
        })
        .await
    }

    /// Tokens that have not ended, oldest first; those of one principal if `principal` is given.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_tokens(
        &self,
        principal: Option<&PrincipalName>,
    ) -> Result<Vec<TokenView>, ControlError> {
        let now = self.now();
        let stored = self.store().tokens(now).await?;
        let wanted = stored.into_iter().filter(|token| principal.is_none_or(|name| token.principal == *name));
        Ok(wanted.map(|token| TokenView::new(token, now)).collect())
    }
}

const PREFIX: &str = "tgt_";
const MAX_SECONDS: i64 = 30 * 24 * 3600;
const MAX_NAME: usize = 100;
/// Every login with a token compares it with each of the principal's.
const MAX_TOKENS: usize = 20;
