//! What happens by the clock: requests expire, go to others, and the end of grants is announced.

use std::{future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use super::{denials::forgotten_until, door::Control, error::ControlError, state::State};
use crate::{
    model::{
        ids::GrantId,
        record::Record,
        request::{Case, RequestState},
    },
    policy,
    store::StoredGrant,
};

impl Control {
    /// Looks every five seconds for what has become due, until `stop` is done.
    pub async fn tend(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval(TEND_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = &mut stop => return,
            }
            if let Err(error) = self.tend_once().await {
                error!(%error, "what is due could not be done; it is tried again");
            }
        }
    }

    /// Does what is due now: expired requests are settled, unanswered ones told of, ends of grants announced, and what
    /// is kept for a day forgotten.
    ///
    /// # Errors
    /// The first thing that failed; what was done before stays done, and what was not is due the next time.
    pub async fn tend_once(&self) -> Result<(), ControlError> {
        self.to_the_end(|control| async move {
            let now = control.now();
            for case in control.store().due_cases(now, MOST_AT_ONCE).await? {
                let raced = match case.request.expires_at <= now {
                    true => control.expire(case, now).await,
                    false if case.escalated_at.is_none() && policy::is_escalated(&case, now) => {
                        control.escalate(case, now).await
                    }
                    false => Ok(()),
                };
                match raced {
                    // Somebody answered meanwhile, or another gateway was here before: that counts.
                    Ok(()) | Err(ControlError::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
            control.announce_ends(now).await?;
            control.tidy(now).await
        })
        .await
    }

    async fn expire(&self, mut case: Case, now: Timestamp) -> Result<(), ControlError> {
        let _turn = self.turn().await;
        case.state = RequestState::Expired;
        case.decided_at = Some(now);
        self.settle(&case, CLOCK, "the request is expired").await
    }

    async fn escalate(&self, mut case: Case, now: Timestamp) -> Result<(), ControlError> {
        let _turn = self.turn().await;
        case.escalated_at = Some(now);
        let mut change = self.store().change().await?;
        if !change.move_case(&case).await? {
            return Err(ControlError::Conflict);
        }
        let to = case.plan.escalation.as_ref().map(|it| it.to.as_slice()).unwrap_or_default();
        self.record_first(&[Record::RequestEscalated { request: case.request.id, to }]).await?;
        self.commit_recorded(change).await
    }

    /// Announces, once, each grant that ends within five minutes and was made for longer than ten.
    async fn announce_ends(&self, now: Timestamp) -> Result<(), ControlError> {
        let due = ending(&*self.state().lock().await, now);
        if due.is_empty() {
            return Ok(());
        }
        let mut state = self.turn().await;
        for (id, stored) in due {
            let mut change = self.store().change().await?;
            if change.announce_grant(id, now).await? {
                let ends_at = stored.grant.window.ends_at.unwrap_or(Timestamp::MAX);
                let (grant, holder) = (&stored.grant.id, &stored.grant.holder);
                self.record_first(&[Record::GrantExpiring { grant, holder, ends_at }]).await?;
                self.commit_recorded(change).await?;
            }
            state.announced.insert(id);
        }
        Ok(())
    }

    /// Once an hour.
    async fn tidy(&self, now: Timestamp) -> Result<(), ControlError> {
        let mut state = self.state().lock().await;
        if state.tidied_at.is_some_and(|at| now.duration_since(at) < TIDY_EVERY) {
            return Ok(());
        }
        self.ledger().forget(forgotten_until(now));
        let mut change = self.store().change().await?;
        change.forget_answers(now.checked_sub(KEPT).unwrap_or(Timestamp::MIN)).await?;
        change.forget_denials(forgotten_until(now)).await?;
        change.commit().await?;
        state.tidied_at = Some(now);
        Ok(())
    }
}

/// Grants that end soon, and of which that was not said yet.
fn ending(state: &State, now: Timestamp) -> Vec<(GrantId, StoredGrant)> {
    let due = state.grants.iter().filter(|(id, it)| !state.announced.contains(id) && is_ending(it, now));
    due.map(|(id, it)| (*id, it.clone())).collect()
}

fn is_ending(stored: &StoredGrant, now: Timestamp) -> bool {
    let window = stored.grant.window;
    let Some(end) = window.ends_at else { return false };
    stored.grant.is_live(now)
        && stored.used_at.is_none()
        && end.duration_since(window.starts_at) > LONG
        && end.duration_since(now) <= SOON
}

/// The actor of what happens by the clock.
pub(super) const CLOCK: &str = "clock";
const TEND_EVERY: Duration = Duration::from_secs(5);
const TIDY_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long a call may be repeated under its idempotency key.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const SOON: SignedDuration = SignedDuration::from_mins(5);
const LONG: SignedDuration = SignedDuration::from_mins(10);
const MOST_AT_ONCE: u32 = 1000;
