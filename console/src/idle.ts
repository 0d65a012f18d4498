// Whether somebody is there. Who writes keeps their session; a page that nobody uses is signed out, and its streams end.
import { call, session } from "./api.ts";

const EVERY = 60_000;
/** A call that counts as use, so that writing alone is use, too. */
const REMIND = 5 * 60_000;

let used = Date.now();
let reminded = Date.now();
let told = 0;

// Other pages of the same browser share the session.
const channel = new BroadcastChannel("tidegate-used");
channel.onmessage = () => (used = Date.now());

const note = (): void => {
  used = Date.now();
  if (used - told < 10_000) return;
  told = used;
  channel.postMessage("used");
};
for (const kind of ["keydown", "pointerdown", "wheel"]) addEventListener(kind, note, { capture: true, passive: true });

setInterval(() => {
  const current = session.value;
  if (current.is !== "in") return;
  const now = Date.now();
  if (now - used >= current.who.idle_seconds * 1000) session.value = { is: "ended", who: current.who };
  else if (used > reminded && now - reminded >= REMIND) {
    reminded = now;
    call("/api/v1/session").catch(() => undefined);
  }
}, EVERY);
