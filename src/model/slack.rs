//! A workspace of Slack: who is who in it, and what is told where.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    flow::Risk,
    ids::{EnvironmentName, TargetName},
    object::Glob,
    secret::Secret,
};

/// Somebody in a workspace of Slack. Names and e-mail addresses there can be given to somebody else, these two cannot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct SlackAccount {
    /// Identifier of the workspace ("T…").
    pub team: String,
    /// Identifier of the member ("U…" or "W…").
    pub user: String,
}

impl fmt::Display for SlackAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slack user {} of workspace {}", self.user, self.team)
    }
}

/// A workspace, the app in it, and what is told where.
#[derive(Clone, Debug)]
pub struct SlackSettings {
    /// Identifier of the workspace; whoever clicks in another one is refused.
    pub team: String,
    /// What the app proves itself with ("xoxb-…").
    pub bot_token: Secret<String>,
    /// How Slack reaches the gateway.
    pub door: SlackDoor,
    /// Channels by what a request is about; the first that fits is taken.
    pub routes: Vec<SlackRoute>,
    /// Channel of all other requests.
    pub channel: String,
    /// Whether somebody whom nobody has linked is linked to the one principal of the same e-mail address, if Slack says
    /// that it is confirmed.
    pub link_by_email: bool,
    /// Address of a page about a request, in which `{request}` stands for its identifier.
    pub page: Option<String>,
    /// Address below which the methods of the Web API are, without a slash at its end.
    pub api: String,
}

/// How Slack reaches the gateway.
#[derive(Clone, Debug)]
pub enum SlackDoor {
    /// Slack sends requests, which it signs.
    Http {
        /// What it signs with.
        signing_secret: Secret<String>,
    },
    /// The gateway opens a WebSocket to Slack.
    Socket {
        /// What opens it ("xapp-…").
        app_token: Secret<String>,
    },
}

/// A channel for some requests. What is left out fits every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackRoute {
    /// Targets.
    pub target: Option<Glob>,
    /// The environment of the target.
    pub environment: Option<EnvironmentName>,
    /// The risk that policy sees.
    pub risk: Option<Risk>,
    /// Where they are told of.
    pub channel: String,
}

impl SlackSettings {
    /// The channel of a request. `environment` is none where the target is not known any more.
    pub fn channel_of(&self, target: &TargetName, environment: Option<&EnvironmentName>, risk: Risk) -> &str {
        let fits = |route: &&SlackRoute| {
            route.target.as_ref().is_none_or(|glob| glob.matches(target))
                && route.environment.as_ref().is_none_or(|wanted| environment == Some(wanted))
                && route.risk.is_none_or(|wanted| wanted == risk)
        };
        self.routes.iter().find(fits).map_or(&self.channel, |route| &route.channel)
    }

    /// Where people read of a request, if there is a page.
    pub fn page_of(&self, request: &str) -> Option<String> {
        self.page.as_ref().map(|page| page.replace("{request}", request))
    }
}

/// A message of Slack: where it is, and what names it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackMessage {
    /// Identifier of the channel ("C…", "D…"), as Slack gave it when the message was posted.
    pub channel: Arc<str>,
    /// Its time stamp.
    pub ts: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(
        target: Option<&str>,
        environment: Option<&str>,
        risk: Option<Risk>,
        channel: &str,
    ) -> SlackRoute {
        SlackRoute {
            target: target.map(Glob::new),
            environment: environment.map(Into::into),
            risk,
            channel: channel.to_owned(),
        }
    }

    #[test]
    fn the_first_route_that_fits_is_taken() {
        let settings = SlackSettings {
            team: "T1".to_owned(),
            bot_token: Secret::default(),
            door: SlackDoor::Socket { app_token: Secret::default() },
            routes: vec![
                route(Some("hr*"), None, Some(Risk::High), "C_HR_HIGH"),
                route(Some("hr*"), None, None, "C_HR"),
                route(None, Some("prod"), None, "C_PROD"),
            ],
            channel: "C_REST".to_owned(),
            link_by_email: false,
            page: Some("https://gate.example/requests/{request}".to_owned()),
            api: String::new(),
        };
        let (prod, dev) = ("prod".into(), "dev".into());
        let of = |target: &str, environment, risk| settings.channel_of(&target.into(), environment, risk);
        assert_eq!(of("hr_eu", Some(&prod), Risk::High), "C_HR_HIGH");
        assert_eq!(of("hr_eu", Some(&prod), Risk::Low), "C_HR");
        assert_eq!(of("shop", Some(&prod), Risk::High), "C_PROD");
        assert_eq!(of("shop", Some(&dev), Risk::High), "C_REST");
        assert_eq!(of("shop", None, Risk::High), "C_REST", "an unknown environment is no environment");
        assert_eq!(settings.page_of("7").unwrap(), "https://gate.example/requests/7");
    }
}
