//! What Slack sends when somebody does something, and how it signs it.
//!
//! Source: docs.slack.dev, "block_actions payload", "view_submission payload", "Implementing slash commands",
//! "Verifying requests from Slack".

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{CHANNEL, SIGNING_SECRET, Slack, TEAM};

impl Slack {
    /// A click of `user` on the button of a message that is labelled so.
    pub(crate) fn click(&self, user: &str, message: &Value, label: &str) -> Value {
        let buttons = message.as_array().unwrap().iter().filter(|block| block["type"] == "actions");
        let mut buttons = buttons.flat_map(|block| block["elements"].as_array().unwrap());
        let button = buttons.find(|button| button["text"]["text"] == label);
        let button = button.unwrap_or_else(|| panic!("there is no {label} below {message}"));
        json!({
            "type": "block_actions", "api_app_id": "A1", "token": "legacy",
            "user": { "id": user, "username": user.to_lowercase(), "name": "x", "team_id": TEAM },
            "team": { "id": TEAM, "domain": "tide" }, "channel": { "id": CHANNEL, "name": "grants" },
            "container": { "type": "message", "message_ts": "1.1", "channel_id": CHANNEL, "is_ephemeral": false },
            "trigger_id": self.trigger(), "response_url": self.response_url(), "enterprise": null,
            "is_enterprise_install": false, "state": { "values": {} },
            "actions": [{ "type": "button", "action_id": button["action_id"], "block_id": "b",
                "text": button["text"], "value": button["value"], "action_ts": "1.2" }],
        })
    }

    /// A form that `user` sends, with these fields filled in besides what stood in it.
    pub(crate) fn submission(&self, user: &str, (id, view): &(String, Value), fields: Value) -> Value {
        let mut values = json!({});
        for block in view["blocks"].as_array().unwrap().iter().filter(|block| block["type"] == "input") {
            let (name, element) = (block["block_id"].as_str().unwrap(), &block["element"]);
            let kind = element["type"].as_str().unwrap();
            let given = fields.get(name).cloned();
            let value = match kind {
                "plain_text_input" => {
                    json!({ "type": kind, "value": given.unwrap_or_else(|| element["initial_value"].clone()) })
                }
                "static_select" => {
                    let value = given.unwrap_or_else(|| element["options"][0]["value"].clone());
                    json!({ "type": kind, "selected_option": { "value": value } })
                }
                "checkboxes" => {
                    let chosen = given.map_or_else(
                        || element["initial_options"].as_array().cloned().unwrap_or_default(),
                        |names| {
                            names.as_array().unwrap().iter().map(|name| json!({ "value": name })).collect()
                        },
                    );
                    json!({ "type": kind, "selected_options": chosen })
                }
                other => panic!("{other}"),
            };
            values[name] = json!({ element["action_id"].as_str().unwrap(): value });
        }
        json!({
            "type": "view_submission", "api_app_id": "A1", "token": "legacy", "trigger_id": self.trigger(),
            "user": { "id": user, "username": user.to_lowercase(), "team_id": TEAM },
            "team": { "id": TEAM, "domain": "tide" }, "response_urls": [],
            "view": { "id": id, "team_id": TEAM, "type": "modal", "callback_id": view["callback_id"],
                "private_metadata": view["private_metadata"], "state": { "values": values }, "hash": "1.h" },
        })
    }

    /// A command that `user` types.
    pub(crate) fn command(&self, user: &str, text: &str) -> Value {
        json!({
            "token": "legacy", "team_id": TEAM, "team_domain": "tide", "channel_id": "C0OTHER",
            "channel_name": "other", "user_id": user, "user_name": user.to_lowercase(), "command": "/tidegate",
            "text": text, "api_app_id": "A1", "is_enterprise_install": "false",
            "response_url": self.response_url(), "trigger_id": self.trigger(),
        })
    }
}

/// The body of a request, as Slack sends a payload or a command.
pub(crate) fn body_of(payload: &Value) -> String {
    let mut url = reqwest::Url::parse("http://x").unwrap();
    if payload.get("command").is_some() {
        for (name, value) in payload.as_object().unwrap() {
            url.query_pairs_mut().append_pair(name, value.as_str().unwrap());
        }
    } else {
        url.query_pairs_mut().append_pair("payload", &payload.to_string());
    }
    url.query().unwrap().to_owned()
}

/// The signature of a body at a second.
pub(crate) fn signature(second: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{second}:{body}").as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={digits}")
}
