//! What the notes behind plans show: SHOW WARNINGS after EXPLAIN is judged with the rows that were read for the plan.

use std::sync::Arc;

use super::session::Session;
use crate::model::{
    facts::{Access, AccessMode, Facts, SessionEffect, StatementKind, TransactionEffect},
    object::Object,
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
        let read = |object: &Object| Access { object: object.clone(), mode: AccessMode::Read };
        Some(Arc::new(Facts {
            kind: StatementKind::Show,
            command: "SHOW",
            span: 0..0,
            accesses: self.state.planned.iter().map(read).collect(),
            calls: Vec::new(),
            transaction: TransactionEffect::None,
            effects: Vec::new(),
            runs: None,
            read_only: true,
            fingerprint: 0,
            sent: None,
        }))
    }
}

/// Relations that are remembered one by one.
const MOST_PLANNED: usize = 64;
