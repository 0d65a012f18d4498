//! Where the own names of prepared statements count: EXECUTE, DEALLOCATE, and `pg_prepared_statements`.

use std::sync::Arc;

use super::{
    held::{Own, Prepared},
    leaves::runs_no_code,
    messages,
    session::Session,
    task::{Closing, Task},
};
use crate::{
    model::{
        facts::{Facts, Runs, SessionEffect},
        object::Object,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::{Leave, Permit},
    session::allowed::Allowed,
    upstream::{ProtocolMessage, postgres::StatementName},
    wire::postgres::ledger::Owed,
};

/// A statement that is about to stand on a connection under its own name.
struct Named {
    name: Box<str>,
    prepared: Arc<Prepared>,
    parse: bytes::Bytes,
}

impl Session {
    /// Makes ready on the connection of `lane` what a statement sees of prepared statements or runs by name, and the
    /// prepared statement `name` itself; false if replies have to be waited for first.
    ///
    /// # Errors
    /// As [`Session::remake`].
    pub(super) fn make_ready(
        &mut self,
        lane: Lane,
        name: &str,
        does: &[Arc<Facts>],
        leave: &impl Leave,
    ) -> Result<bool, Refusal> {
        let shows = shows_any(does);
        if !self.set_out(lane, does, shows, leave) {
            return Ok(false);
        }
        if shows {
            self.put_all_own(lane);
            return Ok(true);
        }
        self.remake(lane, name, leave)
    }

    /// The same for a Parse, which says what an EXECUTE returns, and for an Execute, whose statement was bound before:
    /// false if replies have to be waited for first.
    pub(super) fn make_names_ready(&mut self, lane: Lane, does: &[Arc<Facts>], leave: &impl Leave) -> bool {
        self.set_out(lane, does, false, leave)
    }

    /// The same for a Query, in a block of messages in front of it: an error in that is the Query's to find.
    pub(super) fn make_ready_for_query(&mut self, lane: Lane, allowed: &[Allowed]) {
        let before = self.ledger.len();
        if allowed.iter().any(|it| self.must_hide(lane, &it.does)) {
            self.close_foreign(lane);
        }
        if allowed.iter().any(|it| shows_any(&it.does)) {
            self.put_all_own(lane);
        }
        for Allowed { does, permit, .. } in allowed {
            self.put_own(lane, does, permit);
        }
        if self.ledger.len() > before {
            self.ledger.truncate(before);
            self.send_protocol(ProtocolMessage::Sync);
            self.ledger.push(Owed::Quiet);
        }
    }

    fn set_out(&mut self, lane: Lane, does: &[Arc<Facts>], shows: bool, leave: &impl Leave) -> bool {
        let hides = self.must_hide(lane, does);
        // INVARIANT: nothing in front of these Closes can fail any more, and so have them skipped.
        if (hides || shows) && !self.is_clean() {
            return false;
        }
        if hides {
            self.close_foreign(lane);
        }
        self.put_own(lane, does, leave);
        true
    }

    /// Whether other people's statements stand on the connection of `lane` that `does` may see: in
    /// `pg_prepared_statements`, by itself or by code of somebody's.
    fn must_hide(&mut self, lane: Lane, does: &[Arc<Facts>]) -> bool {
        let principal = &self.desk.who.principal.name;
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return false };
        if !borrowed.lease.statements_mut().has_foreign(principal) {
            return false;
        }
        let catalog = self.names.context().catalog.as_deref();
        shows_any(does) || !does.iter().all(|facts| runs_no_code(facts, catalog))
    }

    fn close_foreign(&mut self, lane: Lane) {
        let principal = &self.desk.who.principal.name;
        let gone = self.lanes.borrowed_mut(lane).map(|it| it.lease.statements_mut().take_foreign(principal));
        self.close_there(lane, gone.unwrap_or_default());
    }

    /// Has the connection of `lane` show the session's statements under their own names, and no others. What its person
    /// may not run is not shown.
    fn put_all_own(&mut self, lane: Lane) {
        let gone = self.lanes.borrowed_mut(lane).map(|it| it.lease.statements_mut().take_all());
        self.close_there(lane, gone.unwrap_or_default());
        for name in self.held.names() {
            let Ok(does) = self.prepared_does(&name) else { continue };
            let permit = self.desk.decide(&does).ok().filter(|permit: &Permit| permit.lane() <= lane);
            if let (Some(permit), Some(named)) = (permit, self.wanted(lane, &name, Own::Statement)) {
                self.put_there(lane, named, &permit);
            }
        }
    }

    /// Whether nothing is owed of what an error could have skipped.
    fn is_clean(&self) -> bool {
        self.ledger.iter().all(|owed| matches!(owed, Owed::Tag))
    }

    /// Puts what `does` runs or deallocates by its own name onto the connection of `lane`, where that lacks it.
    fn put_own(&mut self, lane: Lane, does: &[Arc<Facts>], leave: &impl Leave) {
        for facts in does {
            if let Some(Runs::Prepared { name, .. }) = &facts.runs
                && let Some(named) = self.wanted(lane, name, Own::Statement)
            {
                self.put_there(lane, named, leave);
            }
            for effect in &facts.effects {
                if let SessionEffect::Deallocate(Some(name)) = effect
                    && let Some(named) = self.wanted(lane, name, Own::Placeholder)
                {
                    self.put_there(lane, named, leave);
                }
            }
        }
    }

    /// What puts `own` onto the connection of `lane` under the own name of a statement that was prepared by the protocol;
    /// `None` if that has enough already. From now on it counts as having it.
    fn wanted(&mut self, lane: Lane, name: &str, own: Own) -> Option<Named> {
        let slot = self.held.prepared(name).filter(|_| !name.is_empty())?;
        let parse = slot.prepared.parse()?;
        let parse = match (slot.own_on(lane), own) {
            (_, Own::Nothing) | (Own::Statement, _) | (Own::Placeholder, Own::Placeholder) => return None,
            (Own::Nothing, Own::Placeholder) => EMPTY.into(),
            (Own::Nothing | Own::Placeholder, Own::Statement) => parse.clone(),
        };
        slot.put_on(lane, own);
        Some(Named { name: name.into(), prepared: Arc::clone(&slot.prepared), parse })
    }

    fn put_there(&mut self, lane: Lane, named: Named, leave: &impl Leave) {
        let Named { name, prepared, parse } = named;
        self.lanes.note_left();
        self.send_protocol(ProtocolMessage::Framed(&messages::close(&name)));
        self.ledger.push(Owed::Close { silent: true, of: Task::Close(Closing::Nothing) });
        self.send_prepare(&messages::parse(&name, &parse), leave);
        let of = Task::Prepare { name, prepared, lane, own: false, made: None };
        self.ledger.push(Owed::Parse { silent: true, of });
    }
}

/// Whether what statements give shows which statements are prepared.
pub(super) fn shows_any(does: &[Arc<Facts>]) -> bool {
    does.iter().flat_map(|facts| &facts.accesses).any(|access| match &access.object {
        Object::Relation { schema, name } => {
            schema.as_str() == "pg_catalog" && name.as_str() == "pg_prepared_statements"
        }
        Object::Database
        | Object::Unresolved { .. }
        | Object::Schema { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => false,
    })
}

/// Refuses statements that name what stands on connections under the gateway's names.
///
/// # Errors
/// `InvalidStatementName`.
pub(super) fn check_names(facts: &Facts) -> Result<(), Refusal> {
    facts.effects.iter().try_for_each(|effect| match effect {
        SessionEffect::Prepare { name, .. } | SessionEffect::Deallocate(Some(name)) => check_name(name),
        _ => Ok(()),
    })
}

/// Refuses a name that statements on connections may have.
///
/// # Errors
/// `InvalidStatementName`.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    if !StatementName::is_reserved(name) {
        return Ok(());
    }
    let message = format!("\"{name}\" cannot be the name of a prepared statement");
    Err(Refusal::new(RefusalCode::InvalidStatementName, message)
        .with_hint("Names that begin with \"tidegate:\" are the gateway's own."))
}

/// No text, and no types.
const EMPTY: &[u8] = &[0, 0, 0];
