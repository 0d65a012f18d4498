//! Listing and ending sessions, also those at other gateways of the store.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::{
    comparison::Comparison,
    door::Control,
    error::{ControlError, unknown},
    ports::Sessions,
    views::SessionView,
};
use crate::{
    model::{ids::SessionId, record::Record},
    store::{SaidSessions, Termination},
};

impl Control {
    /// The open sessions, also those that other gateways said lately that they have; those here alone while the store
    /// does not answer.
    pub async fn list_sessions(&self, sessions: &dyn Sessions) -> Vec<SessionView> {
        let mut all = self.own_sessions(sessions);
        if self.store().is_shared() {
            // Whoever looks while the store is down wants to see those that can be seen.
            match self.sessions_of_others().await {
                Ok(theirs) => all.extend(theirs.into_iter().flat_map(|(_, theirs)| theirs)),
                Err(error) => warn!(%error, "the sessions of other gateways are not known"),
            }
        }
        all.sort_by_key(|session| (session.started_at, session.id));
        all
    }

    /// Ends a session, then records who did it, where the session was.
    ///
    /// # Errors
    /// `Unknown` when there is none of this name, `Elsewhere` when its gateway does not answer, `Unaudited` when it is
    /// ended but not recorded, `Store`.
    pub async fn terminate_session(
        &self,
        actor: &str,
        sessions: &dyn Sessions,
        session: SessionId,
    ) -> Result<(), ControlError> {
        if sessions.terminate(session) {
            return self.record_termination(actor.to_owned(), session).await;
        }
        if !self.store().is_shared() {
            return Err(unknown("session", session));
        }
        let others = self.sessions_of_others().await?;
        let holds = |(_, theirs): &(SaidSessions, Vec<SessionView>)| theirs.iter().any(|it| it.id == session);
        let (said, _) = others.into_iter().find(holds).ok_or_else(|| unknown("session", session))?;
        self.terminate_elsewhere(actor.to_owned(), said, session).await
    }

    /// Ends the sessions that other gateways ask for.
    pub(super) async fn do_terminations(&self, sessions: &dyn Sessions) -> Result<(), ControlError> {
        for Termination { session, actor } in self.store().take_terminations(self.instance()).await? {
            if sessions.terminate(session) {
                self.record_termination(actor, session).await?;
            } else {
                debug!(%session, "it was ended already");
            }
        }
        Ok(())
    }

    /// Tells the other gateways every two seconds which sessions are open here and by which policy they are judged, and
    /// compares that with theirs, for as long as it is waited for. Returns
    /// at once where there are no others.
    pub async fn share_sessions(&self, sessions: &dyn Sessions) {
        let mut said: Option<(SaidSessions, Instant)> = None;
        let mut comparison = Comparison::default();
        while self.store().is_shared() {
            let mut own = self.own_sessions(sessions);
            own.truncate(MOST_SHARED);
            let says = SaidSessions {
                instance: self.instance().to_owned(),
                gateway: self.gateway().clone(),
                sessions: serde_json::to_string(&own).unwrap_or_default(),
                policy: self.policy_view().load().digest.clone(),
            };
            // What does not change is said again, so that this gateway is known to be there.
            if said.as_ref().is_none_or(|(last, at)| *last != says || at.elapsed() >= SAY_AGAIN) {
                match self.say(&says).await {
                    Ok(()) => said = Some((says, Instant::now())),
                    Err(error) => debug!(%error, "other gateways do not hear of the sessions here"),
                }
            }
            if let Err(error) = self.compare_policies(&mut comparison).await {
                debug!(%error, "the policies of other gateways are not known");
            }
            sleep(SHARE_EVERY).await;
        }
    }

    async fn say(&self, says: &SaidSessions) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        change.put_sessions(says).await?;
        Ok(change.commit().await?)
    }

    fn own_sessions(&self, sessions: &dyn Sessions) -> Vec<SessionView> {
        let own = sessions.list().into_iter();
        own.map(|it| SessionView { gateway: Some(self.gateway().clone()), ..it }).collect()
    }

    async fn sessions_of_others(&self) -> Result<Vec<(SaidSessions, Vec<SessionView>)>, ControlError> {
        let mut all = Vec::new();
        for said in self.store().sessions_of_others(self.instance()).await? {
            match serde_json::from_str::<Vec<SessionView>>(&said.sessions) {
                Ok(theirs) => {
                    // Whose they are is not theirs to say.
                    let gateway = || Some(said.gateway.clone());
                    let theirs =
                        theirs.into_iter().map(|it| SessionView { gateway: gateway(), ..it }).collect();
                    all.push((said, theirs));
                }
                Err(error) => warn!(gateway = %said.gateway, %error, "its sessions are of another version"),
            }
        }
        Ok(all)
    }

    async fn terminate_elsewhere(
        &self,
        actor: String,
        said: SaidSessions,
        session: SessionId,
    ) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        change.ask_to_terminate(&said.instance, &Termination { session, actor }).await?;
        change.commit().await?;
        let asked_at = Instant::now();
        while asked_at.elapsed() < PATIENCE {
            sleep(LOOK_EVERY).await;
            if !self.store().is_termination_waiting(session).await? {
                return Ok(());
            }
        }
        let mut change = self.store().change().await?;
        change.forget_termination(session).await?;
        change.commit().await?;
        Err(ControlError::Elsewhere { gateway: said.gateway })
    }

    async fn record_termination(&self, actor: String, session: SessionId) -> Result<(), ControlError> {
        self.to_the_end(|control| async move {
            let record = Record::SessionTerminated { actor: &actor, session };
            control.record_after("the session is ended", &[record]).await
        })
        .await
    }
}

const SHARE_EVERY: Duration = Duration::from_secs(2);
/// A gateway that says nothing for three times as long is taken to be gone.
const SAY_AGAIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long another gateway may take to end a session.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many sessions of one gateway are known to the others.
const MOST_SHARED: usize = 1000;
