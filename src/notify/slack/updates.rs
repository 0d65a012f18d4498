//! Tells Slack what the outbox tells: each request has one message, kept up to date, and its requester is written to.

use std::sync::Arc;

use tracing::error;

use super::{
    blocks::{page, paragraph},
    error::SlackError,
    message::{Message, message},
    stage::{groups, in_words, stage},
    text::fitted,
    web::Web,
};
use crate::{
    control::{Control, GrantView, RequestView},
    metrics::SlackMetrics,
    model::{
        event::{Event, GrantEvent, ToldEvent},
        ids::RequestId,
        slack::{SlackMessage, SlackSettings},
    },
    notify::{Consumer, NotifyError},
};

/// Passes events on to Slack.
pub(super) struct Updates {
    pub(super) control: Control,
    pub(super) web: Web,
    pub(super) settings: Arc<SlackSettings>,
    pub(super) metrics: SlackMetrics,
}

/// What an event is to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    Asked,
    Decided,
    Expiring,
}

impl Consumer for Updates {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn waiting(&self, events: usize) {
        self.metrics.waiting.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    async fn take(&self, event: &ToldEvent) -> Result<(), NotifyError> {
        let Some((id, letter)) = about(&event.event) else { return Ok(()) };
        let Some((request, grant)) = self.control.request_to_show(id).await? else { return Ok(()) };
        self.keep_up(&request, grant.as_ref()).await?;
        match letter {
            Some(letter) => self.write(&request, grant.as_ref(), letter).await,
            None => Ok(()),
        }
    }
}

impl Updates {
    /// The message about a request shows how it stands now, whichever event that is told of.
    async fn keep_up(&self, request: &RequestView, grant: Option<&GrantView>) -> Result<(), NotifyError> {
        let message = message(request, grant, self.settings.page_of(&request.id.to_string()).as_deref());
        let text = text_of(&message);
        let place = match self.control.slack_message(request.id, CHANNEL, &text).await? {
            Some(kept) if kept.is_current => return Ok(()),
            Some(kept) => {
                let updated = self.web.update(&kept.place, &message).await;
                // What cannot be changed any more is not tried again.
                passed_over(updated, request.id)?;
                kept.place
            }
            None => {
                let posted = self.web.post(self.channel_of(request), &message).await;
                let Some(place) = passed_over(posted, request.id)? else { return Ok(()) };
                place
            }
        };
        Ok(self.control.keep_slack_message(request.id, CHANNEL, place, &text).await?)
    }

    fn channel_of(&self, request: &RequestView) -> &str {
        let snapshot = self.control.snapshot().load();
        let environment = snapshot.target(&request.target).map(|target| target.environment.clone());
        self.settings.channel_of(&request.target, environment.as_ref(), request.risk)
    }

    /// Once each, to the requester alone.
    async fn write(
        &self,
        request: &RequestView,
        grant: Option<&GrantView>,
        letter: Letter,
    ) -> Result<(), NotifyError> {
        let part = letter.part();
        if self.control.slack_message(request.id, part, "").await?.is_some() {
            return Ok(());
        }
        let account = self.control.slack_account(&self.settings.team, &request.requester).await?;
        let Some(account) = account else { return Ok(()) };
        let message = self.letter(request, grant, letter);
        let sent: Result<SlackMessage, SlackError> = async {
            let channel = self.web.direct_channel(&account.user).await?;
            self.web.post(&channel, &message).await
        }
        .await;
        let Some(place) = passed_over(sent, request.id)? else { return Ok(()) };
        Ok(self.control.keep_slack_message(request.id, part, place, &text_of(&message)).await?)
    }

    fn letter(&self, request: &RequestView, grant: Option<&GrantView>, letter: Letter) -> Message {
        let what = match &request.statement {
            Some(statement) => format!("one {}", statement.command),
            None => request.permissions.to_string(),
        };
        let what = format!("Your request for {what} on {}/{}", request.target, request.database);
        let stage = stage(request, grant);
        let text = match letter {
            Letter::Asked if request.waits_for.is_empty() => format!("{what}: {}", in_words(request, &stage)),
            Letter::Asked => format!("{what} waits for {}.", groups(&request.waits_for)),
            Letter::Decided => {
                let last = request.reviews.last().map(|review| review.comment.as_str());
                let comment = last.filter(|it| !it.is_empty()).map(|it| format!(" “{it}”"));
                format!("{what}: {}{}", in_words(request, &stage), comment.unwrap_or_default())
            }
            Letter::Expiring => match grant.and_then(|grant| grant.ends_at) {
                Some(end) => format!("{what}: the grant ends soon, at {end}."),
                None => format!("{what}: the grant ends soon."),
            },
        };
        let mut blocks = vec![paragraph(&text)];
        if let Some(url) = self.settings.page_of(&request.id.to_string()) {
            blocks.push(serde_json::json!({ "type": "actions", "elements": [page("Open", &url)] }));
        }
        Message { blocks, text: fitted(&text, 3000).0 }
    }
}

impl Letter {
    /// Under which name it is kept that it was written.
    const fn part(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Decided => "decided",
            Self::Expiring => "expiring",
        }
    }
}

/// The request that an event is about, and what its requester is told of it, if it is about one.
fn about(event: &Event) -> Option<(RequestId, Option<Letter>)> {
    match event {
        Event::RequestCreated(it) => Some((it.request, Some(Letter::Asked))),
        Event::BreakGlassOpened(it)
        | Event::RequestApproved(it)
        | Event::RequestDenied(it)
        | Event::RequestExpired(it) => Some((it.request, Some(Letter::Decided))),
        Event::BreakGlassReviewed { request: it, .. }
        | Event::RequestCancelled(it)
        | Event::RequestEscalated(it)
        | Event::RequestReviewed(it) => Some((it.request, None)),
        Event::GrantExpiring(it) => of_grant(it, Some(Letter::Expiring)),
        Event::GrantEnded(it)
        | Event::GrantExtended { grant: it, .. }
        | Event::GrantRevoked(it)
        | Event::GrantStarted(it) => of_grant(it, None),
        Event::AuditTrouble { .. }
        | Event::LoginThrottled { .. }
        | Event::PolicyRejected { .. }
        | Event::PolicyReloaded { .. }
        | Event::PrincipalChanged { .. }
        | Event::StatementDenied { .. }
        | Event::WebhookDisabled { .. }
        | Event::WebhookTested { .. } => None,
    }
}

fn of_grant(grant: &GrantEvent, letter: Option<Letter>) -> Option<(RequestId, Option<Letter>)> {
    grant.request.map(|request| (request, letter))
}

/// What Slack would not take of this message, whenever it is sent, must not keep all others waiting.
fn passed_over<T>(sent: Result<T, SlackError>, request: RequestId) -> Result<Option<T>, NotifyError> {
    match sent {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_of_this_alone() => {
            error!(%request, %error, "Slack does not take what is told of a request: look at the channel and the app's rights in it");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn text_of(message: &Message) -> String {
    serde_json::to_string(&message.blocks).unwrap_or_default()
}

const CHANNEL: &str = "channel";
