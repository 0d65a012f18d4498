//! What the server's notes show: SHOW WARNINGS is judged with the rows that were read for the plans before it, and with
//! those that errors and warnings can hold.

use std::sync::Arc;

use super::session::Session;
use crate::{
    model::{
        facts::{AccessMode, Facts, SessionEffect, StatementKind},
        object::Object,
    },
    policy,
    session::running::Does,
};

impl Session {
    /// Notes the relations whose plans a statement shows that may run, for as long as the session lasts.
    pub(super) fn note_plans(&mut self, does: &[Arc<Facts>]) {
        let plans = does.iter().filter(|facts| facts.kind == StatementKind::Explain);
        let mut planned =
            plans.flat_map(|facts| &facts.accesses).filter(|it| it.mode == AccessMode::Explain).peekable();
        if planned.peek().is_none() {
            return;
        }
        self.state.planned.extend(planned.map(|access| access.object.clone()));
        self.bound_planned();
    }

    /// Notes the relations whose rows stand in errors or warnings of a statement, if the session may not read them;
    /// whether there are any.
    pub(super) fn note_shown_by_errors(&mut self, does: &Does) -> bool {
        let hidden = !self.desk.may_read_errors(does.iter().map(|facts| &**facts));
        if hidden {
            self.state.planned.extend(does.iter().flat_map(|facts| facts.shown_by_errors.iter().cloned()));
            self.bound_planned();
        }
        hidden
    }

    fn bound_planned(&mut self) {
        if self.state.planned.len() > MOST_PLANNED {
            // Only a database-wide grant reaches what is not known for sure.
            self.state.planned = [Object::Unresolved { name: "everything explained".into() }].into();
        }
    }

    /// What `facts` show of plans that were made before, if they ask for the notes.
    pub(super) fn shown_plans(&self, facts: &Facts) -> Option<Arc<Facts>> {
        let asks = facts.kind == StatementKind::Show
            && facts.effects.iter().any(|effect| matches!(effect, SessionEffect::ReadsDiagnostics));
        if !asks || self.state.planned.is_empty() {
            return None;
        }
        Some(Arc::new(policy::reading(&self.state.planned)))
    }
}

/// Relations that are remembered one by one.
const MOST_PLANNED: usize = 64;
