//! What buttons, forms and fields are called between Slack and us.

/// The command that people type.
pub(super) const COMMAND: &str = "/tidegate";

/// The form by which somebody asks.
pub(super) const ASK: &str = "tidegate:ask";
/// The form by which somebody approves less than was asked, or all of it with a comment.
pub(super) const CHANGE: &str = "tidegate:change";
/// The form by which somebody denies.
pub(super) const DENY: &str = "tidegate:deny";

/// Fields of forms; a field and its one element have the same name.
pub(super) mod field {
    pub(in super::super) const COMMENT: &str = "comment";
    pub(in super::super) const DATABASE: &str = "database";
    pub(in super::super) const DURATION: &str = "duration";
    pub(in super::super) const OBJECTS: &str = "objects";
    pub(in super::super) const PERMISSIONS: &str = "permissions";
    pub(in super::super) const REASON: &str = "reason";
    pub(in super::super) const TARGET: &str = "target";
    pub(in super::super) const TICKET: &str = "ticket";
}

/// A button below a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Button {
    /// All of it; afterwards, that it was right.
    Approve,
    /// Less of it, or with a comment: opens a form.
    Change,
    /// No; opens a form. Afterwards, that it was not right.
    Deny,
}

impl Button {
    pub(super) const ALL: [Self; 3] = [Self::Approve, Self::Change, Self::Deny];

    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::Approve => "tidegate:approve",
            Self::Change => "tidegate:approve_less",
            Self::Deny => "tidegate:deny",
        }
    }

    pub(super) fn of(action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|button| button.action() == action)
    }
}
