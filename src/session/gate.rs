//! What all sessions share.

use std::{sync::Arc, time::Duration};

use super::registry::Registry;
use crate::{
    audit::AuditLog,
    metrics::Metrics,
    model::{
        claim::ClaimGrants,
        denial::KeepDenials,
        errand::SendErrands,
        refusal::{Refusal, RefusalCode},
    },
    net::{Clock, Published},
    policy::Snapshot,
    sql,
    telemetry::Tracer,
    upstream::Pools,
};

/// Everything a session needs that is not its own.
#[derive(Debug)]
pub struct Gate {
    /// Who may do what.
    pub snapshot: Published<Snapshot>,
    /// Facts of texts seen before.
    pub facts: sql::FactsCache,
    /// Where every statement is written down.
    pub audit: AuditLog,
    /// The upstream connections.
    pub pools: Arc<Pools>,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where traces of statements go, if they are made.
    pub tracer: Option<Tracer>,
    /// The open sessions.
    pub registry: Registry,
    /// Where refusals are kept that people may ask about.
    pub denials: Arc<dyn KeepDenials>,
    /// Where grants for one statement are used up.
    pub claims: Arc<dyn ClaimGrants>,
    /// How the other gateways of the store are reached.
    pub elsewhere: Arc<dyn SendErrands>,
    /// What is bounded.
    pub limits: Limits,
}

impl Gate {
    /// Whether `principal` may have one session more, at `target`.
    ///
    /// # Errors
    /// `TooManyConnections` if it has `limit` of them, or as many at `target` as policy lets it have.
    pub(super) fn room_for(&self, principal: &str, target: &str, limit: usize) -> Result<(), Refusal> {
        let bound = self.snapshot.load().bounds(principal, target).sessions;
        let bound = bound.map(|bound| usize::try_from(bound).unwrap_or(usize::MAX));
        let over = if self.registry.count_of(principal) >= limit {
            format!("{limit} sessions open already")
        } else if let Some(bound) = bound.filter(|bound| self.registry.count_at(principal, target) >= *bound)
        {
            format!("as many sessions open at target \"{target}\" as policy allows ({bound})")
        } else {
            return Ok(());
        };
        self.metrics.logins.over_limit.inc();
        let message = format!("principal \"{principal}\" has {over}");
        Err(Refusal::new(RefusalCode::TooManyConnections, message).with_hint("Close some of them."))
    }
}

/// Bounds of one session.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bounds of one text.
    pub sql: sql::Limits,
    /// Bytes of one message of a client.
    pub message_bytes: usize,
    /// What a session may hold by name.
    pub held: HeldLimits,
    /// Upstream connections that a session has not used for as long go back to the pool, if nothing ties them.
    pub lease_idle: Duration,
}

/// Bounds of what a session holds by name.
#[derive(Clone, Copy, Debug)]
pub struct HeldLimits {
    /// Prepared statements, and again portals, at one time.
    pub count: usize,
    /// Bytes of the prepared statements' texts.
    pub bytes: usize,
}

impl HeldLimits {
    /// Whether `count` prepared statements may be held, whose texts have `bytes` together.
    ///
    /// # Errors
    /// `ProgramLimitExceeded`.
    pub(super) fn check_prepared(&self, count: usize, bytes: usize) -> Result<(), Refusal> {
        let over = if count > self.count {
            format!("{} prepared statements", self.count)
        } else if bytes > self.bytes {
            format!("{} bytes of prepared statements", self.bytes)
        } else {
            return Ok(());
        };
        Err(Refusal::new(RefusalCode::ProgramLimitExceeded, format!("a session may hold {over}"))
            .with_hint("Close or deallocate the ones that are no longer needed."))
    }
}

/// Whether a session may keep its settings of so many `bytes`, and again for each of its `savepoints`, which may bring
/// them back.
///
/// # Errors
/// `ProgramLimitExceeded`.
pub(super) fn check_settings(bytes: usize, savepoints: usize) -> Result<(), Refusal> {
    let kept = bytes.saturating_add(SAVEPOINT_BYTES).saturating_mul(savepoints.saturating_add(1));
    if kept <= SETTINGS_BYTES {
        return Ok(());
    }
    let message = format!("a session may hold {SETTINGS_BYTES} bytes of settings and savepoints");
    Err(Refusal::new(RefusalCode::ProgramLimitExceeded, message)
        .with_hint("Release savepoints that are no longer needed, or set shorter values."))
}

/// Replies owed at one time, beyond which a client's messages wait.
pub(super) const OWED_LIMIT: usize = 4096;
/// Bytes waiting for a client, beyond which nothing more is read from the upstream.
pub(super) const OUTBOUND_HIGH_BYTES: usize = 256 * 1024;
/// Bytes read ahead from a client while its messages wait.
pub(super) const INBOUND_HIGH_BYTES: usize = 256 * 1024;
/// Bytes of one message of the upstream that must be read whole (not rows, not COPY data).
pub(super) const REPLY_LIMIT_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of what a session has set, with what its savepoints may bring back.
const SETTINGS_BYTES: usize = 64 * 1024 * 1024;
/// What is kept of a savepoint beside the settings.
const SAVEPOINT_BYTES: usize = 256;
/// How long the upstream may take for a statement of the gateway's own.
pub(super) const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_count_once_more_for_each_savepoint() {
        assert!(check_settings(SETTINGS_BYTES - SAVEPOINT_BYTES, 0).is_ok());
        assert!(check_settings(SETTINGS_BYTES - SAVEPOINT_BYTES + 1, 0).is_err());
        assert!(check_settings(300, 100_000).is_ok());
        assert!(check_settings(1000, 100_000).is_err());
        assert!(check_settings(usize::MAX, usize::MAX).is_err());
    }
}
