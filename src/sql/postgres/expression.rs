//! Expressions, and everything else that stands inside a statement: every node that can hold another is walked.

use pg_query::{
    NodeEnum,
    protobuf::{
        AExpr, AExprKind, CaseExpr, ColumnDef, Constraint, Node, RangeTableFunc, RangeTableFuncCol,
        ResTarget, SubLink, SubLinkType, WindowDef,
    },
};

use super::{
    names::{Name, string},
    walk::{Step, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn nodes(&mut self, nodes: &[Node]) -> Step {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    pub(super) fn maybe(&mut self, node: Option<&Node>) -> Step {
        node.map_or(Ok(()), |node| self.node(node))
    }

    /// Any node within a statement. Kinds that the grammar cannot put there are refused.
    pub(super) fn node(&mut self, node: &Node) -> Step {
        let Some(node) = node.node.as_ref() else { return Ok(()) };
        match node {
            NodeEnum::SelectStmt(query) => self.select(query),
            NodeEnum::InsertStmt(insert) => self.insert(insert),
            NodeEnum::UpdateStmt(update) => self.update(update),
            NodeEnum::DeleteStmt(delete) => self.delete(delete),
            NodeEnum::MergeStmt(merge) => self.merge(merge),
            NodeEnum::RangeVar(_)
            | NodeEnum::JoinExpr(_)
            | NodeEnum::RangeSubselect(_)
            | NodeEnum::RangeFunction(_)
            | NodeEnum::RangeTableFunc(_)
            | NodeEnum::RangeTableFuncCol(_)
            | NodeEnum::RangeTableSample(_)
            | NodeEnum::JsonTable(_) => self.item_of_from(node),
            NodeEnum::ColumnDef(_)
            | NodeEnum::Constraint(_)
            | NodeEnum::IndexElem(_)
            | NodeEnum::StatsElem(_)
            | NodeEnum::PartitionElem(_)
            | NodeEnum::PartitionSpec(_)
            | NodeEnum::PartitionBoundSpec(_)
            | NodeEnum::PartitionRangeDatum(_)
            | NodeEnum::DefElem(_) => self.definition(node),
            NodeEnum::String(_)
            | NodeEnum::Integer(_)
            | NodeEnum::Float(_)
            | NodeEnum::Boolean(_)
            | NodeEnum::BitString(_)
            | NodeEnum::AConst(_)
            | NodeEnum::ParamRef(_)
            | NodeEnum::SetToDefault(_)
            | NodeEnum::SqlvalueFunction(_)
            | NodeEnum::CurrentOfExpr(_) => Ok(()),
            NodeEnum::AStar(_) => {
                self.columns_seen += 1;
                Ok(())
            }
            NodeEnum::List(list) => self.nodes(&list.items),
            NodeEnum::TypeName(name) => self.type_name(name),
            NodeEnum::ColumnRef(column) => self.column(column),
            NodeEnum::AExpr(expression) => self.operation(expression),
            NodeEnum::BoolExpr(expression) => self.nodes(&expression.args),
            NodeEnum::FuncCall(call) => self.function(call),
            NodeEnum::SubLink(link) => self.sub_link(link),
            _ => self.compound(node),
        }
    }

    /// Expressions that only hold others.
    fn compound(&mut self, node: &NodeEnum) -> Step {
        match node {
            NodeEnum::TypeCast(cast) => {
                self.maybe(cast.arg.as_deref())?;
                cast.type_name.as_ref().map_or(Ok(()), |name| self.type_name(name))
            }
            NodeEnum::ResTarget(target) => self.target_entry(target),
            NodeEnum::MultiAssignRef(assign) => self.maybe(assign.source.as_deref()),
            NodeEnum::AIndirection(access) => {
                self.maybe(access.arg.as_deref())?;
                self.indirection(&access.indirection)
            }
            NodeEnum::AIndices(indices) => {
                self.maybe(indices.lidx.as_deref())?;
                self.maybe(indices.uidx.as_deref())
            }
            NodeEnum::AArrayExpr(array) => self.nodes(&array.elements),
            NodeEnum::RowExpr(row) => self.nodes(&row.args),
            NodeEnum::CaseExpr(case) => self.case(case),
            NodeEnum::CaseWhen(when) => {
                self.maybe(when.expr.as_deref())?;
                self.maybe(when.result.as_deref())
            }
            NodeEnum::CoalesceExpr(expression) => self.nodes(&expression.args),
            NodeEnum::MinMaxExpr(expression) => self.nodes(&expression.args),
            NodeEnum::NullTest(test) => self.maybe(test.arg.as_deref()),
            NodeEnum::BooleanTest(test) => self.maybe(test.arg.as_deref()),
            NodeEnum::CollateClause(collate) => self.maybe(collate.arg.as_deref()),
            NodeEnum::NamedArgExpr(argument) => self.maybe(argument.arg.as_deref()),
            NodeEnum::GroupingFunc(grouping) => self.nodes(&grouping.args),
            NodeEnum::GroupingSet(set) => self.nodes(&set.content),
            NodeEnum::SortBy(sort) => {
                if !sort.use_op.is_empty() {
                    self.operator(&sort.use_op)?;
                }
                self.maybe(sort.node.as_deref())
            }
            NodeEnum::WindowDef(window) => self.window(window),
            _ => self.structured(node),
        }
    }

    fn item_of_from(&mut self, node: &NodeEnum) -> Step {
        match node {
            NodeEnum::RangeVar(relation) => {
                self.reads(relation);
                Ok(())
            }
            NodeEnum::JoinExpr(join) => self.join(join),
            NodeEnum::RangeSubselect(inner) => self.maybe(inner.subquery.as_deref()),
            NodeEnum::RangeFunction(function) => {
                self.scalar_rows(function);
                self.nodes(&function.functions)?;
                self.nodes(&function.coldeflist)
            }
            NodeEnum::RangeTableFunc(table) => self.xml_table(table),
            NodeEnum::RangeTableFuncCol(column) => self.xml_table_column(column),
            NodeEnum::RangeTableSample(sample) => {
                self.maybe(sample.relation.as_deref())?;
                self.sampling_method(&sample.method)?;
                self.nodes(&sample.args)?;
                self.maybe(sample.repeatable.as_deref())
            }
            NodeEnum::JsonTable(table) => self.json_table(table),
            _ => Err(unknown("an item of FROM")),
        }
    }

    fn sampling_method(&mut self, method: &[Node]) -> Step {
        match method {
            [name] if matches!(string(name), Some("bernoulli" | "system")) => Ok(()),
            _ => {
                let parts: Vec<_> = method.iter().filter_map(string).collect();
                self.call(parts.join("."));
                Ok(())
            }
        }
    }

    fn xml_table(&mut self, table: &RangeTableFunc) -> Step {
        self.maybe(table.docexpr.as_deref())?;
        self.maybe(table.rowexpr.as_deref())?;
        self.nodes(&table.namespaces)?;
        self.nodes(&table.columns)
    }

    fn xml_table_column(&mut self, column: &RangeTableFuncCol) -> Step {
        if let Some(name) = &column.type_name {
            self.type_name(name)?;
        }
        self.maybe(column.colexpr.as_deref())?;
        self.maybe(column.coldefexpr.as_deref())
    }

    fn operation(&mut self, expression: &AExpr) -> Step {
        match AExprKind::try_from(expression.kind) {
            Ok(
                AExprKind::AexprBetween
                | AExprKind::AexprNotBetween
                | AExprKind::AexprBetweenSym
                | AExprKind::AexprNotBetweenSym,
            ) => ["<", "<=", ">", ">="].into_iter().for_each(|name| self.unqualified_operator(name)),
            Ok(
                AExprKind::AexprOp
                | AExprKind::AexprOpAny
                | AExprKind::AexprOpAll
                | AExprKind::AexprDistinct
                | AExprKind::AexprNotDistinct
                | AExprKind::AexprNullif
                | AExprKind::AexprIn
                | AExprKind::AexprLike
                | AExprKind::AexprIlike
                | AExprKind::AexprSimilar,
            ) => self.operator(&expression.name)?,
            Ok(AExprKind::Undefined) | Err(_) => return Err(unknown("a kind of operator")),
        }
        self.maybe(expression.lexpr.as_deref())?;
        self.maybe(expression.rexpr.as_deref())
    }

    fn sub_link(&mut self, link: &SubLink) -> Step {
        if !link.oper_name.is_empty() {
            self.operator(&link.oper_name)?;
        } else if link.sub_link_type == SubLinkType::AnySublink as i32 {
            self.unqualified_operator("=");
        }
        self.maybe(link.testexpr.as_deref())?;
        self.maybe(link.subselect.as_deref())
    }

    fn case(&mut self, case: &CaseExpr) -> Step {
        if let Some(argument) = case.arg.as_deref() {
            self.unqualified_operator("=");
            self.node(argument)?;
        }
        self.nodes(&case.args)?;
        self.maybe(case.defresult.as_deref())
    }

    fn target_entry(&mut self, target: &ResTarget) -> Step {
        // Fields and subscripts of the column that is set: subscripts are expressions.
        for step in &target.indirection {
            if string(step).is_none() {
                self.node(step)?;
            }
        }
        self.maybe(target.val.as_deref())
    }

    pub(super) fn window(&mut self, window: &WindowDef) -> Step {
        self.nodes(&window.partition_clause)?;
        self.nodes(&window.order_clause)?;
        self.maybe(window.start_offset.as_deref())?;
        self.maybe(window.end_offset.as_deref())
    }

    /// Parts of definitions that hold expressions.
    fn definition(&mut self, node: &NodeEnum) -> Step {
        match node {
            NodeEnum::ColumnDef(column) => self.column_definition(column),
            NodeEnum::Constraint(constraint) => self.constraint(constraint),
            NodeEnum::IndexElem(element) => {
                self.maybe(element.expr.as_deref())?;
                self.nodes(&element.opclassopts)
            }
            NodeEnum::StatsElem(element) => self.maybe(element.expr.as_deref()),
            NodeEnum::PartitionElem(element) => self.maybe(element.expr.as_deref()),
            NodeEnum::PartitionSpec(partition) => self.nodes(&partition.part_params),
            NodeEnum::PartitionBoundSpec(bound) => {
                self.nodes(&bound.listdatums)?;
                self.nodes(&bound.lowerdatums)?;
                self.nodes(&bound.upperdatums)
            }
            NodeEnum::PartitionRangeDatum(datum) => self.maybe(datum.value.as_deref()),
            NodeEnum::DefElem(option) => match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
                // A word as a value (`fastupdate = off`) is read as a type's name.
                Some(NodeEnum::TypeName(_)) => Ok(()),
                _ => self.maybe(option.arg.as_deref()),
            },
            _ => Err(unknown("a part of a definition")),
        }
    }

    pub(super) fn column_definition(&mut self, column: &ColumnDef) -> Step {
        if let Some(name) = &column.type_name {
            self.type_name(name)?;
        }
        self.maybe(column.raw_default.as_deref())?;
        if let Some(sequence) = &column.identity_sequence {
            self.define_relation(sequence);
        }
        self.nodes(&column.constraints)?;
        self.nodes(&column.fdwoptions)
    }

    fn constraint(&mut self, constraint: &Constraint) -> Step {
        self.maybe(constraint.raw_expr.as_deref())?;
        self.maybe(constraint.where_clause.as_deref())?;
        for exclusion in &constraint.exclusions {
            // A list of an index element and the name of an operator.
            match exclusion.node.as_ref() {
                Some(NodeEnum::List(pair)) => match pair.items.as_slice() {
                    [element, operator] => {
                        self.node(element)?;
                        match operator.node.as_ref() {
                            Some(NodeEnum::List(name)) => self.operator(&name.items)?,
                            _ => return Err(unknown("an exclusion constraint")),
                        }
                    }
                    _ => return Err(unknown("an exclusion constraint")),
                },
                _ => return Err(unknown("an exclusion constraint")),
            }
        }
        for option in &constraint.options {
            self.sequence_option(option)?;
        }
        if let Some(referenced) = &constraint.pktable {
            // A foreign key hangs triggers on the table it points to, and tells which keys it holds.
            self.define(Name::of(referenced));
        }
        Ok(())
    }
}
