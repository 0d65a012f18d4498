import { useEffect, useState } from "preact/hooks";
import { call, may } from "../api.ts";
import { now, useCell } from "../cell.ts";
import { ago, count } from "../format.ts";
import { Badge, Button, Empty, Problem, useAsked } from "../ui.tsx";
import type { SessionInfo } from "../types.ts";

/** Who is connected, through which client. */
export function SessionsRoom() {
  const time = useCell(now);
  const [wanted, setWanted] = useState("");
  const [error, setError] = useState<unknown>();
  const sessions = useAsked(() => call<{ sessions: SessionInfo[] }>("/api/v1/sessions", { background: true }), []);
  useEffect(() => { const poll = setInterval(sessions.again, 3000); return () => clearInterval(poll); }, []);
  const end = (id: string) => call(`/api/v1/sessions/${id}`, { method: "DELETE" }).then(sessions.again, setError);
  const shown = sessions.value?.sessions.filter((it) => Object.values(it).join(" ").toLowerCase().includes(wanted.toLowerCase()));
  return (
    <div class="page">
      <header><h1 class="grow">Sessions <span class="small soft phoneless">Who is connected to a database now</span></h1><input class="input" style={{ width: "220px" }} type="search" placeholder="Person, target, client …" aria-label="Find" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></header>
      <Problem error={error ?? sessions.error} />
      <section class="card scroll">
        {!shown ? <div class="loading" /> : shown.length === 0 ? <Empty title="Nobody is connected" /> : (
          <table class="plain">
            <thead><tr><th>Who</th><th>State</th><th>Where</th><th class="phoneless">Client</th><th class="phoneless">From</th><th class="right phoneless">Statements</th><th>Since</th><th><span class="hidden">End it</span></th></tr></thead>
            <tbody>
              {shown.map((it) => (
                <tr key={it.id}>
                  <td><strong>{it.principal}</strong></td>
                  <td><Badge look={it.state === "active" ? "good" : it.state === "idle" ? "" : "warn"}>{it.state}</Badge></td>
                  <td>{it.target} / {it.database}</td><td class="soft phoneless">{it.application || "unnamed"}</td><td class="num soft phoneless">{it.client}{it.gateway && ` · ${it.gateway}`}</td>
                  <td class="right num phoneless">{count(it.statements)}</td><td class="num soft">{ago(it.started_at, time)}</td>
                  <td class="right">{may("sessions") && <Button look="quiet" onClick={() => void end(it.id)}>Terminate</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </div>
  );
}
