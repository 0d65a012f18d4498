//! How far those have come who pass events on, and which of the gateways does it.

use super::{
    database::Store,
    error::{StoreError, doing},
    row::value,
    sql::query,
};

impl Store {
    /// Takes up, or goes on with, the work of `consumer` for the gateway `instance`: the number of the last event that was
    /// passed on, or `None` while another gateway does it. A consumer that is new begins behind the newest event.
    ///
    /// It holds for fifteen seconds by the clock of the store's server, and is to be asked for again before. A store that is
    /// not shared has nobody to wait for.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be written or read.
    pub async fn take_cursor(&self, consumer: &str, instance: &str) -> Result<Option<i64>, StoreError> {
        let text = if self.is_shared() { TAKE_SHARED } else { TAKE_ALONE };
        let rows = query(text).bind(consumer).bind(instance).fetch_all(&self.pool).await;
        let rows = rows.map_err(doing("take up the events"))?;
        rows.first().map(|row| value(row, "seq")).transpose()
    }

    /// Moves the place of `consumer` from `seen` to `seq`; gives whether it did. If not, another gateway has taken over.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn move_cursor(
        &self,
        consumer: &str,
        instance: &str,
        seen: i64,
        seq: i64,
    ) -> Result<bool, StoreError> {
        let rows = query(
            "UPDATE event_cursors SET seq = $4 WHERE consumer = $1 AND holder = $2 AND seq = $3 RETURNING seq",
        )
        .bind(consumer)
        .bind(instance)
        .bind(seen)
        .bind(seq)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("note an event as passed on"))?;
        Ok(!rows.is_empty())
    }

    /// Leaves the work of `consumer` to another gateway, if it is this one's.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn leave_cursor(&self, consumer: &str, instance: &str) -> Result<(), StoreError> {
        query(
            "UPDATE event_cursors SET holder = NULL, held_until = 0 WHERE consumer = $1 AND holder = $2 RETURNING seq",
        )
        .bind(consumer)
        .bind(instance)
        .fetch_all(&self.pool)
        .await
        .map(|_| ())
        .map_err(doing("leave the events"))
    }
}

const TAKE_SHARED: &str = "INSERT INTO event_cursors (consumer, seq, holder, held_until) \
    VALUES ($1, (SELECT COALESCE(MAX(seq), 0) FROM events), $2, \
    CAST(1000000 * EXTRACT(EPOCH FROM clock_timestamp() + INTERVAL '15 seconds') AS BIGINT)) \
    ON CONFLICT (consumer) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
    WHERE event_cursors.holder IS NULL OR event_cursors.holder = excluded.holder \
    OR event_cursors.held_until <= CAST(1000000 * EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT) RETURNING seq";

const TAKE_ALONE: &str = "INSERT INTO event_cursors (consumer, seq, holder, held_until) \
    VALUES ($1, (SELECT COALESCE(MAX(seq), 0) FROM events), $2, 0) \
    ON CONFLICT (consumer) DO UPDATE SET holder = excluded.holder, held_until = 0 RETURNING seq";
