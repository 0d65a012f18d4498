//! All metrics of one process.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};

use super::{audit::AuditMetrics, build::Build};

/// All metrics of one process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// The audit log's.
    pub audit: AuditMetrics,
}

impl Metrics {
    /// Makes and registers all of them.
    ///
    /// # Errors
    /// Only if two metrics have one name, which a test rules out.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let build = Build::default();
        let audit = AuditMetrics::new(&build)?;
        Ok(Arc::new(Self { registry: build.finish(), audit }))
    }

    /// The text that Prometheus scrapes.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
