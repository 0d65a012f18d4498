// The tabs of the SQL room: they outlive the room, and what was written in them outlives the page.
import { Refused, call, lines, send } from "./api.ts";
import { QUERIES, catalogOf, forgetCatalogs, tablesOf } from "./catalog.ts";
import { Cell } from "./cell.ts";
import { planOf, type Plan } from "./plan.ts";
import type { Dialect } from "./sql.ts";
import type { Column, Line, Report, Row, Target, Transaction } from "./types.ts";

export type Result = {
  sql: string; from: number; columns: Column[] | undefined; rows: Row[]; command: string; count: number | null; shown: number;
  error: Report | undefined; notices: Report[]; ms: number | undefined; plan: Plan | undefined; begun: number;
};

export type Tab = {
  id: string; target: string; database: string; dialect: Dialect; text: string;
  /** The connection's name, once there is one. */
  remote: string | undefined;
  transaction: Cell<Transaction>; running: Cell<boolean>; problem: Cell<string>; results: Cell<Result[]>; shown: Cell<number>;
  /** How often something was run. */
  runs: number;
  /** Moves whenever rows came. */
  beat: Cell<number>;
  turn: Promise<void>;
};

export type Ran = { sql: string; at: string; target: string; database: string };

export class Desk {
  readonly tabs = new Cell<Tab[]>([]);
  readonly active = new Cell<string>("");

  constructor(private readonly principal: string) {
    const kept = stored<Partial<Tab>>(this.key("tabs"));
    this.tabs.value = kept.map((it) => makeTab(it));
    this.active.value = this.tabs.value[0]?.id ?? "";
  }

  private key = (what: string): string => `tidegate:${this.principal}:${what}`;

  get current(): Tab | undefined {
    return this.tabs.value.find((tab) => tab.id === this.active.value);
  }

  keep(): void {
    const kept = this.tabs.value.map(({ id, target, database, dialect, text }) => ({ id, target, database, dialect, text }));
    store(this.key("tabs"), kept);
  }

  add(target: Target, database: string, text = ""): Tab {
    const tab = makeTab({ target: target.name, database, dialect: target.dialect, text });
    this.tabs.value = [...this.tabs.value, tab];
    this.active.value = tab.id;
    this.keep();
    return tab;
  }

  /** Another place for a tab: its connection is closed, its text stays. */
  move(tab: Tab, target: Target, database: string): void {
    hangUp(tab);
    Object.assign(tab, { target: target.name, dialect: target.dialect, database });
    this.tabs.value = [...this.tabs.value];
    this.keep();
  }

  close(tab: Tab): void {
    hangUp(tab);
    const [all, at] = [this.tabs.value, this.tabs.value.indexOf(tab)];
    this.tabs.value = all.filter((it) => it !== tab);
    if (this.active.value === tab.id) this.active.value = (all[at + 1] ?? all[at - 1])?.id ?? "";
    this.keep();
  }

  history(): Ran[] {
    return stored<Ran>(this.key("history"));
  }

  remember(tab: Tab, sql: string): void {
    const all = this.history().filter((it) => it.sql !== sql);
    all.unshift({ sql: sql.slice(0, 20_000), at: new Date().toISOString(), target: tab.target, database: tab.database });
    store(this.key("history"), all.slice(0, 200));
  }

  /** Runs statements one after the other, to the first that fails. */
  run(tab: Tab, statements: { sql: string; from: number }[], explains = false): Promise<void> {
    tab.turn = tab.turn.then(async () => {
      tab.runs += 1;
      tab.running.value = true;
      tab.problem.value = "";
      tab.results.value = [];
      try {
        for (const { sql, from } of statements) {
          if (!explains) this.remember(tab, sql);
          const prefix = explains ? (tab.dialect === "postgres" ? "EXPLAIN (FORMAT JSON) " : "EXPLAIN FORMAT=JSON ") : "";
          const result = await runOne(tab, prefix + sql, { sql, from: from - prefix.length });
          if (explains && !result.error) result.plan = planOf(result.rows, tab.dialect);
          tab.results.value = [...tab.results.value];
          if (result.error) break;
        }
      } catch (error) {
        tab.problem.value = error instanceof Error ? error.message : String(error);
      }
      tab.running.value = false;
    });
    const over = tab.turn;
    this.prepare(tab);
    return over;
  }

  /** Opens the connection and reads the catalog, where that was not done. */
  prepare(tab: Tab): void {
    const catalog = catalogOf(tab.target, tab.database);
    if (catalog.value || !tab.target || !tab.database) return;
    catalog.value = [];
    tab.turn = tab.turn.then(async () => {
      const result = fresh("", 0);
      await connected(tab, () => stream(tab, QUERIES[tab.dialect], result)).catch(() => undefined);
      // What failed is tried again after the next statement.
      catalog.value = result.columns && !result.error ? tablesOf(result.rows) : undefined;
    });
  }
}

/** What the browser kept, as far as it can be read. */
function stored<T>(key: string): T[] {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "[]") as unknown;
    return Array.isArray(kept) ? (kept as T[]) : [];
  } catch {
    return [];
  }
}

function store(key: string, what: unknown[]): void {
  try {
    localStorage.setItem(key, JSON.stringify(what));
  } catch {
    // The browser keeps no more: what is on the page stays there.
  }
}

const desks = new Map<string, Desk>();

/** Sessions are not left behind when the page goes. */
addEventListener("pagehide", () => desks.forEach((desk) => desk.tabs.value.forEach(hangUp)));

export function deskOf(principal: string): Desk {
  const found = desks.get(principal) ?? new Desk(principal);
  if (!desks.has(principal)) forgetCatalogs();
  desks.set(principal, found);
  return found;
}

function makeTab(kept: Partial<Tab>): Tab {
  return {
    id: kept.id ?? crypto.randomUUID(), target: kept.target ?? "", database: kept.database ?? "", dialect: kept.dialect ?? "postgres", text: kept.text ?? "",
    remote: undefined, transaction: new Cell<Transaction>("idle"), running: new Cell(false), problem: new Cell(""), results: new Cell<Result[]>([]),
    shown: new Cell(0), runs: 0, beat: new Cell(0), turn: Promise.resolve(),
  };
}

const fresh = (sql: string, from: number): Result =>
  ({ sql, from, columns: undefined, rows: [], command: "", count: null, shown: 0, error: undefined, notices: [], ms: undefined, plan: undefined, begun: Date.now() });

async function runOne(tab: Tab, text: string, of: { sql: string; from: number }): Promise<Result> {
  const result = fresh(of.sql, of.from);
  tab.results.value = [...tab.results.value, result];
  tab.shown.value = tab.results.value.length - 1;
  await connected(tab, () => stream(tab, text, result));
  return result;
}

/** Does something over the tab's connection; one that was closed meanwhile is made anew, unless a transaction went with it. */
async function connected(tab: Tab, work: () => Promise<void>): Promise<void> {
  if (!tab.remote) await connect(tab);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused) || error.problem.code !== "tab_closed") throw error;
    const lost = tab.transaction.value !== "idle";
    tab.remote = undefined;
    tab.transaction.value = "idle";
    if (lost) throw new Error("The connection was closed, and with it the open transaction: nothing of it was kept.");
    await connect(tab);
    await work();
  }
}

async function connect(tab: Tab): Promise<void> {
  const opened = await call<{ tab: string; dialect: Dialect }>("/api/v1/sql/tabs", { body: { target: tab.target, database: tab.database } });
  tab.remote = opened.tab;
  tab.dialect = opened.dialect;
  tab.transaction.value = "idle";
}

async function stream(tab: Tab, sql: string, result: Result): Promise<void> {
  const response = await send(`/api/v1/sql/tabs/${tab.remote}/run`, { body: { sql } });
  for await (const text of lines(response)) {
    const line = JSON.parse(text) as Line;
    if (line.columns) [result.columns, result.rows] = [line.columns, []];
    if (line.rows) for (const row of line.rows) result.rows.push(row);
    if (line.notice) result.notices.push(line.notice);
    if (line.error) result.error = line.error;
    if (line.complete) [result.command, result.count, result.shown] = [line.complete.command, line.complete.rows, line.complete.shown];
    if (line.end) {
      result.ms = line.end.ms;
      tab.transaction.value = line.end.transaction;
      if (line.end.closed) tab.remote = undefined;
    }
    tab.beat.value += 1;
  }
}

export const cancel = (tab: Tab): Promise<void> =>
  tab.remote ? call(`/api/v1/sql/tabs/${tab.remote}/cancel`, { method: "POST" }) : Promise.resolve();

function hangUp(tab: Tab): void {
  if (tab.remote) call(`/api/v1/sql/tabs/${tab.remote}`, { method: "DELETE", background: true, keepalive: true }).catch(() => undefined);
  tab.remote = undefined;
  tab.transaction.value = "idle";
}

/** The tables of a database, read over a connection that is closed again; none where its person may not look. */
export async function look(target: string, database: string): Promise<string[]> {
  const catalog = catalogOf(target, database);
  if (!catalog.value?.length) {
    const tab = makeTab({ target, database });
    const result = fresh("", 0);
    await connect(tab).then(() => stream(tab, QUERIES[tab.dialect], result)).catch(() => undefined);
    hangUp(tab);
    catalog.value = result.error ? [] : tablesOf(result.rows);
  }
  return (catalog.value ?? []).map((it) => (it.schema ? `${it.schema}.${it.name}` : it.name));
}

/** The rows of a statement as a file; the gate judges it as an export. */
export async function exported(tab: Tab, sql: string): Promise<Report | undefined> {
  try {
    let file: Blob | undefined;
    await connected(tab, async () => {
      file = await (await send(`/api/v1/sql/tabs/${tab.remote}/export`, { body: { sql } })).blob();
    });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file as Blob), download: "result.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    return undefined;
  } catch (error) {
    if (error instanceof Refused && error.status === 422) return error.problem as unknown as Report;
    return { severity: "ERROR", code: "", message: error instanceof Error ? error.message : String(error) };
  }
}
