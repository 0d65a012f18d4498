//! What became of telling webhooks of events, and what people do about it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    door::Control,
    error::{ControlError, unknown},
    events::News,
    ports::Webhooks,
};
use crate::{
    model::{
        event::{Event, ToldEvent},
        ids::{DeliveryId, WebhookName},
        record::Record,
        webhook::{Delivery, DeliveryState, EventPattern},
    },
    store::DeliveryFilter,
};

/// A webhook as it is configured, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookInfo {
    /// What it is called.
    pub name: WebhookName,
    /// What is sent: `pagerduty`, `standard` or `teams`.
    pub template: String,
    /// The machine that it is on; the rest of the address can be secret.
    pub host: String,
    /// Of which events it is told.
    pub events: Vec<EventPattern>,
}

/// A webhook, and how it fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// As it is configured.
    #[serde(flatten)]
    pub webhook: WebhookInfo,
    /// Since when it is told nothing more, because its address said that it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// How many deliveries were given up and can be sent again.
    pub dead: i64,
    /// What was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Delivery>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// In this state alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeliveryState>,
    /// Older ones than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<DeliveryId>,
    /// So many at most; 1 to 200.
    #[serde(default = "usual_page")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: u32,
}

const fn usual_page() -> u32 {
    50
}

/// A part of the deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryPage {
    /// Newest first.
    pub deliveries: Vec<Delivery>,
}

impl Control {
    /// The webhooks that are configured at this gateway, and how they fare.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_webhooks(&self, webhooks: &dyn Webhooks) -> Result<Vec<WebhookView>, ControlError> {
        let mut all = Vec::new();
        for webhook in webhooks.list() {
            let last =
                self.deliveries_to(&webhook.name, &DeliveryQuery { limit: 1, ..Default::default() }).await?;
            all.push(WebhookView {
                disabled_at: self.store().webhook_disabled_at(&webhook.name).await?,
                dead: self.store().dead_deliveries(&webhook.name).await?,
                last: last.into_iter().next(),
                webhook,
            });
        }
        Ok(all)
    }

    /// What was sent to a webhook, or tried.
    ///
    /// # Errors
    /// `Unknown` when it is not configured here, `Store`.
    pub async fn list_deliveries(
        &self,
        webhooks: &dyn Webhooks,
        webhook: &WebhookName,
        query: &DeliveryQuery,
    ) -> Result<DeliveryPage, ControlError> {
        configured(webhooks, webhook)?;
        Ok(DeliveryPage { deliveries: self.deliveries_to(webhook, query).await? })
    }

    async fn deliveries_to(
        &self,
        webhook: &WebhookName,
        query: &DeliveryQuery,
    ) -> Result<Vec<Delivery>, ControlError> {
        let limit = query.limit.clamp(1, MOST_LISTED);
        let filter =
            DeliveryFilter { webhook: webhook.clone(), state: query.state, before: query.before, limit };
        Ok(self.store().deliveries(&filter).await?)
    }

    /// Sends something to a webhook that says that somebody tries it, once, at once, also to one that is disabled.
    ///
    /// # Errors
    /// `Unknown` when it is not configured here, `Audit` and `Store` when nothing was sent.
    pub async fn test_webhook(
        &self,
        actor: &str,
        webhooks: &dyn Webhooks,
        webhook: &WebhookName,
    ) -> Result<Delivery, ControlError> {
        configured(webhooks, webhook)?;
        self.record_first(&[Record::WebhookChanged { actor, webhook, change: "tested" }]).await?;
        let event = Event::WebhookTested { actor: actor.to_owned(), webhook: webhook.clone() };
        let delivery = self.keep_delivery(new(webhook, None, self.now(), event)).await?;
        webhooks.attempt(delivery).await
    }

    /// Sends what was given up, or what was delivered, again: once, at once.
    ///
    /// # Errors
    /// `Unknown` when there is none of this name, `Conflict` while it is tried anyway, `Audit` and `Store` when nothing
    /// was sent.
    pub async fn replay_delivery(
        &self,
        actor: &str,
        webhooks: &dyn Webhooks,
        webhook: &WebhookName,
        id: DeliveryId,
    ) -> Result<Delivery, ControlError> {
        configured(webhooks, webhook)?;
        let delivery = self.store().delivery(id).await?.filter(|it| it.webhook == *webhook);
        let delivery = delivery.ok_or_else(|| unknown("delivery", id))?;
        match delivery.state {
            DeliveryState::Trying if delivery.seq.is_some() => return Err(ControlError::Conflict),
            DeliveryState::Dead | DeliveryState::Delivered | DeliveryState::Trying => {}
        }
        let change = format!("delivery {id} sent again");
        self.record_first(&[Record::WebhookChanged { actor, webhook, change: &change }]).await?;
        webhooks.attempt(delivery).await
    }

    /// Tells a webhook of things again, from now on.
    ///
    /// # Errors
    /// `Unknown` when it is not configured here, `Audit` and `Store` when nothing was changed.
    pub async fn enable_webhook(
        &self,
        actor: &str,
        webhooks: &dyn Webhooks,
        webhook: &WebhookName,
    ) -> Result<(), ControlError> {
        configured(webhooks, webhook)?;
        let mut change = self.store().change().await?;
        if !change.enable_webhook(webhook).await? {
            return Ok(());
        }
        self.record_first(&[Record::WebhookChanged { actor, webhook, change: "enabled" }]).await?;
        self.commit_recorded(change).await
    }

    /// Tells a webhook nothing more, and others that this is so.
    ///
    /// # Errors
    /// `Store` when nothing was changed, `Unaudited`.
    pub async fn disable_webhook(&self, webhook: &WebhookName) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        if !change.disable_webhook(webhook, self.now()).await? {
            return Ok(());
        }
        let event = Event::WebhookDisabled { webhook: webhook.clone() };
        self.tell(&mut change, &News::of_gateway(event)).await?;
        change.commit().await?;
        self.stir();
        warn!(%webhook, "the address of a webhook says that it is gone: it is told nothing more");
        let record = Record::WebhookChanged { actor: GATEWAY, webhook, change: "disabled" };
        self.record_after("the webhook is disabled", &[record]).await
    }

    /// The delivery of an event to a webhook: begun now, or before; `None` while the webhook is told nothing.
    ///
    /// # Errors
    /// `Store`.
    pub async fn delivery_of(
        &self,
        webhook: &WebhookName,
        told: &ToldEvent,
    ) -> Result<Option<Delivery>, ControlError> {
        if self.store().webhook_disabled_at(webhook).await?.is_some() {
            return Ok(None);
        }
        let delivery = new(webhook, Some(told.seq), told.at, told.event.clone());
        self.keep_delivery(delivery).await.map(Some)
    }

    /// Keeps what became of a delivery.
    ///
    /// # Errors
    /// `Store`.
    pub async fn note_delivery(&self, delivery: &Delivery) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        change.note_delivery(delivery).await?;
        Ok(change.commit().await?)
    }

    async fn keep_delivery(&self, new: Delivery) -> Result<Delivery, ControlError> {
        let mut change = self.store().change().await?;
        let kept = change.begin_delivery(&new).await?;
        change.commit().await?;
        Ok(kept)
    }
}

fn configured(webhooks: &dyn Webhooks, name: &WebhookName) -> Result<(), ControlError> {
    let is_known = webhooks.list().iter().any(|it| it.name == *name);
    if is_known { Ok(()) } else { Err(unknown("webhook", name)) }
}

fn new(webhook: &WebhookName, seq: Option<i64>, at: Timestamp, event: Event) -> Delivery {
    Delivery {
        id: DeliveryId::new(Uuid::now_v7()),
        webhook: webhook.clone(),
        seq,
        at,
        event,
        state: DeliveryState::Trying,
        attempts: 0,
        tried_at: None,
        status: None,
        problem: None,
    }
}

/// How long deliveries are kept that were given up.
pub(super) const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
const MOST_LISTED: u32 = 200;
/// The actor of what the gateway does because of an answer.
pub(super) const GATEWAY: &str = "gateway";
