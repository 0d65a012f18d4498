// The form that asks for access, wherever it stands.
import { useEffect, useState } from "preact/hooks";
import { call } from "./api.ts";
import { look } from "./desk.ts";
import { lifetime, seconds } from "./format.ts";
import { Button, Field, Note, Pills, Problem, Sql, useAsked } from "./ui.tsx";
import { PERMISSIONS, type Denial, type Permission, type Request, type Target } from "./types.ts";

const TIMES = ["15m", "1h", "4h", "8h", "1d"];

export type Draft = { target: string; database: string; objects: string; permissions: Permission[]; once: boolean; sql?: string; denial?: string };

export const draftOf = (denial: Denial): Draft => ({
  target: denial.target, database: denial.database, objects: denial.objects.join(", "), permissions: denial.permissions,
  once: denial.objects.length === 0, sql: denial.sql, denial: denial.id,
});

export const EMPTY: Draft = { target: "", database: "", objects: "", permissions: ["select"], once: false };

export function AskForm({ draft, compact, onAsked }: { draft: Draft; compact?: boolean; onAsked: (request: Request) => void }) {
  const [form, setForm] = useState({ ...draft, time: "1h", reason: "", ticket: "", starts: "", breakGlass: false });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const targets = useAsked(() => call<Target[]>("/api/v1/sql/targets", { background: true }), []);
  const set = (change: Partial<typeof form>) => setForm((old) => ({ ...old, ...change }));
  useEffect(() => {
    const first = targets.value?.[0];
    if (!form.target && first) set({ target: first.name, database: first.databases?.[0] ?? "" });
  }, [targets.value]);
  const [looked, setLooked] = useState<{ at: string; tables: string[] }>();
  const at = `${form.target}/${form.database}`;
  const tables = looked?.at === at ? looked.tables : [];
  const lookUp = () => {
    if (looked?.at === at || !form.database) return;
    setLooked({ at, tables: [] });
    void look(form.target, form.database).then((found) => setLooked({ at, tables: found }));
  };
  const typed = form.objects.split(",").pop()?.trim().toLowerCase() ?? "";
  const written = form.objects.split(",").map((it) => it.trim());
  const isBegun = typed !== "" && !tables.includes(typed);
  // What was begun to be written is what is chosen.
  const add = (name: string) => set({ objects: [...(isBegun ? written.slice(0, -1) : written), name].filter(Boolean).join(", ") });
  const offered = tables.filter((name) => !written.includes(name) && name.toLowerCase().includes(isBegun ? typed : "")).slice(0, 12);
  const target = targets.value?.find((it) => it.name === form.target);
  const span = seconds(form.time);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      onAsked(await call<Request>("/api/v1/requests", { body: bodyOf(form), headers: { "idempotency-key": crypto.randomUUID() } }));
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };

  return (
    <form class="ask" onSubmit={submit}>
      {!compact && (
        <div class="fields">
          <Field label="Target">
            <select class="input" value={form.target} onChange={(event) => set({ target: event.currentTarget.value, database: targets.value?.find((it) => it.name === event.currentTarget.value)?.databases?.[0] ?? form.database })}>
              {targets.value?.map((it) => <option key={it.name} value={it.name}>{it.name} ({it.environment})</option>)}
            </select>
          </Field>
          <Field label="Database">
            <input class="input mono" required value={form.database} list="databases" spellcheck={false} onInput={(event) => set({ database: event.currentTarget.value })} />
            <datalist id="databases">{target?.databases?.map((name) => <option key={name} value={name} />)}</datalist>
          </Field>
        </div>
      )}
      <div class="halves">
        <div class="stack">
      {form.sql && draft.objects !== "" && (
        <Pills legend="For" single all={["these tables", "this statement, once"]} held={[form.once ? "this statement, once" : "these tables"]}
          onChange={([word]) => set({ once: word !== "these tables" })} />
      )}
      {form.once && form.sql ? (
        <Sql text={form.sql} dialect={target?.dialect ?? "postgres"} />
      ) : (
        <>
          <Field label={target?.dialect === "mysql" ? "Tables, separated by commas; * stands for any letters" : "Tables (schema.table), separated by commas; * stands for any letters"}>
            <input class="input mono" required value={form.objects} spellcheck={false} placeholder={target?.dialect === "mysql" ? "employee, salary" : "public.employee, public.salary"} onFocus={lookUp} onInput={(event) => set({ objects: event.currentTarget.value })} />
          </Field>
          {offered.length > 0 && (
            <div class="pills" role="group" aria-label="Tables that there are">
              {offered.map((name) => <button key={name} type="button" class="pill mono" onClick={() => add(name)}>{name}</button>)}
            </div>
          )}
          <Pills legend="To" all={PERMISSIONS} held={form.permissions} onChange={(held) => set({ permissions: held as Permission[] })} />
        </>
      )}
        </div>
        <div class="stack">
      <div class="row wrap" style={{ alignItems: "flex-end" }}>
        <Pills legend="For how long" single all={TIMES} held={[form.time]} onChange={([time]) => set({ time: time ?? "1h" })} />
        <div style={{ width: "96px" }}><Field label="or"><input class="input num" value={form.time} aria-invalid={span === undefined} onInput={(event) => set({ time: event.currentTarget.value })} /></Field></div>
      </div>
      <Field label="Why">
        <textarea class="input" required maxLength={500} rows={2} value={form.reason} placeholder="What for, so that somebody can say yes" onInput={(event) => set({ reason: event.currentTarget.value })} />
      </Field>
        </div>
      </div>
      <details>
        <summary class="soft">More: ticket, later start, emergencies</summary>
        <div class="stack" style={{ paddingTop: "12px" }}>
          <div class="fields">
            <Field label="Ticket or incident"><input class="input" maxLength={200} value={form.ticket} onInput={(event) => set({ ticket: event.currentTarget.value })} /></Field>
            <Field label="From (now, if empty)"><input class="input" type="datetime-local" value={form.starts} onInput={(event) => set({ starts: event.currentTarget.value })} /></Field>
          </div>
          <label class="row"><input type="checkbox" checked={form.breakGlass} onChange={(event) => set({ breakGlass: event.currentTarget.checked })} />Break the glass: it cannot wait. I approve it myself, and it is reviewed afterwards.</label>
        </div>
      </details>
      {form.breakGlass && <Note look="warn">Everybody who reviews hears of this at once.</Note>}
      <Problem error={error} />
      <div class="row">
        <Button look="main" type="submit" disabled={busy || span === undefined || (!form.once && form.permissions.length === 0)}>Ask for access</Button>
        {span === undefined && <span class="soft">Write a time such as 90m, 8h or 1d12h.</span>}
      </div>
    </form>
  );
}

function bodyOf(form: Draft & { time: string; reason: string; ticket: string; starts: string; breakGlass: boolean }): object {
  const body: Record<string, unknown> = { for: lifetime(seconds(form.time) ?? 3600), reason: form.reason.trim() };
  if (form.ticket.trim()) body["ticket"] = form.ticket.trim();
  if (form.starts) body["starts_at"] = new Date(form.starts).toISOString();
  if (form.breakGlass) body["break_glass"] = true;
  if (form.denial) body["denial"] = form.denial;
  body["target"] = form.target;
  body["database"] = form.database;
  if (form.once && form.denial) return { ...body, refused_statement: true };
  if (form.once) return { ...body, statement: form.sql };
  return { ...body, objects: form.objects.split(",").map((it) => it.trim()).filter(Boolean), permissions: form.permissions };
}
