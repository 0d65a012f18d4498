//! Does what people ask for in Slack, as the principals that they are here, by the same rules as anywhere else.
//!
//! Slack waits three seconds for an answer. What somebody clicked or typed is taken at once and done afterwards; a form is
//! answered with what came of it, or, if that takes longer, with a word that is replaced when it is known.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{
    error::SlackError,
    form, modal,
    names::{ASK, Button, CHANGE, DENY, field},
    payload::{Click, Command, Interaction, Submission, Who},
    replies,
    web::Web,
};
use crate::{
    control::{Answer, Control, ControlError, Explain, GrantQuery, NewReview, RequestView},
    metrics::SlackMetrics,
    model::{
        ids::{PrincipalName, RequestId},
        slack::{SlackAccount, SlackSettings},
    },
    notify::NotifyError,
};

/// Does what people ask for; cheap to clone.
#[derive(Clone)]
pub(super) struct Desk(Arc<Parts>);

struct Parts {
    control: Control,
    explain: Arc<dyn Explain>,
    web: Web,
    settings: Arc<SlackSettings>,
    metrics: SlackMetrics,
    places: Arc<Semaphore>,
}

/// What Slack is answered.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// Too much is going on.
    Busy,
    /// It is taken, and this is to be shown.
    Shown(Value),
    /// It is taken.
    Taken,
}

/// Why somebody is told nothing of what they asked for.
enum Failed {
    /// What they asked for is not taken, or cannot be done.
    Control(ControlError),
    /// Slack itself could not be asked.
    Slack(SlackError),
    /// They are nobody here.
    Unlinked,
}

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

impl From<SlackError> for Failed {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}

impl Desk {
    pub(super) fn new(
        control: Control,
        explain: Arc<dyn Explain>,
        web: Web,
        settings: Arc<SlackSettings>,
        metrics: SlackMetrics,
    ) -> Self {
        let places = Arc::new(Semaphore::new(PLACES));
        Self(Arc::new(Parts { control, explain, web, settings, metrics, places }))
    }

    /// Something that is not surely Slack's, or cannot be read.
    pub(super) fn refuse(&self, why: &dyn std::error::Error) {
        self.0.metrics.refused.inc();
        warn!(%why, "what is sent to Slack's door is not listened to");
    }

    /// Takes what somebody did; gives what Slack is answered, in less than three seconds.
    pub(super) async fn take(&self, interaction: Interaction) -> Reply {
        let Ok(place) = Arc::clone(&self.0.places).try_acquire_owned() else {
            self.0.metrics.busy.inc();
            warn!("more people do something in Slack than can be served at once");
            return Reply::Busy;
        };
        self.0.metrics.taken.inc();
        match interaction {
            Interaction::Other => Reply::Taken,
            Interaction::Click(click) => {
                let Some(account) = self.account(&click.who) else { return Reply::Taken };
                self.later(place, |desk| async move { desk.clicked(account, click).await });
                Reply::Taken
            }
            Interaction::Command(command) => {
                let Some(account) = self.account(&command.who) else { return Reply::Taken };
                self.later(place, |desk| async move { desk.commanded(account, command).await });
                Reply::Taken
            }
            Interaction::Submission(submission) => {
                let Some(account) = self.account(&submission.who) else { return Reply::Taken };
                self.submitted(place, account, submission).await
            }
        }
    }

    /// closed: who is of another workspace is not even answered
    fn account(&self, who: &Who) -> Option<SlackAccount> {
        let account = who.account(&self.0.settings.team);
        if account.is_none() {
            self.0.metrics.refused.inc();
            warn!(?who, "somebody of another Slack workspace is not listened to");
        }
        account
    }

    fn later<W, F>(&self, place: OwnedSemaphorePermit, work: W)
    where
        W: FnOnce(Self) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let work = work(self.clone());
        tokio::spawn(async move {
            work.await;
            drop(place);
        });
    }

    async fn clicked(&self, account: SlackAccount, click: Click) {
        let done = match click.button {
            Button::Approve => {
                let answer = form::answer(Answer::Approve, "");
                self.reviews(&account, click.request, answer).await.map(|_| ())
            }
            Button::Deny => self.opens_denial(&account, &click).await,
            Button::Change => self.opens_change(&account, &click).await,
        };
        if let Err(failed) = done {
            self.whispers(click.response_url.as_deref(), &told(&failed)).await;
        }
    }

    async fn commanded(&self, account: SlackAccount, command: Command) {
        let url = command.response_url.as_deref();
        let mut words = command.text.split_whitespace();
        let done = match (words.next(), words.next()) {
            (Some("request"), None) => self.opens_asking(&account, &command).await.map(|()| None),
            (Some("grants"), None) => self.grants(&account).await.map(Some),
            (Some("link"), None) => self.link(account).await.map(Some),
            _ => Ok(Some(replies::HELP.to_owned())),
        };
        match done {
            Ok(None) => {}
            Ok(Some(text)) => self.whispers(url, &text).await,
            Err(failed) => self.whispers(url, &told(&failed)).await,
        }
    }

    async fn opens_asking(&self, account: &SlackAccount, command: &Command) -> Result<(), Failed> {
        let form = async {
            self.person(account).await?;
            let snapshot = self.0.control.snapshot().load();
            let mut targets: Vec<_> = snapshot.targets().map(|target| target.name.clone()).collect();
            targets.sort();
            Ok(modal::ask(&targets))
        };
        self.opens(&command.trigger, form).await
    }

    async fn opens_change(&self, account: &SlackAccount, click: &Click) -> Result<(), Failed> {
        let form = async { Ok(modal::change(&self.sees(account, click.request).await?)) };
        self.opens(&click.trigger, form).await
    }

    async fn opens_denial(&self, account: &SlackAccount, click: &Click) -> Result<(), Failed> {
        let form = async { Ok(modal::deny(self.sees(account, click.request).await?.id)) };
        self.opens(&click.trigger, form).await
    }

    /// Something at once, since what opens it is good for three seconds; then the form, or why there is none.
    async fn opens(
        &self,
        trigger: &str,
        form: impl Future<Output = Result<Value, Failed>>,
    ) -> Result<(), Failed> {
        let view = self.0.web.open_view(trigger, &modal::saying(WAIT)).await?;
        let form = form.await.unwrap_or_else(|failed| modal::saying(&told(&failed)));
        Ok(self.0.web.update_view(&view, &form).await?)
    }

    async fn sees(&self, account: &SlackAccount, request: RequestId) -> Result<RequestView, Failed> {
        let person = self.person(account).await?;
        Ok(self.0.control.request_of(&person, request).await?)
    }

    async fn grants(&self, account: &SlackAccount) -> Result<String, Failed> {
        let query = GrantQuery { principal: Some(self.person(account).await?), ..GrantQuery::default() };
        Ok(replies::grants(&self.0.control.list_grants(query).await?))
    }

    async fn link(&self, account: SlackAccount) -> Result<String, Failed> {
        if let Some(name) = self.0.control.slack_principal(&account).await? {
            return Ok(replies::linked(&name));
        }
        let member = self.0.web.member(&account.user).await?;
        Ok(replies::code(&self.0.control.begin_slack_link(account, member.name).await?))
    }

    async fn submitted(&self, place: OwnedSemaphorePermit, account: SlackAccount, it: Submission) -> Reply {
        let view = it.view.clone();
        let (tell, told) = oneshot::channel();
        self.later(place, |desk| async move {
            let reply = desk.fills_in(account, it).await;
            if let Err(reply) = tell.send(reply) {
                desk.shows_late(&view, reply).await;
            }
        });
        match timeout(PATIENCE, told).await {
            Ok(Ok(reply)) => reply,
            // What is under way goes on, and is shown when it is done.
            Ok(Err(_)) | Err(_) => Reply::Shown(updated(modal::saying(WAIT))),
        }
    }

    /// What came of a form, for Slack.
    async fn fills_in(&self, account: SlackAccount, it: Submission) -> Reply {
        let noted = || serde_json::from_str::<modal::Noted>(&it.noted).ok();
        let answer = match it.form.as_str() {
            ASK => return self.asks(&account, &it).await,
            CHANGE => noted().map(|noted| form::changed(&it.fields, &noted)),
            DENY => noted().map(|noted| Ok(form::denied(&it.fields, &noted))),
            _ => None,
        };
        match answer {
            None => Reply::Shown(updated(modal::saying(replies::LATER))),
            Some(Err(problems)) => Reply::Shown(at_fields(&problems)),
            Some(Ok((request, review))) => match self.reviews(&account, request, review).await {
                Ok(_) => Reply::Taken,
                Err(failed) => refused(&failed, field::COMMENT),
            },
        }
    }

    async fn asks(&self, account: &SlackAccount, it: &Submission) -> Reply {
        let new = match form::asked(&it.fields) {
            Ok(new) => new,
            Err(problems) => return Reply::Shown(at_fields(&problems)),
        };
        // The same form sent twice is one request.
        let key = Some(format!("slack:{}", it.view));
        let made = async {
            let person = self.person(account).await?;
            Ok::<_, Failed>(self.0.control.create_request(person, new, &*self.0.explain, key).await?)
        };
        match made.await {
            Ok(request) => Reply::Shown(updated(modal::saying(&replies::asked(&request)))),
            Err(failed) => refused(&failed, field::REASON),
        }
    }

    /// After Slack was told to wait, and has forgotten that it did.
    async fn shows_late(&self, view: &str, reply: Reply) {
        let text = match reply {
            Reply::Busy => return,
            Reply::Taken => modal::saying("Done."),
            Reply::Shown(shown) => match (shown.get("view"), shown.get("errors")) {
                (Some(view), _) => view.clone(),
                (None, Some(errors)) => modal::saying(&in_words(errors)),
                (None, None) => return,
            },
        };
        tokio::time::sleep(SETTLE).await;
        if let Err(error) = self.0.web.update_view(view, &text).await {
            debug!(%error, "a form was closed before its end was known");
        }
    }

    async fn reviews(
        &self,
        account: &SlackAccount,
        request: RequestId,
        review: NewReview,
    ) -> Result<RequestView, Failed> {
        let person = self.person(account).await?;
        let verdict = review.verdict;
        let done = self.0.control.review_request(person.clone(), request, review).await?;
        info!(%person, user = account.user, %request, ?verdict, "answered in Slack");
        Ok(done)
    }

    /// Who an account is here.
    async fn person(&self, account: &SlackAccount) -> Result<PrincipalName, Failed> {
        if let Some(person) = self.0.control.slack_principal(account).await? {
            return Ok(person);
        }
        if !self.0.settings.link_by_email {
            return Err(Failed::Unlinked);
        }
        let Some(email) = self.0.web.member(&account.user).await?.email else { return Err(Failed::Unlinked) };
        let found = self.0.control.link_slack_by_email(account.clone(), &email).await?;
        found.ok_or(Failed::Unlinked)
    }

    async fn whispers(&self, url: Option<&str>, text: &str) {
        let Some(url) = url else { return };
        if let Err(error) = self.0.web.whisper(url, text).await {
            warn!(error = words(error), "somebody in Slack could not be answered");
        }
    }
}

fn told(failed: &Failed) -> String {
    match failed {
        Failed::Control(error) => replies::refusal(error),
        Failed::Slack(error) => {
            warn!(%error, "what somebody asked for in Slack could not be done");
            replies::LATER.to_owned()
        }
        Failed::Unlinked => replies::UNLINKED.to_owned(),
    }
}

/// At a field, so that what was filled in is not lost; nobody is told so in the form's place.
fn refused(failed: &Failed, at: &'static str) -> Reply {
    match failed {
        Failed::Unlinked => Reply::Shown(updated(modal::saying(replies::UNLINKED))),
        Failed::Control(_) | Failed::Slack(_) => {
            Reply::Shown(at_fields(&BTreeMap::from([(at, told(failed))])))
        }
    }
}

fn at_fields(problems: &form::Problems) -> Value {
    json!({ "response_action": "errors", "errors": problems })
}

fn updated(view: Value) -> Value {
    json!({ "response_action": "update", "view": view })
}

fn in_words(errors: &Value) -> String {
    let all = errors.as_object().into_iter().flat_map(|all| all.values()).filter_map(Value::as_str);
    all.collect::<Vec<_>>().join(" ")
}

fn words(error: SlackError) -> String {
    NotifyError::from(error).in_words()
}

const WAIT: &str = "One moment…";
/// Of the three seconds that Slack waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// Slack shows the word before first, whichever of the two reaches it first.
const SETTLE: Duration = Duration::from_millis(500);
/// People who do something at the same moment.
const PLACES: usize = 64;
