// How times, counts and lifetimes are written.

export function duration(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  const [days, hours, minutes] = [Math.floor(left / 86400), Math.floor((left % 86400) / 3600), Math.floor((left % 3600) / 60)];
  const two = (number: number) => String(number).padStart(2, "0");
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  if (minutes > 0) return `${minutes}:${two(left % 60)} min`;
  return `${left} s`;
}

/** A lifetime as the API takes it: 5400 is 1h30m. */
export function lifetime(seconds: number): string {
  const parts: [number, string][] = [[Math.floor(seconds / 86400), "d"], [Math.floor((seconds % 86400) / 3600), "h"], [Math.floor((seconds % 3600) / 60), "m"], [seconds % 60, "s"]];
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`).join("") || "1s";
}

/** Seconds of a lifetime as people write it, if it is one. */
export function seconds(text: string): number | undefined {
  const found = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text.trim().replaceAll(" ", ""));
  if (!found || !found[0]) return undefined;
  const [days, hours, minutes, rest] = found.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number];
  return days * 86400 + hours * 3600 + minutes * 60 + rest || undefined;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "short" });

export function instant(text: string): string {
  const at = new Date(text);
  const clock = CLOCK.format(at);
  return at.toDateString() === new Date().toDateString() ? clock : `${DAY.format(at)} ${clock}`;
}

export function ago(text: string, now: number): string {
  const past = (now - Date.parse(text)) / 1000;
  if (past < 5) return "just now";
  if (past < 60) return `${Math.floor(past)} s ago`;
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return instant(text);
}

const COUNT = new Intl.NumberFormat("en");
export const count = (number: number): string => COUNT.format(number);
export const rows = (number: number): string => `${count(number)} ${number === 1 ? "row" : "rows"}`;

export function milliseconds(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

export const plural = (number: number, word: string): string => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
