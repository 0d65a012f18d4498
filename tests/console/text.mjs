// How the pages tell statements apart, write times, and read plans: without a browser.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../console/package.json", import.meta.url));
const { buildSync } = require("esbuild");

function load(file) {
  const entryPoints = [new URL(`../../console/src/${file}`, import.meta.url).pathname];
  const { outputFiles } = buildSync({ entryPoints, bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

const { statements, statementAt } = await load("sql.ts");
const { duration, lifetime, seconds } = await load("format.ts");
const { planOf } = await load("plan.ts");

const told = (text, dialect = "postgres") => statements(text, dialect).map((it) => it.sql);
for (const [text, expected, dialect] of [
  ["SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]],
  ["SELECT 1;\n-- the end; really\n", ["SELECT 1"]],
  ["SELECT ';' ; SELECT 'it''s; one'", ["SELECT ';'", "SELECT 'it''s; one'"]],
  [`SELECT "a;b"; SELECT E'\\';'`, [`SELECT "a;b"`, `SELECT E'\\';'`]],
  ["DO $x$ BEGIN; END; $x$; SELECT $$;$$", ["DO $x$ BEGIN; END; $x$", "SELECT $$;$$"]],
  ["SELECT /* ; /* ; */ ; */ 1; SELECT 2", ["SELECT /* ; /* ; */ ; */ 1", "SELECT 2"]],
  ["SELECT 'a\\'; SELECT 2'", ["SELECT 'a\\'", "SELECT 2'"]],
  ["SELECT 'a\\'; SELECT 2'", ["SELECT 'a\\'; SELECT 2'"], "mysql"],
  ["SELECT 1 # ; no\n; SELECT `a;b`", ["SELECT 1", "SELECT `a;b`"], "mysql"],
  ["SELECT /* /* */ 1; SELECT 2", ["SELECT /* /* */ 1", "SELECT 2"], "mysql"],
  [" ;; \n-- nothing\n", []],
]) {
  assert.deepEqual(told(text, dialect), expected, text);
}

const text = "SELECT 1;\n\nSELECT 2;\n";
assert.equal(statementAt(text, 0, "postgres").sql, "SELECT 1");
assert.equal(statementAt(text, 9, "postgres").sql, "SELECT 1");
assert.equal(statementAt(text, 12, "postgres").sql, "SELECT 2");
assert.equal(statementAt(text, text.length, "postgres").sql, "SELECT 2");
assert.equal(statementAt("", 0, "postgres"), undefined);

for (const [written, is] of [["90s", 90], ["1h30m", 5400], ["1d", 86400], ["2h 5m", 7500], ["", undefined], ["5", undefined], ["1m1h", undefined], ["0s", undefined]]) {
  assert.equal(seconds(written), is, written);
}
for (const span of [1, 90, 5400, 86400, 90061]) assert.equal(seconds(lifetime(span)), span);
assert.deepEqual([59, 61, 3600, 90000].map(duration), ["59 s", "1:01 min", "1 h 00 min", "1 d 1 h"]);

const [sort] = [planOf([[JSON.stringify([{ Plan: { "Node Type": "Sort", "Total Cost": 10, Plans: [{ "Node Type": "Seq Scan", "Relation Name": "t", "Total Cost": 8 }] } }])]], "postgres")];
assert.deepEqual([sort.name, sort.share, sort.children[0].name, sort.children[0].share], ["Sort", 0.2, "Seq Scan on t", 0.8]);
assert.equal(planOf([["not a plan"]], "mysql"), undefined);
console.log("ok text");
