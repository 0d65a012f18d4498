//! From text to a verdict: analyse in the session's context, find what runs by name, decide now.

use std::sync::Arc;

use super::{
    held::{EXECUTE, Held, no_statement},
    names::Names,
    session::Session,
};
use crate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Runs, SessionEffect, TransactionEffect},
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
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
        if analysis.len() > 1 && !self.state.multi_statements {
            return Err(one_at_a_time().into());
        }
        if analysis.len() > 1 && analysis.iter().any(|facts| Names::is_moved_by(facts)) {
            return self.judge_moving_batch(text, &analysis);
        }
        let several = analysis.len() > 1;
        Ok(analysis.iter().map(|facts| self.judge_one(text, facts, several)).collect())
    }

    /// The same for a text in which statements change what later ones mean: each is analysed by itself, in the
    /// context that the ones before it leave.
    fn judge_moving_batch(&mut self, text: &str, batch: &[Arc<Facts>]) -> Result<Vec<Judged>, Refused> {
        let (names, held) = (self.names.clone(), self.held.clone());
        let reading = names.context().mysql;
        let mut judged = Vec::with_capacity(batch.len());
        let mut outcome = Ok(());
        for (index, facts) in batch.iter().enumerate() {
            // The server reads what is left with what was set before: it could part it elsewhere.
            if self.names.context().mysql != reading {
                outcome = Err(reads_otherwise().into());
                break;
            }
            let own = own_text(text, facts);
            match self.analyze(&own) {
                Ok(alone) => {
                    let Some(facts) = alone.first() else { continue };
                    let one = self.judge_one(&own, facts, true);
                    let mut known = true;
                    for facts in what_happens(&one.does) {
                        self.apply_to_held(facts);
                        known &= self.names.apply(facts);
                    }
                    self.follow_database();
                    judged.push(one);
                    if !known && index + 1 < batch.len() {
                        outcome = Err(reads_otherwise().into());
                        break;
                    }
                }
                Err(refused) => {
                    outcome = Err(refused);
                    break;
                }
            }
        }
        self.names = names;
        self.held = held;
        self.follow_database();
        outcome.map(|()| judged)
    }

    /// Judges one statement, and notes what the notes behind it will show: what is behind it in the text may ask for
    /// them.
    fn judge_one(&mut self, text: &str, facts: &Arc<Facts>, several: bool) -> Judged {
        let own = own_text(text, facts);
        match self.with_what_it_runs(facts) {
            Ok(does) => {
                let verdict = self.judge(&own, &does);
                if verdict.is_ok() {
                    self.note_plans(&does);
                    if several {
                        self.note_shown_by_errors(&does);
                    }
                }
                Judged { text: own, does, verdict }
            }
            Err(refusal) => {
                Judged { text: own, does: Arc::from([Arc::clone(facts)]), verdict: Err(refusal.into()) }
            }
        }
    }

    /// The facts of every statement of `text` in the session's present context.
    ///
    /// # Errors
    /// When it is not understood.
    pub(super) fn analyze(&self, text: &str) -> Result<Arc<[Arc<Facts>]>, Refused> {
        self.desk.analyze(text, Dialect::Mysql, self.names.context())
    }

    /// A statement's facts, and those of the prepared statement that it runs by name.
    ///
    /// # Errors
    /// When the session holds nothing of that name.
    pub(super) fn with_what_it_runs(&self, facts: &Arc<Facts>) -> Result<Does, Refusal> {
        let Some(runs) = &facts.runs else {
            return Ok(std::iter::once(Arc::clone(facts)).chain(self.shown_plans(facts)).collect());
        };
        let (name, explain) = match runs {
            Runs::Prepared { name, explain } => (name, *explain),
            // MySQL has cursors only inside of procedures.
            Runs::Cursor(name) => return Err(no_such_name(name)),
        };
        let (text, context) = self.held.named(name).ok_or_else(|| no_such_name(name))?;
        let context = self.as_prepared(context);
        let inner = self.desk.analyze(text, Dialect::Mysql, &context).map_err(|refused| refused.refusal)?;
        let mut does = vec![Arc::clone(facts)];
        for inner in inner.iter() {
            // A statement that is prepared cannot prepare or execute another.
            if inner.runs.is_some() {
                return Err(no_such_name(name));
            }
            does.push(if explain { Arc::new(policy::plan_only(inner)) } else { Arc::clone(inner) });
            does.extend(self.shown_plans(inner));
        }
        Ok(does.into())
    }

    /// What a statement prepared by the protocol does in the session's present context.
    ///
    /// # Errors
    /// When there is none of that number, or it is no longer understood.
    pub(super) fn prepared_does(&mut self, number: u32) -> Result<Does, Refusal> {
        let slot = self.held.slot(number).ok_or_else(|| no_statement(number, EXECUTE))?;
        let (text, context) = (Arc::clone(&slot.text), Arc::clone(&slot.context));
        let context = self.as_prepared(&context);
        let recalled = self.held.slot(number).and_then(|slot| slot.recall(&context));
        let does = match recalled {
            Some(does) => does,
            None => {
                let does =
                    self.desk.analyze(&text, Dialect::Mysql, &context).map_err(|refused| refused.refusal)?;
                if let Some(slot) = self.held.slot(number) {
                    slot.remember(&context, &does);
                }
                does
            }
        };
        // Never remembered: it is more with every plan.
        match does.first().and_then(|facts| self.shown_plans(facts)) {
            Some(shown) => Ok(does.iter().cloned().chain([shown]).collect()),
            None => Ok(does),
        }
    }

    /// What the names of a statement that was prepared in `context` mean now: its database stays what it was, but
    /// temporary tables are looked for when it runs.
    fn as_prepared(&self, context: &Arc<NameContext>) -> Arc<NameContext> {
        let now = self.names.context();
        if now.temporary == context.temporary {
            return Arc::clone(context);
        }
        Arc::new(NameContext { temporary: Arc::clone(&now.temporary), ..(**context).clone() })
    }

    /// Decides now. What commits is decided with everything that it would make last.
    pub(super) fn decide(&mut self, does: &[Arc<Facts>]) -> Verdict {
        self.desk.decide_lasting(does, does.iter().any(|facts| commits(facts)))
    }

    /// Decides on a statement that the client sent, if there is room for what it may set; a refusal says how to ask.
    pub(super) fn judge(&mut self, text: &str, does: &Does) -> Verdict {
        let sets = |effect: &SessionEffect| matches!(effect, SessionEffect::Set { local: false, .. });
        if does.iter().flat_map(|facts| &facts.effects).any(sets) {
            check_settings(self.settings.bytes() + text.len(), 0)?;
        }
        self.decide(does).map_err(|refused| self.desk.askable(text, does, refused))
    }

    /// What a statement that succeeded does to the names that the session holds.
    pub(super) fn apply_to_held(&mut self, facts: &Facts) {
        for effect in &facts.effects {
            match effect {
                SessionEffect::Prepare { name, text } => {
                    let context = Arc::clone(self.names.context());
                    self.held.name(name, text, &context);
                }
                SessionEffect::Deallocate(Some(name)) => self.held.forget_name(name),
                SessionEffect::Deallocate(None)
                | SessionEffect::Set { .. }
                | SessionEffect::ResetAll
                | SessionEffect::DiscardAll
                | SessionEffect::DiscardTemporary
                | SessionEffect::CreateTemporary(_)
                | SessionEffect::DropRelation(_)
                | SessionEffect::DeclareCursor { .. }
                | SessionEffect::CloseCursor(_)
                | SessionEffect::Pin
                | SessionEffect::Ties(_)
                | SessionEffect::Releases(_)
                | SessionEffect::Vacates(_)
                | SessionEffect::Define
                | SessionEffect::UseDatabase(_)
                | SessionEffect::LockTables
                | SessionEffect::UnlockTables
                | SessionEffect::ShowsApplication
                | SessionEffect::ShowsPrivileges
                | SessionEffect::ShowsReadOnly
                | SessionEffect::ReadsDiagnostics
                | SessionEffect::ContextUnknown => {}
            }
        }
    }
}

/// Whether a statement ends the open transaction and keeps what was written in it.
pub(super) fn commits(facts: &Facts) -> bool {
    // A transaction that begins ends the one before it.
    matches!(facts.transaction, TransactionEffect::Commit { .. } | TransactionEffect::Begin { .. })
}

/// Whether one more may be prepared under a name.
///
/// # Errors
/// `ProgramLimitExceeded`.
pub(super) fn room_for_names(held: &Held, does: &[Arc<Facts>]) -> Result<(), Refusal> {
    does.iter().flat_map(|facts| &facts.effects).try_for_each(|effect| match effect {
        SessionEffect::Prepare { text, .. } => held.room_for(text.len()),
        _ => Ok(()),
    })
}

fn one_at_a_time() -> Refusal {
    Refusal::new(RefusalCode::SyntaxError, "several statements in one command")
        .with_detail("The client has not asked for several statements in one command.")
}

fn reads_otherwise() -> Refusal {
    let message = "a statement changes how the server reads the statements behind it in the same text";
    Refusal::new(RefusalCode::NotSupported, message).with_hint("Send it by itself.")
}

fn no_such_name(name: &str) -> Refusal {
    let message = format!("Unknown prepared statement handler ({name}) given to EXECUTE");
    Refusal::new(RefusalCode::InvalidStatementName, message)
}
