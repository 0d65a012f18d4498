//! What is told of requests in Slack, and where it stands there.

use super::{
    answering::concerns,
    ask_views::RequestView,
    door::Control,
    error::{ControlError, unknown},
    secret_text::sha256,
    views::GrantView,
};
use crate::{
    model::{
        ids::{PrincipalName, RequestId},
        slack::SlackMessage,
    },
    store::StoredSlackMessage,
};

/// A message about a request as it was last sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMessage {
    /// Where it is.
    pub place: SlackMessage,
    /// Whether it shows the text that was asked about.
    pub is_current: bool,
}

impl Control {
    /// A request with its grant, whoever may see them: what is told in Slack is for everybody in a channel. `None` if
    /// there is no such request any more.
    ///
    /// # Errors
    /// `Store`.
    pub async fn request_to_show(
        &self,
        id: RequestId,
    ) -> Result<Option<(RequestView, Option<GrantView>)>, ControlError> {
        let Some(case) = self.store().case(id).await? else { return Ok(None) };
        let now = self.now();
        let grant = match case.grant {
            Some(grant) => self.store().grant(grant).await?.map(|stored| GrantView::new(stored, now)),
            None => None,
        };
        Ok(Some((RequestView::new(&case, now), grant)))
    }

    /// A request that `person` has to do with.
    ///
    /// # Errors
    /// `Unknown`, also for any other request; `Store`.
    pub async fn request_of(
        &self,
        person: &PrincipalName,
        id: RequestId,
    ) -> Result<RequestView, ControlError> {
        let case = self.store().case(id).await?.ok_or_else(|| unknown("request", id))?;
        if !concerns(&self.snapshot().load(), &case, person) {
            return Err(unknown("request", id));
        }
        Ok(RequestView::new(&case, self.now()))
    }

    /// Where the message that is this `part` of what is told of a request is, and whether it shows `text`.
    ///
    /// # Errors
    /// `Store`.
    pub async fn slack_message(
        &self,
        request: RequestId,
        part: &str,
        text: &str,
    ) -> Result<Option<KeptMessage>, ControlError> {
        let kept = self.store().slack_message(request, part).await?;
        let digest = sha256(text);
        Ok(kept.map(|it| KeptMessage { is_current: it.shown == digest, place: it.place }))
    }

    /// Keeps where a message is, and that it shows `text`.
    ///
    /// # Errors
    /// `Store`.
    pub async fn keep_slack_message(
        &self,
        request: RequestId,
        part: &str,
        place: SlackMessage,
        text: &str,
    ) -> Result<(), ControlError> {
        let message = StoredSlackMessage { place, shown: sha256(text).to_vec() };
        let mut change = self.store().change().await?;
        change.put_slack_message(request, part, &message).await?;
        Ok(change.commit().await?)
    }
}
