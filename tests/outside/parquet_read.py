#!/usr/bin/env python3
"""Compares a Parquet export with the JSON lines of the same records, as pyarrow, pandas' way, and DuckDB read it.

    parquet.py EXPORT.parquet EXPORT.jsonl
"""

import datetime
import json
import sys

import duckdb
import pyarrow.parquet

END = {"outcome": "outcome", "rows": "rows", "bytes": "bytes", "duration_us": "duration_us",
       "upstream_pid": "upstream_pid", "end_seq": "seq", "ended_at": "at", "end_hash": "hash"}
UTC = datetime.timezone.utc


def main():
    table, lines = sys.argv[1:]
    wanted = [plain(json.loads(line)) for line in open(lines, encoding="utf-8")]
    by_arrow = pyarrow.parquet.read_table(table)
    kinds = {field.name: str(field.type) for field in by_arrow.schema}
    assert kinds["recorded_at"] == kinds["ended_at"] == "timestamp[us, tz=UTC]", kinds
    assert (kinds["seq"], kinds["intact"], kinds["sql"]) == ("int64", "bool", "string"), kinds
    assert kinds["grants"] == "list<element: string not null>", kinds["grants"]
    same("pyarrow", records(by_arrow.to_pylist()), wanted)

    duckdb.sql("set timezone = 'UTC'")
    found = duckdb.sql(f"select * from '{table}'")
    rows = [dict(zip(found.columns, row)) for row in found.fetchall()]
    same("DuckDB", records(rows), wanted)
    starts = [it for it in wanted if it["event"] == "statement_start"]
    touched = f"select count(*) from '{table}', unnest(objects) as t(o) where o.mode = 'read'"
    reads = duckdb.sql(touched).fetchall()[0][0]
    assert reads == sum(o["mode"] == "read" for it in starts for o in it["objects"]) > 0, reads
    held = duckdb.sql(f"select count(*) from '{table}' where list_contains(grants, 'standing:all/0')").fetchall()[0][0]
    assert held == sum("standing:all/0" in it.get("grants", []) for it in starts) > 0, held
    since = f"select count(*) from '{table}' where recorded_at >= timestamptz '2026-11-21 12:00:00+00'"
    assert duckdb.sql(since).fetchall() == [(len(rows),)]
    slow = duckdb.sql(f"select sum(duration_us) from '{table}' where decision = 'allow'").fetchall()[0][0]
    assert slow == sum(it.get("duration_us", 0) for it in wanted), slow
    print(json.dumps({"rows": len(rows), "lines": len(wanted)}))


def records(rows):
    """The records that rows were made of, the end of a statement behind its start."""
    for row in rows:
        assert row.pop("intact") is True
        more = json.loads(row.pop("more") or "{}")
        end = more.pop("end", {})
        row["at"] = row.pop("recorded_at")
        own = {name: value for name, value in row.items() if value is not None}
        for column, field in END.items():
            if column in own:
                end[field] = own.pop(column)
        if end and "sqlstate" in own:
            end["sqlstate"] = own.pop("sqlstate")
        yield plain(own | more)
        if end:
            again = {name: row[name] for name in ("gateway", "session", "statement")}
            yield plain({"event": "statement_end"} | again | end)


def plain(record):
    """A record without what chains it, and without fields that say nothing; instants as numbers."""
    record = {name: value for name, value in record.items() if value is not None and name != "prev"}
    at = record["at"]
    record["at"] = (datetime.datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC).timestamp()
    return record


def same(reader, found, wanted):
    found = list(found)
    assert len(found) == len(wanted), (reader, len(found), len(wanted))
    for a, b in zip(found, wanted):
        assert a == b, f"{reader}:\n{a}\n{b}"


main()
