//! Who is who in Slack: an account there acts as a principal here once that person has said so, or their e-mail does.

use jiff::SignedDuration;

use super::{
    caller::{Caller, Scope},
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    principals::changed,
    secret_text::{random, sha256},
    slack_bodies::{LinkSlack, SlackLinkAnswer, SlackLinkView},
};
use crate::{
    model::{ids::PrincipalName, slack::SlackAccount},
    store::{StoredSlackCode, StoredSlackLink, whole_microseconds},
};

impl Control {
    /// As whom an account acts: the principal that it is linked to, if that one is let in now.
    ///
    /// # Errors
    /// `Store`.
    pub async fn slack_principal(
        &self,
        account: &SlackAccount,
    ) -> Result<Option<PrincipalName>, ControlError> {
        let linked = self.store().slack_link_of(account).await?;
        // closed: who is not known, or not let in, is nobody
        Ok(linked.filter(|name| self.is_let_in(name)))
    }

    /// The account of a principal in the workspace `team`, if it has one there.
    ///
    /// # Errors
    /// `Store`.
    pub async fn slack_account(
        &self,
        team: &str,
        principal: &PrincipalName,
    ) -> Result<Option<SlackAccount>, ControlError> {
        let account = self.store().slack_account_of(principal).await?;
        Ok(account.filter(|account| account.team == team))
    }

    /// Makes a code by which somebody links `account` to themselves within ten minutes; one made before is good no more.
    /// `label` is what Slack calls its owner, for whoever confirms the code.
    ///
    /// # Errors
    /// `Random`, `Store`.
    pub async fn begin_slack_link(
        &self,
        account: SlackAccount,
        label: String,
    ) -> Result<String, ControlError> {
        let code = new_code()?;
        let now = self.now();
        let ends_at = whole_microseconds(now.checked_add(CODE_LASTS).unwrap_or(now));
        let kept = StoredSlackCode { account, label, sha256: sha256(&code), ends_at };
        let mut change = self.store().change().await?;
        change.put_slack_code(&kept, now).await?;
        change.commit().await?;
        Ok(code)
    }

    /// Shows `person` what a code would link, and links it to them if they name the account.
    ///
    /// # Errors
    /// `Unknown` for a code that is not good, `Invalid` for another account than the code's, `Exists` when the account or
    /// the person is linked already, `Audit` and `Store` when nothing was changed.
    pub async fn confirm_slack_link(
        &self,
        person: PrincipalName,
        confirm: LinkSlack,
    ) -> Result<SlackLinkAnswer, ControlError> {
        let digest = sha256(&confirm.code.trim().to_ascii_uppercase());
        let known = self.store().slack_code(&digest).await?;
        let code = known.filter(|code| self.now() < code.ends_at);
        let code = code.ok_or_else(|| unknown("code", "of a link to Slack"))?;
        let answer = |linked| SlackLinkAnswer {
            linked,
            team: code.account.team.clone(),
            user: code.account.user.clone(),
            name: code.label.clone(),
            principal: person.clone(),
        };
        let Some(user) = confirm.user else { return Ok(answer(false)) };
        if user != code.account.user {
            return Err(invalid("user", "the code is of another account"));
        }
        let actor = person.to_string();
        self.link_slack(actor, code.account.clone(), person.clone(), CODE, Some(digest)).await?;
        Ok(answer(true))
    }

    /// Links an account to the one principal whose e-mail address this is, if both are free; gives which.
    ///
    /// # Errors
    /// `Audit` and `Store` when nothing was changed.
    pub async fn link_slack_by_email(
        &self,
        account: SlackAccount,
        email: &str,
    ) -> Result<Option<PrincipalName>, ControlError> {
        let snapshot = self.snapshot().load();
        let mut owners = snapshot.principals().filter(|principal| {
            let attribute = principal.attributes.get(EMAIL);
            [Some(principal.name.as_str()), attribute.map(String::as_str)]
                .into_iter()
                .flatten()
                .any(|theirs| theirs.eq_ignore_ascii_case(email))
        });
        // closed: an address of two people is nobody's
        let (Some(owner), None) = (owners.next(), owners.next()) else { return Ok(None) };
        if owner.disabled || !email.contains('@') {
            return Ok(None);
        }
        // closed: who was unlinked by hand is linked again by hand
        if self.store().value(&unlinked(&account)).await?.is_some() {
            return Ok(None);
        }
        let name = owner.name.clone();
        match self.link_slack(BY_EMAIL.to_owned(), account, name.clone(), EMAIL, None).await {
            Ok(()) => Ok(Some(name)),
            Err(ControlError::Exists { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn link_slack(
        &self,
        actor: String,
        account: SlackAccount,
        principal: PrincipalName,
        linked_by: &'static str,
        code: Option<[u8; 32]>,
    ) -> Result<(), ControlError> {
        self.to_the_end(move |control| async move {
            let _turn = control.turn().await;
            if control.store().slack_account_of(&principal).await?.is_some() {
                return Err(exists(principal.to_string()));
            }
            if control.store().slack_link_of(&account).await?.is_some() {
                return Err(exists(account.user));
            }
            let what = format!("linked to {account} by {linked_by}");
            let link = StoredSlackLink {
                account,
                principal: principal.clone(),
                linked_at: control.now(),
                linked_by: linked_by.to_owned(),
            };
            let mut change = control.store().change().await?;
            if let Some(code) = code
                && !change.take_slack_code(&code).await?
            {
                return Err(unknown("code", "of a link to Slack"));
            }
            change.insert_slack_link(&link).await?;
            control.tell(&mut change, &News::of_principal(&actor, &principal, &what)).await?;
            control.record_first(&[changed(&actor, &principal, &what)]).await?;
            control.commit_recorded(change).await
        })
        .await
    }

    /// Takes the link to Slack from a principal.
    ///
    /// # Errors
    /// `Unknown` when it has none, `Store` when nothing was changed, `Unaudited`.
    pub async fn unlink_slack(&self, actor: &str, principal: PrincipalName) -> Result<(), ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(move |control| async move {
            let _turn = control.turn().await;
            let links = control.store().slack_links().await?;
            let mut change = control.store().change().await?;
            if !change.remove_slack_link(&principal).await? {
                return Err(unknown("link to Slack", &principal));
            }
            if let Some(link) = links.iter().find(|link| link.principal == principal) {
                change.set_value(&unlinked(&link.account), &[1]).await?;
            }
            control.tell(&mut change, &News::of_principal(&actor, &principal, UNLINKED)).await?;
            change.commit().await?;
            control.stir();
            control.record_after("the link is removed", &[changed(&actor, &principal, UNLINKED)]).await
        })
        .await
    }

    /// The links: all of them, or a person's own.
    ///
    /// # Errors
    /// `Store`.
    pub async fn slack_links(&self, caller: &Caller) -> Result<Vec<SlackLinkView>, ControlError> {
        let sees_all = caller.may(&[Scope::Read, Scope::People]);
        let links = self.store().slack_links().await?.into_iter();
        let seen = links.filter(|link| sees_all || caller.principal.as_ref() == Some(&link.principal));
        Ok(seen.map(SlackLinkView::from).collect())
    }

    fn is_let_in(&self, name: &PrincipalName) -> bool {
        self.snapshot().load().principal(name).is_some_and(|principal| !principal.disabled)
    }
}

/// Where it is kept that an account was unlinked by hand: an e-mail address does not link it again.
fn unlinked(account: &SlackAccount) -> String {
    format!("slack_unlinked:{}:{}", account.team, account.user)
}

fn exists(name: String) -> ControlError {
    ControlError::Exists { what: "link to Slack of", name }
}

/// Ten letters and digits that cannot be taken for one another: 50 random bits.
///
/// Source: Crockford's Base 32.
fn new_code() -> Result<String, ControlError> {
    let letters = random::<10>()?.map(|byte| LETTERS.get(usize::from(byte % 32)).copied().unwrap_or(b'0'));
    let mut code: String = letters.iter().copied().map(char::from).collect();
    code.insert(5, '-');
    Ok(code)
}

const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);
const CODE: &str = "code";
/// How a link came to be, and the attribute of principals that it came from.
const EMAIL: &str = "email";
/// The actor of links that nobody made; no principal can be called so.
const BY_EMAIL: &str = "slack:email";
const UNLINKED: &str = "unlinked from Slack";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_easy_to_read_and_never_the_same() {
        let (one, other) = (new_code().unwrap(), new_code().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), one.find('-')), (11, Some(5)));
        assert!(one.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)), "{one}");
    }
}
