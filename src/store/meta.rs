//! Values of the gateway itself, by name: the snapshot's version, the secrets of the server.

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::value,
};

impl Store {
    /// The value called `name`, if there is one.
    ///
    /// # Errors
    /// `Query` when it cannot be read.
    pub async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a value"))?;
        row.map(|row| value(&row, "value")).transpose()
    }
}

impl Change {
    /// Sets the value called `name`.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn set_value(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        sqlx::query(
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
