//! What is sent and shown of links to Slack.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{model::ids::PrincipalName, store::StoredSlackLink};

/// A code that Slack showed, to be confirmed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkSlack {
    /// The code.
    pub code: String,
    /// The account that the code is of, as the answer without this says: it is one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// What a code links.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SlackLinkAnswer {
    /// Whether it is linked now; if not, nothing has changed, and the code is still good.
    pub linked: bool,
    /// Identifier of the workspace.
    pub team: String,
    /// Identifier of the account in it.
    pub user: String,
    /// What Slack calls its owner.
    pub name: String,
    /// To whom.
    pub principal: PrincipalName,
}

/// An account of Slack, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SlackLinkView {
    /// Whose.
    pub principal: PrincipalName,
    /// Identifier of the workspace.
    pub team: String,
    /// Identifier of the account in it.
    pub user: String,
    /// Since when.
    pub linked_at: Timestamp,
    /// How that was found out: `code` or `email`.
    pub linked_by: String,
}

impl From<StoredSlackLink> for SlackLinkView {
    fn from(link: StoredSlackLink) -> Self {
        let StoredSlackLink { account, principal, linked_at, linked_by } = link;
        Self { principal, team: account.team, user: account.user, linked_at, linked_by }
    }
}
