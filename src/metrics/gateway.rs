//! What is counted for the gateway as a whole.

use prometheus::{Histogram, IntCounter, IntGauge};

use super::build::{Build, SLOW_SECONDS};

/// Logins by how they went.
#[derive(Clone, Debug)]
pub struct LoginMetrics {
    /// Proved who they are.
    pub succeeded: IntCounter,
    /// Did not.
    pub failed: IntCounter,
    /// Were not tried, because too many before them failed.
    pub throttled: IntCounter,
    /// Did not come to an end in time, or broke the protocol.
    pub unfinished: IntCounter,
    /// Found no room: a limit of sessions was reached.
    pub over_limit: IntCounter,
}

/// Policy, grants and what follows from them.
#[derive(Clone, Debug)]
pub struct PolicyMetrics {
    /// Version of the snapshot in force.
    pub snapshot_version: IntGauge,
    /// Other gateways of the store that judge by another policy.
    pub gateways_differ: IntGauge,
    /// Grants in force, without the standing ones of policy.
    pub grants_live: IntGauge,
    /// Policies that were read and put in force.
    pub reloads_ok: IntCounter,
    /// Policies that were read and refused.
    pub reloads_rejected: IntCounter,
    /// Seconds from the moment a grant was over (or its revocation was published) to telling the upstream to stop
    /// a running statement.
    pub revocation_delay_seconds: Histogram,
    /// Seconds from a change that another gateway made in the store, to the Snapshot that shows it here.
    pub replica_delay_seconds: Histogram,
    /// Refusals that the store could not take, so that they can be asked about at this gateway alone.
    pub denials_not_kept: IntCounter,
    /// What clients asked here of sessions at other gateways, and the store took.
    pub errands_sent: IntCounter,
    /// The same, where it did not.
    pub errands_lost: IntCounter,
}

/// The cache of facts.
#[derive(Clone, Debug)]
pub struct FactsMetrics {
    /// Texts whose facts were known.
    pub hits: IntCounter,
    /// Texts that were analysed.
    pub misses: IntCounter,
    /// Texts that are known now.
    pub entries: IntGauge,
}

impl LoginMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        let logins = build.counters("tidegate_logins_total", "Logins by result.", &["result"])?;
        let result = |result| logins.with_label_values(&[result]);
        Ok(Self {
            succeeded: result("succeeded"),
            failed: result("failed"),
            throttled: result("throttled"),
            unfinished: result("unfinished"),
            over_limit: result("over_limit"),
        })
    }
}

impl PolicyMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        let reloads =
            build.counters("tidegate_policy_reloads_total", "Policies read by result.", &["result"])?;
        let errands = build.counters(
            "tidegate_replica_errands_total",
            "What clients asked of sessions at other gateways, by result.",
            &["result"],
        )?;
        Ok(Self {
            snapshot_version: build
                .gauge("tidegate_snapshot_version", "Version of the policy snapshot in force.")?,
            gateways_differ: build.gauge(
                "tidegate_gateways_with_another_policy",
                "Other gateways of the store that judge by another policy.",
            )?,
            grants_live: build
                .gauge("tidegate_grants_live", "Grants in force, without the standing ones of policy.")?,
            reloads_ok: reloads.with_label_values(&["ok"]),
            reloads_rejected: reloads.with_label_values(&["rejected"]),
            revocation_delay_seconds: build.histogram(
                "tidegate_revocation_delay_seconds",
                "Seconds from the end of a grant to telling the upstream to stop a running statement.",
                SLOW_SECONDS,
            )?,
            replica_delay_seconds: build.histogram(
                "tidegate_replica_delay_seconds",
                "Seconds from a change made by another gateway to the Snapshot that shows it.",
                SLOW_SECONDS,
            )?,
            denials_not_kept: build
                .counter("tidegate_denials_not_kept_total", "Refusals that the store could not take.")?,
            errands_sent: errands.with_label_values(&["sent"]),
            errands_lost: errands.with_label_values(&["lost"]),
        })
    }
}

impl FactsMetrics {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        let lookups = build.counters(
            "tidegate_facts_cache_lookups_total",
            "Look-ups of facts by result.",
            &["result"],
        )?;
        Ok(Self {
            hits: lookups.with_label_values(&["hit"]),
            misses: lookups.with_label_values(&["miss"]),
            entries: build.gauge("tidegate_facts_cache_entries", "Texts whose facts are known.")?,
        })
    }
}
