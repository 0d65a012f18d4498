//! Refusals that can be asked about.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{from_json, to_json},
    sql::query,
};
use crate::model::{
    denial::DenialId,
    ids::{DatabaseName, PrincipalName, TargetName},
    refusal::Missing,
    target::Place,
};

/// A refusal, as far as somebody can ask about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDenial {
    /// On which target.
    pub target: TargetName,
    /// In which database.
    pub database: DatabaseName,
    /// The text of the statement.
    pub sql: String,
    /// What was missing.
    pub missing: Vec<Missing>,
}

impl StoredDenial {
    /// Whether it was there.
    pub fn is_at(&self, place: &Place) -> bool {
        self.target == place.target && self.database == place.database
    }

    /// Where it was.
    pub fn place(&self) -> Place {
        Place { target: self.target.clone(), database: self.database.clone() }
    }
}

impl Store {
    /// The refusal that `principal` calls so, if it was since `since`.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn denial(
        &self,
        principal: &PrincipalName,
        id: DenialId,
        since: Timestamp,
    ) -> Result<Option<StoredDenial>, StoreError> {
        let row = query("SELECT body FROM denials WHERE principal = $1 AND id = $2 AND at > $3")
            .bind(principal.as_str())
            .bind(id.to_string())
            .bind(since.as_microsecond())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a denial"))?;
        row.map(|row| from_json(&row, "body")).transpose()
    }
}

impl Change {
    /// Keeps a refusal, in the place of an older one that `principal` calls so.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn keep_denial(
        &mut self,
        principal: &PrincipalName,
        id: DenialId,
        denial: &StoredDenial,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        query(
            "INSERT INTO denials (principal, id, body, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (principal, id) DO UPDATE SET body = excluded.body, at = excluded.at",
        )
        .bind(principal.as_str())
        .bind(id.to_string())
        .bind(to_json(denial)?)
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a denial"))
    }

    /// Forgets all but about the newest `most` refusals of `principal`.
    ///
    /// # Errors
    /// `Query` when they cannot be removed.
    pub async fn trim_denials(&mut self, principal: &PrincipalName, most: u32) -> Result<(), StoreError> {
        query(
            "DELETE FROM denials WHERE principal = $1 AND at < (SELECT MIN(at) FROM \
             (SELECT at FROM denials WHERE principal = $1 ORDER BY at DESC LIMIT $2) AS newest)",
        )
        .bind(principal.as_str())
        .bind(i64::from(most))
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("forget denials"))
    }

    /// Forgets the refusals from before `before`.
    ///
    /// # Errors
    /// `Query` when they cannot be removed.
    pub async fn forget_denials(&mut self, before: Timestamp) -> Result<(), StoreError> {
        query("DELETE FROM denials WHERE at <= $1")
            .bind(before.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget denials"))
    }
}
