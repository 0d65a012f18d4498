//! What kind of failure an error is: it picks the log level, the metric label and what the client may see.

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The client broke the protocol or went away.
    Client,
    /// The configuration or policy is wrong.
    Configuration,
    /// Login or decision said no.
    Denied,
    /// A bound was reached.
    Limit,
    /// The gateway's own fault.
    Internal,
    /// The audit log or the store cannot be read or written.
    Storage,
    /// The upstream refused, failed or went away.
    Upstream,
}

impl FailureClass {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Configuration => "configuration",
            Self::Denied => "denied",
            Self::Limit => "limit",
            Self::Internal => "internal",
            Self::Storage => "storage",
            Self::Upstream => "upstream",
        }
    }
}

/// Every error of ours says what kind of failure it is.
pub trait Classify {
    /// The kind.
    fn class(&self) -> FailureClass;
}
