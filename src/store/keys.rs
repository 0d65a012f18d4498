//! Service keys of the administration API.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
    sql::{Row, query},
};
use crate::model::ids::{KeyId, PrincipalName};

/// A service key as the store keeps it: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Names it in lists and audit records.
    pub id: KeyId,
    /// What people call it; the actor of what is done with it.
    pub name: String,
    /// SHA-256 of the key; enough, because a key has 256 random bits.
    pub sha256: [u8; 32],
    /// The person who uses it; `None` is a service's own key.
    pub principal: Option<PrincipalName>,
    /// Words for what it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which it no longer opens anything; `None` never ends.
    pub ends_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl StoredKey {
    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|end| now < end) && self.revoked_at.is_none_or(|at| now < at)
    }
}

impl Store {
    /// All service keys, oldest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = query(
            "SELECT id, name, sha256, principal, scopes, created_at, ends_at, revoked_at FROM service_keys ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read service keys"))?;
        rows.iter().map(read).collect()
    }
}

impl Change {
    /// Adds `key`.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn insert_key(&mut self, key: &StoredKey) -> Result<(), StoreError> {
        query(
            "INSERT INTO service_keys (id, name, sha256, scopes, created_at, ends_at, revoked_at, principal) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(key.id.to_string())
        .bind(key.name.as_str())
        .bind(key.sha256.as_slice())
        .bind(to_json(&key.scopes)?)
        .bind(key.created_at.as_microsecond())
        .bind(key.ends_at.map(Timestamp::as_microsecond))
        .bind(key.revoked_at.map(Timestamp::as_microsecond))
        .bind(key.principal.as_deref())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a service key"))
    }

    /// Marks a service key as revoked from `at` on, if it is there and not revoked yet.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn revoke_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), StoreError> {
        query("UPDATE service_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.to_string())
            .bind(at.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("revoke a service key"))
    }
}

fn read(row: &Row) -> Result<StoredKey, StoreError> {
    let sha256: Vec<u8> = value(row, "sha256")?;
    Ok(StoredKey {
        id: parsed(row, "id")?,
        name: value(row, "name")?,
        sha256: sha256.as_slice().try_into().map_err(|source| corrupt("a digest", source))?,
        principal: value::<Option<String>>(row, "principal")?.map(PrincipalName::from),
        scopes: from_json(row, "scopes")?,
        created_at: instant(row, "created_at")?,
        ends_at: optional_instant(row, "ends_at")?,
        revoked_at: optional_instant(row, "revoked_at")?,
    })
}
