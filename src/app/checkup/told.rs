//! Whoever is told of events: Slack and webhooks. Nothing is sent to them.

use super::{finding::Finding, reach};
use crate::{
    config::Config,
    net::Roots,
    notify::{
        NotifyError, locate,
        slack::{self, SlackError},
    },
    upstream::causes,
};

pub(super) async fn check(config: &Config, tell: &mut (dyn FnMut(Finding) + Send)) {
    if let Some(settings) = config.slack.as_ref().map(|slack| &slack.settings) {
        match slack::examine(settings).await {
            Ok(seen) => {
                tell(Finding::ok("slack", format!("the tokens are for workspace {}", seen.team)));
                tell(scopes(seen.missing.as_deref()));
            }
            Err(error) => tell(Finding::failed("slack", causes(&error), of_slack(&error))),
        }
    }
    for webhook in &config.webhooks {
        let check = format!("webhook {}", webhook.name);
        let found = match locate(webhook).await {
            Ok(found) => found,
            Err(error) => {
                tell(Finding::failed(check, causes(&error), of_webhook(&error)));
                continue;
            }
        };
        let Some(stream) = reach::located(&check, &found.host, &found.addresses, tell).await else {
            continue;
        };
        if found.tls {
            let roots = webhook.ca.clone().map_or(Roots::System, Roots::File);
            tell(reach::tls(&check, stream, &roots, &found.host).await);
        } else {
            let advice = "write https: what is sent can be read on its way";
            tell(Finding::warning(format!("{check} tls"), "it is spoken to without TLS", advice));
        }
    }
}

fn scopes(missing: Option<&[&str]>) -> Finding {
    let check = "slack scopes";
    let advice = "give them to the app (deploy/slack/manifest.yaml has all), and install it anew";
    match missing {
        None => Finding::warning(check, "Slack does not say what the bot token may do", advice),
        Some([]) => Finding::ok(check, "the bot token has all that are used"),
        Some(missing) => {
            Finding::failed(check, format!("the bot token lacks {}", missing.join(", ")), advice)
        }
    }
}

const fn of_slack(error: &SlackError) -> &'static str {
    match error {
        SlackError::Call { .. } => {
            "look at the DNS, and at firewalls between: Slack is reached without a proxy"
        }
        SlackError::Refused { .. } => "write the tokens of the app's pages at api.slack.com anew",
        SlackError::Socket { .. } => "make an app-level token with the scope connections:write",
        SlackError::Team { .. } => "install the app in that workspace, or correct slack.team",
    }
}

const fn of_webhook(error: &NotifyError) -> &'static str {
    match error {
        NotifyError::Address { .. } => {
            "write another address; allow_private: true lets in private networks and this machine"
        }
        NotifyError::Unresolved { .. } => "correct the host, or the DNS of this machine",
        NotifyError::Answer { .. }
        | NotifyError::Control { .. }
        | NotifyError::NotUnderstood { .. }
        | NotifyError::Setup { .. }
        | NotifyError::Unreachable { .. } => "look at the webhook's own log",
    }
}
