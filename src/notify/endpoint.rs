//! One webhook: which events it is told of, one attempt to tell it, and what comes of it.

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{
    backoff::Backoff,
    consume::{Consumer, Pace},
    error::NotifyError,
    http::{Answer, Outgoing, OutgoingSettings, Reach, allowed},
    pagerduty, standard, teams,
};
use crate::{
    control::{Control, ControlError, WebhookInfo},
    metrics::WebhookMetrics,
    model::{
        event::ToldEvent,
        webhook::{Delivery, DeliveryState, WebhookForm, WebhookSettings},
    },
    net::Clock,
};

/// One webhook.
#[derive(Debug)]
pub(super) struct Endpoint {
    settings: WebhookSettings,
    place: String,
    host: String,
    outgoing: Outgoing,
    control: Control,
    clock: Clock,
    metrics: WebhookMetrics,
}

impl Endpoint {
    /// Checks the address and reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Address`, `Setup`.
    pub(super) fn new(
        settings: WebhookSettings,
        control: Control,
        clock: Clock,
        metrics: WebhookMetrics,
    ) -> Result<Self, NotifyError> {
        let reach = if settings.allow_private { Reach::Private } else { Reach::Public };
        let url = allowed(settings.url.expose(), reach)?;
        let outgoing = Outgoing::new(&OutgoingSettings {
            ca: settings.ca.clone(),
            reach,
            timeout: settings.timeout,
            // What it says beside the status is of no use.
            answer_bytes: 0,
        })?;
        let place = format!("webhook:{}", settings.name);
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Self { settings, place, host, outgoing, control, clock, metrics })
    }

    pub(super) fn info(&self) -> WebhookInfo {
        WebhookInfo {
            name: self.settings.name.clone(),
            template: self.settings.form.as_str().to_owned(),
            host: self.host.clone(),
            events: self.settings.events.clone(),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        let retry = Backoff { first: self.settings.first_wait, most: self.settings.longest_wait };
        Pace { retry, ..Pace::default() }
    }

    /// Tries once, and notes what came of it; what was not taken is given up.
    ///
    /// # Errors
    /// When it could not be noted.
    pub(super) async fn attempt_by_hand(&self, mut delivery: Delivery) -> Result<Delivery, ControlError> {
        if let Err(problem) = self.attempt(&mut delivery).await {
            debug!(webhook = %self.settings.name, %problem, "an attempt by hand failed");
            delivery.state = DeliveryState::Dead;
        }
        self.control.note_delivery(&delivery).await?;
        Ok(delivery)
    }

    /// Tries once; the delivery then says how it went.
    async fn attempt(&self, delivery: &mut Delivery) -> Result<(), NotifyError> {
        let now = self.clock.now();
        let began = Instant::now();
        let answer = self.send(delivery, now).await.and_then(taken);
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.tried_at = Some(now);
        match answer {
            Ok(status) => {
                self.metrics.delivered.inc();
                delivery.status = Some(status);
                delivery.problem = None;
                delivery.state = DeliveryState::Delivered;
                Ok(())
            }
            Err(problem) => {
                self.metrics.failed.inc();
                delivery.status = status(&problem);
                delivery.problem = Some(problem.in_words().chars().take(MOST_LETTERS).collect());
                Err(problem)
            }
        }
    }

    async fn send(&self, delivery: &Delivery, now: Timestamp) -> Result<Answer, NotifyError> {
        let (body, headers) = match &self.settings.form {
            WebhookForm::Pagerduty { routing_key } => (pagerduty::body(delivery, routing_key), None),
            WebhookForm::Standard { keys } => (standard::body(delivery), Some(keys)),
            WebhookForm::Teams => (teams::body(delivery), None),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let headers = headers.map(|keys| standard::headers(delivery, keys, &body, now));
        let headers: Vec<(&str, &str)> =
            headers.iter().flatten().map(|(name, value)| (*name, value.as_str())).collect();
        self.outgoing.post(self.settings.url.expose(), &headers, JSON, body).await
    }

    fn is_told_of(&self, told: &ToldEvent) -> bool {
        let kind = told.event.kind();
        self.settings.events.iter().any(|pattern| pattern.fits(kind))
            && (kind != DENIED || is_sampled(told.seq, self.settings.sample))
    }

    async fn give_up(&self, mut delivery: Delivery) -> Result<(), NotifyError> {
        delivery.state = DeliveryState::Dead;
        self.metrics.dead.inc();
        warn!(webhook = %self.settings.name, delivery = %delivery.id, attempts = delivery.attempts,
            problem = delivery.problem, "an event was given up; tidegate webhook replay sends it again");
        Ok(self.control.note_delivery(&delivery).await?)
    }
}

impl Consumer for Endpoint {
    fn name(&self) -> &str {
        &self.place
    }

    fn waiting(&self, events: usize) {
        self.metrics.waiting.set(i64::try_from(events).unwrap_or(i64::MAX));
    }

    async fn take(&self, told: &ToldEvent) -> Result<(), NotifyError> {
        if !self.is_told_of(told) {
            return Ok(());
        }
        let Some(mut delivery) = self.control.delivery_of(&self.settings.name, told).await? else {
            return Ok(());
        };
        match delivery.state {
            // Somebody was stopped between noting that and going on.
            DeliveryState::Dead | DeliveryState::Delivered => return Ok(()),
            DeliveryState::Trying => {}
        }
        match self.attempt(&mut delivery).await {
            Ok(()) => Ok(self.control.note_delivery(&delivery).await?),
            Err(_) if delivery.status == Some(GONE) => {
                self.give_up(delivery).await?;
                Ok(self.control.disable_webhook(&self.settings.name).await?)
            }
            Err(_) if delivery.attempts >= self.settings.attempts => self.give_up(delivery).await,
            Err(problem) => {
                self.control.note_delivery(&delivery).await?;
                Err(problem)
            }
        }
    }
}

/// The status of an answer that says that it was taken.
fn taken(answer: Answer) -> Result<u16, NotifyError> {
    let Answer { status, retry_after, .. } = answer;
    if (200..300).contains(&status) { Ok(status) } else { Err(NotifyError::Answer { status, retry_after }) }
}

fn status(problem: &NotifyError) -> Option<u16> {
    match problem {
        NotifyError::Answer { status, .. } => Some(*status),
        NotifyError::Address { .. }
        | NotifyError::Control { .. }
        | NotifyError::NotUnderstood { .. }
        | NotifyError::Setup { .. }
        | NotifyError::Unreachable { .. }
        | NotifyError::Unresolved { .. } => None,
    }
}

/// One in `sample`, the same each time that it is asked.
fn is_sampled(seq: i64, sample: u32) -> bool {
    // Numbers of one kind of event can be all even: they are mixed first.
    let mixed = seq.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    mixed.is_multiple_of(u64::from(sample.max(1)))
}

const JSON: &str = "application/json";
const DENIED: &str = "statement_denied";
/// The other side asks not to be told again (Standard Webhooks, "Response status codes").
const GONE: u16 = 410;
const MOST_LETTERS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_in_so_many_is_sampled_whatever_the_step_between_them() {
        for step in [1, 2, 3, 10] {
            let sampled = (0..10_000_i64).filter(|number| is_sampled(number * step, 10)).count();
            assert!((800..1200).contains(&sampled), "{step}: {sampled}");
        }
        assert!((0..100).all(|seq| is_sampled(seq, 1)));
    }
}
