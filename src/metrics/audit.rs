//! What the audit log counts.

use prometheus::{Histogram, IntCounter, IntGauge};

use super::build::{Build, FAST_SECONDS};

/// Handles of the audit log.
#[derive(Clone, Debug)]
pub struct AuditMetrics {
    /// Records written.
    pub records: IntCounter,
    /// Bytes written.
    pub bytes: IntCounter,
    /// Seconds from the call of append to its receipts.
    pub append_seconds: Histogram,
    /// Records that were not kept, because the log could not be written.
    pub refused: IntCounter,
    /// 1 while the log cannot be written.
    pub unhealthy: IntGauge,
    /// Records written that the disk does not have yet; stays 0 under durability `process`.
    pub lag_records: IntGauge,
    /// How often the clock was behind the last record.
    pub clock_steps: IntCounter,
}

impl AuditMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            records: build.counter("tidegate_audit_records_total", "Audit records written.")?,
            bytes: build.counter("tidegate_audit_bytes_total", "Bytes of audit records written.")?,
            append_seconds: build.histogram(
                "tidegate_audit_append_seconds",
                "Seconds from the call of append to its receipts.",
                FAST_SECONDS,
            )?,
            refused: build.counter(
                "tidegate_audit_refused_records_total",
                "Audit records not kept, because the log could not be written.",
            )?,
            unhealthy: build.gauge("tidegate_audit_unhealthy", "1 while the audit log cannot be written.")?,
            lag_records: build.gauge(
                "tidegate_audit_lag_records",
                "Audit records written that the disk does not have yet (durability disk).",
            )?,
            clock_steps: build.counter(
                "tidegate_audit_clock_steps_total",
                "Audit records made while the clock was behind the record before.",
            )?,
        })
    }
}
