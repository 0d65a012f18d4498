// What a database holds, as far as its person may see: read over their own connection, by statements that are judged and
// recorded like any other.
import { Cell } from "./cell.ts";
import type { Row } from "./types.ts";
import type { Dialect } from "./sql.ts";

export type Table = { schema: string; name: string; view: boolean; columns: { name: string; type: string }[] };

const known = new Map<string, Cell<Table[] | undefined>>();

export function catalogOf(target: string, database: string): Cell<Table[] | undefined> {
  const key = `${target}/${database}`;
  const found = known.get(key) ?? new Cell<Table[] | undefined>(undefined);
  known.set(key, found);
  return found;
}

export const forgetCatalogs = (): void => known.clear();

export const QUERIES: Record<Dialect, string> = {
  postgres: `SELECT n.nspname, c.relname, c.relkind, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY 1, 2, a.attnum`,
  mysql: `SELECT '', c.TABLE_NAME, t.TABLE_TYPE, c.COLUMN_NAME, c.COLUMN_TYPE
FROM information_schema.COLUMNS c
JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
WHERE c.TABLE_SCHEMA = DATABASE()
ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`,
};

export function tablesOf(rows: Row[]): Table[] {
  const tables: Table[] = [];
  for (const [schema, name, kind, column, type] of rows) {
    let table = tables[tables.length - 1];
    if (!table || table.schema !== schema || table.name !== name) {
      table = { schema: schema ?? "", name: name ?? "", view: kind === "v" || kind === "m" || kind === "VIEW", columns: [] };
      tables.push(table);
    }
    if (column) table.columns.push({ name: column, type: type ?? "" });
  }
  return tables;
}
