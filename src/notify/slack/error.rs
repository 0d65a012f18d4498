//! What can go wrong between Slack and us.

use crate::{
    model::failure::{Classify, FailureClass},
    notify::NotifyError,
};

/// Slack could not be asked or told something.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// Slack cannot be reached, or answers nothing that is of use.
    #[error("{method}: {source}")]
    Call {
        /// The method of its Web API.
        method: &'static str,
        /// Why.
        source: NotifyError,
    },
    /// Slack says no.
    #[error("{method}: Slack answers \"{error}\"")]
    Refused {
        /// The method of its Web API.
        method: &'static str,
        /// Its word for why.
        error: String,
    },
    /// The WebSocket broke, or could not be opened.
    #[error("the WebSocket to Slack: {problem}")]
    Socket {
        /// What happened.
        problem: String,
    },
    /// The token is for another workspace than the configured one.
    #[error(
        "slack.team is \"{configured}\", and the bot token is for workspace \"{found}\": correct one of them"
    )]
    Team {
        /// As configured.
        configured: String,
        /// As Slack says.
        found: String,
    },
}

impl SlackError {
    /// Whether Slack would take something else: this message or channel is wrong, and waiting mends nothing. All other
    /// failures pass, or somebody has to mend them for everything.
    pub(super) fn is_of_this_alone(&self) -> bool {
        match self {
            Self::Refused { error, .. } => OF_ONE.contains(&error.as_str()),
            Self::Call { .. } | Self::Socket { .. } | Self::Team { .. } => false,
        }
    }
}

impl From<SlackError> for NotifyError {
    fn from(error: SlackError) -> Self {
        match error {
            SlackError::Call { source, .. } => source,
            other @ (SlackError::Refused { .. } | SlackError::Socket { .. } | SlackError::Team { .. }) => {
                Self::NotUnderstood { problem: other.to_string() }
            }
        }
    }
}

impl Classify for SlackError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Call { source, .. } => source.class(),
            Self::Refused { .. } | Self::Socket { .. } => FailureClass::Upstream,
            Self::Team { .. } => FailureClass::Configuration,
        }
    }
}

/// Source: docs.slack.dev, the errors of chat.postMessage, chat.update and conversations.open.
const OF_ONE: [&str; 24] = [
    "as_user_not_supported",
    "block_mismatch",
    "cannot_dm_bot",
    "cant_update_message",
    "channel_is_limited_access",
    "channel_not_found",
    "channel_type_not_supported",
    "edit_window_closed",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_users",
    "is_archived",
    "is_inactive",
    "message_not_found",
    "messages_tab_disabled",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "user_disabled",
    "user_not_found",
    "user_not_visible",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_mends_is_waited_for() {
        let refused =
            |error: &str| SlackError::Refused { method: "chat.postMessage", error: error.to_owned() };
        for error in ["channel_not_found", "not_in_channel", "message_not_found", "invalid_blocks"] {
            assert!(refused(error).is_of_this_alone(), "{error}");
        }
        for error in
            ["invalid_auth", "token_revoked", "missing_scope", "internal_error", "ratelimited", "strange"]
        {
            assert!(!refused(error).is_of_this_alone(), "{error}");
        }
    }
}
