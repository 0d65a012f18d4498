//! Local principals.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, native_key, scram_keys, to_json, value},
    sql::{Row, query},
};
use crate::model::{
    ids::{GroupName, PrincipalName},
    principal::{NativeKey, ScramKeys},
};

/// A principal as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPrincipal {
    /// The name that clients log in with.
    pub name: PrincipalName,
    /// Groups given here; policy may add more.
    pub groups: Vec<GroupName>,
    /// Whether it is kept from logging in.
    pub disabled: bool,
    /// What passwords and tokens are proved by; `None` until the first of them is made.
    pub password: Option<StoredPassword>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// The salt that a principal's password and tokens share, and the password's keys if one is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPassword {
    /// Salt, 16 bytes.
    pub salt: Vec<u8>,
    /// PBKDF2 rounds.
    pub iterations: u32,
    /// The password's keys; `None` when there are tokens alone.
    pub keys: Option<ScramKeys>,
    /// What mysql_native_password proves the password by, if that was asked for.
    pub native: Option<NativeKey>,
}

impl Store {
    /// All principals, by name.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn principals(&self) -> Result<Vec<StoredPrincipal>, StoreError> {
        let rows = query(
            "SELECT name, member_of, disabled, salt, iterations, stored_key, server_key, native_key, created_at \
             FROM principals ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read principals"))?;
        rows.iter().map(read).collect()
    }
}

impl Change {
    /// Adds `principal`, or replaces what is kept of it.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn put_principal(&mut self, principal: &StoredPrincipal) -> Result<(), StoreError> {
        let password = principal.password.as_ref();
        let keys = password.and_then(|password| password.keys.as_ref());
        query(
            "INSERT INTO principals \
             (name, member_of, disabled, salt, iterations, stored_key, server_key, created_at, native_key) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (name) DO UPDATE SET member_of = excluded.member_of, disabled = excluded.disabled, \
             salt = excluded.salt, iterations = excluded.iterations, stored_key = excluded.stored_key, \
             server_key = excluded.server_key, native_key = excluded.native_key",
        )
        .bind(principal.name.as_str())
        .bind(to_json(&principal.groups)?)
        .bind(principal.disabled)
        .bind(password.map(|password| password.salt.as_slice()))
        .bind(password.map(|password| i64::from(password.iterations)))
        .bind(keys.map(|keys| keys.stored_key.expose().as_slice()))
        .bind(keys.map(|keys| keys.server_key.expose().as_slice()))
        .bind(principal.created_at.as_microsecond())
        .bind(password.and_then(|it| it.native.as_ref()).map(|key| key.expose().as_slice()))
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a principal"))
    }

    /// Removes a principal and its tokens.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn remove_principal(&mut self, name: &PrincipalName) -> Result<(), StoreError> {
        query("DELETE FROM principals WHERE name = $1")
            .bind(name.as_str())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("remove a principal"))
    }
}

fn read(row: &Row) -> Result<StoredPrincipal, StoreError> {
    let name: String = value(row, "name")?;
    let salt: Option<Vec<u8>> = value(row, "salt")?;
    let iterations: Option<i64> = value(row, "iterations")?;
    let iterations = iterations.map(u32::try_from).transpose().map_err(|source| corrupt("rounds", source))?;
    let (keys, native) = (scram_keys(row)?, native_key(row)?);
    Ok(StoredPrincipal {
        name: name.into(),
        groups: from_json(row, "member_of")?,
        disabled: value(row, "disabled")?,
        password: salt.zip(iterations).map(|(salt, iterations)| StoredPassword {
            salt,
            iterations,
            keys,
            native,
        }),
        created_at: instant(row, "created_at")?,
    })
}
