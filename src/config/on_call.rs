//! Who is asked who is on call.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    limits::bounded,
    raw::RawOnCall,
    secrets::one_of,
};
use crate::model::on_call::OnCallSettings;

/// Checks and completes what is written of being on call.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: Option<&Spanned<RawOnCall>>,
) -> Result<Option<OnCallSettings>, ConfigError> {
    let Some(entry) = raw else { return Ok(None) };
    let raw = &entry.value.pagerduty;
    if raw.schedules.value.is_empty() {
        return Err(place.at(line(&raw.schedules), "on_call.pagerduty.schedules", Problem::Empty));
    }
    let token =
        one_of(place, line(entry), "on_call.pagerduty.token", (&raw.token_file, &raw.token_env), TOKENS)?;
    let kept = bounded(place, "on_call.pagerduty.cache_s", raw.cache_s.as_ref(), 60, 1, 3600)?;
    Ok(Some(OnCallSettings {
        url: raw.url.as_ref().map_or_else(|| PAGERDUTY.to_owned(), |url| url.value.clone()),
        token,
        schedules: raw.schedules.value.clone(),
        ca: raw.ca.as_ref().map(|ca| place.beside(ca)),
        allow_private: raw.allow_private,
        kept: Duration::from_secs(kept),
    }))
}

const PAGERDUTY: &str = "https://api.pagerduty.com";
const TOKENS: &[&str] = &["token_file", "token_env"];
