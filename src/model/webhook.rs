//! Addresses that are told of events, and what became of telling them.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    event::Event,
    ids::{DeliveryId, WebhookName},
    secret::Secret,
};

/// An address that is told of events, as it is configured.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// What it is called; its place in the journal of events is kept under this name.
    pub name: WebhookName,
    /// The address; secret, because some services put their key into it.
    pub url: Secret<String>,
    /// What is sent.
    pub form: WebhookForm,
    /// Of which events it is told.
    pub events: Vec<EventPattern>,
    /// Of the events `statement_denied` every so manieth is told, from 1.
    pub sample: u32,
    /// Whether it may be on a private network, or on this machine.
    pub allow_private: bool,
    /// Authorities (PEM) of its certificate; without them the system's.
    pub ca: Option<PathBuf>,
    /// How long one call may take.
    pub timeout: Duration,
    /// After so many failed attempts an event is given up, 1 to 100.
    pub attempts: u32,
    /// How long to wait after the first failed attempt.
    pub first_wait: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
}

/// What is sent to a webhook.
#[derive(Clone, Debug)]
pub enum WebhookForm {
    /// An event of PagerDuty's Events API v2.
    Pagerduty {
        /// Names the integration there.
        routing_key: Secret<String>,
    },
    /// JSON, signed as Standard Webhooks has it.
    Standard {
        /// What it is signed with, by each of them.
        keys: Vec<Secret<Vec<u8>>>,
    },
    /// A message of Microsoft Teams, with an Adaptive Card.
    Teams,
}

impl WebhookForm {
    /// The word of the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pagerduty { .. } => "pagerduty",
            Self::Standard { .. } => "standard",
            Self::Teams => "teams",
        }
    }
}

/// Which events: one word (`request_created`), all that begin alike (`request_*`), or all (`*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct EventPattern(String);

/// No event is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event \"{0}\"")]
pub struct UnknownEvent(pub String);

impl EventPattern {
    /// Whether it is about events of this kind.
    pub fn fits(&self, kind: &str) -> bool {
        self.0.strip_suffix('*').map_or(self.0 == kind, |beginning| kind.starts_with(beginning))
    }
}

impl FromStr for EventPattern {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        let pattern = Self(text.to_owned());
        let is_some = Event::KINDS.iter().any(|kind| pattern.fits(kind));
        if is_some { Ok(pattern) } else { Err(UnknownEvent(pattern.0)) }
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// The same in all attempts; what is sent as `webhook-id` ends with it.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookName,
    /// The event's number in the journal; absent where somebody tries the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// When the event happened.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
    /// The status of the last answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What was wrong the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It was given up, and can be sent again by hand.
    Dead,
    /// The webhook has it.
    Delivered,
    /// It is tried, and those behind it wait.
    Trying,
}

impl DeliveryState {
    /// The word of the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Delivered => "delivered",
            Self::Trying => "trying",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is no state of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown state \"{0}\": it is one of dead, delivered, trying")]
pub struct UnknownState(pub String);

impl FromStr for DeliveryState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let all = [Self::Dead, Self::Delivered, Self::Trying];
        all.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_word_or_the_beginning_of_some() {
        let fits = |pattern: &str, kind| pattern.parse::<EventPattern>().unwrap().fits(kind);
        assert!(fits("request_created", "request_created") && !fits("request_created", "request_denied"));
        assert!(fits("request_*", "request_denied") && !fits("request_*", "grant_ended"));
        assert!(fits("*", "audit_trouble"));
        for wrong in ["", "request", "requests_*", "*_created", "Request_created"] {
            assert_eq!(wrong.parse::<EventPattern>(), Err(UnknownEvent(wrong.to_owned())));
        }
    }
}
