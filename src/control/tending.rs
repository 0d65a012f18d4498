//! What happens by the clock: requests expire, go to others, and the end of grants is announced.

use std::{future::Future, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use super::{
    denials::forgotten_until,
    door::Control,
    error::ControlError,
    events::{self, News},
    webhooks,
};
use crate::{
    model::{
        event::Event,
        record::Record,
        request::{Case, RequestState},
    },
    policy,
    store::{Change, StoredGrant},
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
            control.tell_of_grants(now).await?;
            control.tidy(now).await
        })
        .await
    }

    async fn expire(&self, mut case: Case, now: Timestamp) -> Result<(), ControlError> {
        let _turn = self.turn().await;
        case.state = RequestState::Expired;
        case.decided_at = Some(now);
        let news = News::of_request(Event::RequestExpired, &case, CLOCK, None, now);
        self.settle(&case, CLOCK, "the request is expired", &news).await
    }

    async fn escalate(&self, mut case: Case, now: Timestamp) -> Result<(), ControlError> {
        let _turn = self.turn().await;
        case.escalated_at = Some(now);
        let mut change = self.store().change().await?;
        if !change.move_case(&case).await? {
            return Err(ControlError::Conflict);
        }
        self.tell(&mut change, &News::of_request(Event::RequestEscalated, &case, CLOCK, None, now)).await?;
        let to = case.plan.escalation.as_ref().map(|it| it.to.as_slice()).unwrap_or_default();
        self.record_first(&[Record::RequestEscalated { request: case.request.id, to }]).await?;
        self.commit_recorded(change).await
    }

    /// Keeps that the end of a grant was told of, and records it.
    pub(super) async fn record_expiring(
        &self,
        change: Change,
        stored: &StoredGrant,
    ) -> Result<(), ControlError> {
        let ends_at = stored.grant.window.ends_at.unwrap_or(Timestamp::MAX);
        let (grant, holder) = (&stored.grant.id, &stored.grant.holder);
        self.record_first(&[Record::GrantExpiring { grant, holder, ends_at }]).await?;
        self.commit_recorded(change).await
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
        let since = |kept| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
        change.forget_events(since(events::KEPT)).await?;
        change.forget_deliveries(since(events::KEPT), since(webhooks::KEPT)).await?;
        change.commit().await?;
        state.tidied_at = Some(now);
        Ok(())
    }
}

/// The actor of what happens by the clock.
pub(super) const CLOCK: &str = "clock";
const TEND_EVERY: Duration = Duration::from_secs(5);
const TIDY_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How long a call may be repeated under its idempotency key.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
const MOST_AT_ONCE: u32 = 1000;
