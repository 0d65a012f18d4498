//! Signs a checkpoint from time to time.

use std::{path::PathBuf, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    AuditError, AuditLog,
    checkpoint::{CheckpointKey, add_line},
    segments::{first_line, segments},
};
use crate::{metrics::AuditMetrics, net::Clock};

/// How checkpoints are made.
#[derive(Debug)]
pub struct Checkpoints {
    /// Signs.
    pub key: CheckpointKey,
    /// The log's file.
    pub log: PathBuf,
    /// Where they are written, all of these; "-" is standard output.
    pub to: Vec<PathBuf>,
    /// How often.
    pub every: Duration,
    /// What time it is.
    pub clock: Clock,
    /// What failed is counted there.
    pub metrics: AuditMetrics,
}

impl Checkpoints {
    /// Signs what the log has, on the disk, every so often, until it is dropped.
    pub async fn run(self: Arc<Self>, audit: AuditLog) {
        let mut signed = None;
        loop {
            signed = self.take(&audit, signed).await;
            tokio::time::sleep(self.every).await;
        }
    }

    /// Signs the last record, unless it is `signed` already; gives its number.
    pub async fn take(self: &Arc<Self>, audit: &AuditLog, signed: Option<u64>) -> Option<u64> {
        let (own, audit) = (Arc::clone(self), audit.clone());
        let taken = tokio::task::spawn_blocking(move || own.sign(&audit, signed)).await;
        match taken.map_err(|_| AuditError::gone()).flatten() {
            Ok(signed) => signed,
            Err(error) => {
                self.metrics.checkpoint_failures.inc();
                tracing::error!(error = &error as &dyn std::error::Error, "no checkpoint of the audit log");
                signed
            }
        }
    }

    fn sign(&self, audit: &AuditLog, signed: Option<u64>) -> Result<Option<u64>, AuditError> {
        let Some(last) = audit.last_on_disk()? else { return Ok(signed) };
        if signed == Some(last.seq) {
            return Ok(signed);
        }
        let unread = |source| AuditError::Read { source };
        let Some(log) = self.log_name().map_err(unread)? else { return Ok(signed) };
        let line = self.key.sign(log, &last, self.clock.now());
        let mut failed = None;
        for path in &self.to {
            if let Err(source) = add_line(path, &line) {
                failed = Some(AuditError::Open { path: path.clone(), source });
            }
        }
        match failed {
            // Those that could be written stand; it is tried again for all.
            Some(error) => Err(error),
            None => Ok(Some(last.seq)),
        }
    }

    fn log_name(&self) -> std::io::Result<Option<Uuid>> {
        let Some(newest) = segments(&self.log)?.pop() else { return Ok(None) };
        Ok(first_line(&newest.path)?.map(|line| line.log))
    }
}
