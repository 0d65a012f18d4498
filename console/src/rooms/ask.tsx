import { useEffect, useState } from "preact/hooks";
import { AskForm, EMPTY, draftOf, type Draft } from "../askform.tsx";
import { call } from "../api.ts";
import { now, useCell } from "../cell.ts";
import { onEvent } from "../events.ts";
import { ago, instant } from "../format.ts";
import { go } from "../router.ts";
import { Badge, Button, Empty, Field, Left, Note, Problem, StateBadge, useAsked } from "../ui.tsx";
import type { Denial, Grant, Request, Who } from "../types.ts";

export function AskRoom({ who, place }: { who: Who; place: string }) {
  const denial = place.startsWith("/r/") ? place.slice(3) : undefined;
  const mine = (grant: Grant) => ("principal" in grant.holder ? grant.holder.principal === who.principal : who.groups.includes(grant.holder.group));
  const grants = useAsked(() => call<{ grants: Grant[] }>("/api/v1/grants?limit=200", { background: true }), []);
  const requests = useAsked(() => call<{ requests: Request[] }>(`/api/v1/requests?limit=30&requester=${encodeURIComponent(who.principal)}`, { background: true }), []);
  const asked = useAsked(async () => (denial ? call<Denial>(`/api/v1/denials/${encodeURIComponent(denial)}`) : undefined), [denial]);
  const [told, setTold] = useState<Request>();
  useEffect(() => onEvent((what) => { if (/^(request|grant|break_glass)_/.test(what.event)) { grants.again(); requests.again(); } }), []);
  const draft: Draft | undefined = denial ? asked.value && draftOf(asked.value) : EMPTY;
  const done = (request: Request) => { setTold(request); requests.again(); grants.again(); if (denial) go("/ask", true); };
  const held = grants.value?.grants.filter(mine);
  return (
    <div class="page">
      <header><h1 class="grow">Ask</h1></header>
      <div class="two">
        <div class="stack">
          <section class="card">
            <header><h2 class="grow">What I may do now</h2></header>
            {grants.error ? <div class="body"><Problem error={grants.error} /></div> : !held ? <div class="loading" />
              : held.length === 0 ? <Empty title="Nothing beyond what policy gives everybody">Ask for what you need; it ends by itself.</Empty>
              : <ul class="list">{held.map((grant) => <Held key={grant.id} grant={grant} again={grants.again} />)}</ul>}
          </section>
          <section class="card">
            <header><h2 class="grow">My requests</h2></header>
            {requests.error ? <div class="body"><Problem error={requests.error} /></div> : !requests.value ? <div class="loading" />
              : requests.value.requests.length === 0 ? <Empty title="You have not asked for anything yet" />
              : <ul class="list">{requests.value.requests.map((request) => <Asked key={request.id} request={request} again={requests.again} />)}</ul>}
          </section>
        </div>
        <section class="card">
          <header><h2>{denial ? "Ask for what was refused" : "Ask for more"}</h2></header>
          <div class="body stack">
            {told && <Note look="good">{told.state === "approved" ? "Approved. You can go on." : `Asked. It waits for ${told.waits_for.join(", ") || "an answer"}.`}</Note>}
            <Problem error={asked.error} />
            {draft && <AskForm key={denial ?? told?.id ?? ""} draft={draft} onAsked={done} />}
          </div>
        </section>
      </div>
    </div>
  );
}

function Held({ grant, again }: { grant: Grant; again: () => void }) {
  const [extends_, setExtends] = useState(false);
  const [reason, setReason] = useState("");
  const [error, setError] = useState<unknown>();
  const extend = async (event: Event) => {
    event.preventDefault();
    await call(`/api/v1/grants/${grant.id}/extend`, { body: { for: "1h", reason } }).then(() => { setExtends(false); again(); }, setError);
  };
  return (
    <li>
      <div class="item">
        <div class="grow stack tight">
          <div class="row wrap"><code>{grant.objects.join(", ")}</code>{grant.permissions.map((it) => <Badge key={it} look="accent">{it}</Badge>)}{grant.statement && <Badge>{grant.used_at ? "used" : "one statement, once"}</Badge>}</div>
          <div class="small soft cut">{grant.target} / {grant.database} · {grant.reason}</div>
        </div>
        <Left end={grant.ends_at} start={grant.starts_at} />
        {!grant.statement && "principal" in grant.holder && <Button look="quiet" onClick={() => setExtends(!extends_)}>Extend</Button>}
      </div>
      {extends_ && <form class="item" onSubmit={extend}><div class="grow stack tight"><Field label="Why one hour more"><input class="input" required maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></Field><Problem error={error} /></div><Button type="submit">Ask</Button></form>}
    </li>
  );
}

function Asked({ request, again }: { request: Request; again: () => void }) {
  const time = useCell(now);
  const [error, setError] = useState<unknown>();
  const cancel = () => call(`/api/v1/requests/${request.id}/cancel`, { method: "POST", body: {} }).then(again, setError);
  const last = request.reviews[request.reviews.length - 1];
  return (
    <li class="item">
      <div class="grow stack tight">
        <div class="row wrap"><StateBadge state={request.state} />{request.break_glass && <Badge look="bad">break-glass</Badge>}<code class="cut">{request.statement ? request.statement.sql.slice(0, 80) : request.objects.join(", ")}</code></div>
        <div class="small soft">{request.permissions.join(", ")} on {request.target} / {request.database} · {ago(request.created_at, time)} · {request.reason}</div>
        {request.state === "pending" && <div class="small soft">Waits for {request.waits_for.join(", ") || "an answer"}, until {instant(request.expires_at)}</div>}
        {last && <div class="small">{last.reviewer}: {last.verdict === "approve" ? "yes" : "no"}{last.comment && `, “${last.comment}”`}</div>}
        <Problem error={error} />
      </div>
      {request.state === "pending" && <Button look="quiet" onClick={() => void cancel()}>Take back</Button>}
    </li>
  );
}
