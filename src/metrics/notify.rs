//! What is counted of telling others.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::build::{Build, SLOW_SECONDS};
use crate::model::ids::WebhookName;

/// One webhook.
#[derive(Clone, Debug)]
pub struct WebhookMetrics {
    /// Attempts that were taken.
    pub delivered: IntCounter,
    /// Attempts that were not.
    pub failed: IntCounter,
    /// Events that were given up.
    pub dead: IntCounter,
    /// Seconds of an attempt.
    pub seconds: Histogram,
    /// Events that wait behind the one that is tried, up to a page.
    pub waiting: IntGauge,
}

/// Slack.
#[derive(Clone, Debug)]
pub struct SlackMetrics {
    /// Clicks, forms and commands that were taken.
    pub taken: IntCounter,
    /// Those that nobody had time for.
    pub busy: IntCounter,
    /// Requests that are not signed, not of the workspace, or cannot be read.
    pub refused: IntCounter,
    /// Events that wait to be told of, up to a page.
    pub waiting: IntGauge,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct NotifyFamilies {
    deliveries: IntCounterVec,
    seconds: HistogramVec,
    waiting: IntGaugeVec,
    slack: IntCounterVec,
}

impl NotifyFamilies {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            deliveries: build.counters(
                "tidegate_webhook_deliveries_total",
                "Attempts to tell a webhook of an event, and events that were given up.",
                &["webhook", "result"],
            )?,
            seconds: build.histograms(
                "tidegate_webhook_seconds",
                "Seconds of an attempt to tell a webhook of an event.",
                SLOW_SECONDS,
                &["webhook"],
            )?,
            waiting: build.gauges(
                "tidegate_events_waiting",
                "Events that wait to be passed on, up to a page of 200.",
                &["consumer"],
            )?,
            slack: build.counters(
                "tidegate_slack_interactions_total",
                "Clicks, forms and commands of Slack.",
                &["result"],
            )?,
        })
    }

    pub(super) fn slack(&self) -> SlackMetrics {
        let result = |result| self.slack.with_label_values(&[result]);
        SlackMetrics {
            taken: result("taken"),
            busy: result("busy"),
            refused: result("refused"),
            waiting: self.waiting.with_label_values(&["slack"]),
        }
    }

    pub(super) fn webhook(&self, webhook: &WebhookName) -> WebhookMetrics {
        let result = |result| self.deliveries.with_label_values(&[webhook.as_str(), result]);
        WebhookMetrics {
            delivered: result("delivered"),
            failed: result("failed"),
            dead: result("dead"),
            seconds: self.seconds.with_label_values(&[webhook.as_str()]),
            waiting: self.waiting.with_label_values(&[&format!("webhook:{webhook}")]),
        }
    }
}
