// What happens at the gateway, as it happens. One of all open pages reads the stream and tells the others: browsers open
// few connections to one address, and pages need theirs for statements.
import { lines, send, session } from "./api.ts";

export type Happened = { event: string; request?: string; grant?: string; requester?: string; [field: string]: unknown };

const readers = new Set<(what: Happened) => void>();
const channel = new BroadcastChannel("tidegate-events");
channel.onmessage = (message) => tell(message.data as Happened);

export function onEvent(reader: (what: Happened) => void): () => void {
  readers.add(reader);
  return () => readers.delete(reader);
}

function tell(what: Happened): void {
  for (const reader of [...readers]) reader(what);
}

async function read(stop: AbortSignal): Promise<void> {
  let seen = "";
  while (!stop.aborted) {
    try {
      const headers: Record<string, string> = seen ? { "last-event-id": seen } : {};
      const stream = await send("/api/v1/events", { background: true, signal: stop, headers });
      for await (const line of lines(stream)) {
        if (line.startsWith("id:")) seen = line.slice(3).trim();
        if (!line.startsWith("data:")) continue;
        const what = JSON.parse(line.slice(5)) as Happened;
        tell(what);
        channel.postMessage(what);
      }
    } catch {
      // It is tried again below, unless nobody is signed in any more.
    }
    await new Promise((done) => setTimeout(done, 2000));
  }
}

let stop: AbortController | undefined;

session.watch((current) => {
  if (current.is === "in" && !stop) {
    const ours = (stop = new AbortController());
    const leads = navigator.locks?.request("tidegate-events", { signal: ours.signal }, () => read(ours.signal));
    leads?.catch(() => undefined);
  } else if (current.is !== "in") {
    stop?.abort();
    stop = undefined;
  }
});
