//! What gateways that share a store ask of one another's sessions.

use uuid::Uuid;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{from_json, parsed, to_json, value},
    sql::query,
};
use crate::model::{errand::Errand, replica::Replica};

impl Store {
    /// The errands of the gateway with this number, each once; those that nobody waits for any longer are left.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn take_errands(&self, replica: Replica) -> Result<Vec<(Uuid, Errand)>, StoreError> {
        let rows = query(
            "UPDATE errands SET taken = TRUE WHERE replica = $1 AND NOT taken \
             AND asked_at > clock_timestamp() - INTERVAL '2 seconds' RETURNING id, body",
        )
        .bind(i64::from(replica.number()))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("take errands"))?;
        rows.iter().map(|row| Ok((parsed(row, "id")?, from_json(row, "body")?))).collect()
    }

    /// Whether the session of an errand was found; `None` while that is not known.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn errand_answer(&self, id: Uuid) -> Result<Option<bool>, StoreError> {
        let row = query("SELECT found FROM errands WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("look after an errand"))?;
        row.map_or(Ok(None), |row| value(&row, "found"))
    }
}

impl Change {
    /// Asks the gateway with this number; it hears of it at once. False if there is no such gateway now.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be written.
    pub async fn ask_errand(
        &mut self,
        id: Uuid,
        replica: Replica,
        errand: &Errand,
    ) -> Result<bool, StoreError> {
        let asked = query(
            "INSERT INTO errands (id, replica, body) SELECT $1, $2, $3 WHERE EXISTS \
             (SELECT 1 FROM replicas WHERE number = $2 AND leased_until >= clock_timestamp())",
        )
        .bind(id.to_string())
        .bind(i64::from(replica.number()))
        .bind(to_json(errand)?)
        .execute(self.connection())
        .await
        .map_err(doing("ask another gateway"))?;
        Ok(asked == 1)
    }

    /// Forgets what was asked some seconds ago.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn tidy_errands(&mut self) -> Result<(), StoreError> {
        query("DELETE FROM errands WHERE asked_at < clock_timestamp() - INTERVAL '10 seconds'")
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget old errands"))
    }

    /// Says whether the session of an errand was found.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn answer_errand(&mut self, id: Uuid, found: bool) -> Result<(), StoreError> {
        query("UPDATE errands SET found = $2 WHERE id = $1")
            .bind(id.to_string())
            .bind(found)
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("answer an errand"))
    }
}
