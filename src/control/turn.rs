//! Whose turn it is to change something, and what others changed before.

use std::{
    error::Error,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use tokio::sync::MutexGuard;
use tracing::{debug, error, info};

use super::{
    door::Control,
    error::ControlError,
    ports::Sessions,
    state::{State, VERSION, version},
};
use crate::store::{Hold, Look};

/// The state, for the one whose turn it is.
pub(super) struct Turn<'c> {
    pub(super) state: MutexGuard<'c, State>,
    /// `None` while the store does not answer.
    pub(super) _hold: Option<Hold>,
}

impl Deref for Turn<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Control {
    /// Publishes what other gateways change in the store, and ends the sessions that they ask for, as soon as it is heard
    /// of, for as long as it is waited for. Returns at once where there are no others.
    ///
    /// While the store does not answer the last Snapshot stays in force; grants end by the clock.
    pub async fn follow_store(&self, sessions: &dyn Sessions) {
        let Some(mut follower) = self.store().follow() else { return };
        let mut is_lost = false;
        loop {
            let look = follower.next().await;
            match self.look(sessions).await {
                Ok(found) => {
                    if is_lost {
                        info!("the store answers again");
                    }
                    is_lost = false;
                    if found && look == Look::Routine {
                        follower.missed();
                    }
                }
                Err(error) if !is_lost => {
                    is_lost = true;
                    let cause = cause(&error);
                    error!(%error, cause, "the store does not answer; what was seen last stays in force");
                }
                Err(error) => debug!(%error, "the store does not answer"),
            }
        }
    }

    async fn look(&self, sessions: &dyn Sessions) -> Result<bool, ControlError> {
        let mut state = self.state().lock().await;
        let found = self.catch_up(&mut state).await?;
        drop(state);
        self.do_terminations(sessions).await?;
        Ok(found)
    }

    /// Reads and publishes what others changed since `state` was read; gives whether there was something.
    pub(super) async fn catch_up(&self, state: &mut State) -> Result<bool, ControlError> {
        if version(self.store()).await? == state.version {
            return Ok(false);
        }
        let age = match self.store().is_shared() {
            true => self.store().age_of(VERSION).await?,
            false => None,
        };
        let read_at = std::time::Instant::now();
        let read = State::read(self.store(), Arc::clone(&state.policy), self.now()).await?;
        *state = State { tidied_at: state.tidied_at, ..read };
        self.show(state);
        if let Some(age) = age {
            let delay = age + read_at.elapsed();
            self.parts().metrics.replica_delay_seconds.observe(delay.as_secs_f64());
        }
        debug!(snapshot = state.version, "another gateway changed something");
        Ok(true)
    }
}

/// What is behind an error, for the log.
pub(super) fn cause(error: &(dyn Error + 'static)) -> Option<String> {
    let mut text = None::<String>;
    let mut next = error.source();
    while let Some(error) = next {
        text = Some(text.map_or_else(|| error.to_string(), |text| format!("{text}: {error}")));
        next = error.source();
    }
    text
}
