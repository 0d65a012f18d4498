//! Whether a target answers, and when it may be tried again.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{error::UpstreamError, settings::TargetSettings};

/// What is known of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// How the last attempt failed, with its causes, if it did.
    pub problem: Option<String>,
    /// What is allowed there and should not be, in words.
    pub warnings: Vec<String>,
    /// Whether any attempt has worked.
    reached: bool,
}

impl TargetHealth {
    /// Whether the last attempt to connect worked.
    pub const fn is_up(&self) -> bool {
        self.reached && self.problem.is_none()
    }
}

/// The memory of attempts on one target and lane.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    retry_at: Option<Instant>,
    problem: Option<Arc<UpstreamError>>,
    succeeded_at: Option<Instant>,
}

impl Health {
    /// Leave to try to connect. While the target is down, one attempt is let through at a time, at growing
    /// distances; everybody else is told at once how the last one failed.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn attempt<'a>(&'a self, target: &'a TargetSettings) -> Result<Attempt<'a>, UpstreamError> {
        let mut state = self.state();
        if let Some(problem) = &state.problem {
            if state.retry_at.is_some_and(|at| Instant::now() < at) {
                return Err(unavailable(target, problem));
            }
            state.retry_at = Some(Instant::now() + target.pool.connect_timeout);
        }
        Ok(Attempt { health: self, target })
    }

    /// The target answered.
    pub(crate) fn succeeded(&self) {
        *self.state() = State { succeeded_at: Some(Instant::now()), ..State::default() };
    }

    /// What is known.
    pub(crate) fn now(&self) -> TargetHealth {
        let state = self.state();
        TargetHealth {
            problem: state.problem.as_deref().map(|problem| causes(problem)),
            warnings: Vec::new(),
            reached: state.succeeded_at.is_some(),
        }
    }

    /// Whether the last attempt worked.
    pub(crate) fn is_up(&self) -> bool {
        let state = self.state();
        state.succeeded_at.is_some() && state.problem.is_none()
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_down(&self) -> bool {
        self.state().problem.is_some()
    }

    /// Whether an attempt worked within the last `span`.
    pub(crate) fn succeeded_within(&self, span: Duration) -> bool {
        self.state().succeeded_at.is_some_and(|at| at.elapsed() < span)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to try once.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    health: &'a Health,
    target: &'a TargetSettings,
}

impl Attempt<'_> {
    /// It worked: the target is up, and everybody may connect.
    pub(crate) fn succeeded(self) {
        self.health.succeeded();
    }

    /// It failed; gives the error to report.
    pub(crate) fn failed(self, error: UpstreamError) -> UpstreamError {
        if error.leaves_target_up() {
            // The server answered: it is up, whatever it thinks of that database or account.
            self.health.succeeded();
            return error;
        }
        let mut state = self.health.state();
        let pause = FIRST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(LONGEST_PAUSE);
        state.failures = state.failures.saturating_add(1);
        state.retry_at = Some(Instant::now() + pause);
        let problem = Arc::new(error);
        state.problem = Some(Arc::clone(&problem));
        unavailable(self.target, &problem)
    }
}

fn unavailable(target: &TargetSettings, problem: &Arc<UpstreamError>) -> UpstreamError {
    UpstreamError::Unavailable { target: target.name.clone(), source: Arc::clone(problem) }
}

/// The error and its causes, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A server that restarts is found again quickly …
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … and one that stays away is not hammered.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
