// Calls to the gateway's API with the session's cookie. Scripts never see the key.
import { Cell } from "./cell.ts";
import type { Problem, Who } from "./types.ts";

/** Who is signed in: nobody yet known, nobody, somebody, or somebody whose session ended under their hands. */
export type Session =
  | { is: "unknown" }
  | { is: "out" }
  | { is: "in"; who: Who }
  | { is: "ended"; who: Who };

export const session = new Cell<Session>({ is: "unknown" });

export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Problem) {
    super(problem.detail);
  }
}

/** `background` keeps no session alive: it is for what the page asks by itself. */
export type How = { method?: string; body?: unknown; background?: boolean; keepalive?: boolean; signal?: AbortSignal; headers?: Record<string, string> };

export async function send(path: string, how: How = {}): Promise<Response> {
  const headers: Record<string, string> = { "x-tidegate-console": how.background ? "background" : "used", ...how.headers };
  const init: RequestInit = { method: how.method ?? (how.body === undefined ? "GET" : "POST"), headers, credentials: "same-origin" };
  if (how.body !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(how.body);
  }
  if (how.keepalive) init.keepalive = true;
  if (how.signal) init.signal = how.signal;
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (how.signal?.aborted) throw error;
    throw new Refused(0, { status: 0, code: "unreachable", detail: "the gateway cannot be reached" });
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && problem.code === "unauthorized") {
    const current = session.value;
    if (current.is === "in" || current.is === "ended") {
      session.value = { is: "ended", who: current.who };
      problem.detail = "Your session has ended. Sign in, and do it again.";
    } else if (current.is === "unknown") session.value = { is: "out" };
  }
  throw new Refused(response.status, problem);
}

export async function call<T>(path: string, how: How = {}): Promise<T> {
  const response = await send(path, how);
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as Partial<Problem> & { message?: string };
    return { ...body, status: response.status, code: body.code ?? "unknown", detail: body.detail ?? body.message ?? response.statusText };
  } catch {
    return { status: response.status, code: "unknown", detail: text.slice(0, 300) || response.statusText };
  }
}

/** Whole lines, as they arrive. */
export async function* lines(response: Response): AsyncGenerator<string> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

export async function signIn(principal: string, password: string): Promise<void> {
  const who = await call<Who>("/api/v1/login", { body: { principal, password } });
  session.value = { is: "in", who };
}

export async function beginProviderLogin(): Promise<void> {
  const redirect_uri = `${location.origin}/callback`;
  const begun = await call<{ authorization_url: string }>("/api/v1/login/browser", { body: { redirect_uri } });
  sessionStorage.setItem("return", location.pathname + location.search);
  location.assign(begun.authorization_url);
}

/** The browser is back from the identity provider; gives where it was before. */
export async function finishProviderLogin(query: URLSearchParams): Promise<string> {
  const refused = query.get("error_description") ?? query.get("error");
  if (refused) throw new Refused(403, { status: 403, code: "login_declined", detail: refused });
  const body: Record<string, string> = { code: query.get("code") ?? "", state: query.get("state") ?? "" };
  const iss = query.get("iss");
  if (iss) body["iss"] = iss;
  const who = await call<Who>("/api/v1/login/browser/finish", { body });
  session.value = { is: "in", who };
  const back = sessionStorage.getItem("return") ?? "/";
  sessionStorage.removeItem("return");
  return back.startsWith("/") && !back.startsWith("//") && back !== "/callback" ? back : "/";
}

export async function signOut(): Promise<void> {
  try {
    await call("/api/v1/session", { method: "DELETE" });
  } finally {
    session.value = { is: "out" };
  }
}

export async function whoAmI(): Promise<void> {
  try {
    session.value = { is: "in", who: await call<Who>("/api/v1/session", { background: true }) };
  } catch {
    session.value = { is: "out" };
  }
}

export const may = (...scopes: string[]): boolean => {
  const current = session.value;
  const held = current.is === "in" || current.is === "ended" ? current.who.scopes : [];
  return held.some((scope) => scope === "admin" || scopes.includes(scope));
};

export const meta = (name: string): string => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
