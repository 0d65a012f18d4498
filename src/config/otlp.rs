//! A receiver of OpenTelemetry's protocol.

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    oidc::is_address,
    raw::RawOtlp,
    secrets::{from_environment, from_file},
    settings::Otlp,
};

/// Checks and completes what is written under `key`.
pub(super) fn read(place: &mut Place<'_>, key: &str, raw: &RawOtlp) -> Result<Otlp, ConfigError> {
    let url = address(place, &format!("{key}.url"), &raw.url)?;
    let token = format!("{key}.token");
    let token = match (&raw.token_file, &raw.token_env) {
        (None, None) => None,
        (Some(file), None) => Some(from_file(place, &token, file)?),
        (None, Some(variable)) => Some(from_environment(place, &token, variable)?),
        (Some(_), Some(variable)) => {
            return Err(place.at(line(variable), &format!("{token}_env"), Problem::Twice));
        }
    };
    Ok(Otlp { url, ca: raw.ca.as_ref().map(|ca| place.beside(ca)), token })
}

/// An address that secrets may be sent to: over TLS, or to this machine.
pub(super) fn address(
    place: &Place<'_>,
    key: &str,
    written: &Spanned<String>,
) -> Result<String, ConfigError> {
    if is_address(&written.value) && written.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(written.value.clone());
    }
    Err(place.at(line(written), key, Problem::Url { found: written.value.clone() }))
}
