//! Database tokens.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, instant, native_key, optional_instant, parsed, scram_keys, value},
    sql::{Row, query},
};
use crate::model::{
    ids::{PrincipalName, TokenId},
    principal::{NativeKey, ScramKeys},
};

/// A database token as the store keeps it: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Names it in lists and audit records.
    pub id: TokenId,
    /// Whom it logs in.
    pub principal: PrincipalName,
    /// What people call it.
    pub name: String,
    /// What proves it, under the principal's salt.
    pub keys: ScramKeys,
    /// What mysql_native_password proves it by; tokens made by older versions have none.
    pub native: Option<NativeKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// First instant at which it no longer logs in.
    pub ends_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl StoredToken {
    /// Whether it logs in at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at && self.revoked_at.is_none_or(|at| now < at)
    }
}

impl Store {
    /// All tokens whose end is later than `ended_after`, oldest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn tokens(&self, ended_after: Timestamp) -> Result<Vec<StoredToken>, StoreError> {
        let rows = query(
            "SELECT id, principal, name, stored_key, server_key, native_key, created_at, ends_at, revoked_at \
             FROM tokens WHERE ends_at > $1 ORDER BY id",
        )
        .bind(ended_after.as_microsecond())
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read tokens"))?;
        rows.iter().map(read).collect()
    }
}

impl Change {
    /// Adds `token`; its principal must be there.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StoreError> {
        query(
            "INSERT INTO tokens \
             (id, principal, name, stored_key, server_key, created_at, ends_at, revoked_at, native_key) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(token.id.to_string())
        .bind(token.principal.as_str())
        .bind(token.name.as_str())
        .bind(token.keys.stored_key.expose().as_slice())
        .bind(token.keys.server_key.expose().as_slice())
        .bind(token.created_at.as_microsecond())
        .bind(token.ends_at.as_microsecond())
        .bind(token.revoked_at.map(Timestamp::as_microsecond))
        .bind(token.native.as_ref().map(|key| key.expose().as_slice()))
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a token"))
    }

    /// Marks a token as revoked from `at` on, if it is there and not revoked yet.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn revoke_token(&mut self, id: TokenId, at: Timestamp) -> Result<(), StoreError> {
        query("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.to_string())
            .bind(at.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("revoke a token"))
    }
}

fn read(row: &Row) -> Result<StoredToken, StoreError> {
    let principal: String = value(row, "principal")?;
    let keys = scram_keys(row)?;
    Ok(StoredToken {
        id: parsed(row, "id")?,
        principal: principal.into(),
        name: value(row, "name")?,
        keys: keys.ok_or_else(|| corrupt("a token without keys", std::fmt::Error))?,
        native: native_key(row)?,
        created_at: instant(row, "created_at")?,
        ends_at: instant(row, "ends_at")?,
        revoked_at: optional_instant(row, "revoked_at")?,
    })
}
