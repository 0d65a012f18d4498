//! From text to a verdict, as far as that is the same for every protocol: analyse, decide now, decide again.

use std::sync::Arc;

use super::{allowed::Allowed, desk::Desk, running::Does, trace::Step};
use crate::{
    model::{
        denial::Denied,
        dialect::Dialect,
        facts::{Facts, Runs, Unanalyzable},
        name_context::NameContext,
        refusal::{Missing, Refusal, RefusalCode},
        target::Lane,
    },
    policy::{self, Decision, Denial, Leave, Permit},
};

/// A statement of a text, judged.
#[derive(Debug)]
pub(super) struct Judged {
    /// Its own text.
    pub(super) text: Arc<str>,
    /// What it does, and what it runs by name; empty when it was not understood.
    pub(super) does: Does,
    /// May it run?
    pub(super) verdict: Verdict,
}

impl Judged {
    /// It, if it may run.
    pub(super) fn allowed(self) -> Option<Allowed> {
        Some(Allowed { text: self.text, does: self.does, permit: self.verdict.ok()? })
    }
}

/// May it run?
pub(super) type Verdict = Result<Permit, Refused>;

/// No, and why.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// For the client.
    pub(super) refusal: Refusal,
    /// For the audit log.
    pub(super) missing: Box<[Missing]>,
    /// Why policy said no, where it was policy.
    denial: Option<Box<Denial>>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, missing: Box::default(), denial: None }
    }
}

impl Desk {
    /// The facts of every statement of `text` in `context`.
    ///
    /// # Errors
    /// When it is not understood.
    pub(super) fn analyze(
        &self,
        text: &str,
        dialect: Dialect,
        context: &Arc<NameContext>,
    ) -> Result<Arc<[Arc<Facts>]>, Refused> {
        let analysis = self.gate.facts.analyze(text, dialect, context, &self.gate.limits.sql);
        analysis.map_err(|reason| refusal_of(&reason).into())
    }

    /// Decides now. A COMMIT is decided with everything that it would make last.
    pub(super) fn decide(&mut self, does: &[Arc<Facts>]) -> Verdict {
        self.decide_lasting(does, does.iter().any(|facts| self.deeds.are_committed_by(facts)))
    }

    /// Decides now; `lasts` says that they make last what was written in the open transaction.
    pub(super) fn decide_lasting(&mut self, does: &[Arc<Facts>], lasts: bool) -> Verdict {
        let snapshot = self.gate.snapshot.load();
        let now = self.now();
        let place = &self.place;
        let principal = &self.who.principal;
        let decision = match does {
            [facts] if !lasts => self.recent.decide(&snapshot, principal, place, facts, now),
            _ => {
                let mut all: Vec<&Facts> = does.iter().map(|facts| &**facts).collect();
                if lasts {
                    all.extend(self.deeds.done());
                }
                policy::decide_all(&snapshot, principal, place, &all, now)
            }
        };
        if let Some(watch) = &mut self.stopwatch {
            watch.note(Step::Judge);
        }
        match decision {
            Decision::Allow(permit) => Ok(permit),
            Decision::Deny(denial) => Err(Refused {
                refusal: denial.refusal(principal, place),
                missing: denial.missing().into(),
                denial: Some(Box::new(denial)),
            }),
        }
    }

    /// Decides on a statement that the client sent; a refusal that a request could help against is kept, and says how
    /// to ask.
    pub(super) fn judge(&mut self, text: &str, does: &Does) -> Verdict {
        self.decide(does).map_err(|refused| self.askable(text, does, refused))
    }

    /// A refusal of policy's, kept so that people may ask about it where a request could help.
    pub(super) fn askable(&self, text: &str, does: &Does, mut refused: Refused) -> Refused {
        let Some(denial) = refused.denial.take().filter(|denial| denial.can_be_asked_for()) else {
            return refused;
        };
        if let Some(how) = self.how_to_run_once(text, does) {
            refused.refusal.hint = Some(how.to_owned());
            return refused;
        }
        let (principal, place) = (&self.who.principal, &self.place);
        let kept = self.gate.denials.keep(Denied {
            principal: principal.name.clone(),
            place: place.clone(),
            sql: text.into(),
            does: Arc::clone(does),
            missing: refused.missing.to_vec(),
            at: self.now(),
        });
        if let Some(id) = kept {
            refused.refusal = denial.refusal_to_ask(principal, place, id);
            if let (Some(page), Some(hint)) = (self.gate.denials.page_of(id), &mut refused.refusal.hint) {
                *hint = format!("{hint} or open {page}");
            }
        }
        refused
    }

    /// Whether what was decided would be decided so now.
    pub(super) fn still_holds(&self, leave: &impl Leave) -> bool {
        leave.version() == self.gate.snapshot.load().version()
            && leave.until().is_none_or(|until| self.now() < until)
    }

    /// Decides again what was written in the open transaction, if that is not as it was decided last.
    ///
    /// # Errors
    /// What was written, and why it may not last.
    pub(super) fn decide_what_was_done(&mut self) -> Result<(), Box<(Arc<Facts>, Refused)>> {
        if self.deeds.done().is_none() {
            return Ok(());
        }
        let now = self.now();
        let version = self.gate.snapshot.load().version();
        let Some(done) = self.deeds.done_unless_decided(version, now) else { return Ok(()) };
        let done = Arc::new(done.clone());
        match self.decide(&[Arc::clone(&done)]) {
            Ok(permit) => {
                self.deeds.decided(&permit);
                Ok(())
            }
            Err(refused) => Err(Box::new((done, refused))),
        }
    }

    /// The lane on which a transaction of this session opens now.
    pub(super) fn highest_lane(&self) -> Lane {
        let snapshot = self.gate.snapshot.load();
        policy::highest_lane(&snapshot, &self.who.principal, &self.place, self.now())
    }
}

/// The text of one statement of `text`; of its own text, that.
pub(super) fn own_text(text: &str, facts: &Facts) -> Arc<str> {
    text.get(facts.span.clone()).unwrap_or(text).into()
}

/// What a client is told of a text that is not understood.
pub(super) fn refusal_of(reason: &Unanalyzable) -> Refusal {
    match reason {
        Unanalyzable::Syntax { message, position } => {
            Refusal { position: *position, ..Refusal::new(RefusalCode::SyntaxError, message.clone()) }
        }
        Unanalyzable::Unknown { .. } => Refusal::new(RefusalCode::NotSupported, reason.to_string())
            .with_detail("What the gateway does not understand it does not let through.")
            .with_hint("Write the statement in another way, or ask the gateway's administrator."),
        Unanalyzable::Never { instead, .. } => {
            Refusal::new(RefusalCode::NotSupported, reason.to_string()).with_hint(*instead)
        }
        // In the server's words.
        Unanalyzable::NoDatabase => Refusal::new(RefusalCode::NoDatabase, "No database selected"),
        Unanalyzable::TooLarge { .. } => Refusal::new(RefusalCode::ProgramLimitExceeded, reason.to_string())
            .with_hint("Split the statement, or load the data with COPY."),
    }
}

/// What a client is told where a statement is neither let through nor refused for a reason.
pub(super) fn nothing_known() -> Refusal {
    Refusal::new(RefusalCode::NotSupported, "the statement is not let through")
}

/// The facts whose effects come about when a statement succeeds: its own, and those of what it executes by name. A
/// cursor's came about when it was opened.
pub(super) fn what_happens(does: &[Arc<Facts>]) -> &[Arc<Facts>] {
    match does {
        [facts, ..] if matches!(facts.runs, Some(Runs::Prepared { explain: false, .. })) => does,
        [facts, ..] => std::slice::from_ref(facts),
        [] => &[],
    }
}
