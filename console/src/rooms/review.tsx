import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "../api.ts";
import { now, useCell } from "../cell.ts";
import { onEvent } from "../events.ts";
import { ago, count, duration, instant, lifetime, rows, seconds } from "../format.ts";
import { go } from "../router.ts";
import { Badge, Button, Empty, Field, Left, Note, Pills, Problem, Sql, StateBadge, useAsked } from "../ui.tsx";
import type { Permission, Request, Target, Who } from "../types.ts";

type Page = { requests: Request[] };

export function ReviewRoom({ who, place }: { who: Who; place: string }) {
  const id = place.split("/")[2];
  const [decided, setDecided] = useState(false);
  const list = useAsked(() => call<Page>(`/api/v1/requests?limit=100${decided ? "" : "&to_review=true"}`, { background: true }), [decided]);
  useEffect(() => onEvent((what) => { if (/^(request|break_glass)_/.test(what.event)) list.again(); }), []);
  const shown = list.value?.requests.filter((it) => !decided || it.requester !== who.principal) ?? [];
  const chosen = id ? shown.find((it) => it.id === id) : undefined;
  const step = (by: number) => {
    const next = shown[Math.max(0, Math.min(shown.length - 1, shown.findIndex((it) => it.id === id) + by))];
    if (next) go(`/review/${next.id}`, true);
  };
  const keys = useRef(step);
  keys.current = step;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if ((event.target as HTMLElement).closest("input, textarea, select, dialog") || event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.key === "j") keys.current(1);
      if (event.key === "k") keys.current(-1);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  return (
    <div class="split">
      <section class="side" aria-label="Requests" {...(id ? { "data-beside": "" } : {})}>
        <header><h1 class="grow">Review</h1><Pills legend="" single all={["waiting", "all"]} held={[decided ? "all" : "waiting"]} onChange={([word]) => setDecided(word === "all")} /></header>
        <Problem error={list.error} />
        {!list.value && !list.error && <div class="loading" />}
        {list.value && shown.length === 0 && <Empty title={decided ? "No requests yet" : "Nothing waits for you"}>Requests that you may answer appear here by themselves.</Empty>}
        <ul class="list">{shown.map((request) => <Line key={request.id} request={request} current={request.id === id} />)}</ul>
      </section>
      <section class="main" aria-label="Request" {...(id ? { "data-open": "" } : {})}>
        {id ? <One key={id} id={id} first={chosen} who={who} answered={list.again} /> : <Empty title="Choose a request"><kbd>j</kbd> and <kbd>k</kbd> go through them.</Empty>}
      </section>
    </div>
  );
}

function Line({ request, current }: { request: Request; current: boolean }) {
  const time = useCell(now);
  return (
    <li>
      <a class="item" href={`/review/${request.id}`} aria-current={current ? "true" : undefined}>
        <div class="grow stack tight">
          <div class="row"><strong class="cut">{request.requester}</strong><span class="grow" /><span class="small faint num">{ago(request.created_at, time)}</span></div>
          <div class="cut"><code>{request.statement ? request.statement.sql.replaceAll(/\s+/g, " ") : request.objects.join(", ")}</code></div>
          <div class="row wrap">{request.state !== "pending" && <StateBadge state={request.state} />}<Badge look={riskLook(request.risk)}>{request.risk} risk</Badge>{request.break_glass && <Badge look="bad">break-glass</Badge>}<span class="small soft cut">{request.permissions.join(", ")} · {request.target}</span></div>
        </div>
      </a>
    </li>
  );
}

const riskLook = (risk: string): string => ({ low: "good", moderate: "warn", medium: "warn" })[risk] ?? "bad";

function One({ id, first, who, answered }: { id: string; first: Request | undefined; who: Who; answered: () => void }) {
  const asked = useAsked(() => call<Request>(`/api/v1/requests/${encodeURIComponent(id)}`, { background: true }), [id]);
  const targets = useAsked(() => call<Target[]>("/api/v1/sql/targets", { background: true }), []);
  useEffect(() => onEvent((what) => { if (what.request === id) asked.again(); }), [id]);
  const request = asked.value ?? first;
  if (asked.error) return <div class="detail"><Problem error={asked.error} /></div>;
  if (!request) return <div class="loading" />;
  const dialect = targets.value?.find((it) => it.name === request.target)?.dialect ?? "postgres";
  const waits = request.state === "pending" || request.aftermath === "open";
  const mine = request.requester === who.principal;
  return (
    <>
      <article class="detail">
        <header class="stack tight">
          <div class="row wrap"><span class="phoneonly"><Button look="quiet" icon="back" label="Back to the list" onClick={() => go("/review")} /></span><h1 class="grow">{request.requester} asks for {request.permissions.join(", ")}{request.statement ? ", once" : ""}</h1><StateBadge state={request.state} /><Badge look={riskLook(request.risk)}>{request.risk} risk</Badge></div>
          {request.break_glass && <Note look="bad">Break-glass: approved by {request.requester} alone{request.aftermath === "open" ? ". Somebody still has to say whether that was right." : "; reviewed since."}</Note>}
          <blockquote class="note" style={{ margin: 0 }}><div>“{request.reason}”{request.ticket && <> · <strong>{request.ticket}</strong></>}</div></blockquote>
        </header>
        {request.statement && <section class="stack tight"><h3>The statement</h3><Sql text={request.statement.sql} dialect={dialect} /></section>}
        <section class="stack tight">
          <h3>Facts</h3>
          <dl class="facts">
            <dt>Where</dt><dd>{request.target} / {request.database}</dd>
            <dt>What</dt><dd><code>{request.objects.join(", ")}</code></dd>
            <dt>How long</dt><dd class="num">{request.until ? `until ${instant(request.until)}` : duration(request.seconds ?? 0)}{request.starts_at && `, from ${instant(request.starts_at)}`}{request.extends && ", carrying on a grant"}</dd>
            {request.statement && <><dt>Kind</dt><dd>{request.statement.command}{request.statement.read_only ? ", only reads" : ", may change data"} <code class="faint">{request.statement.fingerprint}</code></dd></>}
            {request.estimate && <><dt>Estimate</dt><dd class="num">{request.estimate.problem ?? `${request.estimate.rows === undefined ? "" : rows(request.estimate.rows)}${request.estimate.cost === undefined ? "" : ` · cost ${count(request.estimate.cost)}`}`}</dd></>}
            <dt>Flow</dt><dd>{request.flow}{request.waits_for.length > 0 && `, waits for ${request.waits_for.join(", ")}`}</dd>
            <dt>Asked</dt><dd class="num">{instant(request.created_at)}{request.state === "pending" && <span class="row">over in <Left end={request.expires_at} /></span>}</dd>
          </dl>
        </section>
        {request.reviews.length > 0 && <section class="stack tight"><h3>Answers</h3><ul class="story">{request.reviews.map((review) => <li key={review.at + review.reviewer} class={review.verdict === "deny" ? "bad" : ""}><div><strong>{review.reviewer}</strong> said {review.verdict === "approve" ? "yes" : "no"} <span class="faint num">{instant(review.at)}</span></div>{review.comment && <div>“{review.comment}”</div>}{(review.objects || review.permissions || review.seconds) && <div class="small soft">cut down to {[review.objects?.join(", "), review.permissions?.join(", "), review.seconds && duration(review.seconds)].filter(Boolean).join(" · ")}</div>}</li>)}</ul></section>}
        <Past request={request} />
      </article>
      {waits && (mine ? <div class="answer"><Note>This is your own request: somebody else answers it.</Note></div> : <AnswerForm key={`${request.id}${request.reviews.length}`} request={request} done={() => { asked.again(); answered(); }} />)}
    </>
  );
}

/** What the person asked before, and what was asked of the same objects. */
function Past({ request }: { request: Request }) {
  const past = useAsked(() => call<Page>(`/api/v1/requests?limit=100&target=${encodeURIComponent(request.target)}`, { background: true }), [request.id]);
  const others = (past.value?.requests ?? []).filter((it) => it.id !== request.id);
  const [byPerson, byObject] = [others.filter((it) => it.requester === request.requester), others.filter((it) => it.requester !== request.requester && it.objects.some((object) => request.objects.includes(object)))];
  const lines = (all: Request[]) => all.slice(0, 5).map((it) => <li key={it.id} class="row"><StateBadge state={it.state} /><span class="cut grow"><a href={`/review/${it.id}`}>{it.permissions.join(", ")} on {it.objects.join(", ")}</a> <span class="soft">{it.requester}, {it.reason}</span></span><span class="faint small num">{instant(it.created_at)}</span></li>);
  return (
    <section class="stack tight">
      <h3>Before</h3>
      {others.length === 0 || (byPerson.length === 0 && byObject.length === 0) ? <p class="soft">Nothing that you may see.</p> : <ul class="stack tight">{lines(byPerson)}{lines(byObject)}</ul>}
    </section>
  );
}

function AnswerForm({ request, done }: { request: Request; done: () => void }) {
  const backward = request.state !== "pending";
  const [comment, setComment] = useState("");
  const [narrow, setNarrow] = useState(false);
  const [objects, setObjects] = useState(request.objects);
  const [permissions, setPermissions] = useState<string[]>(request.permissions);
  const [time, setTime] = useState(request.seconds ? lifetime(request.seconds) : "");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const answer = async (verdict: "approve" | "deny") => {
    const body: Record<string, unknown> = { verdict, comment };
    if (verdict === "approve" && narrow) {
      if (objects.length < request.objects.length) body["objects"] = objects;
      if (permissions.length < request.permissions.length) body["permissions"] = permissions;
      if (time && seconds(time) !== request.seconds) body["for"] = lifetime(seconds(time) ?? 1);
    }
    setBusy(true);
    setError(undefined);
    await call(`/api/v1/requests/${request.id}/reviews`, { body }).then(done, setError);
    setBusy(false);
  };
  return (
    <div class="answer">
      {narrow && !backward && (
        <div class="stack">
          {!request.statement && request.objects.length > 1 && <Pills legend="Only on" all={request.objects} held={objects} onChange={setObjects} />}
          {!request.statement && <Pills legend="Only to" all={request.permissions} held={permissions} onChange={(held) => setPermissions(held as Permission[])} />}
          {request.seconds !== undefined && <div style={{ maxWidth: "160px" }}><Field label="No longer than"><input class="input num" value={time} aria-invalid={seconds(time) === undefined} onInput={(event) => setTime(event.currentTarget.value)} /></Field></div>}
        </div>
      )}
      <Field label="Comment"><input class="input" maxLength={1000} value={comment} placeholder={backward ? "Was it right?" : "For the one who asks, and for the log"} onInput={(event) => setComment(event.currentTarget.value)} /></Field>
      <Problem error={error} />
      <div class="row wrap">
        <Button look="main" disabled={busy || (narrow && (objects.length === 0 || permissions.length === 0))} onClick={() => void answer("approve")}>{backward ? "It was right" : "Approve"}</Button>
        <Button look="bad" disabled={busy} onClick={() => void answer("deny")}>{backward ? "It was not" : "Deny"}</Button>
        {!backward && <Button look="quiet" onClick={() => setNarrow(!narrow)}>{narrow ? "As asked" : "Narrow or shorten"}</Button>}
      </div>
    </div>
  );
}
