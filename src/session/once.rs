//! Statements that were approved as they stand, and run once.

use std::sync::Arc;

use super::{
    desk::Desk,
    judge::{Refused, own_text},
};
use crate::{
    model::{
        facts::Facts,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::{self, Claimed, Once, Permit},
};

impl Desk {
    /// Leave for the one statement of `text`, which was refused otherwise. Not for what is inside a transaction: there
    /// is more in that than what was approved.
    pub(super) fn approved_once(&self, text: &str, does: &[Arc<Facts>]) -> Option<Once> {
        let [facts] = does else { return None };
        let snapshot = self.gate.snapshot.load();
        let own = own_text(text, facts);
        policy::decide_exact(&snapshot, &self.who.principal, &self.place, &own, facts, self.now())
    }

    /// Uses up leave for a statement that was `refused` otherwise, last of all: when there is a `lane` to run it on.
    /// `None` if what was judged no longer holds.
    ///
    /// # Errors
    /// What is told instead: why there is no lane; or the refusal, if somebody else was first or it could not be kept.
    pub(super) async fn use_up(
        &self,
        once: Once,
        lane: Result<Lane, Refusal>,
        refused: Refused,
    ) -> Result<Option<(Lane, Permit, Claimed)>, Refused> {
        let (lane, mut refused) = (lane?, refused);
        if !self.still_holds(&once) {
            return Ok(None);
        }
        let (holder, session) = (&self.who.principal.name, self.who.session);
        if self.gate.claims.claim(once.grant(), holder, session).await {
            let (permit, claimed) = once.claimed();
            Ok(Some((lane, permit, claimed)))
        } else {
            refused.refusal.hint = Some(TAKEN.to_owned());
            Err(refused)
        }
    }

    /// Leave for what is left of a run whose leave was used up.
    ///
    /// # Errors
    /// When that is over or revoked.
    pub(super) fn goes_on(&self, claimed: Claimed) -> Result<Permit, Refusal> {
        let snapshot = self.gate.snapshot.load();
        let permit = claimed.goes_on(&snapshot, &self.who.principal, &self.place, self.now());
        permit.ok_or_else(|| {
            let message = "the approval that this statement ran on is over or was revoked";
            Refusal::new(RefusalCode::InsufficientPrivilege, message)
        })
    }

    /// How to send what was approved, where a statement was refused that is nearly it.
    pub(super) fn how_to_run_once(&self, text: &str, does: &[Arc<Facts>]) -> Option<&'static str> {
        let [facts] = does else { return None };
        if self.approved_once(text, does).is_some() {
            return Some(ALONE);
        }
        let snapshot = self.gate.snapshot.load();
        let dialect = snapshot.target(&self.place.target)?.dialect;
        let waits = || policy::awaits_alike(&snapshot, &self.who.principal, &self.place, facts, self.now());
        (dialect.may_have_parameters(text) && waits()).then_some(WITH_VALUES)
    }
}

/// What is told of what comes between a statement that was approved to run once and the end of its block.
pub(super) fn runs_alone() -> Refusal {
    let message = "a statement that was approved to run once runs by itself";
    Refusal::new(RefusalCode::NotSupported, message).with_hint("Send a Sync behind it.")
}

const TAKEN: &str =
    "It was approved to run once, and that could not be used: another session may have run it. Ask again.";
const ALONE: &str = "This statement was approved to run once: run it by itself, outside a transaction.";
const WITH_VALUES: &str = "A statement of this form was approved to run once, with its values in it: send exactly that \
                           text, without parameters.";
