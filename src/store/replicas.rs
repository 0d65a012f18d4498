//! The numbers of the gateways that share a store, each leased for a while.

use std::time::Duration;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, value},
    sql::{Query, query},
};
use crate::model::{ids::GatewayName, replica::Replica};

impl Store {
    /// Leases a number to `instance` for [`LEASE`] from now on, by the server's clock: the one that it has, else
    /// `wanted`, else, if none is wanted, the lowest that is free. `None` if that is another's, or none is free.
    ///
    /// For a store that is shared.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it does not answer.
    pub async fn lease_replica(
        &self,
        instance: &str,
        name: &GatewayName,
        wanted: Option<Replica>,
    ) -> Result<Option<Replica>, StoreError> {
        let renew = "UPDATE replicas SET leased_until = clock_timestamp() + INTERVAL '30 seconds' \
                     WHERE instance = $1 RETURNING number";
        if let Some(own) = self.leased(query(renew).bind(instance)).await? {
            return Ok(Some(own));
        }
        let Some(wanted) = wanted else { return self.lease_any(instance, name).await };
        let take = "INSERT INTO replicas (number, instance, name, leased_until) \
                    VALUES ($3, $1, $2, clock_timestamp() + INTERVAL '30 seconds') \
                    ON CONFLICT (number) DO UPDATE SET instance = excluded.instance, name = excluded.name, \
                    leased_until = excluded.leased_until WHERE replicas.leased_until < clock_timestamp() \
                    RETURNING number";
        let number = i64::from(wanted.number());
        self.leased(query(take).bind(instance).bind(name.as_str()).bind(number)).await
    }

    async fn lease_any(&self, instance: &str, name: &GatewayName) -> Result<Option<Replica>, StoreError> {
        let take = "INSERT INTO replicas (number, instance, name, leased_until) \
                    SELECT free.number, $1, $2, clock_timestamp() + INTERVAL '30 seconds' \
                    FROM generate_series(1, 1023) AS free (number) WHERE NOT EXISTS (SELECT 1 FROM replicas AS held \
                    WHERE held.number = free.number AND held.leased_until >= clock_timestamp()) \
                    ORDER BY free.number LIMIT 1 ON CONFLICT (number) DO UPDATE SET instance = excluded.instance, \
                    name = excluded.name, leased_until = excluded.leased_until \
                    WHERE replicas.leased_until < clock_timestamp() RETURNING number";
        // Gateways that start at the same moment would all look at the same one.
        let _hold = self.hold().await?;
        self.leased(query(take).bind(instance).bind(name.as_str())).await
    }

    async fn leased(&self, statement: Query) -> Result<Option<Replica>, StoreError> {
        let row = statement.fetch_optional(&self.pool).await.map_err(doing("lease a number"))?;
        let Some(row) = row else { return Ok(None) };
        let number: i64 = value(&row, "number")?;
        u16::try_from(number).map(Replica::new).map_err(|source| corrupt("the number of a gateway", source))
    }
}

impl Change {
    /// Gives back what a gateway has of the store for as long as it runs: its number, and what it said of its sessions.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn forget_gateway(&mut self, instance: &str) -> Result<(), StoreError> {
        for text in ["DELETE FROM replicas WHERE instance = $1", "DELETE FROM gateways WHERE instance = $1"] {
            let forgotten = query(text).bind(instance).execute(self.connection()).await;
            forgotten.map_err(doing("forget a gateway"))?;
        }
        Ok(())
    }
}

/// How long a number is leased; the statements above say the same.
pub const LEASE: Duration = Duration::from_secs(30);
