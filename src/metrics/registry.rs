//! All metrics of one process.

use std::sync::Arc;

use prometheus::{IntCounter, Registry, TextEncoder};

use super::{
    audit::AuditMetrics,
    build::Build,
    gateway::{FactsMetrics, LoginMetrics, PolicyMetrics},
    notify::{NotifyFamilies, SlackMetrics, WebhookMetrics},
    process::ProcessMetrics,
    target::{PoolMetrics, TargetFamilies, TargetMetrics},
    traces::TraceMetrics,
};
use crate::model::{
    ids::{TargetName, WebhookName},
    target::Lane,
};

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    process: ProcessMetrics,
    targets: TargetFamilies,
    notify: NotifyFamilies,
    /// The audit log's.
    pub audit: AuditMetrics,
    /// The facts cache's.
    pub facts: FactsMetrics,
    /// Logins.
    pub logins: LoginMetrics,
    /// Policy and grants.
    pub policy: PolicyMetrics,
    /// Traces.
    pub traces: TraceMetrics,
    /// Cancel requests that named a running session with its key.
    pub cancels: IntCounter,
}

impl Metrics {
    /// Makes and registers all of them; `version` is the gateway's own.
    ///
    /// # Errors
    /// Only if two metrics have one name, which a test rules out.
    pub fn new(version: &str) -> Result<Arc<Self>, prometheus::Error> {
        let build = Build::default();
        let about =
            build.gauges("tidegate_build_info", "Always 1; the version is in the label.", &["version"])?;
        about.with_label_values(&[version]).set(1);
        Ok(Arc::new(Self {
            process: ProcessMetrics::new(&build)?,
            targets: TargetFamilies::new(&build)?,
            notify: NotifyFamilies::new(&build)?,
            audit: AuditMetrics::new(&build)?,
            facts: FactsMetrics::new(&build)?,
            logins: LoginMetrics::new(&build)?,
            policy: PolicyMetrics::new(&build)?,
            traces: TraceMetrics::new(&build)?,
            cancels: build.counter(
                "tidegate_cancel_requests_total",
                "How often an upstream was asked to stop a statement.",
            )?,
            registry: build.finish(),
        }))
    }

    /// The handles of one target. Not for the path of a statement: it looks labels up.
    pub fn target(&self, target: &TargetName) -> TargetMetrics {
        self.targets.target(target)
    }

    /// The handles of one lane of one target's pool. Not for the path of a statement: it looks labels up.
    pub fn pool(&self, target: &TargetName, lane: Lane) -> PoolMetrics {
        self.targets.pool(target, lane)
    }

    /// The handles of Slack.
    pub fn slack(&self) -> SlackMetrics {
        self.notify.slack()
    }

    /// The handles of one webhook.
    pub fn webhook(&self, webhook: &WebhookName) -> WebhookMetrics {
        self.notify.webhook(webhook)
    }

    /// The text that Prometheus scrapes (format 0.0.4).
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        self.process.read();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::permission::Permission;

    fn full() -> Arc<Metrics> {
        let metrics = Metrics::new("1.2.3").unwrap();
        metrics.target(&"hr".into()).allowed(Some(Permission::Select));
        metrics.pool(&"hr".into(), Lane::Read).idle.set(2);
        metrics.audit.sink_lag.with_label_values(&["siem"]).set(0);
        metrics.audit.sink_failures.with_label_values(&["siem"]).inc();
        metrics.webhook(&"chat".into()).delivered.inc();
        metrics.slack().taken.inc();
        metrics
    }

    #[test]
    fn the_documentation_lists_exactly_the_metrics_that_are() {
        let text = full().render().unwrap();
        let there: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let written: BTreeSet<&str> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(there, written);
    }

    #[test]
    fn dashboard_and_alert_rules_ask_for_metrics_that_are() {
        let text = full().render().unwrap();
        let families: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
        let is_there = |name: &str| match families.get(name) {
            Some(kind) => *kind != "histogram",
            None => ["_bucket", "_sum", "_count"].iter().any(|end| {
                name.strip_suffix(end).is_some_and(|name| families.get(name) == Some(&"histogram"))
            }),
        };
        for file in ["deploy/grafana/tidegate.json", "deploy/prometheus/alerts.yaml"] {
            let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(&file).unwrap();
            let word = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
            for name in text.split(word).filter(|word| word.starts_with("tidegate_")) {
                assert!(is_there(name), "{}: there is no {name}", file.display());
            }
        }
        assert!(!is_there("tidegate_statement_seconds") && !is_there("tidegate_sessions_bucket"));
    }

    #[test]
    fn a_statement_is_counted_under_its_target_decision_and_permission() {
        let metrics = full();
        metrics.target(&"hr".into()).refused(None);
        let text = metrics.render().unwrap();
        let line = |decision: &str, permission: &str, count: u32| {
            format!(
                "tidegate_statements_total{{decision=\"{decision}\",permission=\"{permission}\",target=\"hr\"}} {count}\n"
            )
        };
        assert!(text.contains(&line("allow", "select", 1)), "{text}");
        assert!(text.contains(&line("allow", "dml", 0)), "{text}");
        assert!(text.contains(&line("deny", "none", 1)), "{text}");
    }

    #[test]
    fn a_scrape_tells_the_memory_and_files_of_this_process() {
        let metrics = full();
        let text = metrics.render().unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse().unwrap()
        };
        assert!(value("tidegate_process_resident_bytes ") > 1_000_000.0);
        assert!(value("tidegate_process_open_fds ") >= 3.0);
    }
}
