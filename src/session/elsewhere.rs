//! What clients ask of sessions by their numbers, wherever these sessions are.

use super::{cancel_key::prove, gate::Gate};
use crate::model::{
    errand::{Asked, Errand},
    ids::PrincipalName,
    replica::replica_of,
};

impl Gate {
    /// Stops what the session with this number runs, if `key` is its key: here, or at the gateway that gave the number.
    /// Who asks is not told what became of it.
    pub(super) async fn cancel(&self, session: i32, key: &[u8]) {
        if !self.registry.cancel(session, key) {
            let what = || Asked::Cancel { proof: prove(session, key) };
            self.ask_elsewhere(session, what).await;
        }
    }

    /// Whether the session with this number is one of `principal`, here or at another gateway.
    pub(super) async fn is_of(&self, session: i32, principal: &PrincipalName) -> bool {
        if self.registry.is_of(session, principal) {
            return true;
        }
        self.ask_elsewhere(session, || Asked::Find { principal: principal.clone() }).await
    }

    /// Stops what the session with this number runs, or ends it (`connection`), if it is one of `principal`, here or at
    /// another gateway; false if there is no such session.
    pub(super) async fn kill(&self, session: i32, principal: &PrincipalName, connection: bool) -> bool {
        if self.registry.kill(session, principal, connection) {
            return true;
        }
        self.ask_elsewhere(session, || Asked::Kill { principal: principal.clone(), connection }).await
    }

    /// Has the gateway that gave the number do it, if that is another one; whether it found the session.
    async fn ask_elsewhere(&self, session: i32, what: impl FnOnce() -> Asked) -> bool {
        match replica_of(session) {
            Some(replica) if self.registry.replica() != Some(replica) => {
                self.elsewhere.send(Errand { session, what: what() }).await
            }
            Some(_) | None => false,
        }
    }
}
