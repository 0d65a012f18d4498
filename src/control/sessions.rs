//! Ending sessions.

use super::{door::Control, error::ControlError, error::unknown, ports::Sessions};
use crate::model::{ids::SessionId, record::Record};

impl Control {
    /// Ends a session, then records who did it.
    ///
    /// # Errors
    /// `Unknown` when there is none of this name, `Unaudited` when it is ended but not recorded.
    pub async fn terminate_session(
        &self,
        actor: &str,
        sessions: &dyn Sessions,
        session: SessionId,
    ) -> Result<(), ControlError> {
        if !sessions.terminate(session) {
            return Err(unknown("session", session));
        }
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let record = Record::SessionTerminated { actor: &actor, session };
            control.record_after("the session is ended", &[record]).await
        })
        .await
    }
}
