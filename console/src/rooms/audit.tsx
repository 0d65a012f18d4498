import { useEffect, useRef, useState } from "preact/hooks";
import { call, lines, send } from "../api.ts";
import { count, instant, milliseconds, plural } from "../format.ts";
import { go } from "../router.ts";
import { PERMISSIONS } from "../types.ts";
import { Badge, Button, Dialog, Empty, Field, Problem, Sql, StateBadge, useAsked } from "../ui.tsx";

type Body = {
  at: string; event: string; principal?: string; actor?: string; target?: string; database?: string; sql?: string; kind?: string; decision?: string; sqlstate?: string;
  message?: string; objects?: { name: string; mode: string }[]; client?: string; application?: string; session?: string; statement?: string; outcome?: string;
  rows?: number; bytes?: number; duration_us?: number; lane?: string; grants?: string[]; [field: string]: unknown;
};
type Stored = { seq: number; intact: boolean; record: Body };
type Found = Stored & { end?: Stored };
type Page = { records: Found[]; next?: number; unindexed: number };
type Hour = { at: string; allowed: number; denied: number };
type Stats = { touches: { principal: string; target: string; database: string; object: string; permission?: string; allowed: number; denied: number }[]; hours: Hour[]; unindexed: number };
type Story = { record: Stored; end?: Stored; session: Stored[]; grants: Stored[]; requests: Stored[] };

const SPANS: Record<string, number> = { "hour": 3600, "day": 86400, "week": 7 * 86400, "month": 30 * 86400 };
const EVENTS = ["statement_start", "login", "login_failed", "request_created", "request_reviewed", "break_glass", "grant_created", "grant_revoked", "policy_loaded"];
type Search = { principal: string; target: string; table: string; permission: string; decision: string; text: string; event: string; span: string };
const ALL: Search = { principal: "", target: "", table: "", permission: "", decision: "", text: "", event: "", span: "day" };

function queryOf(search: Search, fields: (keyof Search)[]): URLSearchParams {
  const query = new URLSearchParams();
  for (const field of fields) if (search[field]) query.set(field, search[field].trim());
  const span = SPANS[search.span];
  if (span) query.set("from", new Date(Date.now() - span * 1000).toISOString());
  return query;
}

const FIELDS: (keyof Search)[] = ["principal", "target", "table", "permission", "decision", "text", "event"];

export function AuditRoom({ place }: { place: string }) {
  const [search, setSearch] = useState(ALL);
  const [live, setLive] = useState(false);
  const [older, setOlder] = useState<Found[]>([]);
  const [next, setNext] = useState<number>();
  const wanted = JSON.stringify(search);
  const slow = useSlow(wanted, 250);
  const page = useAsked(() => call<Page>(`/api/v1/audit/records?${queryOf(search, FIELDS)}&limit=100`), [slow]);
  const stats = useAsked(() => call<Stats>(`/api/v1/audit/stats?${queryOf(search, ["principal", "target", "table", "permission"])}&limit=50`, { background: true }), [slow]);
  const tailed = useTail(live ? slow : undefined, search);
  const look = useRef(0);
  const [looking, setLooking] = useState(false);
  // A search gives what it has after a while, which may be nothing: it goes on until there is something to show.
  const more = async (before?: number) => {
    const mine = ++look.current;
    setLooking(before !== undefined);
    try {
      for (let at = before; at !== undefined;) {
        const found = await call<Page>(`/api/v1/audit/records?${queryOf(search, FIELDS)}&limit=100&before=${at}`);
        if (mine !== look.current) return;
        setOlder((old) => [...old, ...found.records]);
        setNext(at = found.next);
        if (found.records.length > 0) return;
      }
    } finally {
      if (mine === look.current) setLooking(false);
    }
  };
  useEffect(() => {
    setOlder([]);
    setNext(page.value?.next);
    void more(page.value?.records.length === 0 ? page.value.next : undefined);
    return () => { look.current += 1; };
  }, [page.value]);
  const seen = new Set<number>();
  const all = [...tailed, ...(page.value?.records ?? []), ...older].filter((it) => !seen.has(it.seq) && seen.add(it.seq));
  const id = place.split("/")[2];
  const set = (change: Partial<Search>) => setSearch((old) => ({ ...old, ...change }));
  return (
    <div class="page">
      <header>
        <h1 class="grow">Audit</h1>
        <Button aria-pressed={live} look={live ? "main" : "quiet"} onClick={() => setLive(!live)}>{live ? "Live" : "Follow live"}</Button>
        <Download search={search} />
      </header>
      <div class="stack">
        <Filters search={search} set={set} />
        <Problem error={page.error} />
        {stats.value && <Overview stats={stats.value} search={search} set={set} />}
        <section class="card scroll" aria-label="Records">
          {!page.value && !page.error ? <div class="loading" /> : all.length === 0 && next !== undefined ? <Empty title="Nothing among the newest">{looking ? "Looking further back." : "There may be something further back."}</Empty> : all.length === 0 ? <Empty title="Nothing is like that">Ask for a longer time, or for less.</Empty> : (
            <table class="plain">
              <thead><tr><th>When</th><th>Who</th><th>What</th><th class="phoneless">Where</th><th>Decision</th><th class="right phoneless">Rows</th><th class="right phoneless">Took</th></tr></thead>
              <tbody>{all.map((it) => <Line key={it.seq} found={it} onPick={() => go(`/audit/${it.seq}`)} />)}</tbody>
            </table>
          )}
          {next !== undefined && <div class="item"><Button look="quiet" disabled={looking} onClick={() => void more(next)}>Older ones</Button></div>}
        </section>
        {page.value && page.value.unindexed > 0 && <p class="small soft">{plural(page.value.unindexed, "newer record")} cannot be found yet.</p>}
      </div>
      {id && <StoryView key={id} id={id} onClose={() => go("/audit")} />}
    </div>
  );
}

function Filters({ search, set }: { search: Search; set: (change: Partial<Search>) => void }) {
  const text = (field: "principal" | "target" | "table" | "text", label: string, hint: string) => (
    <Field label={label}><input class="input" value={search[field]} placeholder={hint} spellcheck={false} onInput={(event) => set({ [field]: event.currentTarget.value })} /></Field>
  );
  const choice = (field: "permission" | "decision" | "event" | "span", label: string, all: readonly string[], none?: string) => (
    <Field label={label}>
      <select class="input" value={search[field]} onChange={(event) => set({ [field]: event.currentTarget.value })}>
        {none && <option value="">{none}</option>}{all.map((it) => <option key={it} value={it}>{field === "span" ? `last ${it}` : it.replaceAll("_", " ")}</option>)}
      </select>
    </Field>
  );
  return (
    <div class="fields" role="search" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(120px, 1fr))" }}>
      {text("text", "Words", "salary bonus")}{text("principal", "Person", "dana")}{text("target", "Target", "hr")}{text("table", "Table", "public.*")}
      {choice("event", "Records", EVENTS, "all")}{choice("permission", "Permission", PERMISSIONS, "any")}{choice("decision", "Decision", ["allow", "deny"], "any")}{choice("span", "Time", Object.keys(SPANS))}
    </div>
  );
}

function Line({ found, onPick }: { found: Found; onPick: () => void }) {
  const { record, end } = found;
  const what = record.sql ?? [record.event.replaceAll("_", " "), record.message, record["reason"]].filter(Boolean).join(": ");
  return (
    <tr class="pick" onClick={onPick}>
      <td class="num"><button type="button" class="button quiet" style={{ height: "20px", padding: 0 }} onClick={onPick}>{instant(record.at)}</button></td>
      <td>{record.principal ?? record.actor ?? ""}</td>
      <td class="what"><div class="cut">{record.sql ? <code>{what.replaceAll(/\s+/g, " ")}</code> : what}</div></td>
      <td class="soft phoneless">{[record.target, record.database].filter(Boolean).join(" / ")}</td>
      <td>{record.decision && <StateBadge state={record.decision} />}{!found.intact && <Badge look="bad">changed</Badge>}</td>
      <td class="right num phoneless">{end?.record.rows === undefined || end.record.rows === null ? "" : count(end.record.rows)}</td>
      <td class="right num phoneless">{end?.record.duration_us === undefined ? "" : milliseconds(Math.round(end.record.duration_us / 1000))}</td>
    </tr>
  );
}

function Overview({ stats, search, set }: { stats: Stats; search: Search; set: (change: Partial<Search>) => void }) {
  // What needs no more than any grant, as catalogs do, says little of who touched what.
  const touches = stats.touches.filter((it) => it.permission).slice(0, 4);
  return (
    <div class="two">
      <section class="card"><header><h2 class="grow">Statements</h2><span class="row small soft"><span class="dot run" />let run<span class="dot failed" />refused</span></header><div class="body"><Timeline hours={stats.hours} span={SPANS[search.span] ?? 86400} /></div></section>
      <section class="card"><header><h2>Who touched what</h2></header>
        {touches.length === 0 ? <div class="body soft">Nobody touched anything.</div> : (
          <ul class="list">{touches.map((it) => (
            <li key={`${it.principal}${it.target}${it.database}${it.object}${it.permission}`} class="row" style={{ padding: "4px 16px" }}>
              <button type="button" class="button quiet" style={{ height: "24px", padding: 0 }} onClick={() => set({ principal: it.principal, table: it.object })}><strong>{it.principal}</strong></button><code class="cut grow">{it.object}</code><span class="small soft">{it.permission}</span>
              <span class="row num small">{it.denied > 0 && <Badge look="bad">{count(it.denied)} refused</Badge>}{count(it.allowed)}</span>
            </li>
          ))}</ul>
        )}
      </section>
    </div>
  );
}

function Timeline({ hours, span }: { hours: Hour[]; span: number }) {
  const slots = span <= 86400 ? 24 : span <= 7 * 86400 ? 7 * 8 : 60;
  const width = (span <= 3600 ? 86400 : span) / slots;
  const last = Math.ceil(Date.now() / 1000 / width) * width;
  const bars = Array.from({ length: slots }, () => ({ allowed: 0, denied: 0 }));
  for (const hour of hours) {
    const bar = bars[slots - Math.ceil((last - Date.parse(hour.at) / 1000) / width)];
    if (bar) [bar.allowed, bar.denied] = [bar.allowed + hour.allowed, bar.denied + hour.denied];
  }
  const most = Math.max(1, ...bars.map((bar) => bar.allowed + bar.denied));
  const sum = bars.reduce((all, bar) => ({ allowed: all.allowed + bar.allowed, denied: all.denied + bar.denied }), { allowed: 0, denied: 0 });
  const gap = 600 / slots;
  return (
    <figure>
    <svg class="chart" viewBox="0 0 600 82" preserveAspectRatio="none" role="img" aria-label={`${count(sum.allowed)} statements let run, ${count(sum.denied)} refused`}>
      <line x1="0" x2="600" y1="80" y2="80" />
      {bars.map((bar, at) => {
        const [allowed, denied] = [(bar.allowed / most) * 72, (bar.denied / most) * 72];
        const from = instant(new Date((last - (slots - at) * width) * 1000).toISOString());
        return (
          <g key={at}><title>{`${from}: ${count(bar.allowed)} let run, ${count(bar.denied)} refused`}</title>
            <rect class="allow" x={at * gap + 1} width={Math.max(1, gap - 2)} y={80 - allowed} height={allowed} rx="1" />
            <rect class="deny" x={at * gap + 1} width={Math.max(1, gap - 2)} y={80 - allowed - denied} height={denied} rx="1" /></g>
        );
      })}
    </svg>
    <figcaption class="row small faint num"><span class="grow">{instant(new Date((last - slots * width) * 1000).toISOString())}</span><span>now</span></figcaption>
    </figure>
  );
}

/** A record and what led to it. */
function StoryView({ id, onClose }: { id: string; onClose: () => void }) {
  const story = useAsked(() => call<Story>(`/api/v1/audit/records/${encodeURIComponent(id)}`), [id]);
  const told = story.value;
  const record = told?.record.record;
  return (
    <Dialog title={record ? `${record.event.replaceAll("_", " ")} · ${instant(record.at)}` : "Record"} broad onClose={onClose}>
      <Problem error={story.error} />
      {!told && !story.error && <div class="loading" />}
      {told && record && (
        <ul class="story">
          {[told.record, ...others(told)].sort((one, other) => one.seq - other.seq).map((it) => (it === told.record ? <Subject key={it.seq} record={it.record} /> : <Step key={it.seq} stored={it} />))}
        </ul>
      )}
    </Dialog>
  );
}

const others = (told: Story): Stored[] => [...told.requests, ...told.grants, ...told.session, ...(told.end ? [told.end] : [])];

function Subject({ record }: { record: Body }) {
  return (
    <li class={`stack tight ${record.decision === "deny" ? "bad" : ""}`}>
      <div class="row wrap"><strong>{record.principal ?? record.actor}</strong>{record.decision && <StateBadge state={record.decision} />}<span class="soft">{[record.target, record.database].filter(Boolean).join(" / ")}</span><span class="faint num">{instant(record.at)}</span></div>
      {record.sql && <Sql text={record.sql} />}
      {record.message && <div>{record.message}</div>}
      <Fields record={record} />
    </li>
  );
}

const SAID = ["at", "event", "sql", "message", "decision", "prev", "hash", "seq"];

function Step({ stored }: { stored: Stored }) {
  const { record } = stored;
  return (
    <li class="stack tight">
      <div class="row wrap"><strong>{record.event.replaceAll("_", " ")}</strong><span class="soft">{record.actor ?? record.principal ?? ""}</span>{record.outcome && <StateBadge state={record.outcome} />}<span class="faint num">{instant(record.at)}</span></div>
      <details><summary class="small soft">record {stored.seq}{!stored.intact && ", changed since"}</summary><Fields record={record} /></details>
    </li>
  );
}

function Fields({ record }: { record: Body }) {
  const shown = Object.entries(record).filter(([name, value]) => !SAID.includes(name) && value !== null && value !== "");
  return <dl class="facts small">{shown.map(([name, value]) => <><dt>{name.replaceAll("_", " ")}</dt><dd class="mono">{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd></>)}</dl>;
}

function Download({ search }: { search: Search }) {
  const [error, setError] = useState<unknown>();
  const take = async (format: string) => {
    try {
      const query = queryOf(search, FIELDS);
      query.set("format", format);
      const file = await (await send(`/api/v1/audit/download?${query}`)).blob();
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: `audit.${format}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch (problem) {
      setError(problem);
    }
  };
  return <><Button look="quiet" icon="down" onClick={() => void take("csv")}>CSV</Button><Button look="quiet" icon="down" onClick={() => void take("jsonl")}>JSON lines</Button><Problem error={error} /></>;
}

/** What is written while it is looked at, the newest first. */
function useTail(key: string | undefined, search: Search): Found[] {
  const [seen, setSeen] = useState<Found[]>([]);
  useEffect(() => {
    setSeen([]);
    if (key === undefined) return;
    const stop = new AbortController();
    const query = queryOf({ ...search, span: "" }, FIELDS);
    void (async () => {
      const stream = await send(`/api/v1/audit/tail?${query}`, { background: true, signal: stop.signal });
      for await (const line of lines(stream)) {
        if (line.startsWith("data:") && line.includes('"record"')) {
          const found = JSON.parse(line.slice(5)) as Found;
          setSeen((old) => [found, ...old].slice(0, 200));
        }
      }
    })().catch(() => undefined);
    return () => stop.abort();
  }, [key]);
  return seen;
}

/** A value once it did not change for a while. */
function useSlow(value: string, ms: number): string {
  const [slow, setSlow] = useState(value);
  useEffect(() => {
    const wait = setTimeout(() => setSlow(value), ms);
    return () => clearTimeout(wait);
  }, [value]);
  return slow;
}
