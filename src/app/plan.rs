//! What a plan in JSON says of rows and cost.
//!
//! Source: PostgreSQL manual, "EXPLAIN"; MySQL manual, "EXPLAIN Output Format"; MariaDB knowledge
//! base, "EXPLAIN FORMAT=JSON".

use serde_json::Value;

/// Rows and cost, as far as the database said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reckoned {
    /// Rows that the statement gives or changes.
    pub(super) rows: Option<u64>,
    /// In the planner's own units, rounded up.
    pub(super) cost: Option<u64>,
}

/// Of PostgreSQL: the node at the top; of a statement that changes rows, what its source gives.
pub(super) fn of_postgres(plan: &Value) -> Reckoned {
    let Some(top) = plan.get(0).and_then(|it| it.get("Plan")) else { return Reckoned::default() };
    let source = match top.get("Node Type").and_then(Value::as_str) {
        // It gives no rows itself, unless RETURNING asks for them.
        Some("ModifyTable") => top.get("Plans").and_then(|plans| plans.get(0)).unwrap_or(top),
        _ => top,
    };
    Reckoned { rows: whole(source.get("Plan Rows")), cost: whole(top.get("Total Cost")) }
}

/// Of MySQL, in the first of its two forms, and of MariaDB.
pub(super) fn of_mysql(plan: &Value) -> Reckoned {
    let Some(block) = plan.get("query_block") else { return Reckoned::default() };
    let cost = block.get("cost_info").and_then(|it| it.get("query_cost")).or_else(|| block.get("cost"));
    let mut tables = Vec::new();
    tables_of(block, &mut tables, DEPTH);
    Reckoned { rows: joined(&tables), cost: whole(cost) }
}

/// The tables of a block in the order of its joins, without those of inner queries.
fn tables_of<'p>(node: &'p Value, tables: &mut Vec<&'p Value>, depth: usize) {
    let (Some(fields), Some(depth)) = (node.as_object(), depth.checked_sub(1)) else { return };
    for (name, inner) in fields {
        match name.as_str() {
            "table" => tables.push(inner),
            "nested_loop" => {
                for inner in inner.as_array().into_iter().flatten() {
                    tables_of(inner, tables, depth);
                }
            }
            // What stands between a block and its tables.
            "ordering_operation" | "grouping_operation" | "duplicates_removal" | "windowing" | "filesort"
            | "read_sorted_file" | "temporary_table" | "block-nl-join" | "buffer_result" => {
                tables_of(inner, tables, depth);
            }
            _ => {}
        }
    }
}

/// The rows that a join gives: as its last table says, or the product of what each contributes.
fn joined(tables: &[&Value]) -> Option<u64> {
    let last = tables.last()?;
    if let Some(rows) = whole(last.get("rows_produced_per_join")) {
        return Some(rows);
    }
    let mut product = 1.0;
    for table in tables {
        let rows = number(table.get("rows").or_else(|| table.get("rows_examined_per_scan")))?;
        let filtered = number(table.get("filtered")).unwrap_or(100.0);
        product *= rows * filtered / 100.0;
    }
    rounded_up(product)
}

fn whole(value: Option<&Value>) -> Option<u64> {
    rounded_up(number(value)?)
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn rounded_up(number: f64) -> Option<u64> {
    (0.0..1e18).contains(&number).then(|| number.ceil() as u64)
}

/// Operations that stand above a table.
const DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reckoned(rows: u64, cost: Option<u64>) -> Reckoned {
        Reckoned { rows: Some(rows), cost }
    }

    #[test]
    fn postgres_tells_of_the_top_and_of_what_a_change_changes() {
        let scan = json!({ "Node Type": "Seq Scan", "Total Cost": 8.31, "Plan Rows": 300 });
        assert_eq!(of_postgres(&json!([{ "Plan": scan }])), reckoned(300, Some(9)));
        let delete =
            json!({ "Node Type": "ModifyTable", "Total Cost": 12.0, "Plan Rows": 0, "Plans": [scan] });
        assert_eq!(of_postgres(&json!([{ "Plan": delete }])), reckoned(300, Some(12)));
        assert_eq!(of_postgres(&json!({ "Plan": 1 })), Reckoned::default());
    }

    #[test]
    fn mysql_tells_of_the_last_table_of_a_join() {
        let first = json!({ "table": { "table_name": "a", "rows_produced_per_join": 10 } });
        let last = json!({ "table": { "table_name": "b", "rows_produced_per_join": 25 } });
        let block = json!({
            "select_id": 1, "cost_info": { "query_cost": "12.50" },
            "ordering_operation": { "nested_loop": [first, last] },
        });
        assert_eq!(of_mysql(&json!({ "query_block": block })), reckoned(25, Some(13)));
        let delete =
            json!({ "table": { "delete": true, "rows_examined_per_scan": 9000, "filtered": "50.00" } });
        assert_eq!(of_mysql(&json!({ "query_block": delete })), reckoned(4500, None));
    }

    #[test]
    fn mariadb_tells_of_each_table_and_of_no_cost() {
        let block = json!({ "nested_loop": [
            { "table": { "rows": 300, "filtered": 50 } },
            { "table": { "rows": 2, "filtered": 100 } },
        ] });
        assert_eq!(of_mysql(&json!({ "query_block": block })), reckoned(300, None));
        assert_eq!(of_mysql(&json!({ "query_block": { "message": "No tables used" } })), Reckoned::default());
    }
}
