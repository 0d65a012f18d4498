//! What is counted for each target, with the labels already resolved.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{
    build::{Build, FAST_SECONDS, SLOW_SECONDS},
    pins::{PinFamilies, PinMetrics},
};
use crate::model::{ids::TargetName, permission::Permission, target::Lane};

/// Handles of one target. A session or pool asks for them once, when it begins.
#[derive(Clone, Debug)]
pub struct TargetMetrics {
    allowed: ByPermission,
    refused: ByPermission,
    /// Seconds from a statement's last byte in to its first byte out: facts, decision, start record, lease.
    pub gate_seconds: Histogram,
    /// Seconds from a statement's last byte in to its end record.
    pub statement_seconds: Histogram,
    /// Sessions open now.
    pub sessions: IntGauge,
    /// Sessions opened.
    pub sessions_total: IntCounter,
    /// 1 while the upstream lets us in on every lane, 0 otherwise.
    pub up: IntGauge,
    /// New connections to the upstream that had to wait for their turn, or were turned away.
    pub held_up: IntCounter,
    /// Connections and logins to the upstream that failed, and leases lost.
    pub upstream_errors: UpstreamErrors,
    /// Sessions that stay with one connection.
    pub pins: PinMetrics,
}

impl TargetMetrics {
    /// Counts a statement that was let run; `permission` is the strongest it needed, `None` if any grant was enough.
    pub fn allowed(&self, permission: Option<Permission>) {
        self.allowed.of(permission).inc();
    }

    /// Counts a statement that was refused; `permission` is the strongest that was missing, `None` if there was no
    /// grant at all, or the statement was not understood.
    pub fn refused(&self, permission: Option<Permission>) {
        self.refused.of(permission).inc();
    }
}

/// Counters of one target for what goes wrong with its upstream.
#[derive(Clone, Debug)]
pub struct UpstreamErrors {
    /// It could not be reached, or TLS failed.
    pub dial: IntCounter,
    /// It refused an account.
    pub login: IntCounter,
    /// A connection broke while it was leased.
    pub lost: IntCounter,
    /// A connection could not be reset for the next session, and was closed.
    pub reset: IntCounter,
    /// No connection came free in time.
    pub wait: IntCounter,
}

/// Handles of one lane of one target's pool.
#[derive(Clone, Debug)]
pub struct PoolMetrics {
    /// Connections that wait for a session.
    pub idle: IntGauge,
    /// Connections that a session has.
    pub leased: IntGauge,
    /// Connections that are being made.
    pub connecting: IntGauge,
    /// Times that all connections were given up: the server went away, or took no writes any more.
    pub failovers: IntCounter,
    /// 1 if the lane's account holds more than the lane needs, 0 if not or not known yet.
    pub excess: IntGauge,
    /// Sessions that wait for a connection.
    pub waiting: IntGauge,
    /// Seconds from asking for a lease to having it or giving up.
    pub wait_seconds: Histogram,
    /// Connections lent.
    pub leases: IntCounter,
    /// Connections that came back.
    pub returns: ReturnMetrics,
    /// Prepared statements on the connections.
    pub statements: StatementCounts,
}

/// What became of prepared statements on upstream connections.
#[derive(Clone, Debug)]
pub struct StatementCounts {
    /// They were made.
    pub parsed: IntCounter,
    /// They stood there already when a session needed them.
    pub reused: IntCounter,
    /// They gave way to others.
    pub evicted: IntCounter,
}

/// Connections that came back, by what it took to lend them again.
#[derive(Clone, Debug)]
pub struct ReturnMetrics {
    /// Nothing: they were lent again as they were.
    pub untouched: IntCounter,
    /// A reset.
    pub reset: IntCounter,
    /// A reset that began with a ROLLBACK.
    pub rolled_back: IntCounter,
    /// They were closed.
    pub closed: IntCounter,
}

/// One counter for each permission, and one for none.
#[derive(Clone, Debug)]
struct ByPermission {
    explain: IntCounter,
    select: IntCounter,
    export: IntCounter,
    dml: IntCounter,
    ddl: IntCounter,
    admin: IntCounter,
    none: IntCounter,
}

impl ByPermission {
    const fn of(&self, permission: Option<Permission>) -> &IntCounter {
        match permission {
            Some(Permission::Explain) => &self.explain,
            Some(Permission::Select) => &self.select,
            Some(Permission::Export) => &self.export,
            Some(Permission::Dml) => &self.dml,
            Some(Permission::Ddl) => &self.ddl,
            Some(Permission::Admin) => &self.admin,
            None => &self.none,
        }
    }
}

/// The families that targets' handles come from.
#[derive(Clone, Debug)]
pub(super) struct TargetFamilies {
    statements: IntCounterVec,
    gate_seconds: HistogramVec,
    statement_seconds: HistogramVec,
    sessions: IntGaugeVec,
    sessions_total: IntCounterVec,
    up: IntGaugeVec,
    held_up: IntCounterVec,
    upstream_errors: IntCounterVec,
    connections: IntGaugeVec,
    failovers: IntCounterVec,
    excess: IntGaugeVec,
    waiting: IntGaugeVec,
    wait_seconds: HistogramVec,
    leases: IntCounterVec,
    returns: IntCounterVec,
    prepared: IntCounterVec,
    pins: PinFamilies,
}

impl TargetFamilies {
    pub(super) fn new(build: &Build) -> prometheus::Result<Self> {
        Ok(Self {
            statements: build.counters(
                "tidegate_statements_total",
                "Statements by decision and the strongest permission needed or missing.",
                &["target", "decision", "permission"],
            )?,
            gate_seconds: build.histograms(
                "tidegate_statement_gate_seconds",
                "Seconds that the gate adds before a statement is forwarded.",
                FAST_SECONDS,
                &["target"],
            )?,
            statement_seconds: build.histograms(
                "tidegate_statement_seconds",
                "Seconds from a statement's last byte in to its end record.",
                SLOW_SECONDS,
                &["target"],
            )?,
            sessions: build.gauges("tidegate_sessions", "Sessions open now.", &["target"])?,
            sessions_total: build.counters("tidegate_sessions_total", "Sessions opened.", &["target"])?,
            up: build.gauges("tidegate_target_up", "1 while the upstream lets us in.", &["target"])?,
            held_up: build.counters(
                "tidegate_upstream_logins_held_up_total",
                "New upstream connections that had to wait for their turn, or were turned away.",
                &["target"],
            )?,
            upstream_errors: build.counters(
                "tidegate_upstream_errors_total",
                "Failures of the upstream by kind.",
                &["target", "kind"],
            )?,
            connections: build.gauges(
                "tidegate_pool_connections",
                "Upstream connections by lane and state.",
                &["target", "lane", "state"],
            )?,
            failovers: build.counters(
                "tidegate_pool_failovers_total",
                "Times that a server went away or took no writes any more, and its connections were given up.",
                &["target", "lane"],
            )?,
            excess: build.gauges(
                "tidegate_account_excess",
                "1 if the lane's account holds more than the lane needs.",
                &["target", "lane"],
            )?,
            waiting: build.gauges(
                "tidegate_pool_waiting",
                "Sessions that wait for an upstream connection.",
                &["target", "lane"],
            )?,
            wait_seconds: build.histograms(
                "tidegate_pool_wait_seconds",
                "Seconds from asking for a lease to having it or giving up.",
                SLOW_SECONDS,
                &["target", "lane"],
            )?,
            leases: build.counters(
                "tidegate_pool_leases_total",
                "Times that a connection was lent to a session.",
                &["target", "lane"],
            )?,
            returns: build.counters(
                "tidegate_pool_returns_total",
                "Times that a connection came back, by what it took to lend it again.",
                &["target", "lane", "kind"],
            )?,
            prepared: build.counters(
                "tidegate_prepared_statements_total",
                "Prepared statements on upstream connections: made, found there, and gone for want of room.",
                &["target", "lane", "kind"],
            )?,
            pins: PinFamilies::new(build)?,
        })
    }

    pub(super) fn target(&self, name: &TargetName) -> TargetMetrics {
        let target = name.as_str();
        let error = |kind| self.upstream_errors.with_label_values(&[target, kind]);
        TargetMetrics {
            allowed: self.by_permission(target, "allow"),
            refused: self.by_permission(target, "deny"),
            gate_seconds: self.gate_seconds.with_label_values(&[target]),
            statement_seconds: self.statement_seconds.with_label_values(&[target]),
            sessions: self.sessions.with_label_values(&[target]),
            sessions_total: self.sessions_total.with_label_values(&[target]),
            up: self.up.with_label_values(&[target]),
            held_up: self.held_up.with_label_values(&[target]),
            upstream_errors: UpstreamErrors {
                dial: error("dial"),
                login: error("login"),
                lost: error("lost"),
                reset: error("reset"),
                wait: error("wait"),
            },
            pins: self.pins.of(name),
        }
    }

    pub(super) fn pool(&self, target: &TargetName, lane: Lane) -> PoolMetrics {
        let place = [target.as_str(), lane.as_str()];
        let state = |state| self.connections.with_label_values(&[target.as_str(), lane.as_str(), state]);
        let prepared = |kind| self.prepared.with_label_values(&[target.as_str(), lane.as_str(), kind]);
        let returned = |kind| self.returns.with_label_values(&[target.as_str(), lane.as_str(), kind]);
        PoolMetrics {
            idle: state("idle"),
            leased: state("leased"),
            connecting: state("connecting"),
            failovers: self.failovers.with_label_values(&place),
            excess: self.excess.with_label_values(&place),
            waiting: self.waiting.with_label_values(&place),
            wait_seconds: self.wait_seconds.with_label_values(&place),
            leases: self.leases.with_label_values(&place),
            returns: ReturnMetrics {
                untouched: returned("untouched"),
                reset: returned("reset"),
                rolled_back: returned("rolled_back"),
                closed: returned("closed"),
            },
            statements: StatementCounts {
                parsed: prepared("parsed"),
                reused: prepared("reused"),
                evicted: prepared("evicted"),
            },
        }
    }

    fn by_permission(&self, target: &str, decision: &str) -> ByPermission {
        let of = |permission: &str| self.statements.with_label_values(&[target, decision, permission]);
        ByPermission {
            explain: of(Permission::Explain.as_str()),
            select: of(Permission::Select.as_str()),
            export: of(Permission::Export.as_str()),
            dml: of(Permission::Dml.as_str()),
            ddl: of(Permission::Ddl.as_str()),
            admin: of(Permission::Admin.as_str()),
            none: of("none"),
        }
    }
}
