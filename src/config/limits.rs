//! Bounds of the gateway, and the bounds of those bounds.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    check::Place,
    error::{ConfigError, Problem},
    raw::RawLimits,
};

/// Bounds of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one batch of SQL.
    pub statement_bytes: usize,
    /// Depth of brackets and nodes in it.
    pub nesting: usize,
    /// Sessions open at once.
    pub sessions: usize,
    /// Sessions of one principal open at once.
    pub sessions_per_principal: usize,
    /// From accept to the end of login.
    pub login_timeout: Duration,
    /// Prepared statements of one session.
    pub prepared_statements: usize,
    /// Bytes of their texts.
    pub prepared_bytes: usize,
    /// Bytes of one message of a client after login.
    pub message_bytes: usize,
    /// Bytes of statements whose facts are remembered, for all sessions.
    pub facts_cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement_bytes: 1024 * 1024,
            nesting: 200,
            sessions: 10_000,
            sessions_per_principal: 500,
            login_timeout: Duration::from_secs(10),
            prepared_statements: 5_000,
            prepared_bytes: 16 * 1024 * 1024,
            message_bytes: 1024 * 1024 * 1024,
            facts_cache_bytes: 64 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// Reads what is written over the defaults.
    pub(super) fn read(place: &Place<'_>, raw: &RawLimits) -> Result<Self, ConfigError> {
        let default = Self::default();
        let number = |key, value: &Option<Spanned<u64>>, otherwise: usize, least, most| {
            let otherwise = otherwise as u64;
            bounded(place, key, value.as_ref(), otherwise, least, most)
                .map(|value| usize::try_from(value).unwrap_or(usize::MAX))
        };
        let limits = Self {
            statement_bytes: number(
                "limits.statement_bytes",
                &raw.statement_bytes,
                default.statement_bytes,
                1_024,
                64 * MEBIBYTE,
            )?,
            nesting: number("limits.nesting", &raw.nesting, default.nesting, 10, 1_000)?,
            sessions: number("limits.sessions", &raw.sessions, default.sessions, 1, 1_000_000)?,
            sessions_per_principal: number(
                "limits.sessions_per_principal",
                &raw.sessions_per_principal,
                default.sessions_per_principal,
                1,
                1_000_000,
            )?,
            login_timeout: Duration::from_millis(bounded(
                place,
                "limits.login_timeout_ms",
                raw.login_timeout_ms.as_ref(),
                default.login_timeout.as_millis() as u64,
                100,
                600_000,
            )?),
            prepared_statements: number(
                "limits.prepared_statements",
                &raw.prepared_statements,
                default.prepared_statements,
                1,
                1_000_000,
            )?,
            prepared_bytes: number(
                "limits.prepared_bytes",
                &raw.prepared_bytes,
                default.prepared_bytes,
                1_024,
                1024 * MEBIBYTE,
            )?,
            message_bytes: number(
                "limits.message_bytes",
                &raw.message_bytes,
                default.message_bytes,
                1_024,
                1024 * MEBIBYTE,
            )?,
            facts_cache_bytes: bounded(
                place,
                "limits.facts_cache_bytes",
                raw.facts_cache_bytes.as_ref(),
                default.facts_cache_bytes,
                MEBIBYTE,
                16 * 1024 * MEBIBYTE,
            )?,
        };
        if limits.message_bytes < limits.statement_bytes {
            let line =
                raw.message_bytes.as_ref().or(raw.statement_bytes.as_ref()).map_or(0, super::check::line);
            let problem = Problem::MessageBelowStatement { statement_bytes: limits.statement_bytes };
            return Err(place.at(line, "limits.message_bytes", problem));
        }
        Ok(limits)
    }
}

/// A number that is written, or the default; both ends are included.
pub(super) fn bounded(
    place: &Place<'_>,
    key: &str,
    value: Option<&Spanned<u64>>,
    otherwise: u64,
    least: u64,
    most: u64,
) -> Result<u64, ConfigError> {
    let Some(written) = value else { return Ok(otherwise) };
    if (least..=most).contains(&written.value) {
        return Ok(written.value);
    }
    let problem = Problem::OutOfBounds { found: written.value, least, most };
    Err(place.at(super::check::line(written), key, problem))
}

const MEBIBYTE: u64 = 1024 * 1024;
