//! INSERT, UPDATE, DELETE, MERGE: their target is written, all else is read.
//!
//! A target is never a common table expression, whatever names are in scope.

use pg_query::{
    NodeEnum,
    protobuf::{DeleteStmt, InsertStmt, MergeStmt, OnConflictClause, RangeVar, ReturningClause, UpdateStmt},
};

use crate::model::facts::AccessMode;

use super::{
    names::Name,
    walk::{Step, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn insert(&mut self, insert: &InsertStmt) -> Step {
        let outer = self.ctes.len();
        self.with(insert.with_clause.as_ref())?;
        self.target(insert.relation.as_ref())?;
        self.nodes(&insert.cols)?;
        self.maybe(insert.select_stmt.as_deref())?;
        if let Some(conflict) = &insert.on_conflict_clause {
            let kept = self.values_kept;
            self.on_conflict(conflict)?;
            if !conflict.target_list.is_empty() {
                self.passes_rows_of(insert.relation.as_ref(), kept);
            }
        }
        self.returning(insert.relation.as_ref(), insert.returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    pub(super) fn update(&mut self, update: &UpdateStmt) -> Step {
        let outer = self.ctes.len();
        self.with(update.with_clause.as_ref())?;
        self.target(update.relation.as_ref())?;
        let kept = self.values_kept;
        // FROM first: its names count in what is set.
        self.nodes(&update.from_clause)?;
        self.nodes(&update.target_list)?;
        self.maybe(update.where_clause.as_deref())?;
        self.passes_rows_of(update.relation.as_ref(), kept);
        self.returning(update.relation.as_ref(), update.returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    pub(super) fn delete(&mut self, delete: &DeleteStmt) -> Step {
        let outer = self.ctes.len();
        self.with(delete.with_clause.as_ref())?;
        self.target(delete.relation.as_ref())?;
        let kept = self.values_kept;
        self.nodes(&delete.using_clause)?;
        self.maybe(delete.where_clause.as_deref())?;
        self.passes_rows_of(delete.relation.as_ref(), kept);
        self.returning(delete.relation.as_ref(), delete.returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    pub(super) fn merge(&mut self, merge: &MergeStmt) -> Step {
        let outer = self.ctes.len();
        self.with(merge.with_clause.as_ref())?;
        self.target(merge.relation.as_ref())?;
        let kept = self.values_kept;
        self.maybe(merge.source_relation.as_deref())?;
        self.maybe(merge.join_condition.as_deref())?;
        for clause in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(clause)) = clause.node.as_ref() else {
                return Err(unknown("a WHEN clause of MERGE"));
            };
            self.maybe(clause.condition.as_deref())?;
            self.nodes(&clause.target_list)?;
            self.nodes(&clause.values)?;
        }
        self.passes_rows_of(merge.relation.as_ref(), kept);
        self.returning(merge.relation.as_ref(), merge.returning_clause.as_ref())?;
        self.ctes.truncate(outer);
        Ok(())
    }

    fn target(&mut self, relation: Option<&RangeVar>) -> Step {
        let relation = relation.ok_or_else(|| unknown("a statement without a target"))?;
        self.found.writes = true;
        self.touch(Name::of(relation), AccessMode::Write);
        Ok(())
    }

    /// Rows of a relation that are there already run through expressions: errors may show them, and they are read where
    /// a call has kept or sent a value since there were `kept` of those.
    pub(super) fn passes_rows_of(&mut self, relation: Option<&RangeVar>, kept: usize) {
        let Some(relation) = relation else { return };
        self.shown_by_errors(Name::of(relation));
        if self.values_kept > kept {
            self.touch(Name::of(relation), self.reading);
        }
    }

    fn on_conflict(&mut self, conflict: &OnConflictClause) -> Step {
        if let Some(infer) = &conflict.infer {
            self.nodes(&infer.index_elems)?;
            self.maybe(infer.where_clause.as_deref())?;
        }
        self.nodes(&conflict.target_list)?;
        self.maybe(conflict.where_clause.as_deref())
    }

    /// RETURNING reads the target if any column is named in it.
    fn returning(&mut self, relation: Option<&RangeVar>, returning: Option<&ReturningClause>) -> Step {
        let Some(returning) = returning else { return Ok(()) };
        let before = self.columns_seen;
        self.nodes(&returning.exprs)?;
        if self.columns_seen > before
            && let Some(relation) = relation
        {
            self.touch(Name::of(relation), self.reading);
        }
        Ok(())
    }
}
