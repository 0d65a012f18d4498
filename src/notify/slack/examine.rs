//! A look at the Slack app, for whoever sets one up.
//!
//! Source: docs.slack.dev, "auth.test", "apps.connections.open", and the scopes of the methods that are used.

use std::sync::Arc;

use super::{error::SlackError, web::Web};
use crate::model::slack::{SlackDoor, SlackSettings};

/// What Slack says of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The workspace of the bot token.
    pub team: String,
    /// Scopes that the bot token lacks; `None` if Slack does not say which it has.
    pub missing: Option<Vec<&'static str>>,
}

/// Asks whose the tokens are and what the bot's may do; writes to nobody.
///
/// # Errors
/// `Call`, `Refused`, `Team` when the bot token is of another workspace.
pub async fn examine(settings: &SlackSettings) -> Result<Examined, SlackError> {
    let settings = Arc::new(settings.clone());
    let web =
        Web::new(Arc::clone(&settings)).map_err(|source| SlackError::Call { method: "setup", source })?;
    let (team, scopes) = web.team_and_scopes().await?;
    if team != settings.team {
        return Err(SlackError::Team { configured: settings.team.clone(), found: team });
    }
    match settings.door {
        // An address that nobody opens is forgotten by Slack.
        SlackDoor::Socket { .. } => drop(web.socket().await?),
        SlackDoor::Http { .. } => {}
    }
    let missing = scopes.map(|scopes| missing(&scopes, settings.link_by_email));
    Ok(Examined { team, missing })
}

fn missing(scopes: &str, link_by_email: bool) -> Vec<&'static str> {
    let has = |wanted: &str| scopes.split(',').any(|scope| scope.trim() == wanted);
    let wanted = SCOPES.into_iter().chain(link_by_email.then_some("users:read.email"));
    wanted.filter(|scope| !has(scope)).collect()
}

const SCOPES: [&str; 4] = ["chat:write", "commands", "im:write", "users:read"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_are_used_are_missing_if_slack_does_not_name_them() {
        let all = "chat:write,commands, im:write,users:read";
        assert!(missing(all, false).is_empty());
        assert_eq!(missing(all, true), ["users:read.email"]);
        assert_eq!(missing("chat:write.public,users:read", false), ["chat:write", "commands", "im:write"]);
    }

    #[test]
    fn the_manifest_asks_for_the_scopes_that_are_used() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/slack/manifest.yaml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let asked = manifest.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(' ').next());
        let asked: Vec<&str> = asked.filter(|it| it.contains(':') || *it == "commands").collect();
        assert_eq!(missing(&asked.join(","), true), Vec::<&str>::new(), "{asked:?}");
    }
}
