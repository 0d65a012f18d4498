//! What Slack says that somebody did.
//!
//! Source: docs.slack.dev, "block_actions payload", "view_submission payload", "Implementing slash commands".

use serde::Deserialize;
use serde_json::{Map, Value};

use super::names::{self, Button};
use crate::model::{ids::RequestId, slack::SlackAccount};

/// Something that somebody did.
#[derive(Debug, PartialEq)]
pub(super) enum Interaction {
    /// They clicked on a button of a request.
    Click(Click),
    /// They typed a command.
    Command(Command),
    /// Nothing that anybody waits for.
    Other,
    /// They sent a form.
    Submission(Submission),
}

/// Who did it, as Slack tells of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Who {
    /// Where the app is that they used; none where it is installed for a whole organisation.
    team: Option<String>,
    user: String,
    /// Where they are at home, if it says so: in a channel that workspaces share, people of others click, too.
    home: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Click {
    pub(super) who: Who,
    pub(super) button: Button,
    pub(super) request: RequestId,
    /// Opens a form within three seconds, once.
    pub(super) trigger: String,
    /// Where answers go that they alone see.
    pub(super) response_url: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Command {
    pub(super) who: Who,
    pub(super) text: String,
    pub(super) trigger: String,
    pub(super) response_url: Option<String>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Submission {
    pub(super) who: Who,
    /// Which form it is.
    pub(super) form: String,
    /// The view that it was sent from.
    pub(super) view: String,
    /// What we wrote into it when it was opened.
    pub(super) noted: String,
    pub(super) fields: Fields,
}

/// What was filled in.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub(super) struct Fields(Map<String, Value>);

/// It is not of the form that Slack describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload cannot be read")]
pub(super) struct Unreadable;

impl Who {
    /// Their account, if both they and the app that they used are of the workspace `ours`.
    pub(super) fn account(&self, ours: &str) -> Option<SlackAccount> {
        let is_ours = self.team.as_deref() == Some(ours);
        let is_home = self.home.as_deref().is_none_or(|home| home == ours);
        let is_one = is_identifier(&self.user);
        // closed: who is not surely of our workspace is nobody
        (is_ours && is_home && is_one)
            .then(|| SlackAccount { team: ours.to_owned(), user: self.user.clone() })
    }
}

impl Fields {
    /// What was typed into a field; empty if nothing was.
    pub(super) fn text(&self, name: &str) -> &str {
        self.element(name).and_then(|it| it.get("value")).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// What was chosen from a list, or typed where there is no list.
    pub(super) fn choice(&self, name: &str) -> &str {
        let chosen =
            self.element(name).and_then(|it| it.pointer("/selected_option/value")).and_then(Value::as_str);
        chosen.unwrap_or_else(|| self.text(name))
    }

    /// All that was ticked.
    pub(super) fn choices(&self, name: &str) -> Vec<&str> {
        let ticked = self.element(name).and_then(|it| it.get("selected_options")).and_then(Value::as_array);
        ticked.into_iter().flatten().filter_map(|it| it.get("value")?.as_str()).collect()
    }

    /// A field has one element, and both have one name.
    fn element(&self, name: &str) -> Option<&Value> {
        self.0.get(name)?.get(name)
    }
}

/// Reads the body of a request of Slack's: a form that is a command, or that has one in `payload`.
pub(super) fn of_form(body: &[u8]) -> Result<Interaction, Unreadable> {
    let body = std::str::from_utf8(body).map_err(|_| Unreadable)?;
    let pairs: Vec<(String, String)> = body.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match (value("payload"), value("command")) {
        (Some(payload), _) => of_interactive(&serde_json::from_str(payload).map_err(|_| Unreadable)?),
        (None, Some(_)) => {
            let fields = pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
            of_command(&Value::Object(fields.collect()))
        }
        // Slack asks now and then whether our certificate is good.
        (None, None) => Ok(Interaction::Other),
    }
}

/// Reads what a command says.
pub(super) fn of_command(payload: &Value) -> Result<Interaction, Unreadable> {
    let raw = RawCommand::deserialize(payload).map_err(|_| Unreadable)?;
    if raw.command != names::COMMAND {
        return Ok(Interaction::Other);
    }
    Ok(Interaction::Command(Command {
        who: Who { team: raw.team_id, user: raw.user_id, home: None },
        text: raw.text,
        trigger: raw.trigger_id,
        response_url: raw.response_url,
    }))
}

/// Reads what a click or a form says.
pub(super) fn of_interactive(payload: &Value) -> Result<Interaction, Unreadable> {
    let raw = RawInteractive::deserialize(payload).map_err(|_| Unreadable)?;
    let user = raw.user.ok_or(Unreadable)?;
    let who = Who { team: raw.team.map(|team| team.id), user: user.id, home: user.team_id };
    match (raw.kind.as_str(), raw.view) {
        ("block_actions", None) => {
            let Some(action) = raw.actions.into_iter().next() else { return Err(Unreadable) };
            let Some(button) = Button::of(&action.action_id) else { return Ok(Interaction::Other) };
            let request = action.value.parse().map_err(|_| Unreadable)?;
            let trigger = raw.trigger_id.ok_or(Unreadable)?;
            let response_url = raw.response_url;
            Ok(Interaction::Click(Click { who, button, request, trigger, response_url }))
        }
        ("view_submission", Some(view)) => Ok(Interaction::Submission(Submission {
            who,
            form: view.callback_id,
            view: view.id,
            noted: view.private_metadata,
            fields: view.state.map(|state| state.values).unwrap_or_default(),
        })),
        _ => Ok(Interaction::Other),
    }
}

/// Source: the URL standard, section 5.1 ("application/x-www-form-urlencoded parsing").
fn pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(name), decoded(value))
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

fn is_identifier(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Deserialize)]
struct RawCommand {
    team_id: Option<String>,
    user_id: String,
    command: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    trigger_id: String,
    response_url: Option<String>,
}

#[derive(Deserialize)]
struct RawInteractive {
    #[serde(rename = "type")]
    kind: String,
    team: Option<RawTeam>,
    user: Option<RawUser>,
    trigger_id: Option<String>,
    response_url: Option<String>,
    #[serde(default)]
    actions: Vec<RawAction>,
    view: Option<RawView>,
}

#[derive(Deserialize)]
struct RawTeam {
    id: String,
}

#[derive(Deserialize)]
struct RawUser {
    id: String,
    team_id: Option<String>,
}

#[derive(Deserialize)]
struct RawAction {
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct RawView {
    id: String,
    #[serde(default)]
    callback_id: String,
    #[serde(default)]
    private_metadata: String,
    state: Option<RawState>,
}

#[derive(Deserialize)]
struct RawState {
    values: Fields,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    fn click(changes: &[(&str, Value)]) -> Result<Interaction, Unreadable> {
        let mut payload = json!({
            "type": "block_actions", "team": { "id": "T1", "domain": "x" },
            "user": { "id": "U1", "username": "lee", "team_id": "T1" }, "trigger_id": "1.2.3",
            "response_url": "https://hooks.slack.com/actions/T1/1/x",
            "actions": [{ "action_id": "tidegate:approve", "block_id": "b", "type": "button", "value": ID }],
        });
        for (name, value) in changes {
            payload[*name] = value.clone();
        }
        of_interactive(&payload)
    }

    fn who(interaction: Interaction) -> Who {
        match interaction {
            Interaction::Click(Click { who, .. })
            | Interaction::Command(Command { who, .. })
            | Interaction::Submission(Submission { who, .. }) => who,
            Interaction::Other => panic!("other"),
        }
    }

    #[test]
    fn a_click_says_who_clicked_on_what() {
        let Ok(Interaction::Click(it)) = click(&[]) else { panic!() };
        assert_eq!((it.button, it.request), (Button::Approve, ID.parse().unwrap()));
        assert_eq!(
            it.who.account("T1").unwrap(),
            SlackAccount { team: "T1".to_owned(), user: "U1".to_owned() }
        );
    }

    #[test]
    fn whoever_is_of_another_workspace_is_nobody() {
        for changes in [
            ("team", json!({ "id": "T2" })),
            ("team", Value::Null),
            ("user", json!({ "id": "U1", "team_id": "T2" })),
            ("user", json!({ "id": "U1/../U2", "team_id": "T1" })),
            ("user", json!({ "id": "", "team_id": "T1" })),
        ] {
            let what = changes.clone();
            assert_eq!(who(click(&[changes]).unwrap()).account("T1"), None, "{what:?}");
        }
    }

    #[test]
    fn what_nobody_waits_for_is_passed_over_and_what_cannot_be_read_is_refused() {
        let other = json!([{ "action_id": "open_page", "value": "" }]);
        assert_eq!(click(&[("actions", other)]), Ok(Interaction::Other));
        assert_eq!(click(&[("type", json!("message_action"))]), Ok(Interaction::Other));
        assert_eq!(click(&[("actions", json!([]))]), Err(Unreadable));
        let wrong = json!([{ "action_id": "tidegate:approve", "value": "7" }]);
        assert_eq!(click(&[("actions", wrong)]), Err(Unreadable));
        assert_eq!(click(&[("user", Value::Null)]), Err(Unreadable));
        assert_eq!(of_form(b"ssl_check=1&token=x"), Ok(Interaction::Other));
        assert_eq!(of_form(b"payload=%7B"), Err(Unreadable));
        assert_eq!(of_form(&[0xff]), Err(Unreadable));
    }

    #[test]
    fn a_command_is_a_form_of_its_own() {
        let body = b"team_id=T1&user_id=U1&command=%2Ftidegate&text=grants+now%26&trigger_id=1.2&response_url=https%3A%2F%2Fh";
        let Ok(Interaction::Command(it)) = of_form(body) else { panic!() };
        assert_eq!((it.text.as_str(), it.response_url.as_deref()), ("grants now&", Some("https://h")));
        assert!(it.who.account("T1").is_some() && it.who.account("T2").is_none());
        let other = b"team_id=T1&user_id=U1&command=%2Fweather";
        assert_eq!(of_form(other), Ok(Interaction::Other));
    }

    #[test]
    fn fields_are_read_by_their_names() {
        let payload = json!({
            "type": "view_submission", "team": { "id": "T1" }, "user": { "id": "U1", "team_id": "T1" },
            "view": { "id": "V1", "callback_id": "tidegate:ask", "private_metadata": "n", "state": { "values": {
                "reason": { "reason": { "type": "plain_text_input", "value": " INC-1 " } },
                "target": { "target": { "type": "static_select", "selected_option": { "value": "hr" } } },
                "database": { "database": { "type": "plain_text_input", "value": null } },
                "permissions": { "permissions": { "selected_options": [{ "value": "select" }, { "value": "dml" }] } },
            } } },
        });
        let Ok(Interaction::Submission(it)) = of_interactive(&payload) else { panic!() };
        assert_eq!((it.form.as_str(), it.view.as_str(), it.noted.as_str()), ("tidegate:ask", "V1", "n"));
        assert_eq!((it.fields.text("reason"), it.fields.choice("target")), ("INC-1", "hr"));
        assert_eq!((it.fields.text("database"), it.fields.text("none")), ("", ""));
        assert_eq!(it.fields.choices("permissions"), ["select", "dml"]);
    }
}
