//! Prepared statements with a name, on connections that others have had and will have: what stands there, what is made
//! there, what goes.

use std::{sync::Arc, time::Instant};

use super::{
    held::{Made, Own, Prepared},
    messages,
    session::Session,
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
    wire::postgres::{ledger::Owed, shape::Shape},
};

/// What is found of a statement on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Nothing that can be used.
    Missing,
    /// It, and what it returns.
    Returns(Shape),
    /// It, and nobody has asked what it returns.
    Unlooked,
}

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
        let (told, found) = (prepared.shape.get(), self.find(lane, &called, since));
        if found == Found::Missing {
            self.make(lane, name, &prepared, leave, false);
        }
        match (told, found) {
            (Some(told), Found::Returns(shape)) if *told != shape => return Err(returns_other()),
            // Its client reads rows by what it was told.
            (Some(_), Found::Missing | Found::Unlooked) => {
                self.look_at_shape(lane, &called);
                return Ok(false);
            }
            (Some(_) | None, _) => {}
        }
        Ok(found == Found::Missing || !self.is_touched_in_doubt(|owed| makes(owed, &called)))
    }

    /// Whether a statement stands on the connection of `lane` for whoever prepared it at `since`.
    fn find(&mut self, lane: Lane, called: &StatementName, since: Instant) -> Found {
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return Found::Missing };
        let Some(shape) = borrowed.lease.statements_mut().reuse(called, since) else { return Found::Missing };
        borrowed.lease.statement_counts().reused.inc();
        shape.map_or(Found::Unlooked, Found::Returns)
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

    /// Asks what a statement returns that stands on the connection of `lane`, if nobody has.
    fn look_at_shape(&mut self, lane: Lane, called: &StatementName) {
        let is_asked = self.ledger.iter().any(|owed| match owed {
            Owed::Describe { of: Task::Describe { made: Some((asked, _)), .. }, .. } => asked == called,
            _ => false,
        });
        let made_at = self.made_at(lane, called);
        if let Some(made_at) = made_at.filter(|_| !is_asked) {
            self.send_protocol(ProtocolMessage::Framed(&messages::describe(called.as_str())));
            let of = Task::Describe { told: None, made: Some((called.clone(), made_at)) };
            self.ledger.push(Owed::Describe { silent: true, of });
        }
    }

    fn made_at(&mut self, lane: Lane, called: &StatementName) -> Option<Instant> {
        self.lanes.borrowed_mut(lane)?.lease.statements_mut().made_at(called)
    }

    /// What a prepared statement is called on the connection of `lane`, and since when.
    pub(super) fn made_of(&mut self, lane: Lane, prepared: &Prepared) -> Option<(StatementName, Instant)> {
        if prepared.shape.get().is_some() {
            // Nobody needs to know again.
            return None;
        }
        let Made::Named(parse) = &prepared.made else { return None };
        let called = self.reading().name_of(parse);
        let made_at = self.made_at(lane, &called)?;
        Some((called, made_at))
    }

    /// The server said what a statement returns, because its client asked or because the gateway did.
    pub(super) fn on_described(&mut self, of: Task, tag: u8, body: &[u8]) {
        let Task::Describe { told, made } = of else { return };
        let is_told = told.as_ref().is_none_or(|told| told.shape.get().is_some());
        if is_told && made.is_none() {
            return;
        }
        let shape = Shape::of(tag, body);
        if let Some(told) = told {
            let _ = told.shape.set(shape);
        }
        if let (Some((called, made_at)), Some(lease)) = (made, self.lanes.active_lease_mut()) {
            lease.statements_mut().note_shape(&called, made_at, shape);
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
