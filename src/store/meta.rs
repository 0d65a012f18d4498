//! Values of the gateway itself, by name: the snapshot's version, the secrets of the server.

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::value,
    sql::query,
};

impl Store {
    /// The value called `name`, if there is one.
    ///
    /// # Errors
    /// `Query` when it cannot be read.
    pub async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = query("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a value"))?;
        row.map(|row| value(&row, "value")).transpose()
    }
}

impl Change {
    /// Replaces the value called `name` if it is still `seen`; gives whether it was. If not, somebody else was first, and
    /// the change must not be committed.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn swap_value(&mut self, name: &str, seen: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        let swapped = query("UPDATE meta SET value = $3 WHERE name = $1 AND value = $2")
            .bind(name)
            .bind(seen)
            .bind(value)
            .execute(self.connection())
            .await
            .map_err(doing("replace a value"))?;
        Ok(swapped == 1)
    }

    /// Sets the value called `name`.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn set_value(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        query(
            "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a value"))
    }
}
