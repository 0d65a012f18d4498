//! Events on their way to webhooks.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
    sql::{Row, query},
};
use crate::model::{
    ids::{DeliveryId, WebhookName},
    webhook::{Delivery, DeliveryState},
};

/// Which deliveries.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// To which webhook.
    pub webhook: WebhookName,
    /// In which state; `None` is any.
    pub state: Option<DeliveryState>,
    /// Older ones than this.
    pub before: Option<DeliveryId>,
    /// So many at most.
    pub limit: u32,
}

macro_rules! columns {
    () => {
        "id, webhook, seq, at, body, state, attempts, tried_at, status, problem"
    };
}

impl Store {
    /// The delivery called `id`, if there is one.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let row = query(concat!("SELECT ", columns!(), " FROM webhook_deliveries WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool);
        row.await.map_err(doing("read a delivery"))?.as_ref().map(read).transpose()
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let rows = query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_deliveries WHERE webhook = $1 AND ($2 IS NULL OR state = $2) \
                AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
        ))
        .bind(filter.webhook.as_str())
        .bind(filter.state.map(DeliveryState::as_str))
        .bind(filter.before.map(|id| id.to_string()))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read deliveries"))?;
        rows.iter().map(read).collect()
    }

    /// How many deliveries to `webhook` were given up.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be counted.
    pub async fn dead_deliveries(&self, webhook: &WebhookName) -> Result<i64, StoreError> {
        let row =
            query("SELECT COUNT(*) AS dead FROM webhook_deliveries WHERE webhook = $1 AND state = 'dead'")
                .bind(webhook.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(doing("count deliveries"))?;
        row.map_or(Ok(0), |row| value(&row, "dead"))
    }

    /// Since when `webhook` is told nothing more, if that is so.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn webhook_disabled_at(&self, webhook: &WebhookName) -> Result<Option<Timestamp>, StoreError> {
        let row = query("SELECT disabled_at FROM disabled_webhooks WHERE webhook = $1")
            .bind(webhook.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("look whether a webhook is disabled"))?;
        row.map(|row| instant(&row, "disabled_at")).transpose()
    }
}

impl Change {
    /// Adds a delivery, unless there is one of this event to this webhook already; gives the one that is there.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be written or read.
    pub async fn begin_delivery(&mut self, new: &Delivery) -> Result<Delivery, StoreError> {
        let failed = || doing("write a delivery");
        query(
            "INSERT INTO webhook_deliveries (id, webhook, seq, at, body, state, attempts) \
             VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (webhook, seq) DO NOTHING",
        )
        .bind(new.id.to_string())
        .bind(new.webhook.as_str())
        .bind(new.seq)
        .bind(new.at.as_microsecond())
        .bind(to_json(&new.event)?)
        .bind(new.state.as_str())
        .execute(self.connection())
        .await
        .map_err(failed())?;
        let row = query(concat!(
            "SELECT ",
            columns!(),
            " FROM webhook_deliveries WHERE id = $1 OR (webhook = $2 AND seq = $3)"
        ))
        .bind(new.id.to_string())
        .bind(new.webhook.as_str())
        .bind(new.seq)
        .fetch_within(self.connection())
        .await
        .map_err(failed())?;
        row.map_or_else(|| Ok(new.clone()), |row| read(&row))
    }

    /// Keeps what became of a delivery.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn note_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        query(
            "UPDATE webhook_deliveries SET state = $2, attempts = $3, tried_at = $4, status = $5, problem = $6 \
             WHERE id = $1",
        )
        .bind(delivery.id.to_string())
        .bind(delivery.state.as_str())
        .bind(i64::from(delivery.attempts))
        .bind(delivery.tried_at.map(Timestamp::as_microsecond))
        .bind(delivery.status.map(i64::from))
        .bind(delivery.problem.as_deref())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("note a delivery"))
    }

    /// Forgets deliveries of events from before: what was delivered before `delivered`, anything before `all`.
    ///
    /// # Errors
    /// `Query` when they cannot be removed.
    pub async fn forget_deliveries(
        &mut self,
        delivered: Timestamp,
        all: Timestamp,
    ) -> Result<(), StoreError> {
        query("DELETE FROM webhook_deliveries WHERE at < $2 OR (at < $1 AND state = 'delivered')")
            .bind(delivered.as_microsecond())
            .bind(all.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget deliveries"))
    }

    /// Tells `webhook` nothing more; gives whether it was told of things before.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn disable_webhook(
        &mut self,
        webhook: &WebhookName,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let written = query(
            "INSERT INTO disabled_webhooks (webhook, disabled_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(webhook.as_str())
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await;
        written.map(|rows| rows == 1).map_err(doing("disable a webhook"))
    }

    /// Tells `webhook` of things again; gives whether it was told nothing before.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn enable_webhook(&mut self, webhook: &WebhookName) -> Result<bool, StoreError> {
        let removed = query("DELETE FROM disabled_webhooks WHERE webhook = $1")
            .bind(webhook.as_str())
            .execute(self.connection())
            .await;
        removed.map(|rows| rows == 1).map_err(doing("enable a webhook"))
    }
}

fn read(row: &Row) -> Result<Delivery, StoreError> {
    let attempts: i64 = value(row, "attempts")?;
    let status: Option<i64> = value(row, "status")?;
    Ok(Delivery {
        id: parsed(row, "id")?,
        webhook: value::<String>(row, "webhook")?.into(),
        seq: value(row, "seq")?,
        at: instant(row, "at")?,
        event: from_json(row, "body")?,
        state: parsed(row, "state")?,
        attempts: attempts.try_into().map_err(|source| corrupt("a number", source))?,
        tried_at: optional_instant(row, "tried_at")?,
        status: status.map(u16::try_from).transpose().map_err(|source| corrupt("a number", source))?,
        problem: value(row, "problem")?,
    })
}
