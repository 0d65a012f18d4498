//! What people and programs are told of, in order: an outbox, written in the transaction of the change it tells of.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{from_json, instant, to_json, value},
    sql::{Row, query},
};
use crate::model::event::{Audience, Event, ToldEvent};

impl Store {
    /// The events behind `seq`, in order; `limit` at most.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<Vec<ToldEvent>, StoreError> {
        let rows = query("SELECT seq, at, audience, body FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(seq)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(doing("read events"))?;
        rows.iter().map(read).collect()
    }

    /// The numbers of the oldest and the newest event that are kept; `None` while there is none.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn event_bounds(&self) -> Result<Option<(i64, i64)>, StoreError> {
        let row = query("SELECT MIN(seq) AS oldest, MAX(seq) AS newest FROM events")
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read the events' numbers"))?;
        let Some(row) = row else { return Ok(None) };
        let (oldest, newest): (Option<i64>, Option<i64>) = (value(&row, "oldest")?, value(&row, "newest")?);
        Ok(oldest.zip(newest))
    }
}

impl Change {
    /// Adds an event; it is told when the change is committed.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn tell(
        &mut self,
        event: &Event,
        audience: &Audience,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // INVARIANT: in the order of their numbers events become visible. Whoever tells waits here until the one before
        // has committed, so that no reader passes by a number that is still to come.
        self.set_value(TURN, &[]).await?;
        query(
            "INSERT INTO events (seq, at, kind, subject, audience, body) \
             SELECT COALESCE(MAX(seq), 0) + 1, $1, $2, $3, $4, $5 FROM events",
        )
        .bind(at.as_microsecond())
        .bind(event.kind())
        .bind(event.subject())
        .bind(to_json(audience)?)
        .bind(to_json(event)?)
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write an event"))
    }

    /// Forgets events from before `before`, all but the newest, by whose number those to come are counted.
    ///
    /// # Errors
    /// `Query` when they cannot be removed.
    pub async fn forget_events(&mut self, before: Timestamp) -> Result<(), StoreError> {
        query("DELETE FROM events WHERE at < $1 AND seq < (SELECT MAX(seq) FROM events)")
            .bind(before.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget events"))
    }
}

fn read(row: &Row) -> Result<ToldEvent, StoreError> {
    Ok(ToldEvent {
        seq: value(row, "seq")?,
        at: instant(row, "at")?,
        audience: from_json(row, "audience")?,
        event: from_json(row, "body")?,
    })
}

/// The value that whoever tells of something holds until it is committed.
const TURN: &str = "event_turn";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    async fn tell(store: &Store, writable: bool, second: i64) {
        let mut change = store.change().await.unwrap();
        let audience = Audience { people: vec!["dana".into()], groups: Vec::new() };
        change.tell(&Event::AuditTrouble { writable }, &audience, at(second)).await.unwrap();
        change.commit().await.unwrap();
    }

    #[tokio::test]
    async fn events_come_in_order_and_the_newest_is_never_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        assert_eq!(store.event_bounds().await.unwrap(), None);
        for second in 1..=3 {
            tell(&store, second % 2 == 0, second).await;
        }
        let all = store.events_after(0, 10).await.unwrap();
        let seqs: Vec<i64> = all.iter().map(|it| it.seq).collect();
        assert_eq!((seqs.as_slice(), all[1].at), ([1, 2, 3].as_slice(), at(2)));
        assert_eq!(all[1].event, Event::AuditTrouble { writable: true });
        assert!(all[1].audience.includes(&"dana".into(), &[]));
        assert_eq!(store.events_after(1, 1).await.unwrap(), [all[1].clone()]);
        let mut change = store.change().await.unwrap();
        change.forget_events(at(100)).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(store.event_bounds().await.unwrap(), Some((3, 3)));
        tell(&store, true, 4).await;
        assert_eq!(store.event_bounds().await.unwrap(), Some((3, 4)));
    }

    #[tokio::test]
    async fn what_is_undone_is_not_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let mut change = store.change().await.unwrap();
        let event = Event::AuditTrouble { writable: true };
        change.tell(&event, &Audience::default(), at(1)).await.unwrap();
        drop(change);
        assert_eq!(store.events_after(0, 10).await.unwrap(), []);
    }
}
