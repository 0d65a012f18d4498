import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, may, signOut } from "./api.ts";
import { onEvent } from "./events.ts";
import { go } from "./router.ts";
import { AccessRoom } from "./rooms/access.tsx";
import { AskRoom } from "./rooms/ask.tsx";
import { AuditRoom } from "./rooms/audit.tsx";
import { ReviewRoom } from "./rooms/review.tsx";
import { SessionsRoom } from "./rooms/sessions.tsx";
import { SqlRoom } from "./rooms/sql.tsx";
import { Badge, Brand, Button, Dialog, Icon, useAsked } from "./ui.tsx";
import type { Request, Who } from "./types.ts";

type Room = { path: string; name: string; key: string; icon: Parameters<typeof Icon>[0]["name"]; scopes?: string[]; view: ComponentType<{ who: Who; place: string }> };

const ROOMS: Room[] = [
  { path: "/sql", name: "SQL", key: "s", icon: "sql", view: SqlRoom },
  { path: "/ask", name: "Ask", key: "a", icon: "ask", view: AskRoom },
  { path: "/review", name: "Review", key: "r", icon: "review", view: ReviewRoom },
  { path: "/access", name: "Access", key: "c", icon: "access", scopes: ["read", "grants"], view: AccessRoom },
  { path: "/audit", name: "Audit", key: "d", icon: "audit", scopes: ["audit:read"], view: AuditRoom },
  { path: "/sessions", name: "Sessions", key: "o", icon: "sessions", scopes: ["read", "sessions"], view: SessionsRoom },
];

export function Shell({ who, place }: { who: Who; place: string }) {
  const rooms = ROOMS.filter((room) => !room.scopes || may(...room.scopes));
  const current = place.startsWith("/r/") ? ROOMS[1] : rooms.find((room) => place === room.path || place.startsWith(`${room.path}/`));
  const waiting = useAsked(() => call<{ requests: Request[] }>("/api/v1/requests?to_review=true&limit=200", { background: true }), [who.principal]);
  const [help, setHelp] = useState(false);
  useEffect(() => onEvent((what) => { if (/^(request|break_glass)_/.test(what.event)) waiting.again(); }), []);
  useEffect(() => { if (!current) go("/sql", true); }, [current]);
  useEffect(() => { document.title = current ? `${current.name} · Tidegate` : "Tidegate"; }, [current]);
  useShortcuts(rooms, () => setHelp(true));
  const View = current?.view;
  const count = waiting.value?.requests.length ?? 0;
  return (
    <div class="shell">
      <nav class="rail" aria-label="Rooms">
        <div class="brand"><Brand />Tidegate</div>
        {rooms.map((room) => (
          <a key={room.path} href={room.path} {...(room === current ? { "aria-current": "page" as const } : {})}>
            <Icon name={room.icon} />{room.name}
            {room.path === "/review" && count > 0 && <Badge look="warn">{count}<span class="hidden"> waiting</span></Badge>}
          </a>
        ))}
        <footer>
          <span class="wideonly"><Button look="quiet" icon="keys" onClick={() => setHelp(true)}>Keyboard</Button></span>
          <div class="me"><div class="grow"><div class="cut"><strong>{who.principal}</strong></div><div class="cut small soft">{who.groups.join(", ") || "no group"}</div></div></div>
          <div class="row"><Button look="quiet" icon="theme" label="Light or dark" onClick={switchTheme} /><Button look="quiet" icon="out" label="Sign out" onClick={() => void signOut()} /></div>
        </footer>
      </nav>
      <main class="room">{View && <View who={who} place={place} />}</main>
      {help && <Help rooms={rooms} onClose={() => setHelp(false)} />}
    </div>
  );
}

function switchTheme() {
  const root = document.documentElement;
  const isDark = root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset["theme"] = isDark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset["theme"]);
}

/** `g` and then a room's letter; `?` lists them. Not while something is being written. */
function useShortcuts(rooms: Room[], help: () => void) {
  useEffect(() => {
    let began = 0;
    const press = (event: KeyboardEvent) => {
      const place = event.target as HTMLElement;
      if (event.metaKey || event.ctrlKey || event.altKey || place.closest("input, textarea, select, .cm-editor, dialog")) return;
      if (event.key === "?") return help();
      if (event.key === "g") { began = Date.now(); return; }
      const room = Date.now() - began < 1500 && rooms.find((it) => it.key === event.key);
      began = 0;
      if (room) { event.preventDefault(); go(room.path); }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [rooms.length]);
}

function Help({ rooms, onClose }: { rooms: Room[]; onClose: () => void }) {
  const keys: [string[], string][] = [
    ...rooms.map((room): [string[], string] => [["g", room.key], room.name]),
    [["Ctrl", "Enter"], "Run the statement under the cursor, or the selection"],
    [["Ctrl", "Shift", "Enter"], "Run everything"],
    [["Ctrl", "E"], "Show its plan"],
    [["Esc"], "In the editor, leave it with Tab next"],
    [["j", "k"], "Review: next, previous"],
  ];
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="facts">{keys.map(([held, what]) => <><dt>{held.map((key) => <><kbd>{key}</kbd> </>)}</dt><dd>{what}</dd></>)}</dl>
    </Dialog>
  );
}
