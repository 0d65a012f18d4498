//! Where people, requests, grants and keys are kept.

use std::path::Path;

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::{RawPostgresStore, RawStore, RawTls, RawTlsMode},
    secrets,
    settings::{PostgresStore, Store, StoreTls},
    targets::{endpoint, is_local},
};

pub(super) fn read(
    place: &mut Place<'_>,
    raw: &Spanned<RawStore>,
    data_dir: &Path,
) -> Result<Store, ConfigError> {
    match (&raw.value.sqlite, &raw.value.postgres) {
        (Some(_), Some(postgres)) => Err(place.at(line(postgres), "store", Problem::TwoStores)),
        (None, Some(postgres)) => Ok(Store::Postgres(self::postgres(place, postgres)?)),
        (Some(file), None) if file.value.is_empty() => {
            Err(place.at(line(file), "store.sqlite", Problem::Empty))
        }
        (file, None) => {
            Ok(Store::Sqlite(data_dir.join(file.as_ref().map_or(DEFAULT_FILE, |file| file.value.as_str()))))
        }
    }
}

fn postgres(place: &mut Place<'_>, raw: &Spanned<RawPostgresStore>) -> Result<PostgresStore, ConfigError> {
    let endpoint = endpoint(place, "store.postgres.endpoint", &raw.value.endpoint)?;
    if raw.value.database.value.is_empty() {
        return Err(place.at(line(&raw.value.database), "store.postgres.database", Problem::Empty));
    }
    let tls = tls(place, &raw.value.tls)?;
    if tls == StoreTls::Disable && !is_local(&endpoint) {
        place.warnings.push(format!(
            "{}:{}: store.postgres.tls: \"{endpoint}\" is reached without TLS: write mode: verify-full",
            place.file.display(),
            line(&raw.value.endpoint)
        ));
    }
    let account = &raw.value.account;
    let password = secrets::password(place, "store.postgres.account", account)?;
    let password = password
        .ok_or_else(|| place.at(line(account), "store.postgres.account", Problem::StorePasswordSource))?;
    Ok(PostgresStore {
        user: secrets::user(place, "store.postgres.account", account)?,
        password,
        database: raw.value.database.value.clone(),
        endpoint,
        tls,
    })
}

fn tls(place: &Place<'_>, raw: &RawTls) -> Result<StoreTls, ConfigError> {
    match (raw.mode, &raw.ca) {
        (RawTlsMode::Disable, Some(ca)) => {
            Err(place.at(line(ca), "store.postgres.tls.ca", Problem::WithoutTls))
        }
        (RawTlsMode::Disable, None) => Ok(StoreTls::Disable),
        (RawTlsMode::VerifyFull, ca) => {
            Ok(StoreTls::VerifyFull { ca: ca.as_ref().map(|ca| place.beside(&ca.value)) })
        }
    }
}

/// In `data_dir`, if nothing is written.
pub(super) const DEFAULT_FILE: &str = "tidegate.db";
