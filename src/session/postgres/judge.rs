//! From text to a verdict: analyse in the session's context, find what runs by name, decide now.

use std::sync::Arc;

use super::{
    held::{Made, Own, Portal, Prepared},
    names::Names,
    own_names::check_names,
    session::Session,
};
use crate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Runs, SessionEffect, TransactionEffect},
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy,
    session::{
        gate::check_settings,
        judge::{Judged, Refused, Verdict, own_text, what_happens},
        running::Does,
    },
};

impl Session {
    /// Judges every statement of a text as if the ones before it had succeeded.
    ///
    /// # Errors
    /// When the text as a whole is not understood.
    pub(super) fn judge_batch(&mut self, text: &str) -> Result<Vec<Judged>, Refused> {
        let analysis = self.analyze(text)?;
        if analysis.len() > 1 && analysis.iter().any(|facts| Names::is_moved_by(facts)) {
            return self.judge_moving_batch(text, &analysis);
        }
        Ok(analysis.iter().map(|facts| self.judge_one(text, facts)).collect())
    }

    /// The same for a text in which statements change what the names of later ones mean: each is analysed by
    /// itself, in the context that the ones before it leave.
    fn judge_moving_batch(&mut self, text: &str, batch: &[Arc<Facts>]) -> Result<Vec<Judged>, Refused> {
        let (names, held, stale) = (self.names.clone(), self.held.clone(), self.lanes.stale());
        let mut judged = Vec::with_capacity(batch.len());
        let mut outcome = Ok(());
        for facts in batch {
            let own = own_text(text, facts);
            match self.analyze(&own) {
                Ok(alone) => {
                    let Some(facts) = alone.first() else { continue };
                    let one = self.judge_one(&own, facts);
                    self.names.begin();
                    for facts in what_happens(&one.does) {
                        self.apply_to_held(facts, &one.does, &own);
                        self.names.apply(facts);
                    }
                    judged.push(one);
                }
                Err(refused) => {
                    outcome = Err(refused);
                    break;
                }
            }
        }
        self.names = names;
        self.held = held;
        self.lanes.set_stale(stale);
        outcome.map(|()| judged)
    }

    fn judge_one(&mut self, text: &str, facts: &Arc<Facts>) -> Judged {
        let own = own_text(text, facts);
        match self.with_what_it_runs(facts) {
            Ok(does) => {
                let verdict = self.judge(&own, &does);
                Judged { text: own, does, verdict }
            }
            Err(refusal) => {
                Judged { text: own, does: Arc::from([Arc::clone(facts)]), verdict: Err(refusal.into()) }
            }
        }
    }

    /// Decides on a statement that the client sent, if there is room for what it may add to what the session keeps.
    pub(super) fn judge(&mut self, text: &str, does: &Does) -> Verdict {
        let adds = |facts: &Arc<Facts>| {
            matches!(facts.transaction, TransactionEffect::Savepoint(_))
                || facts
                    .effects
                    .iter()
                    .any(|effect| matches!(effect, SessionEffect::Set { local: false, .. }))
        };
        if does.iter().any(adds) {
            check_settings(self.settings.bytes() + text.len(), self.names.savepoints())?;
        }
        self.desk.judge(text, does)
    }

    /// Takes the catalog as it is now, reading it again if definitions have changed.
    pub(super) async fn renew_catalog(&mut self) {
        let now = match self.catalog.current() {
            Some(catalog) => Some(catalog),
            // closed: without a catalog, a name may be anything that it could be.
            None => self.catalog.fresh().await.ok(),
        };
        self.names.set_catalog(now);
    }

    /// The facts of every statement of `text` in the session's present context.
    ///
    /// # Errors
    /// When it is not understood.
    pub(super) fn analyze(&self, text: &str) -> Result<Arc<[Arc<Facts>]>, Refused> {
        self.desk.analyze(text, Dialect::Postgres, self.names.context())
    }

    /// A statement's facts, and those of the prepared statement or cursor that it runs.
    ///
    /// # Errors
    /// When the session holds nothing of that name, may not have one of that name, or the names lead on and on.
    pub(super) fn with_what_it_runs(&mut self, facts: &Arc<Facts>) -> Result<Does, Refusal> {
        self.with_what_it_runs_within(facts, RUNS_DEPTH)
    }

    fn with_what_it_runs_within(&mut self, facts: &Arc<Facts>, depth: usize) -> Result<Does, Refusal> {
        check_names(facts)?;
        let own = std::iter::once(Arc::clone(facts));
        match &facts.runs {
            None => Ok(own.collect()),
            Some(Runs::Prepared { name, explain }) => {
                let inner = self.prepared_does_within(name, depth)?;
                let shown = |inner: &Arc<Facts>| {
                    if *explain { Arc::new(policy::plan_only(inner)) } else { Arc::clone(inner) }
                };
                Ok(own.chain(inner.iter().map(shown)).collect())
            }
            Some(Runs::Cursor(name)) => {
                let portal = self.held.portal(name).ok_or_else(|| no_cursor(name))?;
                Ok(own.chain(portal.does.iter().cloned()).collect())
            }
        }
    }

    /// What a prepared statement does in the session's present context.
    ///
    /// # Errors
    /// When there is none of that name, it is no longer understood, or its names lead on and on.
    pub(super) fn prepared_does(&mut self, name: &str) -> Result<Does, Refusal> {
        self.prepared_does_within(name, RUNS_DEPTH)
    }

    fn prepared_does_within(&mut self, name: &str, depth: usize) -> Result<Does, Refusal> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        let context: Arc<NameContext> = Arc::clone(self.names.context());
        let slot = self.held.prepared(name).ok_or_else(|| no_statement(name))?;
        if let Some(does) = slot.recall(&context) {
            return Ok(does);
        }
        let text = Arc::clone(&slot.prepared.text);
        let analysis = self.analyze(&text).map_err(|refused| refused.refusal)?;
        let does: Does = match &*analysis {
            [] => Arc::from([]),
            [facts] if facts.runs.is_none() => Arc::clone(&analysis),
            // EXECUTE and FETCH run by name whatever the name means at that moment: not kept.
            [facts] => return self.with_what_it_runs_within(facts, depth),
            _ => return Err(several_statements()),
        };
        if let Some(slot) = self.held.prepared(name) {
            slot.remember(&context, &does);
        }
        Ok(does)
    }

    /// What a statement that succeeded does to the names that the session holds.
    pub(super) fn apply_to_held(&mut self, facts: &Facts, does: &Arc<[Arc<Facts>]>, text: &Arc<str>) {
        for effect in &facts.effects {
            match effect {
                SessionEffect::Prepare { name, text: inner } => self.hold_prepared(name, inner),
                SessionEffect::Deallocate(Some(name)) => self.let_go(name),
                SessionEffect::Deallocate(None) => self.let_all_go(),
                SessionEffect::DeclareCursor { name, hold } => self.hold_cursor(name, does, text, *hold),
                SessionEffect::CloseCursor(Some(name)) => self.held.close(name),
                SessionEffect::CloseCursor(None) => self.held.close_all(),
                SessionEffect::DiscardAll => {
                    self.let_all_go();
                    self.held.close_all();
                }
                SessionEffect::Set { .. }
                | SessionEffect::ResetAll
                | SessionEffect::DiscardTemporary
                | SessionEffect::CreateTemporary(_)
                | SessionEffect::DropRelation(_)
                | SessionEffect::Pin
                | SessionEffect::Ties(_)
                | SessionEffect::Releases(_)
                | SessionEffect::Vacates(_)
                | SessionEffect::UseDatabase(_)
                | SessionEffect::LockTables
                | SessionEffect::UnlockTables
                | SessionEffect::ShowsApplication
                | SessionEffect::ShowsPrivileges
                | SessionEffect::ShowsReadOnly
                | SessionEffect::ReadsDiagnostics
                | SessionEffect::Define
                | SessionEffect::ContextUnknown => {}
            }
        }
    }
}

impl Session {
    fn hold_prepared(&mut self, name: &str, text: &str) {
        let prepared = Arc::new(Prepared::new(text.into(), Made::BySql));
        let lane = self.lanes.active();
        let slot = self.held.prepare(name, prepared);
        if let Some(lane) = lane {
            slot.put_on(lane, Own::Statement);
        }
    }

    fn hold_cursor(&mut self, name: &str, does: &Arc<[Arc<Facts>]>, text: &Arc<str>, hold: bool) {
        let lane = self.lanes.active().unwrap_or(Lane::Read);
        let block = self.ledger.block_in_reply();
        let (does, text) = (Arc::clone(does), Arc::clone(text));
        let _number = self.held.open(name, Portal { does, prepared: None, text, lane, block, hold });
    }

    /// No longer holds a prepared statement.
    pub(super) fn let_go(&mut self, name: &str) {
        let here = self.lanes.active();
        self.let_go_but(name, here);
    }

    /// No longer holds a prepared statement; the connection of `told` is told so, or has told us.
    pub(super) fn let_go_but(&mut self, name: &str, told: Option<Lane>) {
        for lane in Lane::ALL {
            let is_on = self.held.prepared(name).is_some_and(|slot| slot.own_on(lane) != Own::Nothing);
            if is_on && Some(lane) != told && !name.is_empty() {
                self.lanes.note_stale(lane, name);
            }
        }
        self.held.deallocate(name);
    }

    fn let_all_go(&mut self) {
        let here = self.lanes.active();
        for lane in Lane::ALL.into_iter().filter(|lane| Some(*lane) != here) {
            for name in self.held.names_on(lane) {
                self.lanes.note_stale(lane, &name);
            }
        }
        self.held.deallocate_all();
    }
}

fn too_deep() -> Refusal {
    let message = format!("prepared statements execute one another more than {RUNS_DEPTH} deep");
    Refusal::new(RefusalCode::ProgramLimitExceeded, message)
}

/// How often EXECUTE may lead to another EXECUTE.
const RUNS_DEPTH: usize = 8;

/// 26000.
pub(super) fn no_statement(name: &str) -> Refusal {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    Refusal::new(RefusalCode::InvalidStatementName, message)
}

/// 34000.
pub(super) fn no_cursor(name: &str) -> Refusal {
    Refusal::new(RefusalCode::InvalidCursorName, format!("cursor \"{name}\" does not exist"))
}

/// 34000, of the protocol.
pub(super) fn no_portal(name: &str) -> Refusal {
    Refusal::new(RefusalCode::InvalidCursorName, format!("portal \"{name}\" does not exist"))
}

/// 42601, in the server's words.
pub(super) fn several_statements() -> Refusal {
    Refusal::new(RefusalCode::SyntaxError, "cannot insert multiple commands into a prepared statement")
}
