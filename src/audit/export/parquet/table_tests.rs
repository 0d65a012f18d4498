//! Rows, and groups of them. Other programs read the files in `tests/audit_outside.rs`.

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value, json};

use super::{
    Table,
    cell::{Cell, row},
    columns::{COLUMNS, Kind},
};
use crate::audit::trail::{FoundRecord, StoredRecord};

fn stored(record: Value) -> StoredRecord {
    let line = record.to_string().into_bytes();
    StoredRecord { seq: record["seq"].as_u64().unwrap_or(0), intact: true, record, line }
}

fn statement(seq: u64) -> FoundRecord {
    let start = json!({
        "seq": seq, "at": "2026-11-21T12:00:00.123456Z", "prev": "00", "gateway": "one",
        "event": "statement_start", "statement": "s-1", "session": "c-1", "sql": "select 1", "kind": null,
        "objects": [{ "name": "public.salary", "mode": "read" }], "decision": "allow", "grants": [],
        "literals": [1, "two"], "hash": "ab",
    });
    let end = json!({
        "seq": seq + 1, "at": "2026-11-21T12:00:01Z", "prev": "ab", "gateway": "one", "event": "statement_end",
        "statement": "s-1", "session": "c-1", "outcome": "completed", "rows": 3, "bytes": 30, "duration_us": 1500,
        "sqlstate": null, "upstream_pid": 7, "clock_back_us": 5, "hash": "cd",
    });
    FoundRecord { found: stored(start), end: Some(stored(end)) }
}

fn cells(found: &FoundRecord) -> Map<String, Value> {
    let names = COLUMNS.iter().map(|column| column.name.to_owned());
    let value = |cell: Cell<'_>| match cell {
        Cell::Flag(flag) => json!(flag),
        Cell::Nothing => Value::Null,
        Cell::Number(number) => json!(number),
        Cell::Objects(objects) => json!(objects),
        Cell::Text(text) => json!(text),
        Cell::Texts(texts) => json!(texts),
    };
    names.zip(row(found).into_iter().map(value)).filter(|(_, value)| !value.is_null()).collect()
}

#[test]
fn a_statement_and_its_end_are_one_row_and_what_has_no_column_is_kept() {
    let found = statement(5);
    let row = Value::Object(cells(&found));
    assert_eq!(
        row,
        json!({
            "seq": 5, "recorded_at": 1_795_262_400_123_456_i64, "gateway": "one", "event": "statement_start",
            "statement": "s-1", "session": "c-1", "sql": "select 1", "objects": [["public.salary", "read"]],
            "decision": "allow", "grants": [], "hash": "ab", "end_seq": 6, "ended_at": 1_795_262_401_000_000_i64,
            "outcome": "completed", "rows": 3, "bytes": 30, "duration_us": 1500, "upstream_pid": 7,
            "end_hash": "cd", "intact": true,
            "more": r#"{"end":{"clock_back_us":5},"literals":[1,"two"]}"#,
        })
    );
}

#[test]
fn what_is_not_of_the_type_of_its_column_is_kept_as_it_is() {
    let odd = json!({
        "seq": "five", "at": "yesterday", "event": 7, "objects": [{ "name": "a", "mode": "read", "x": 1 }],
        "grants": ["a", 1], "request": { "id": 1 }, "rows": 3,
    });
    let mut found = FoundRecord { found: stored(odd.clone()), end: None };
    let mut row = cells(&found);
    let more: Value = serde_json::from_str(row.remove("more").unwrap().as_str().unwrap()).unwrap();
    assert_eq!((more, row), (odd, json!({ "intact": true }).as_object().unwrap().clone()));
    found.found.record = json!("{\"seq\":5,");
    found.found.intact = false;
    assert_eq!(Value::Object(cells(&found)), json!({ "intact": false, "more": "\"{\\\"seq\\\":5,\"" }));
    let finer = json!({ "at": "2026-11-21T12:00:00.1234567Z" });
    assert_eq!(cells(&FoundRecord { found: stored(finer), end: None }).get("recorded_at"), None);
}

#[test]
fn a_group_is_given_away_when_it_is_full_and_holds_no_more_than_that() {
    let (mut table, mut out) = (Table::new().unwrap(), Vec::new());
    let mut given = Vec::new();
    for seq in 0..100_000 {
        table.write(&statement(2 * seq), &mut out).unwrap();
        if given.last() != Some(&out.len()) {
            given.push(out.len());
        }
    }
    table.end(&mut out).unwrap();
    let file = SerializedFileReader::new(Bytes::from(out)).unwrap();
    let metadata = file.metadata();
    let rows: Vec<i64> = metadata.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows.iter().sum::<i64>(), 100_000);
    assert!(
        rows.len() == given.len() && rows.iter().all(|rows| (1..=65_536).contains(rows)),
        "{rows:?} {given:?}"
    );
    let leaves: usize = COLUMNS.iter().map(|column| 1 + usize::from(column.kind == Kind::Objects)).sum();
    assert_eq!(metadata.file_metadata().schema_descr().num_columns(), leaves);
}

#[test]
fn a_table_without_records_is_a_file_all_the_same() {
    let mut out = Vec::new();
    Table::new().unwrap().end(&mut out).unwrap();
    let file = SerializedFileReader::new(Bytes::from(out)).unwrap();
    assert_eq!(file.metadata().file_metadata().num_rows(), 0);
}
