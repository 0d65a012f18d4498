//! How a session ends.

use std::time::Duration;

use crate::{
    model::{
        ids::TargetName,
        refusal::{Refusal, RefusalCode},
    },
    wire::WireError,
};

/// How a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said goodbye or went away.
    ClientClosed,
    /// The gateway ends it, and says why.
    Fatal(Refusal),
    /// A person ends it, or the shutdown of the gateway cuts it off.
    Terminated,
    /// The upstream connection is gone, or out of step.
    Upstream(String),
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Fatal(error.refusal())
    }
}

impl End {
    /// What the session was tied to went with its connection.
    pub(super) fn lost_ties() -> Self {
        Self::Upstream("the connection that the session was tied to is gone".to_owned())
    }

    /// Why, in the words of the audit log.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::ClientClosed => "client closed",
            Self::Fatal(refusal) => &refusal.message,
            Self::Terminated => "terminated",
            Self::Upstream(_) => "upstream lost",
        }
    }

    /// What the client is told; nothing if it is gone.
    pub(super) fn farewell(&self, target: &TargetName) -> Option<Refusal> {
        match self {
            Self::ClientClosed => None,
            Self::Fatal(refusal) => Some(refusal.clone()),
            Self::Terminated => Some(
                Refusal::new(RefusalCode::AdminShutdown, "the gateway ended this session")
                    .with_detail(
                        "An administrator ended it, the principal was disabled, or the gateway is stopping.",
                    )
                    .with_hint("Connect again."),
            ),
            Self::Upstream(_) => Some(
                Refusal::new(
                    RefusalCode::ConnectionFailure,
                    format!("the connection to target \"{target}\" was lost"),
                )
                .with_detail("Whether the statement that was running took effect is not known.")
                .with_hint("Connect again; the gateway connects to the target by itself when it is back."),
            ),
        }
    }
}

/// How long something that was told to stop may take for it: an upstream whose client does not read cannot stop.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How often a session that does nothing looks whether its connections are wanted elsewhere.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// No timer sleeps longer, so that a step of the clock is noticed.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(1);
