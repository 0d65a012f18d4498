//! What the audit log counts.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

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
    /// Files that the log has.
    pub files: IntGauge,
    /// How often the file gave way to the next.
    pub rotations: IntCounter,
    /// 1 while old files are kept longer, because a sink has not read them.
    pub held_for_sinks: IntGauge,
    /// Records that were removed before every sink had read them.
    pub unread_removed: IntCounter,
    /// Records that a sink has not sent yet, by sink.
    pub sink_lag: IntGaugeVec,
    /// Times that a sink could not send, by sink.
    pub sink_failures: IntCounterVec,
    /// Checkpoints that could not be made or written.
    pub checkpoint_failures: IntCounter,
}

impl AuditMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            records: build.counter("tidegate_audit_records_total", "Audit records written.")?,
            bytes: build.counter("tidegate_audit_bytes_total", "Bytes of audit records written.")?,
            append_seconds: build.histogram(
                "tidegate_audit_append_seconds",
                "Seconds from the call of append to its receipts; of appends that share a write, the first.",
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
            files: build.gauge("tidegate_audit_files", "Files of the audit log.")?,
            rotations: build
                .counter("tidegate_audit_rotations_total", "How often the log went on in a new file.")?,
            held_for_sinks: build.gauge(
                "tidegate_audit_held_for_sinks",
                "1 while old files are kept longer, because a sink has not read them.",
            )?,
            unread_removed: build.counter(
                "tidegate_audit_unread_removed_records_total",
                "Audit records removed before every sink had read them.",
            )?,
            sink_lag: build.gauges(
                "tidegate_audit_sink_lag_records",
                "Audit records that a sink has not sent yet.",
                &["sink"],
            )?,
            sink_failures: build.counters(
                "tidegate_audit_sink_failures_total",
                "Times that a sink could not send; it tries again.",
                &["sink"],
            )?,
            checkpoint_failures: build.counter(
                "tidegate_audit_checkpoint_failures_total",
                "Checkpoints of the audit log that could not be made or written.",
            )?,
        })
    }
}
