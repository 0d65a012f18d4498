//! Between columns and our types.

use std::str::FromStr;

use jiff::{Timestamp, Unit};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Decode, Postgres, Sqlite, Type};

use super::{error::StoreError, sql::Row};
use crate::model::{
    principal::{NativeKey, ScramKeys},
    secret::Secret,
};

/// `at` without what is finer than the store's microseconds; what is kept and what is published are then equal.
pub fn whole_microseconds(at: Timestamp) -> Timestamp {
    // The floor of an instant can only fail at the very beginning of time, where it is whole already.
    at.round(jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Floor))
        .unwrap_or(at)
}

pub(super) fn instant(row: &Row, column: &'static str) -> Result<Timestamp, StoreError> {
    let at: i64 = value(row, column)?;
    Timestamp::from_microsecond(at).map_err(|source| corrupt("an instant", source))
}

pub(super) fn optional_instant(row: &Row, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = value(row, column)?;
    at.map(|at| Timestamp::from_microsecond(at).map_err(|source| corrupt("an instant", source))).transpose()
}

pub(super) fn parsed<T>(row: &Row, column: &'static str) -> Result<T, StoreError>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = value(row, column)?;
    text.parse().map_err(|source| corrupt("an identifier", source))
}

pub(super) fn from_json<T: DeserializeOwned>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    let text: String = value(row, column)?;
    serde_json::from_str(&text).map_err(|source| corrupt("a list", source))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| corrupt("a list", source))
}

/// The SCRAM keys of two columns; `None` when both are empty.
pub(super) fn scram_keys(row: &Row) -> Result<Option<ScramKeys>, StoreError> {
    let stored: Option<Vec<u8>> = value(row, "stored_key")?;
    let server: Option<Vec<u8>> = value(row, "server_key")?;
    match (stored, server) {
        (Some(stored), Some(server)) => {
            Ok(Some(ScramKeys { stored_key: key_bytes(stored)?, server_key: key_bytes(server)? }))
        }
        _ => Ok(None),
    }
}

/// The key of mysql_native_password; `None` when there is none.
pub(super) fn native_key(row: &Row) -> Result<Option<NativeKey>, StoreError> {
    value::<Option<Vec<u8>>>(row, "native_key")?.map(key_bytes).transpose()
}

fn key_bytes<const N: usize>(bytes: Vec<u8>) -> Result<Secret<[u8; N]>, StoreError> {
    let bytes = Secret::new(bytes);
    <[u8; N]>::try_from(bytes.expose().as_slice()).map(Secret::new).map_err(|source| corrupt("a key", source))
}

pub(super) fn value<T>(row: &Row, column: &'static str) -> Result<T, StoreError>
where
    T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.get(column).map_err(|source| corrupt("a column", source))
}

pub(super) fn corrupt(
    what: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Corrupt { what, source: Box::new(source) }
}
