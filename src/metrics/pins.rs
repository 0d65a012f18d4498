//! Sessions that stay with one upstream connection, by why.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::build::Build;
use crate::model::ids::TargetName;

/// Why a session stays with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinReason {
    /// A cursor WITH HOLD.
    Cursor,
    /// LISTEN.
    Listen,
    /// An advisory or named lock.
    Lock,
    /// PREPARE in SQL.
    Prepared,
    /// A `search_path` that was not understood.
    SearchPath,
    /// Temporary tables.
    Temporary,
    /// Modes of transactions that hold for the session.
    TransactionModes,
    /// Something ran that may have left anything.
    Unknown,
    /// User variables of MySQL.
    UserVariable,
}

impl PinReason {
    const ALL: [Self; 9] = [
        Self::Cursor,
        Self::Listen,
        Self::Lock,
        Self::Prepared,
        Self::SearchPath,
        Self::Temporary,
        Self::TransactionModes,
        Self::Unknown,
        Self::UserVariable,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cursor => "cursor",
            Self::Listen => "listen",
            Self::Lock => "lock",
            Self::Prepared => "prepared",
            Self::SearchPath => "search_path",
            Self::Temporary => "temporary",
            Self::TransactionModes => "transaction_modes",
            Self::Unknown => "unknown",
            Self::UserVariable => "user_variable",
        }
    }
}

/// The handles of one target.
#[derive(Clone, Debug)]
pub struct PinMetrics([(IntGauge, IntCounter); PinReason::ALL.len()]);

impl PinMetrics {
    /// A session is pinned by `reason`, until what is given is dropped.
    pub fn pin(&self, reason: PinReason) -> Pinned {
        let handles = self.0.get(reason as usize).map(|(now, total)| {
            now.inc();
            total.inc();
            now.clone()
        });
        Pinned { reason, now: handles }
    }
}

/// One session pinned by one reason, for as long as this lives.
#[derive(Debug)]
pub struct Pinned {
    reason: PinReason,
    now: Option<IntGauge>,
}

impl Pinned {
    /// Why.
    pub const fn reason(&self) -> PinReason {
        self.reason
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(now) = &self.now {
            now.dec();
        }
    }
}

/// The families that the handles come from.
#[derive(Clone, Debug)]
pub(super) struct PinFamilies {
    now: IntGaugeVec,
    total: IntCounterVec,
}

impl PinFamilies {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            now: build.gauges(
                "tidegate_sessions_pinned",
                "Sessions that stay with one upstream connection, by why.",
                &["target", "reason"],
            )?,
            total: build.counters(
                "tidegate_pins_total",
                "Times that a session was pinned to its upstream connection, by why.",
                &["target", "reason"],
            )?,
        })
    }

    pub(super) fn of(&self, target: &TargetName) -> PinMetrics {
        PinMetrics(PinReason::ALL.map(|reason| {
            let labels = [target.as_str(), reason.as_str()];
            (self.now.with_label_values(&labels), self.total.with_label_values(&labels))
        }))
    }
}
