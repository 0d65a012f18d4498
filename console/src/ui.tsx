// Small parts that all rooms are made of.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Refused } from "./api.ts";
import { now, useCell } from "./cell.ts";
import { duration } from "./format.ts";
import { KEYWORDS, tokens, type Dialect } from "./sql.ts";

const PATHS = {
  sql: "M4 4.500C4 3.100 5.800 2.500 8 2.500s4 .6 4 2v7c0 1.400-1.800 2-4 2s-4-.6-4-2zM4 4.500c0 1.400 1.800 2 4 2s4-.6 4-2M4 8c0 1.400 1.800 2 4 2s4-.6 4-2",
  ask: "M8 2.500a3 3 0 0 1 3 3V7H5V5.500a3 3 0 0 1 3-3zM3.500 7h9v6.500h-9zM8 9.500v1.500",
  review: "M3 8.500 6.500 12 13 4.500",
  audit: "M4 2.500h6l2.500 2.500v8.500H4zM6.500 7h4M6.500 9.500h4M6.500 12h2",
  access: "M8 8a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM3 13.500c.5-2.500 2.500-4 5-4s4.500 1.500 5 4",
  sessions: "M2.500 3.500h11v7h-11zM6 13.500h4M8 10.500v3",
  theme: "M8 2.500v11a5.500 5.500 0 0 0 0-11zM8 2.500a5.500 5.500 0 0 0 0 11",
  out: "M6.500 3h-3v10h3M7 8h6M10.500 5.500 13 8l-2.500 2.500",
  plus: "M8 3.500v9M3.500 8h9",
  close: "m4.500 4.500 7 7M11.500 4.500l-7 7",
  run: "M5 3.500v9l7-4.500z",
  stop: "M4.500 4.500h7v7h-7z",
  plan: "M3 3.500h4v3H3zM9 9.500h4v3H9zM5 6.500v4.500h4",
  down: "M8 3v7M5 7.500 8 10.500l3-3M3.500 13h9",
  clock: "M8 13.500a5.500 5.500 0 1 0 0-11 5.500 5.500 0 0 0 0 11zM8 5v3l2 1.500",
  back: "M9.500 3.500 5 8l4.500 4.500",
  keys: "M2 4.500h12v7H2zM4.500 7h.1M7 7h.1M9.500 7h.1M11.500 7h.1M5 9.500h6",
  warn: "M8 3 2.500 12.500h11zM8 6.500v3M8 11h.1",
} as const;

export const Icon = ({ name }: { name: keyof typeof PATHS }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d={PATHS[name]} /></svg>
);

export const Brand = () => (
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#0b6e77" />
    <path d="M6 12c3.300 0 3.300-3 6.700-3s3.300 3 6.600 3 3.300-3 6.700-3M6 18c3.300 0 3.300-3 6.700-3s3.300 3 6.600 3 3.300-3 6.700-3" fill="none" stroke="#fff" stroke-width="2.200" stroke-linecap="round" />
    <path d="M6 24h20" stroke="#7fd6d2" stroke-width="2.200" stroke-linecap="round" />
  </svg>
);

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "class" | "icon"> & { look?: "main" | "bad" | "quiet"; icon?: keyof typeof PATHS; label?: string };

/** With `label` it is its icon alone. */
export function Button({ look, icon, label, children, ...rest }: ButtonProps) {
  const name = label ? { "aria-label": label, title: label } : {};
  return (
    <button type="button" class={`button ${look ?? ""} ${label ? "only" : ""}`} {...name} {...rest}>
      {icon && <Icon name={icon} />}{children}
    </button>
  );
}

export const Field = ({ label, children }: { label: string; children: ComponentChildren }) => (
  <label class="field"><span>{label}</span>{children}</label>
);

/** One or several of a few words. */
export function Pills(props: { legend: string; all: readonly string[]; held: readonly string[]; can?: readonly string[]; single?: boolean; onChange: (held: string[]) => void }) {
  const { legend, all, held, can = all, single, onChange } = props;
  const [name] = useState(() => `pills-${Math.random()}`);
  const change = (word: string, on: boolean) =>
    onChange(single ? [word] : all.filter((it) => (it === word ? on : held.includes(it))));
  return (
    <fieldset class="field">
      <legend>{legend}</legend>
      <div class="pills">
        {all.map((word) => (
          <label class="pill" key={word}>
            <input type={single ? "radio" : "checkbox"} name={name} checked={held.includes(word)} disabled={!can.includes(word)}
              onChange={(event) => change(word, event.currentTarget.checked)} />
            {word}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export const Badge = ({ look, children }: { look?: string; children: ComponentChildren }) => <span class={`badge ${look ?? ""}`}>{children}</span>;

const LOOKS: Record<string, string> = {
  approved: "good", live: "good", allow: "good", completed: "good", low: "good", pending: "warn", upcoming: "warn", moderate: "warn", medium: "warn", open: "warn",
  denied: "bad", deny: "bad", revoked: "bad", high: "bad", critical: "bad", failed: "bad", refused: "bad",
};
export const StateBadge = ({ state }: { state: string }) => <Badge look={LOOKS[state] ?? ""}>{state}</Badge>;

export const Note = ({ look, children }: { look?: "bad" | "warn" | "good"; children: ComponentChildren }) => (
  <div class={`note ${look ?? ""}`} role={look === "bad" ? "alert" : "status"}>{look === "bad" && <Icon name="warn" />}<div class="grow">{children}</div></div>
);

export const Problem = ({ error }: { error: unknown }) =>
  error ? <Note look="bad">{error instanceof Error ? error.message : String(error)}</Note> : null;

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty"><strong>{title}</strong>{children && <div>{children}</div>}</div>
);

/** Counts down to `end`; under a minute it shows that it is about to be over. */
export function Left({ end, start }: { end?: string | undefined; start?: string }) {
  const time = useCell(now);
  if (!end) return <span class="soft">no end</span>;
  const left = (Date.parse(end) - time) / 1000;
  const whole = start ? (Date.parse(end) - Date.parse(start)) / 1000 : 0;
  const share = whole > 0 ? Math.max(0, Math.min(1, left / whole)) : 0;
  return (
    <span class="row num">
      {whole > 0 && <span class={`bar ${left < 60 ? "warn" : ""} phoneless`}><i style={{ width: `${share * 100}%` }} /></span>}
      <span>{left > 0 ? duration(left) : "over"}</span>
    </span>
  );
}

export function Sql({ text, dialect = "postgres" }: { text: string; dialect?: Dialect }) {
  const parts = [...tokens(text, dialect)].map(({ kind, from, to }) => {
    const part = text.slice(from, to);
    const shown = kind === "word" && !KEYWORDS.has(part.toLowerCase()) ? "other" : kind;
    return shown === "other" || shown === "end" || shown === "name" ? part : <span class={shown}>{part}</span>;
  });
  return <pre class="sql" tabIndex={0} role="region" aria-label="SQL">{parts}</pre>;
}

/** What is asked of the API: again when `keys` change, and whenever `again` is called. What was there stays meanwhile. */
export function useAsked<T>(ask: () => Promise<T>, keys: unknown[]): { value: T | undefined; error: unknown; again: () => void } {
  const [state, setState] = useState<{ value: T | undefined; error: unknown }>({ value: undefined, error: undefined });
  const [turn, setTurn] = useState(0);
  const fresh = useRef(ask);
  fresh.current = ask;
  useEffect(() => {
    let wanted = true;
    fresh.current().then(
      (value) => wanted && setState({ value, error: undefined }),
      (error: unknown) => wanted && !(error instanceof Refused && error.status === 401) && setState((old) => ({ value: old.value, error })),
    );
    return () => { wanted = false; };
  }, [...keys, turn]);
  return { ...state, again: () => setTurn((old) => old + 1) };
}

export function Dialog({ title, broad, onClose, children }: { title: string; broad?: boolean; onClose?: () => void; children: ComponentChildren }) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    place.current?.showModal();
    return () => place.current?.close();
  }, []);
  const close = (event: Event) => { event.preventDefault(); onClose?.(); };
  return (
    <dialog ref={place} class={`fade ${broad ? "broad" : ""}`} aria-label={title} onCancel={close}>
      <header><h2 class="grow">{title}</h2>{onClose && <Button look="quiet" icon="close" label="Close" onClick={onClose} />}</header>
      <div class="body">{children}</div>
    </dialog>
  );
}

export const holderOf = (holder: { principal: string } | { group: string }): string => ("principal" in holder ? holder.principal : `group ${holder.group}`);
