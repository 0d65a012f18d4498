//! The gateways of a shared store: who has which sessions open, and what they are asked to end.

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{parsed, value},
    sql::query,
};
use crate::model::ids::{GatewayName, SessionId};

/// What a gateway said last of its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidSessions {
    /// Which run of which gateway.
    pub instance: String,
    /// What the gateway is called.
    pub gateway: GatewayName,
    /// As it said it.
    pub sessions: String,
    /// The digest of the policy that it has in force; empty where an older version said nothing of it.
    pub policy: String,
}

/// A session that somebody wants ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Which.
    pub session: SessionId,
    /// Who wants it.
    pub actor: String,
}

impl Store {
    /// What the other gateways that were heard of lately said last of their sessions.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn sessions_of_others(&self, own: &str) -> Result<Vec<SaidSessions>, StoreError> {
        let rows = query(
            "SELECT instance, name, sessions, policy FROM gateways WHERE instance <> $1 \
             AND seen_at > clock_timestamp() - INTERVAL '15 seconds' ORDER BY name, instance",
        )
        .bind(own)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read the sessions of other gateways"))?;
        let said = |row| {
            let name: String = value(row, "name")?;
            Ok(SaidSessions {
                instance: value(row, "instance")?,
                gateway: name.into(),
                sessions: value(row, "sessions")?,
                policy: value(row, "policy")?,
            })
        };
        rows.iter().map(said).collect()
    }

    /// The other gateways that were heard of lately, each with the digest of its policy.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn policies_of_others(&self, own: &str) -> Result<Vec<(GatewayName, String)>, StoreError> {
        let rows = query(
            "SELECT name, policy FROM gateways WHERE instance <> $1 \
             AND seen_at > clock_timestamp() - INTERVAL '15 seconds' ORDER BY name, instance",
        )
        .bind(own)
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read the policies of other gateways"))?;
        let said = |row| {
            let name: String = value(row, "name")?;
            Ok((name.into(), value(row, "policy")?))
        };
        rows.iter().map(said).collect()
    }

    /// Whether its gateway has not yet taken notice that this session is to end.
    ///
    /// # Errors
    /// `Query` when it cannot be read.
    pub async fn is_termination_waiting(&self, session: SessionId) -> Result<bool, StoreError> {
        let row = query("SELECT session FROM terminations WHERE session = $1")
            .bind(session.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("look after a termination"))?;
        Ok(row.is_some())
    }

    /// The sessions that `instance` is asked to end, each once.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn take_terminations(&self, instance: &str) -> Result<Vec<Termination>, StoreError> {
        let rows = query("DELETE FROM terminations WHERE instance = $1 RETURNING session, actor")
            .bind(instance)
            .fetch_all(&self.pool)
            .await
            .map_err(doing("take terminations"))?;
        rows.iter()
            .map(|row| Ok(Termination { session: parsed(row, "session")?, actor: value(row, "actor")? }))
            .collect()
    }
}

impl Change {
    /// Keeps what a gateway says of its sessions, and forgets gateways that said nothing for an hour.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn put_sessions(&mut self, said: &SaidSessions) -> Result<(), StoreError> {
        let failed = || doing("write the sessions of a gateway");
        query(
            "INSERT INTO gateways (instance, name, sessions, policy) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (instance) DO UPDATE SET sessions = excluded.sessions, policy = excluded.policy, \
             seen_at = clock_timestamp()",
        )
        .bind(said.instance.as_str())
        .bind(said.gateway.as_str())
        .bind(said.sessions.as_str())
        .bind(said.policy.as_str())
        .execute(self.connection())
        .await
        .map_err(failed())?;
        query("DELETE FROM gateways WHERE seen_at < clock_timestamp() - INTERVAL '1 hour'")
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(failed())
    }

    /// Asks `instance` to end a session; it hears of it at once.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn ask_to_terminate(
        &mut self,
        instance: &str,
        termination: &Termination,
    ) -> Result<(), StoreError> {
        query(
            "INSERT INTO terminations (session, instance, actor) VALUES ($1, $2, $3) \
             ON CONFLICT (session) DO NOTHING",
        )
        .bind(termination.session.to_string())
        .bind(instance)
        .bind(termination.actor.as_str())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("ask for a termination"))
    }

    /// Takes back what nobody took notice of.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn forget_termination(&mut self, session: SessionId) -> Result<(), StoreError> {
        query("DELETE FROM terminations WHERE session = $1")
            .bind(session.to_string())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget a termination"))
    }
}
