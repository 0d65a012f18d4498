//! What is made of the audit log while it is written.

use tokio::task::JoinSet;

use crate::{
    audit::{Trail, beside},
    config,
};

/// Opens the index of the log and keeps it up to date; without one, the log is written all the same.
pub(super) async fn index(audit: &config::Audit, tasks: &mut JoinSet<()>) -> Option<Trail> {
    if !audit.index {
        return None;
    }
    match Trail::open(&audit.path, &beside(&audit.path, "index")).await {
        Ok(trail) => {
            let kept = trail.clone();
            tasks.spawn(async move { kept.keep_up().await });
            Some(trail)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the audit log cannot be searched");
            None
        }
    }
}
