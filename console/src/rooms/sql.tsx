import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { call } from "../api.ts";
import { AskForm, draftOf } from "../askform.tsx";
import { catalogOf, type Table } from "../catalog.ts";
import { Cell, now, useCell } from "../cell.ts";
import { cancel, deskOf, exported, type Desk, type Result, type Tab } from "../desk.ts";
import type { TextPane } from "../editor.ts";
import { onEvent } from "../events.ts";
import { count, instant, milliseconds, rows } from "../format.ts";
import { Grid } from "../grid.ts";
import type { Plan } from "../plan.ts";
import { statementAt, statements } from "../sql.ts";
import { Badge, Button, Dialog, Empty, Note, Problem, Sql, useAsked } from "../ui.tsx";
import type { Column, Denial, Grant, Report, Request, Target, Who } from "../types.ts";

export function SqlRoom({ who }: { who: Who }) {
  const desk = deskOf(who.principal);
  const tabs = useCell(desk.tabs);
  const active = useCell(desk.active);
  const targets = useAsked(() => call<Target[]>("/api/v1/sql/targets", { background: true }), []);
  const tab = tabs.find((it) => it.id === active);
  useEffect(() => {
    const first = targets.value?.[0];
    if (first && desk.tabs.value.length === 0) void whereToBegin(first).then((database) => { if (desk.tabs.value.length === 0) desk.add(first, database); });
  }, [targets.value, tabs.length]);
  useEffect(() => { if (tab && targets.value) desk.prepare(tab); }, [tab?.id, tab?.target, tab?.database, targets.value]);
  if (targets.error) return <div class="page"><Problem error={targets.error} /></div>;
  if (!targets.value) return <div class="loading" role="progressbar" aria-label="Loading" />;
  if (targets.value.length === 0) return <Empty title="No targets">This gateway protects no database yet.</Empty>;
  return <Desktop desk={desk} tab={tab} tabs={tabs} targets={targets.value} />;
}

const firstDatabase = (target: Target): string => target.databases?.[0] ?? "";

/** Where no list says which databases there are: that of a grant, or none until its person names one. */
async function whereToBegin(target: Target): Promise<string> {
  if (target.databases) return firstDatabase(target);
  const held = await call<{ grants: Grant[] }>("/api/v1/grants?limit=50", { background: true }).catch(() => ({ grants: [] }));
  return held.grants.find((it) => it.target === target.name && !it.database.includes("*"))?.database ?? "";
}

function Desktop({ desk, tab, tabs, targets }: { desk: Desk; tab: Tab | undefined; tabs: Tab[]; targets: Target[] }) {
  const pane = useRef<TextPane | undefined>(undefined);
  const place = useRef<HTMLDivElement>(null);
  const [loaded, setLoaded] = useState(false);
  const [history, setHistory] = useState(false);
  const [split, setSplit] = useState(42);
  const tables = useCell(useMemo(() => (tab ? catalogOf(tab.target, tab.database) : NONE), [tab?.target, tab?.database])) ?? [];

  useEffect(() => {
    let wanted = true;
    void import("../editor.ts").then(({ TextPane: Pane }) => {
      if (!wanted || !place.current) return;
      const shown = () => desk.current;
      pane.current = new Pane(place.current, {
        run: () => run(false), runAll: () => run(true), explain: () => explain(),
        changed: (text) => { const it = shown(); if (it) { it.text = text; desk.keep(); } },
      });
      setLoaded(true);
    });
    return () => { wanted = false; pane.current?.close(); pane.current = undefined; };
  }, []);
  useEffect(() => { if (loaded && tab) { pane.current?.show(tab.id, tab.text); pane.current?.focus(); } }, [loaded, tab?.id]);
  useEffect(() => { if (loaded && tab) pane.current?.speak(tab.dialect, tables); }, [loaded, tab?.id, tab?.dialect, tables]);

  const chosen = () => {
    const [it, text] = [desk.current, pane.current];
    if (!it || !text) return [];
    const { from, to } = text.selection;
    if (to > from) return statements(text.text.slice(from, to), it.dialect).map(({ sql, from: at }) => ({ sql, from: from + at }));
    const one = statementAt(text.text, from, it.dialect);
    return one ? [one] : [];
  };
  const run = (everything: boolean) => {
    const it = desk.current;
    if (!it || it.running.value) return;
    if (!it.database) return place.current?.closest(".desk")?.querySelector<HTMLElement>("[aria-label=Database]")?.focus();
    const what = everything ? statements(pane.current?.text ?? "", it.dialect) : chosen();
    if (what.length > 0) void desk.run(it, what);
  };
  const explain = () => {
    const [it, what] = [desk.current, chosen()];
    if (it && !it.running.value && what.length > 0) void desk.run(it, what.slice(0, 1), true);
  };

  return (
    <div class="desk" style={{ "--split": `${split}%` }}>
      <Tabs desk={desk} tabs={tabs} tab={tab} targets={targets} />
      {tab ? <Tools desk={desk} tab={tab} targets={targets} run={run} explain={explain} history={() => setHistory(true)} /> : <div class="tools" />}
      <Tree tables={tables} onPick={(text) => pane.current?.insert(text)} />
      <div class="work">
        <div class="text" ref={place} aria-busy={!loaded} />
        <Splitter value={split} onMove={setSplit} />
        {tab ? <Results key={tab.id} desk={desk} tab={tab} goTo={(at) => pane.current?.goTo(at)} /> : <Empty title="No tab is open" />}
      </div>
      {history && <History desk={desk} onClose={() => setHistory(false)} onPick={(sql) => { pane.current?.replace(sql); setHistory(false); }} />}
    </div>
  );
}

const NONE = new Cell<Table[] | undefined>([]);

function Tabs({ desk, tabs, tab, targets }: { desk: Desk; tabs: Tab[]; tab: Tab | undefined; targets: Target[] }) {
  const add = () => {
    const target = targets.find((it) => it.name === tab?.target) ?? (targets[0] as Target);
    desk.add(target, tab?.database ?? firstDatabase(target));
  };
  return (
    <div class="tabs">
      <nav aria-label="Tabs" class="row" style={{ gap: 0, alignItems: "stretch" }}>
        {tabs.map((it, at) => <TabHead key={it.id} tab={it} number={at + 1} selected={it === tab} onPick={() => (desk.active.value = it.id)} onClose={() => desk.close(it)} />)}
      </nav>
      <Button look="quiet" icon="plus" label="New tab" onClick={add} style={{ alignSelf: "center", marginLeft: "4px" }} />
    </div>
  );
}

function TabHead({ tab, number, selected, onPick, onClose }: { tab: Tab; number: number; selected: boolean; onPick: () => void; onClose: () => void }) {
  const transaction = useCell(tab.transaction);
  return (
    <div class="tab" data-current={selected}>
      {transaction !== "idle" && <span class={`dot ${transaction}`} />}
      <button type="button" aria-current={selected ? "true" : undefined} class="cut" onClick={onPick}>{number} {tab.database || "new"} <span class="faint">{tab.target}</span></button>
      <Button look="quiet" icon="close" label={`Close tab ${number}`} onClick={onClose} />
    </div>
  );
}

function Tools({ desk, tab, targets, run, explain, history }: { desk: Desk; tab: Tab; targets: Target[]; run: (all: boolean) => void; explain: () => void; history: () => void }) {
  const running = useCell(tab.running);
  const transaction = useCell(tab.transaction);
  const [database, setDatabase] = useState(tab.database);
  useEffect(() => setDatabase(tab.database), [tab.id, tab.database]);
  const target = targets.find((it) => it.name === tab.target) ?? (targets[0] as Target);
  const move = (name: string, to: string) => desk.move(tab, targets.find((it) => it.name === name) ?? target, to);
  const say = (sql: string) => void desk.run(tab, [{ sql, from: 0 }]);
  return (
    <div class="tools">
      {running
        ? <Button look="bad" icon="stop" onClick={() => void cancel(tab)}>Cancel</Button>
        : <Button look="main" icon="run" onClick={() => run(false)}>Run <kbd class="phoneless">Ctrl ⏎</kbd></Button>}
      <Button icon="plan" disabled={running} onClick={explain}>Plan</Button>
      <Button look="quiet" icon="clock" onClick={history}>History</Button>
      <span class="grow" />
      {transaction !== "idle" && (
        <span class="row">
          <Badge look={transaction === "failed" ? "bad" : "warn"}>{transaction === "failed" ? "transaction failed" : "in transaction"}</Badge>
          {transaction === "open" && <Button disabled={running} onClick={() => say("COMMIT")}>Commit</Button>}
          <Button disabled={running} onClick={() => say("ROLLBACK")}>Roll back</Button>
        </span>
      )}
      <select class="input" aria-label="Target" value={tab.target} disabled={running} onChange={(event) => {
        const next = targets.find((it) => it.name === event.currentTarget.value);
        if (next) move(next.name, next.databases && !next.databases.includes(tab.database) ? firstDatabase(next) : tab.database);
      }}>
        {targets.map((it) => <option key={it.name} value={it.name}>{it.name} · {it.environment}</option>)}
      </select>
      {target.databases
        ? <select class="input" aria-label="Database" value={tab.database} disabled={running} onChange={(event) => move(tab.target, event.currentTarget.value)}>{target.databases.map((it) => <option key={it}>{it}</option>)}</select>
        : <input class="input mono" aria-label="Database" placeholder="database" style={{ width: "120px" }} value={database} disabled={running} spellcheck={false} onInput={(event) => setDatabase(event.currentTarget.value)} onChange={() => database !== tab.database && move(tab.target, database)} />}
    </div>
  );
}

function Tree({ tables, onPick }: { tables: Table[]; onPick: (text: string) => void }) {
  const [wanted, setWanted] = useState("");
  const shown = tables.filter((it) => `${it.schema}.${it.name}`.includes(wanted.toLowerCase())).slice(0, 500);
  return (
    <aside class="tree" aria-label="Tables">
      <input class="input" type="search" placeholder="Find a table" aria-label="Find a table" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      {tables.length === 0 && <p class="small soft">No tables to show. They appear where you may look.</p>}
      {shown.map((table) => (
        <details key={`${table.schema}.${table.name}`}>
          <summary title={table.view ? "view" : "table"} onDblClick={() => onPick(table.schema && table.schema !== "public" ? `${table.schema}.${table.name}` : table.name)}>
            {table.schema && table.schema !== "public" && <span class="faint">{table.schema}.</span>}{table.name}{table.view && <span class="faint"> view</span>}
          </summary>
          <ul>{table.columns.map((column) => <li key={column.name}><button type="button" onClick={() => onPick(column.name)}><span class="cut">{column.name}</span><span class="cut">{column.type}</span></button></li>)}</ul>
        </details>
      ))}
    </aside>
  );
}

function Splitter({ value, onMove }: { value: number; onMove: (value: number) => void }) {
  const within = (next: number) => Math.max(12, Math.min(82, next));
  const drag = (event: PointerEvent) => {
    const bar = event.currentTarget as HTMLElement;
    const box = (bar.parentElement as HTMLElement).getBoundingClientRect();
    bar.setPointerCapture(event.pointerId);
    const move = (to: PointerEvent) => onMove(within(((to.clientY - box.top) / box.height) * 100));
    bar.addEventListener("pointermove", move);
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move), { once: true });
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowUp") onMove(within(value - 4));
    if (event.key === "ArrowDown") onMove(within(value + 4));
  };
  return <div class="splitter" role="separator" aria-label="Height of the text" aria-orientation="horizontal" aria-valuenow={Math.round(value)} tabIndex={0} onPointerDown={drag} onKeyDown={press} />;
}

function Results({ desk, tab, goTo }: { desk: Desk; tab: Tab; goTo: (at: number) => void }) {
  const results = useCell(tab.results);
  const at = useCell(tab.shown);
  const running = useCell(tab.running);
  const problem = useCell(tab.problem);
  useCell(tab.beat);
  const [refused, setRefused] = useState<{ of: Result; report: Report }>();
  const result = results[at];
  const again = (of: Result) => void desk.run(tab, [{ sql: of.sql, from: Math.max(0, of.from) }]);
  const take = async (of: Result) => {
    const report = await exported(tab, of.sql);
    setRefused(report ? { of, report } : undefined);
  };
  const report = refused && refused.of === result ? refused.report : result?.error;
  return (
    <div class="results" data-runs={tab.runs} aria-busy={running}>
      <nav aria-label="Results">
        <div role="tablist" aria-label="Results">
          {results.map((it, number) => (
            <button key={number} type="button" role="tab" aria-selected={number === at} onClick={() => (tab.shown.value = number)}>
              {results.length > 1 && `${number + 1}. `}{it.error ? "Error" : it.plan ? "Plan" : it.columns ? "Rows" : "Done"}
            </button>
          ))}
        </div>
        <span class="grow" />
        {result?.columns && result.ms !== undefined && !result.error && !result.plan && tab.dialect === "postgres" && <Button look="quiet" icon="down" disabled={running} onClick={() => void take(result)}>Export CSV</Button>}
      </nav>
      {running && <div class="loading" role="progressbar" aria-label="Running" />}
      <div class="outcome" tabIndex={-1}>
        {problem && <div class="pad stack"><Note look="bad">{problem} <a href="/ask">Ask for access</a></Note></div>}
        {report && result ? <Failure key={`${result.begun}`} tab={tab} result={result} report={report} goTo={goTo} again={() => { setRefused(undefined); again(result); }} />
          : result?.plan ? <PlanView plan={result.plan} />
          : result?.columns ? <GridView result={result} beat={tab.beat.value} />
          : result && result.ms !== undefined ? <div class="pad"><Note look="good">{result.command || "Done"}</Note></div>
          : !problem && !running && <Empty title="Nothing was run yet"><kbd>Ctrl</kbd> <kbd>Enter</kbd> runs the statement under the cursor.</Empty>}
        {result?.notices.map((notice, number) => <div key={number} class="pad"><Note look="warn"><strong>{notice.severity.toLowerCase()}</strong> {notice.message}{notice.detail && <div class="small">{notice.detail}</div>}</Note></div>)}
      </div>
      <Status result={result} running={running} />
    </div>
  );
}

function Status({ result, running }: { result: Result | undefined; running: boolean }) {
  const time = useCell(now);
  if (!result) return <div class="status" />;
  const cut = result.count !== null && result.shown < result.count && result.columns;
  return (
    <div class="status num" role="status">
      {running && result.ms === undefined && <span>{result.columns ? `${rows(result.rows.length)} so far` : "running"} · {Math.max(0, Math.floor((time - result.begun) / 1000))} s</span>}
      {result.ms !== undefined && <span>{milliseconds(result.ms)}</span>}
      {result.ms !== undefined && !result.error && result.count !== null && <span>{rows(result.count)}{!result.columns && " changed"}</span>}
      {cut && <Badge look="warn">the first {count(result.shown)} are shown</Badge>}
      <span class="grow" />
      <span class="cut faint mono phoneless">{result.sql.replaceAll(/\s+/g, " ").slice(0, 120)}</span>
    </div>
  );
}

function GridView({ result, beat }: { result: Result; beat: number }) {
  const place = useRef<HTMLDivElement>(null);
  const grid = useRef<Grid | undefined>(undefined);
  const [value, setValue] = useState<{ column: Column; text: string }>();
  useLayoutEffect(() => {
    if (!place.current || !result.columns) return;
    grid.current ??= new Grid(place.current, (column, text) => setValue({ column, text }));
    grid.current.set(result.columns, result.rows);
  }, [result, result.columns, beat]);
  return (
    <>
      <div ref={place} />
      {value && <Dialog title={`${value.column.name} ${value.column.type}`} broad onClose={() => setValue(undefined)}><pre class="sql" tabIndex={0}>{pretty(value.text)}</pre></Dialog>}
    </>
  );
}

function pretty(text: string): string {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function PlanView({ plan }: { plan: Plan }) {
  return <ul class="plan" aria-label="Plan"><Node plan={plan} /></ul>;
}

function Node({ plan }: { plan: Plan }) {
  return (
    <li>
      <div class="node">
        <span class={`heat h${Math.round(plan.share * 5)}`} title={`${Math.round(plan.share * 100)} % of the cost`} />
        <strong>{plan.name}</strong>
        {plan.rows !== undefined && <span class="soft num">{rows(plan.rows)}</span>}
        {plan.cost !== undefined && <span class="faint num">cost {count(Math.round(plan.cost * 100) / 100)}</span>}
        {plan.about && <code class="soft">{plan.about}</code>}
      </div>
      {plan.children.length > 0 && <ul>{plan.children.map((child, at) => <Node key={at} plan={child} />)}</ul>}
    </li>
  );
}

/** What the database said no to; where the gateway did, the way to ask for it. */
function Failure({ tab, result, report, goTo, again }: { tab: Tab; result: Result; report: Report; goTo: (at: number) => void; again: () => void }) {
  const [asking, setAsking] = useState(false);
  const denial = useAsked(async () => (report.denial && asking ? call<Denial>(`/api/v1/denials/${report.denial}`) : undefined), [report.denial, asking]);
  const [request, setRequest] = useState<Request>();
  return (
    <div class="pad stack">
      <div class="refusal stack tight">
        <h2>{report.message}</h2>
        {report.detail && <p>{report.detail}</p>}
        {report.hint && !report.denial && <p class="soft">{report.hint}</p>}
        <div class="row small soft"><span>{report.severity}</span><code>{report.code}{report.number ? ` / ${report.number}` : ""}</code>
          {report.position !== undefined && <button type="button" class="button quiet" onClick={() => goTo(result.from + (report.position ?? 1) - 1)}>Go to the place</button>}</div>
      </div>
      {report.denial && !asking && !request && <div class="row"><Button look="main" icon="ask" onClick={() => setAsking(true)}>Ask for access</Button><span class="small soft">refusal {report.denial}</span></div>}
      {asking && !request && (
        <section class="card fade">
          <header><h2 class="grow">Ask for access</h2><span class="small soft cut">{tab.target} / {tab.database}</span><Button look="quiet" icon="close" label="Do not ask" onClick={() => setAsking(false)} /></header>
          <div class="body"><Problem error={denial.error} />{denial.value && <AskForm compact draft={draftOf(denial.value)} onAsked={setRequest} />}</div>
        </section>
      )}
      {request && <Following id={request.id} first={request} again={again} />}
    </div>
  );
}

/** The request that was made here, until it is decided; then the statement can be run again. */
function Following({ id, first, again }: { id: string; first: Request; again: () => void }) {
  const asked = useAsked(() => call<Request>(`/api/v1/requests/${id}`, { background: true }), [id]);
  useEffect(() => onEvent((what) => { if (what.request === id) asked.again(); }), [id]);
  const request = asked.value ?? first;
  useEffect(() => {
    if (request.state !== "pending") return;
    const poll = setInterval(asked.again, 5000);
    return () => clearInterval(poll);
  }, [request.state]);
  const last = request.reviews[request.reviews.length - 1];
  if (request.state === "pending") {
    return <Note look="warn"><strong>Asked.</strong> It waits for {request.waits_for.join(", ") || "an answer"}, until {instant(request.expires_at)}. You can go on working; this changes by itself.</Note>;
  }
  if (request.state === "approved") {
    return (
      <Note look="good">
        <div class="row wrap"><span class="grow"><strong>Approved{last && ` by ${last.reviewer}`}.</strong>{last?.comment && ` “${last.comment}”`}</span><Button look="main" icon="run" onClick={again}>Run again</Button></div>
      </Note>
    );
  }
  return <Note look="bad"><strong>{request.state}{last && ` by ${last.reviewer}`}.</strong>{last?.comment && ` “${last.comment}”`}</Note>;
}

function History({ desk, onClose, onPick }: { desk: Desk; onClose: () => void; onPick: (sql: string) => void }) {
  const [wanted, setWanted] = useState("");
  const all = useMemo(() => desk.history(), []);
  const shown = all.filter((it) => it.sql.toLowerCase().includes(wanted.toLowerCase())).slice(0, 100);
  return (
    <Dialog title="History" broad onClose={onClose}>
      <input class="input" type="search" placeholder="Find" aria-label="Find" autofocus value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      {shown.length === 0 && <Empty title={all.length === 0 ? "Nothing was run yet" : "Nothing is like that"} />}
      <ul class="stack">
        {shown.map((it) => (
          <li key={it.at + it.sql} class="stack tight">
            <div class="row small soft"><span class="grow num">{instant(it.at)} · {it.target} / {it.database}</span><Button look="quiet" onClick={() => onPick(it.sql)}>Use</Button></div>
            <Sql text={it.sql} />
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
