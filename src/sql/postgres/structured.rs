//! XML and JSON syntax.
//!
//! Much of the JSON syntax is younger than the servers we speak to. An older server reads such a call as one of a
//! function of that name, so it is one for us too.

use pg_query::{
    NodeEnum,
    protobuf::{
        JsonAggConstructor, JsonBehavior, JsonExprOp, JsonFuncExpr, JsonOutput, JsonTable, JsonTableColumn,
        JsonTablePathSpec, JsonValueExpr,
    },
};

use super::walk::{Step, Walk, unknown};

impl Walk<'_> {
    pub(super) fn structured(&mut self, node: &NodeEnum) -> Step {
        match node {
            NodeEnum::XmlExpr(xml) => {
                self.nodes(&xml.named_args)?;
                self.nodes(&xml.args)
            }
            NodeEnum::XmlSerialize(xml) => {
                self.maybe(xml.expr.as_deref())?;
                xml.type_name.as_ref().map_or(Ok(()), |name| self.type_name(name))
            }
            NodeEnum::MergeSupportFunc(_) => {
                self.since(17, "merge_action");
                Ok(())
            }
            NodeEnum::JsonFuncExpr(function) => self.json_function(function),
            NodeEnum::JsonIsPredicate(test) => self.maybe(test.expr.as_deref()),
            NodeEnum::JsonValueExpr(value) => self.json_value(Some(value)),
            NodeEnum::JsonArgument(argument) => self.json_value(argument.val.as_deref()),
            NodeEnum::JsonBehavior(behavior) => self.json_behavior(Some(behavior)),
            NodeEnum::JsonTableColumn(column) => self.json_table_column(column),
            NodeEnum::JsonTablePathSpec(path) => self.json_path(Some(path)),
            NodeEnum::JsonKeyValue(pair) => {
                self.maybe(pair.key.as_deref())?;
                self.json_value(pair.value.as_deref())
            }
            NodeEnum::JsonOutput(output) => self.json_output(Some(output)),
            _ => self.json_constructor(node),
        }
    }

    fn json_constructor(&mut self, node: &NodeEnum) -> Step {
        match node {
            NodeEnum::JsonParseExpr(parse) => {
                self.since(17, "json");
                self.json_value(parse.expr.as_deref())?;
                self.json_output(parse.output.as_ref())
            }
            NodeEnum::JsonScalarExpr(scalar) => {
                self.since(17, "json_scalar");
                self.maybe(scalar.expr.as_deref())?;
                self.json_output(scalar.output.as_ref())
            }
            NodeEnum::JsonSerializeExpr(serialize) => {
                self.since(17, "json_serialize");
                self.json_value(serialize.expr.as_deref())?;
                self.json_output(serialize.output.as_ref())
            }
            NodeEnum::JsonObjectConstructor(object) => {
                self.since(16, "json_object");
                self.nodes(&object.exprs)?;
                self.json_output(object.output.as_ref())
            }
            NodeEnum::JsonArrayConstructor(array) => {
                self.since(16, "json_array");
                self.nodes(&array.exprs)?;
                self.json_output(array.output.as_ref())
            }
            NodeEnum::JsonArrayQueryConstructor(array) => {
                self.since(16, "json_array");
                self.maybe(array.query.as_deref())?;
                self.json_output(array.output.as_ref())
            }
            NodeEnum::JsonObjectAgg(aggregate) => {
                self.since(16, "json_objectagg");
                if let Some(pair) = &aggregate.arg {
                    self.maybe(pair.key.as_deref())?;
                    self.json_value(pair.value.as_deref())?;
                }
                self.json_aggregate(aggregate.constructor.as_deref())
            }
            NodeEnum::JsonArrayAgg(aggregate) => {
                self.since(16, "json_arrayagg");
                self.json_value(aggregate.arg.as_deref())?;
                self.json_aggregate(aggregate.constructor.as_deref())
            }
            _ => Err(unknown("a node of this kind")),
        }
    }

    /// Syntax of servers from `version` on; before it, a call of a function that is not built in.
    fn since(&mut self, version: u32, name: &str) {
        if self.names.context.server_version < version {
            self.call(name);
        }
    }

    fn json_function(&mut self, function: &JsonFuncExpr) -> Step {
        let name = match JsonExprOp::try_from(function.op) {
            Ok(JsonExprOp::JsonExistsOp) => "json_exists",
            Ok(JsonExprOp::JsonQueryOp) => "json_query",
            Ok(JsonExprOp::JsonValueOp) => "json_value",
            Ok(JsonExprOp::JsonTableOp) => "json_table",
            Ok(JsonExprOp::Undefined) | Err(_) => return Err(unknown("a JSON function")),
        };
        self.since(17, name);
        self.json_value(function.context_item.as_deref())?;
        self.maybe(function.pathspec.as_deref())?;
        self.nodes(&function.passing)?;
        self.json_output(function.output.as_ref())?;
        self.json_behavior(function.on_empty.as_deref())?;
        self.json_behavior(function.on_error.as_deref())
    }

    pub(super) fn json_table(&mut self, table: &JsonTable) -> Step {
        self.since(17, "json_table");
        self.json_value(table.context_item.as_deref())?;
        self.json_path(table.pathspec.as_deref())?;
        self.nodes(&table.passing)?;
        self.nodes(&table.columns)?;
        self.json_behavior(table.on_error.as_deref())
    }

    fn json_table_column(&mut self, column: &JsonTableColumn) -> Step {
        if let Some(name) = &column.type_name {
            self.type_name(name)?;
        }
        self.json_path(column.pathspec.as_deref())?;
        self.nodes(&column.columns)?;
        self.json_behavior(column.on_empty.as_deref())?;
        self.json_behavior(column.on_error.as_deref())
    }

    fn json_path(&mut self, path: Option<&JsonTablePathSpec>) -> Step {
        path.map_or(Ok(()), |path| self.maybe(path.string.as_deref()))
    }

    fn json_value(&mut self, value: Option<&JsonValueExpr>) -> Step {
        let Some(value) = value else { return Ok(()) };
        self.maybe(value.raw_expr.as_deref())?;
        self.maybe(value.formatted_expr.as_deref())
    }

    fn json_behavior(&mut self, behavior: Option<&JsonBehavior>) -> Step {
        behavior.map_or(Ok(()), |behavior| self.maybe(behavior.expr.as_deref()))
    }

    fn json_output(&mut self, output: Option<&JsonOutput>) -> Step {
        let name = output.and_then(|output| output.type_name.as_ref());
        name.map_or(Ok(()), |name| self.type_name(name))
    }

    fn json_aggregate(&mut self, aggregate: Option<&JsonAggConstructor>) -> Step {
        let Some(aggregate) = aggregate else { return Ok(()) };
        self.json_output(aggregate.output.as_ref())?;
        self.maybe(aggregate.agg_filter.as_deref())?;
        self.nodes(&aggregate.agg_order)?;
        aggregate.over.as_deref().map_or(Ok(()), |window| self.window(window))
    }
}
