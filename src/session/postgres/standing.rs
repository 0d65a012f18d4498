//! Prepared statements with a name, on connections that others have had and will have: what stands there, what is made
//! there, what goes.

use std::{sync::Arc, time::Instant};

use super::{
    held::{Made, Own, Prepared},
    messages,
    session::Session,
    shape::Shape,
    task::{Closing, Task},
};
use crate::{
    model::{
        facts::{Facts, SessionEffect},
        ids::PrincipalName,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Leave,
    upstream::{ProtocolMessage, postgres::StatementName},
    wire::postgres::ledger::Owed,
};

impl Session {
    /// Sees to it that the connection of `lane` has a prepared statement; false if replies have to be waited for.
    ///
    /// # Errors
    /// When it returns other columns than its client was told.
    pub(super) fn remake(&mut self, lane: Lane, name: &str, leave: &impl Leave) -> Result<bool, Refusal> {
        let reading = self.reading();
        let Some(slot) = self.held.prepared(name) else { return Ok(true) };
        let (prepared, since) = (Arc::clone(&slot.prepared), slot.prepared_at);
        let Some(called) = slot.called_in(&reading) else {
            if matches!(prepared.made, Made::Unnamed(_)) && slot.own_on(lane) == Own::Nothing {
                self.make(lane, name, &prepared, leave, false);
            }
            return Ok(true);
        };
        if let Some(version) = self.unseen_catalog(name)? {
            self.look_at_shape(lane, name, &prepared, leave, version);
            return Ok(false);
        }
        let stands = self.lanes.borrowed_mut(lane).is_some_and(|borrowed| {
            let stands = borrowed.lease.statements_mut().reuse(&called, since);
            if stands {
                borrowed.lease.statement_counts().reused.inc();
            }
            stands
        });
        if !stands {
            self.make(lane, name, &prepared, leave, false);
        }
        Ok(!stands || !self.is_touched_in_doubt(|owed| makes(owed, &called)))
    }

    /// Makes a prepared statement on the connection of `lane`, `own` for the first time and as its client said it.
    pub(super) fn make(
        &mut self,
        lane: Lane,
        name: &str,
        prepared: &Arc<Prepared>,
        leave: &impl Leave,
        own: bool,
    ) {
        let reading = self.reading();
        let (Some(slot), Some(parse)) = (self.held.prepared(name), prepared.parse()) else { return };
        let called = slot.called_in(&reading);
        if called.is_none() {
            slot.put_on(lane, Own::Statement);
        }
        let message = messages::parse(called.as_ref().map_or(name, StatementName::as_str), parse);
        let made = called.map(|called| {
            let at = Instant::now();
            self.make_room_for(lane, &called, at);
            (called, at)
        });
        self.send_prepare(&message, leave);
        let of = Task::Prepare { name: name.into(), prepared: Arc::clone(prepared), lane, own, made };
        self.ledger.push(Owed::Parse { silent: !own, of });
    }

    /// One more is about to stand there: the name is free, and another goes if there are too many.
    fn make_room_for(&mut self, lane: Lane, called: &StatementName, at: Instant) {
        let principal = self.desk.who.principal.name.clone();
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return };
        let counts = borrowed.lease.statement_counts().clone();
        let limit = borrowed.lease.statement_limit();
        let statements = borrowed.lease.statements_mut();
        statements.forget(called);
        let gone = statements.evict(limit);
        statements.make(called.clone(), &principal, at);
        counts.parsed.inc();
        counts.evicted.inc_by(gone.iter().len() as u64);
        self.close_there(lane, gone);
        // Whatever is believed: what follows an error is skipped, a Close like anything else. Of what does not stand there
        // it is no error.
        self.send_protocol(ProtocolMessage::Framed(&messages::close(called.as_str())));
        self.ledger.push(Owed::Close { silent: true, of: Task::Close(Closing::Nothing) });
    }

    /// Closes what was taken from the list of what stands on the connection of `lane`.
    pub(super) fn close_there(
        &mut self,
        lane: Lane,
        gone: impl IntoIterator<Item = (StatementName, PrincipalName)>,
    ) {
        for (called, owner) in gone {
            let message = messages::close(called.as_str());
            if let Some(lease) = self.lanes.active_lease_mut() {
                let sent = lease.send_protocol(ProtocolMessage::Framed(&message));
                debug_assert!(sent.is_ok(), "{sent:?}");
            }
            let of = Task::Close(Closing::Shared { called, owner, lane });
            self.ledger.push(Owed::Close { silent: true, of });
        }
    }

    /// The version of the catalog, if nobody has looked since it came whether the statement returns what its client was
    /// told.
    ///
    /// # Errors
    /// When it does not: the server would say so, had its own statement stood there all the time.
    fn unseen_catalog(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        let version = self.names.context().catalog.as_ref().map(|catalog| catalog.version);
        let Some(slot) = self.held.prepared(name) else { return Ok(None) };
        if version.is_none() || slot.returns_the_same_in == version {
            return Ok(None);
        }
        if slot.prepared.shape.get().is_none() {
            slot.returns_the_same_in = version;
            return Ok(None);
        }
        if slot.returns_other_in == version { Err(returns_other()) } else { Ok(version) }
    }

    /// Makes a statement anew and asks what it returns.
    fn look_at_shape(
        &mut self,
        lane: Lane,
        name: &str,
        prepared: &Arc<Prepared>,
        leave: &impl Leave,
        version: u64,
    ) {
        let is_asked = self.ledger.iter().any(|owed| match owed {
            Owed::Describe { of: Task::Describe { prepared: Some(asked), checks: Some(_) }, .. } => {
                Arc::ptr_eq(asked, prepared)
            }
            _ => false,
        });
        if is_asked {
            return;
        }
        self.make(lane, name, prepared, leave, false);
        let called = self.held.prepared(name).and_then(|slot| slot.called().cloned());
        let Some(called) = called else { return };
        self.send_protocol(ProtocolMessage::Framed(&messages::describe(called.as_str())));
        let checks = Some((name.into(), version));
        let of = Task::Describe { prepared: Some(Arc::clone(prepared)), checks };
        self.ledger.push(Owed::Describe { silent: true, of });
    }

    /// The server said what a statement returns, because its client asked or because the gateway did.
    pub(super) fn on_described(&mut self, of: Task, tag: u8, body: &[u8]) {
        let Task::Describe { prepared: Some(prepared), checks } = of else { return };
        match checks {
            None if prepared.shape.get().is_none() => {
                if let Ok(shape) = Shape::of(tag, body) {
                    let _ = prepared.shape.set(shape);
                }
            }
            None => {}
            Some((name, version)) => {
                let is_same = Shape::of(tag, body).is_ok_and(|shape| prepared.shape.get() == Some(&shape));
                if let Some(slot) = self.held.slot_of(&name, &prepared) {
                    let seen =
                        if is_same { &mut slot.returns_the_same_in } else { &mut slot.returns_other_in };
                    *seen = Some(version);
                }
            }
        }
    }

    /// A Parse with one of the gateway's names was not carried out; `failed` if it was the one that failed.
    pub(super) fn on_not_made(&mut self, lane: Lane, made: Option<(StatementName, Instant)>, failed: bool) {
        let (Some((called, at)), Some(borrowed)) = (made, self.lanes.borrowed_mut(lane)) else { return };
        let statements = borrowed.lease.statements_mut();
        if failed {
            // Its Close was carried out.
            statements.failed(&called, at);
        } else {
            statements.doubt(&called, &self.desk.who.principal.name, Some(at));
        }
    }

    /// A Close was not carried out.
    pub(super) fn on_not_closed(&mut self, closing: Closing) {
        if let Closing::Shared { called, owner, lane } = closing
            && let Some(borrowed) = self.lanes.borrowed_mut(lane)
        {
            borrowed.lease.statements_mut().doubt(&called, &owner, None);
        }
    }

    /// An error of the server's that speaks of a statement by a name that its client does not know, put right.
    pub(super) fn in_own_words(&mut self, body: &[u8], code: &str) -> Option<bytes::Bytes> {
        if !StatementName::may_be_in(body) {
            return None;
        }
        let (own, called) = self.held.called_in(body)?;
        let (called, shown) = (called.clone(), messages::error_with(body, called.as_str(), own));
        if code == INVALID_STATEMENT_NAME
            && let Some(lease) = self.lanes.active_lease_mut()
        {
            // Code in the database has deallocated it.
            lease.statements_mut().forget(&called);
        }
        Some(shown)
    }

    /// A statement succeeded: it may have ended everything that was prepared on the connection in use.
    pub(super) fn note_none_prepared(&mut self, facts: &Facts) {
        let ends = |effect: &SessionEffect| {
            matches!(effect, SessionEffect::DiscardAll | SessionEffect::Deallocate(None))
        };
        if facts.effects.iter().any(ends)
            && let Some(lease) = self.lanes.active_lease_mut()
        {
            lease.statements_mut().clear();
        }
    }

    /// What a named prepared statement is called on the connection in use; `None` if by its own name.
    pub(super) fn called(&mut self, name: &str) -> Option<StatementName> {
        self.held.prepared(name)?.called().cloned()
    }
}

fn makes(owed: &Owed<Task>, called: &StatementName) -> bool {
    match owed {
        Owed::Parse { of: Task::Prepare { made: Some((made, _)), .. }, .. } => made == called,
        _ => false,
    }
}

/// 0A000, in the server's words.
fn returns_other() -> Refusal {
    Refusal::new(RefusalCode::NotSupported, "cached plan must not change result type")
}

const INVALID_STATEMENT_NAME: &str = "26000";
