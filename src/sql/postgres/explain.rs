//! EXPLAIN: shows a plan, or with ANALYZE runs the statement.

use pg_query::{
    NodeEnum,
    protobuf::{ExplainStmt, Node},
};

use crate::model::{
    facts::{Access, AccessMode, Runs, SessionEffect, StatementKind, TransactionEffect, Unanalyzable},
    object::Object,
};

use super::{
    constant,
    walk::{Head, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn explain(&mut self, explain: &ExplainStmt, source: &str) -> Result<Head, Unanalyzable> {
        let query = explain.query.as_deref().ok_or_else(|| unknown("EXPLAIN of nothing"))?;
        if runs(&explain.options)? {
            self.explained(query, source)?;
            return Ok((StatementKind::ExplainAnalyze, "EXPLAIN"));
        }
        self.explained(query, source)?;
        for access in &mut self.found.accesses {
            access.mode = shown(access);
        }
        for access in &mut self.found.by_function {
            // What moves a sequence never runs while a plan is made.
            if access.mode == AccessMode::Write {
                access.mode = shown(access);
            }
        }
        self.found.shown_by_errors.clear();
        if let Some(Runs::Prepared { explain, .. }) = &mut self.found.runs {
            *explain = true;
        }
        // Nothing runs but, while the plan is made, functions whose answer does not change.
        self.found.effects.clear();
        self.found.transaction = TransactionEffect::None;
        self.found.writes = false;
        Ok((StatementKind::Explain, "EXPLAIN"))
    }

    fn explained(&mut self, query: &Node, source: &str) -> Result<(), Unanalyzable> {
        match query.node.as_ref() {
            Some(
                NodeEnum::SelectStmt(_)
                | NodeEnum::InsertStmt(_)
                | NodeEnum::UpdateStmt(_)
                | NodeEnum::DeleteStmt(_)
                | NodeEnum::MergeStmt(_)
                | NodeEnum::DeclareCursorStmt(_)
                | NodeEnum::CreateTableAsStmt(_)
                | NodeEnum::RefreshMatViewStmt(_)
                | NodeEnum::ExecuteStmt(_),
            ) => {
                self.statement(Some(query), source)?;
                // EXPLAIN DECLARE explains the query and leaves no cursor.
                self.found.effects.retain(|effect| !matches!(effect, SessionEffect::DeclareCursor { .. }));
                Ok(())
            }
            _ => Err(unknown("EXPLAIN of this statement")),
        }
    }
}

/// What EXPLAIN shows of an access.
fn shown(access: &Access) -> AccessMode {
    match (access.mode, &access.object) {
        (AccessMode::Use | AccessMode::Administer, _) => access.mode,
        (_, Object::Relation { .. } | Object::Unresolved { .. } | Object::Schema { .. }) => {
            AccessMode::Explain
        }
        (
            mode,
            Object::Database | Object::Routine { .. } | Object::OtherDatabase { .. } | Object::Server { .. },
        ) => mode,
    }
}

/// Whether an option asks for ANALYZE. Any yes counts, even if a later one says no.
fn runs(options: &[Node]) -> Result<bool, Unanalyzable> {
    let mut runs = false;
    for option in options {
        let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
            return Err(unknown("an option of EXPLAIN"));
        };
        if option.defname.eq_ignore_ascii_case("analyze") || option.defname.eq_ignore_ascii_case("analyse") {
            let off = option.arg.as_deref().is_some_and(|value| constant::boolean(value) == Some(false));
            runs |= !off;
        }
    }
    Ok(runs)
}
