import { useEffect, useState } from "preact/hooks";
import { call, may } from "../api.ts";
import { onEvent } from "../events.ts";
import { instant } from "../format.ts";
import { Badge, Button, Dialog, Empty, Field, Left, Problem, StateBadge, holderOf, useAsked } from "../ui.tsx";
import type { Grant } from "../types.ts";

/** Who has access to what, now. */
export function AccessRoom() {
  const [wanted, setWanted] = useState("");
  const [over, setOver] = useState(false);
  const [ending, setEnding] = useState<Grant>();
  const grants = useAsked(() => call<{ grants: Grant[] }>(`/api/v1/grants?limit=1000${over ? "&all=true" : ""}`, { background: true }), [over]);
  useEffect(() => onEvent((what) => { if (what.event.startsWith("grant_")) grants.again(); }), []);
  const text = (grant: Grant) => [holderOf(grant.holder), grant.target, grant.database, ...grant.objects, ...grant.permissions, grant.reason].join(" ").toLowerCase();
  const shown = grants.value?.grants.filter((grant) => text(grant).includes(wanted.toLowerCase()));
  return (
    <div class="page">
      <header>
        <h1 class="grow">Access <span class="small soft phoneless">Who may do what now, beside what policy gives everybody</span></h1>
        <label class="row"><input type="checkbox" checked={over} onChange={(event) => setOver(event.currentTarget.checked)} />also what is over</label>
        <input class="input" style={{ width: "220px" }} type="search" placeholder="Person, table, target …" aria-label="Find" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      </header>
      <Problem error={grants.error} />
      <section class="card scroll">
        {!shown ? <div class="loading" /> : shown.length === 0 ? <Empty title="No grants" /> : (
          <table class="plain">
            <thead><tr><th>Who</th><th>May</th><th>On</th><th class="phoneless">Where</th><th class="phoneless">Why</th><th class="phoneless">By</th><th>Left</th><th><span class="hidden">End it</span></th></tr></thead>
            <tbody>
              {shown.map((grant) => (
                <tr key={grant.id}>
                  <td><strong>{holderOf(grant.holder)}</strong></td>
                  <td><span class="row wrap">{grant.permissions.map((it) => <Badge key={it} look="accent">{it}</Badge>)}</span></td>
                  <td><code>{grant.statement ? grant.statement.slice(0, 60) : grant.objects.join(", ")}</code></td>
                  <td class="phoneless">{grant.target} / {grant.database}</td>
                  <td class="soft phoneless">{grant.reason}</td>
                  <td class="soft phoneless">{grant.approvers?.join(", ") ?? grant.created_by}</td>
                  <td class="num">{grant.state === "live" ? <Left end={grant.ends_at} start={grant.starts_at} /> : <span class="row"><StateBadge state={grant.state} />{grant.state === "upcoming" && instant(grant.starts_at)}</span>}</td>
                  <td class="right">{may("grants") && (grant.state === "live" || grant.state === "upcoming") && <Button look="quiet" onClick={() => setEnding(grant)}>Revoke</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
      {ending && <Revoke grant={ending} onClose={() => { setEnding(undefined); grants.again(); }} />}
    </div>
  );
}

function Revoke({ grant, onClose }: { grant: Grant; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState<unknown>();
  const submit = (event: Event) => {
    event.preventDefault();
    call(`/api/v1/grants/${grant.id}/revoke`, { body: { reason } }).then(onClose, setError);
  };
  return (
    <Dialog title={`Take it back from ${holderOf(grant.holder)}`} onClose={onClose}>
      <form class="ask" onSubmit={submit}>
        <p class="soft">{grant.permissions.join(", ")} on {grant.objects.join(", ")}. What runs on it now is stopped.</p>
        <Field label="Why"><input class="input" required maxLength={500} autofocus value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></Field>
        <Problem error={error} />
        <div class="row"><Button look="main" type="submit">Revoke</Button><Button onClick={onClose}>Leave it</Button></div>
      </form>
    </Dialog>
  );
}
