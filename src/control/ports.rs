//! What the administration needs of the data plane; the application fills it in.

use std::pin::Pin;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::ControlError,
    estimate::ToEstimate,
    explanation::{Explanation, Question},
    views::SessionView,
    webhooks::WebhookInfo,
};
use crate::model::{
    errand::Errand,
    facts::{Facts, Unanalyzable},
    ids::{SessionId, TargetName},
    request::Estimate,
    webhook::Delivery,
};

/// A future of a trait's method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The sessions that are open.
pub trait Sessions: Send + Sync + 'static {
    /// All of them, in no order.
    fn list(&self) -> Vec<SessionView>;

    /// Ends one; `false` if there is none of this name.
    fn terminate(&self, session: SessionId) -> bool;

    /// Does what a client asks of one at another gateway; `false` if there is no such session.
    fn run(&self, errand: &Errand) -> bool;
}

/// What a statement would be told.
pub trait Explain: Send + Sync + 'static {
    /// Analyses and judges without running anything.
    fn explain(&self, question: Question) -> BoxFuture<'_, Result<Explanation, ExplainError>>;

    /// What the statements do, in a session that has just begun.
    fn facts(
        &self,
        question: Question,
    ) -> BoxFuture<'_, Result<Result<Vec<Facts>, Unanalyzable>, ExplainError>>;

    /// What the database reckons that a statement would cost, without running it; where it cannot be told, why.
    fn estimate(&self, question: ToEstimate) -> BoxFuture<'_, Estimate>;
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Nobody of this name.
    #[error("there is no principal \"{0}\"")]
    UnknownPrincipal(String),
    /// No target of this name.
    #[error("there is no target \"{0}\"")]
    UnknownTarget(String),
}

/// The health of the targets.
pub trait Targets: Send + Sync + 'static {
    /// Every target, by name; what was last seen of it, without asking anew.
    fn health(&self) -> Vec<TargetHealth>;
}

/// What was last seen of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetHealth {
    /// Which.
    pub target: TargetName,
    /// Whether it answers.
    pub up: bool,
    /// What is wrong, in words that show no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is allowed there and should not be: accounts that hold more than their lane needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The addresses that are told of events.
pub trait Webhooks: Send + Sync + 'static {
    /// All that are configured here, in their order.
    fn list(&self) -> Vec<WebhookInfo>;

    /// Makes one attempt to send something, and gives what became of it; kept in the store.
    ///
    /// # Errors
    /// `Unknown` when its webhook is not configured here, `Store` when it could not be kept.
    fn attempt(&self, delivery: Delivery) -> BoxFuture<'_, Result<Delivery, ControlError>>;
}
