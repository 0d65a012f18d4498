//! Queries: SELECT in all its forms, WITH, and what stands in FROM.

use pg_query::{
    NodeEnum,
    protobuf::{
        CommonTableExpr, IntoClause, JoinExpr, LockingClause, Node, RangeVar, SelectStmt, WithClause,
    },
};

use crate::model::facts::{AccessMode, SessionEffect, Tie};

use super::{
    names::Name,
    setting::only_setting,
    walk::{Step, Walk, unknown},
};

impl Walk<'_> {
    /// A query; also one side of a set operation, VALUES and TABLE.
    pub(super) fn select(&mut self, query: &SelectStmt) -> Step {
        let outer = self.ctes.len();
        // What the column `name` stands for holds for the list behind SELECT alone: not in the rest of the query, and
        // not in the queries within it, where a column of that name may be another.
        let outer_setting = self.only_setting.take();
        self.with(query.with_clause.as_ref())?;
        for side in [&query.larg, &query.rarg].into_iter().flatten() {
            self.select(side)?;
        }
        self.nodes(&query.from_clause)?;
        self.nodes(&query.distinct_clause)?;
        self.only_setting = only_setting(self, query);
        self.nodes(&query.target_list)?;
        self.only_setting = None;
        self.maybe(query.where_clause.as_deref())?;
        self.nodes(&query.group_clause)?;
        self.maybe(query.having_clause.as_deref())?;
        self.nodes(&query.window_clause)?;
        self.nodes(&query.values_lists)?;
        self.nodes(&query.sort_clause)?;
        self.maybe(query.limit_offset.as_deref())?;
        self.maybe(query.limit_count.as_deref())?;
        for clause in &query.locking_clause {
            match clause.node.as_ref() {
                Some(NodeEnum::LockingClause(clause)) => self.locking(clause, &query.from_clause)?,
                _ => return Err(unknown("a locking clause")),
            }
        }
        if let Some(into) = &query.into_clause {
            self.makes(into)?;
        }
        self.only_setting = outer_setting;
        self.ctes.truncate(outer);
        Ok(())
    }

    /// WITH: from here to the end of the statement that it belongs to, its names hide relations.
    ///
    /// The caller cuts `ctes` back to what it was. Without RECURSIVE a name is in scope behind its own definition
    /// only; with it, in all of them.
    pub(super) fn with(&mut self, with: Option<&WithClause>) -> Step {
        let Some(with) = with else { return Ok(()) };
        let mut definitions = Vec::with_capacity(with.ctes.len());
        for node in &with.ctes {
            match node.node.as_ref() {
                Some(NodeEnum::CommonTableExpr(definition)) => definitions.push(definition),
                _ => return Err(unknown("a WITH clause")),
            }
        }
        if with.recursive {
            self.ctes.extend(definitions.iter().map(|definition| definition.ctename.clone()));
        }
        for definition in definitions {
            self.common_table(definition)?;
            if !with.recursive {
                self.ctes.push(definition.ctename.clone());
            }
        }
        Ok(())
    }

    fn common_table(&mut self, definition: &CommonTableExpr) -> Step {
        self.maybe(definition.ctequery.as_deref())?;
        if let Some(cycle) = &definition.cycle_clause {
            self.maybe(cycle.cycle_mark_value.as_deref())?;
            self.maybe(cycle.cycle_mark_default.as_deref())?;
        }
        Ok(())
    }

    pub(super) fn join(&mut self, join: &JoinExpr) -> Step {
        self.maybe(join.larg.as_deref())?;
        self.maybe(join.rarg.as_deref())?;
        if join.is_natural || !join.using_clause.is_empty() {
            self.unqualified_operator("=");
        }
        self.maybe(join.quals.as_deref())
    }

    /// SELECT INTO, CREATE TABLE AS and CREATE MATERIALIZED VIEW: the relation that they make.
    pub(super) fn makes(&mut self, into: &IntoClause) -> Step {
        let relation = into.rel.as_ref().ok_or_else(|| unknown("INTO without a name"))?;
        self.define_new(relation);
        if into.on_commit == pg_query::protobuf::OnCommitAction::OncommitDrop as i32 {
            self.forget_temporary(&relation.relname);
        }
        self.nodes(&into.options)
    }

    /// A temporary relation that goes when something else does (a view, an owned sequence, a child, a partition), and
    /// nobody tells: it must not be trusted to hide another relation, wherever that stands.
    pub(super) fn may_vanish(&mut self, name: &str) {
        let catalog = self.names.context.catalog.as_ref();
        let alone = catalog.is_some_and(|catalog| !catalog.relations.contains_key(name))
            && !self.names.new_relations.contains(name)
            && ["pg_catalog", "information_schema"]
                .iter()
                .all(|schema| super::builtin::relation(schema, name).is_none());
        if !alone {
            self.forget_temporary(name);
        }
    }

    /// A temporary relation that goes at the end of the transaction: its name must not be trusted to hide others.
    pub(super) fn forget_temporary(&mut self, name: &str) {
        let made = |effect: &SessionEffect| matches!(effect, SessionEffect::CreateTemporary(made) if made.as_str() == name);
        self.found.effects.retain(|effect| !made(effect));
        self.effect(SessionEffect::Define);
        self.effect(SessionEffect::Ties(Tie::Temporary));
    }

    /// FOR UPDATE and its kin lock rows: of the relations they name, or of all in FROM.
    fn locking(&mut self, clause: &LockingClause, from: &[Node]) -> Step {
        self.found.writes = true;
        if clause.locked_rels.is_empty() {
            return from.iter().try_for_each(|item| self.lock_all(item));
        }
        for named in &clause.locked_rels {
            let Some(NodeEnum::RangeVar(named)) = named.node.as_ref() else {
                return Err(unknown("a locking clause"));
            };
            let mut matched = false;
            for item in from {
                matched |= self.lock_named(item, &named.relname)?;
            }
            if !matched {
                // closed: the alias was not found where it should be.
                from.iter().try_for_each(|item| self.lock_all(item))?;
            }
        }
        Ok(())
    }

    fn lock_all(&mut self, item: &Node) -> Step {
        match item.node.as_ref() {
            Some(NodeEnum::RangeVar(relation)) => {
                self.lock_relation(relation);
                Ok(())
            }
            Some(NodeEnum::JoinExpr(join)) => {
                let sides = [join.larg.as_deref(), join.rarg.as_deref()];
                sides.into_iter().flatten().try_for_each(|side| self.lock_all(side))
            }
            Some(NodeEnum::RangeTableSample(sample)) => {
                sample.relation.as_deref().map_or(Ok(()), |relation| self.lock_all(relation))
            }
            Some(NodeEnum::RangeSubselect(inner)) => {
                match inner.subquery.as_deref().and_then(|s| s.node.as_ref()) {
                    Some(NodeEnum::SelectStmt(query)) => self.lock_query(query),
                    _ => Err(unknown("a sub-query")),
                }
            }
            // Rows of functions cannot be locked.
            Some(NodeEnum::RangeFunction(_) | NodeEnum::RangeTableFunc(_) | NodeEnum::JsonTable(_)) => Ok(()),
            _ => Err(unknown("a FROM clause")),
        }
    }

    fn lock_query(&mut self, query: &SelectStmt) -> Step {
        let outer = self.ctes.len();
        if let Some(with) = &query.with_clause {
            for node in &with.ctes {
                if let Some(NodeEnum::CommonTableExpr(definition)) = node.node.as_ref() {
                    self.ctes.push(definition.ctename.clone());
                }
            }
        }
        query.from_clause.iter().try_for_each(|item| self.lock_all(item))?;
        for side in [&query.larg, &query.rarg].into_iter().flatten() {
            self.lock_query(side)?;
        }
        self.ctes.truncate(outer);
        Ok(())
    }

    /// Locks the items of FROM that go by `alias`; whether there was one.
    fn lock_named(&mut self, item: &Node, alias: &str) -> Result<bool, crate::model::facts::Unanalyzable> {
        let known_as = |given: Option<&pg_query::protobuf::Alias>, own: &str| match given {
            Some(given) => given.aliasname == alias,
            None => own == alias,
        };
        match item.node.as_ref() {
            Some(NodeEnum::JoinExpr(join)) => {
                if known_as(join.alias.as_ref(), "") {
                    self.lock_all(item)?;
                    return Ok(true);
                }
                let mut matched = false;
                for side in [join.larg.as_deref(), join.rarg.as_deref()].into_iter().flatten() {
                    matched |= self.lock_named(side, alias)?;
                }
                Ok(matched)
            }
            Some(NodeEnum::RangeVar(relation)) if known_as(relation.alias.as_ref(), &relation.relname) => {
                self.lock_all(item).map(|()| true)
            }
            Some(NodeEnum::RangeSubselect(inner)) if known_as(inner.alias.as_ref(), "") => {
                self.lock_all(item).map(|()| true)
            }
            Some(NodeEnum::RangeTableSample(sample)) => match sample.relation.as_deref() {
                Some(relation) => self.lock_named(relation, alias),
                None => Ok(false),
            },
            _ => Ok(false),
        }
    }

    fn lock_relation(&mut self, relation: &RangeVar) {
        if !self.is_cte(relation) {
            self.touch(Name::of(relation), AccessMode::Write);
        }
    }
}
