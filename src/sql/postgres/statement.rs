//! Which statement it is. A kind that is not listed is refused.

use pg_query::{
    NodeEnum,
    protobuf::{Node, SelectStmt, SetOperation},
};

use crate::model::facts::{StatementKind, Unanalyzable};

use super::walk::{Head, Walk, unknown};

impl Walk<'_> {
    /// Walks a whole statement; `source` is its text.
    pub(super) fn statement(&mut self, node: Option<&Node>, source: &str) -> Result<Head, Unanalyzable> {
        let Some(statement) = node.and_then(|node| node.node.as_ref()) else {
            return Err(unknown("an empty statement"));
        };
        self.spare_accounts(statement)?;
        match statement {
            NodeEnum::SelectStmt(query) => {
                self.runs_once = calls_that_run_once(query);
                self.select(query)?;
                let into = leftmost(query).into_clause.is_some();
                Ok(if into {
                    (StatementKind::Define, "SELECT INTO")
                } else {
                    (StatementKind::Select, "SELECT")
                })
            }
            NodeEnum::InsertStmt(insert) => self.insert(insert).map(|()| (StatementKind::Insert, "INSERT")),
            NodeEnum::UpdateStmt(update) => self.update(update).map(|()| (StatementKind::Update, "UPDATE")),
            NodeEnum::DeleteStmt(delete) => self.delete(delete).map(|()| (StatementKind::Delete, "DELETE")),
            NodeEnum::MergeStmt(merge) => self.merge(merge).map(|()| (StatementKind::Merge, "MERGE")),
            NodeEnum::CopyStmt(copy) => self.copy(copy),
            NodeEnum::ExplainStmt(explain) => self.explain(explain, source),
            NodeEnum::TransactionStmt(transaction) => self.transaction(transaction),
            _ => match self.of_session(statement, source)? {
                Some(head) => Ok(head),
                None => match self.of_definition(statement, source)? {
                    Some(head) => Ok(head),
                    None => self.administration(statement).ok_or_else(|| unknown("a statement of this kind")),
                },
            },
        }
    }

    fn of_session(&mut self, statement: &NodeEnum, source: &str) -> Result<Option<Head>, Unanalyzable> {
        Ok(Some(match statement {
            NodeEnum::VariableSetStmt(set) => self.variable_set(set)?,
            NodeEnum::VariableShowStmt(show) => self.show(&show.name),
            NodeEnum::ConstraintsSetStmt(_) => (StatementKind::Set, "SET CONSTRAINTS"),
            NodeEnum::PrepareStmt(prepare) => self.prepare(prepare, source)?,
            NodeEnum::ExecuteStmt(execute) => self.execute(execute)?,
            NodeEnum::DeallocateStmt(deallocate) => self.deallocate(deallocate),
            NodeEnum::DeclareCursorStmt(declare) => self.declare(declare)?,
            NodeEnum::FetchStmt(fetch) => self.fetch(fetch),
            NodeEnum::ClosePortalStmt(close) => self.close(close),
            NodeEnum::ListenStmt(_) => self.listen(),
            NodeEnum::UnlistenStmt(_) => self.unlisten(),
            NodeEnum::NotifyStmt(_) => self.notify(),
            NodeEnum::DiscardStmt(discard) => self.discard(discard)?,
            NodeEnum::LockStmt(lock) => self.lock(lock)?,
            _ => return Ok(None),
        }))
    }

    fn of_definition(&mut self, statement: &NodeEnum, source: &str) -> Result<Option<Head>, Unanalyzable> {
        Ok(Some(match statement {
            NodeEnum::CreateStmt(create) => self.create_table(create)?,
            NodeEnum::CreateTableAsStmt(create) => self.create_table_as(create, source)?,
            NodeEnum::ViewStmt(create) => self.create_view(create)?,
            NodeEnum::IndexStmt(create) => self.create_index(create)?,
            NodeEnum::CreateSeqStmt(create) => self.create_sequence(create)?,
            NodeEnum::CreateSchemaStmt(create) => self.create_schema(create, source)?,
            NodeEnum::CreateStatsStmt(create) => self.create_statistics(create)?,
            NodeEnum::CompositeTypeStmt(create) => self.create_composite(create)?,
            NodeEnum::CreateEnumStmt(create) => self.create_enum(create)?,
            NodeEnum::CreateRangeStmt(create) => self.create_range(create)?,
            NodeEnum::CreateDomainStmt(create) => self.create_domain(create)?,
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter)?,
            NodeEnum::RenameStmt(rename) => self.rename(rename)?,
            NodeEnum::AlterObjectSchemaStmt(alter) => self.alter_schema(alter)?,
            NodeEnum::AlterSeqStmt(alter) => self.alter_sequence(alter)?,
            NodeEnum::AlterDomainStmt(alter) => self.alter_domain(alter)?,
            NodeEnum::AlterEnumStmt(alter) => self.alter_enum(alter)?,
            NodeEnum::AlterStatsStmt(alter) => self.alter_statistics(alter)?,
            NodeEnum::CommentStmt(comment) => self.comment(comment)?,
            NodeEnum::DropStmt(drop) => self.drop(drop)?,
            NodeEnum::TruncateStmt(truncate) => self.truncate(truncate)?,
            NodeEnum::VacuumStmt(vacuum) => self.vacuum(vacuum)?,
            NodeEnum::ClusterStmt(cluster) => self.cluster(cluster)?,
            NodeEnum::ReindexStmt(reindex) => self.reindex(reindex)?,
            NodeEnum::RefreshMatViewStmt(refresh) => self.refresh(refresh)?,
            _ => return Ok(None),
        }))
    }
}

/// INTO stands in the first of the queries that a set operation joins.
fn leftmost(query: &SelectStmt) -> &SelectStmt {
    let mut query = query;
    while let Some(left) = query.larg.as_deref() {
        query = left;
    }
    query
}

/// Places of the calls in `SELECT f(…), g(…)` and nothing else: one row, each evaluated once, from left to right.
fn calls_that_run_once(query: &SelectStmt) -> Vec<i32> {
    let plain = query.op == SetOperation::SetopNone as i32
        && query.distinct_clause.is_empty()
        && query.into_clause.is_none()
        && query.from_clause.is_empty()
        && query.where_clause.is_none()
        && query.group_clause.is_empty()
        && query.having_clause.is_none()
        && query.window_clause.is_empty()
        && query.values_lists.is_empty()
        && query.sort_clause.is_empty()
        && query.limit_offset.is_none()
        && query.limit_count.is_none()
        && query.locking_clause.is_empty()
        && query.with_clause.is_none();
    // A function that returns no row would keep the others from running for good.
    let calls: Option<Vec<i32>> = query
        .target_list
        .iter()
        .map(|entry| match entry.node.as_ref() {
            Some(NodeEnum::ResTarget(entry)) => match entry.val.as_ref()?.node.as_ref() {
                Some(NodeEnum::FuncCall(call)) if is_set_config(call) => Some(call.location),
                _ => None,
            },
            _ => None,
        })
        .collect();
    if plain { calls.unwrap_or_default() } else { Vec::new() }
}

fn is_set_config(call: &pg_query::protobuf::FuncCall) -> bool {
    let names = super::names::parts(&call.funcname);
    let plain = call.over.is_none() && call.agg_filter.is_none() && call.agg_order.is_empty();
    plain && matches!(names.as_deref(), Some(["set_config"] | ["pg_catalog", "set_config"]))
}
