//! Who is on call, and how that is asked.

use std::{collections::BTreeMap, future::Future, path::PathBuf, pin::Pin, time::Duration};

use super::{principal::Principal, secret::Secret};

/// Where it is asked who is on call: PagerDuty, as it is configured.
#[derive(Clone, Debug)]
pub struct OnCallSettings {
    /// Address of its REST API, without a slash at the end.
    pub url: String,
    /// What the gateway proves itself with there; enough to read schedules and users.
    pub token: Secret<String>,
    /// Schedules by the name that policy has for them: their identifiers there.
    pub schedules: BTreeMap<String, String>,
    /// Authorities (PEM) of its certificate; without them the system's.
    pub ca: Option<PathBuf>,
    /// Whether it may be on a private network, or on this machine.
    pub allow_private: bool,
    /// How long an answer counts.
    pub kept: Duration,
}

/// Tells who is on call.
pub trait OnCall: Send + Sync + 'static {
    /// The schedules, by the names that policy has for them, on which somebody is on call now.
    ///
    /// Closed: what cannot be found out in a few seconds is left out.
    fn schedules_of<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>>;
}
