//! Slack's Web API, as far as we need it.
//!
//! Source: docs.slack.dev, "Using the Slack Web API", and the pages of the methods.

use std::{sync::Arc, time::Duration};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{blocks::with, error::SlackError, message::Message};
use crate::{
    model::slack::{SlackDoor, SlackMessage, SlackSettings},
    notify::{NotifyError, Outgoing, OutgoingSettings, Reach},
};

/// Calls Slack; cheap to clone.
#[derive(Clone)]
pub(super) struct Web {
    outgoing: Outgoing,
    settings: Arc<SlackSettings>,
}

/// Somebody, as Slack tells of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// How they are called there, for people to read.
    pub(super) name: String,
    /// Their e-mail address, if it is confirmed and they are a full member of the workspace.
    pub(super) email: Option<String>,
}

impl Web {
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// `Setup`.
    pub(super) fn new(settings: Arc<SlackSettings>) -> Result<Self, NotifyError> {
        // The configuration lets no other address be on a private network than one of this machine.
        let reach = if settings.api.starts_with("http:") { Reach::Private } else { Reach::Public };
        let outgoing = OutgoingSettings { reach, timeout: TIME, answer_bytes: ANSWER_BYTES, ca: None };
        Ok(Self { outgoing: Outgoing::new(&outgoing)?, settings })
    }

    /// The workspace of the bot token.
    pub(super) async fn team(&self) -> Result<String, SlackError> {
        Ok(self.team_and_scopes().await?.0)
    }

    /// The workspace of the bot token, and what that may do; `None` if Slack does not say.
    pub(super) async fn team_and_scopes(&self) -> Result<(String, Option<String>), SlackError> {
        let method = "auth.test";
        let body = json!({}).to_string().into_bytes();
        let (answer, headers) = self.ask(method, self.settings.bot_token.expose(), JSON, body).await?;
        let scopes = headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok());
        Ok((text_of(method, &answer, "/team_id")?.to_owned(), scopes.map(str::to_owned)))
    }

    /// Posts a message.
    pub(super) async fn post(&self, channel: &str, message: &Message) -> Result<SlackMessage, SlackError> {
        let method = "chat.postMessage";
        let answer = self.call(method, &whole(message, json!({ "channel": channel }))).await?;
        Ok(SlackMessage {
            channel: text_of(method, &answer, "/channel")?.into(),
            ts: text_of(method, &answer, "/ts")?.into(),
        })
    }

    /// Replaces what a message shows.
    pub(super) async fn update(&self, place: &SlackMessage, message: &Message) -> Result<(), SlackError> {
        let place = json!({ "channel": &*place.channel, "ts": &*place.ts });
        self.call("chat.update", &whole(message, place)).await.map(|_| ())
    }

    /// The channel in which the bot and somebody are alone.
    pub(super) async fn direct_channel(&self, user: &str) -> Result<String, SlackError> {
        let method = "conversations.open";
        let answer = self.call(method, &json!({ "users": user })).await?;
        text_of(method, &answer, "/channel/id").map(str::to_owned)
    }

    /// Opens a form for whoever did what gave the `trigger`; gives what names the form.
    pub(super) async fn open_view(&self, trigger: &str, view: &Value) -> Result<String, SlackError> {
        let method = "views.open";
        let answer = self.call(method, &json!({ "trigger_id": trigger, "view": view })).await?;
        text_of(method, &answer, "/view/id").map(str::to_owned)
    }

    /// Replaces a form that is open.
    pub(super) async fn update_view(&self, id: &str, view: &Value) -> Result<(), SlackError> {
        self.call("views.update", &json!({ "view_id": id, "view": view })).await.map(|_| ())
    }

    /// Who somebody is.
    pub(super) async fn member(&self, user: &str) -> Result<Member, SlackError> {
        let method = "users.info";
        let form = format!("user={user}");
        let answer = self.send(method, self.settings.bot_token.expose(), FORM, form.into_bytes()).await?;
        let found = answer.get("user").unwrap_or(&Value::Null);
        Ok(member(found, &self.settings.team))
    }

    /// Where a WebSocket is opened, once.
    pub(super) async fn socket(&self) -> Result<String, SlackError> {
        let method = "apps.connections.open";
        let SlackDoor::Socket { app_token } = &self.settings.door else {
            return Err(SlackError::Socket { problem: "there is no app token".to_owned() });
        };
        let answer = self.send(method, app_token.expose(), FORM, Vec::new()).await?;
        text_of(method, &answer, "/url").map(str::to_owned)
    }

    /// Answers somebody so that they alone see it, where `url` came with what they did.
    pub(super) async fn whisper(&self, url: &str, text: &str) -> Result<(), SlackError> {
        let method = "response_url";
        if !self.is_slacks(url) {
            return Err(SlackError::Refused { method, error: "the address is not Slack's".to_owned() });
        }
        let body = json!({ "response_type": "ephemeral", "replace_original": false, "text": text });
        let sent = self.outgoing.post(url, &[], JSON, body.to_string().into_bytes()).await;
        let answer = sent.map_err(|source| SlackError::Call { method, source })?;
        match answer.status {
            200..=299 => Ok(()),
            status => Err(SlackError::Refused { method, error: status.to_string() }),
        }
    }

    /// Whether an address that came with a payload is one of Slack's own for this; in tests, of what stands for Slack.
    fn is_slacks(&self, url: &str) -> bool {
        match self.settings.api.strip_suffix("/api").filter(|origin| origin.starts_with("http:")) {
            Some(origin) => url.strip_prefix(origin).is_some_and(|rest| rest.starts_with('/')),
            None => url.starts_with(HOOKS),
        }
    }

    async fn call(&self, method: &'static str, body: &Value) -> Result<Value, SlackError> {
        let body = body.to_string().into_bytes();
        self.send(method, self.settings.bot_token.expose(), JSON, body).await
    }

    async fn send(
        &self,
        method: &'static str,
        token: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Value, SlackError> {
        Ok(self.ask(method, token, kind, body).await?.0)
    }

    async fn ask(
        &self,
        method: &'static str,
        token: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<(Value, HeaderMap), SlackError> {
        let failed = |source| SlackError::Call { method, source };
        let address = format!("{}/{method}", self.settings.api);
        let bearer = format!("Bearer {token}");
        let sent = self.outgoing.post(&address, &[("authorization", &bearer)], kind, body).await;
        let answer = sent.map_err(failed)?;
        if answer.status != 200 {
            let (status, retry_after) = (answer.status, answer.retry_after);
            return Err(failed(NotifyError::Answer { status, retry_after }));
        }
        let said: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| failed(NotifyError::NotUnderstood { problem: "it is no JSON".to_owned() }))?;
        if said.get("ok").and_then(Value::as_bool) == Some(true) {
            return Ok((said, answer.headers));
        }
        let error = said.get("error").and_then(Value::as_str).unwrap_or("nothing");
        // What it says is shown in logs: a word, and no more.
        let error = error.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_').take(80).collect();
        Err(SlackError::Refused { method, error })
    }
}

/// The e-mail address counts only of people whom the workspace itself made members.
fn member(user: &Value, team: &str) -> Member {
    let is = |name: &str| user.get(name).and_then(Value::as_bool) == Some(true);
    let word = |path: &str| user.pointer(path).and_then(Value::as_str).filter(|it| !it.is_empty());
    let is_outside =
        ["deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger"].into_iter().any(is);
    let is_home = user.get("team_id").and_then(Value::as_str) == Some(team);
    // closed: what Slack does not say is not confirmed
    let is_proven = is("is_email_confirmed") && is_home && !is_outside;
    let name = word("/profile/real_name").or_else(|| word("/real_name")).or_else(|| word("/name"));
    Member {
        name: name.unwrap_or_default().chars().take(80).collect(),
        email: word("/profile/email").filter(|_| is_proven).map(str::to_owned),
    }
}

/// A message, at `place`.
fn whole(message: &Message, place: Value) -> Value {
    let body = with(with(place, "blocks", message.blocks.clone()), "text", message.text.clone());
    with(with(body, "unfurl_links", false), "unfurl_media", false)
}

fn text_of<'a>(method: &'static str, answer: &'a Value, path: &str) -> Result<&'a str, SlackError> {
    answer.pointer(path).and_then(Value::as_str).ok_or_else(|| SlackError::Call {
        method,
        source: NotifyError::NotUnderstood { problem: format!("{path} is missing") },
    })
}

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";
const HOOKS: &str = "https://hooks.slack.com/";
const TIME: Duration = Duration::from_secs(10);
const ANSWER_BYTES: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn lee(changes: &[(&str, Value)]) -> Member {
        let mut user = json!({
            "id": "U1", "team_id": "T1", "name": "lee", "deleted": false, "is_bot": false, "is_restricted": false,
            "is_ultra_restricted": false, "is_email_confirmed": true,
            "profile": { "real_name": "Lee L.", "email": "lee@example.com" },
        });
        for (name, value) in changes {
            user[*name] = value.clone();
        }
        member(&user, "T1")
    }

    #[test]
    fn an_address_counts_if_it_is_confirmed_and_of_a_full_member() {
        assert_eq!(lee(&[]), Member { name: "Lee L.".to_owned(), email: Some("lee@example.com".to_owned()) });
        for change in [
            ("deleted", json!(true)),
            ("is_bot", json!(true)),
            ("is_restricted", json!(true)),
            ("is_ultra_restricted", json!(true)),
            ("is_stranger", json!(true)),
            ("is_email_confirmed", json!(false)),
            ("is_email_confirmed", Value::Null),
            ("team_id", json!("T2")),
            ("team_id", Value::Null),
            ("profile", json!({ "email": "" })),
        ] {
            assert_eq!(lee(std::slice::from_ref(&change)).email, None, "{change:?}");
        }
    }
}
